// The text in the four corners of an image, the directions at its edges, and the scale.

import { ageAt, formatDate, formatTime, number, personName, text, values } from "./dicom.js";
import { fill, h } from "./dom.js";
import { language, t } from "./i18n.js";
import { sex } from "./patient.js";

const RULER_MM = [100, 50, 20, 10, 5, 2, 1];

/** Writes the overlay of the frame described by `view` (see `Stack.showOverlay`). */
export function showImageOverlay(element, view) {
  fill(element, corner("top left", patientLines(view)), corner("top right", studyLines(view)),
    corner("bottom left", placeLines(view)), corner("bottom right", qualityLines(view)), edges(view.edges), ruler(view));
}

function corner(place, lines) {
  return h("div", { class: `corner ${place}` }, lines.filter(Boolean).map((line, at) => h("div", { class: place === "top left" && at === 0 ? "who" : null }, line)));
}

function patientLines({ instance }) {
  const name = personName(values(instance, "PatientName")[0], language());
  const birth = text(instance, "PatientBirthDate");
  const age = ageAt(birth, text(instance, "StudyDate"));
  const born = [formatDate(birth), age === null ? "" : t("years", { n: age }), sex(text(instance, "PatientSex"))].filter(Boolean).join("  ");
  return [name.primary || t("noName"), name.others.join("　"), text(instance, "PatientID"), born];
}

function studyLines({ instance, studyRow }) {
  const institution = text(instance, "InstitutionName") || text(studyRow, "InstitutionName");
  // "U" says that the body part is not paired (PS3.3 C.8.11.2.1.1): nothing to show.
  const side = [text(instance, "ImageLaterality"), text(instance, "Laterality")].find((one) => one && one !== "U");
  return [institution, `${formatDate(text(instance, "StudyDate"))} ${formatTime(text(instance, "StudyTime"))}`.trim(), text(instance, "StudyDescription"),
    [text(instance, "SeriesNumber") && `#${text(instance, "SeriesNumber")}`, text(instance, "SeriesDescription")].filter(Boolean).join(" "),
    [side, text(instance, "ViewPosition")].filter(Boolean).join(" ")];
}

function placeLines({ instance, frame, frames, index, total, slice, zoom }) {
  const thickness = number(instance, "SliceThickness");
  return [slice !== undefined && t("overlaySlice", { position: tidy(slice) }), thickness !== null && t("overlayThickness", { thickness: tidy(thickness) }),
    frames > 1 && frames !== total && t("overlayFrame", { n: frame, total: frames }), t("overlayImage", { n: index + 1, total }),
    t("overlayZoom", { n: Math.round(zoom * 100) })];
}

function qualityLines({ instance, window, found, colour, entry, pending }) {
  const shown = colour ? t("overlayColour") : windowLine(window, found);
  const size = `${text(instance, "Columns")}×${text(instance, "Rows")}`;
  const scaled = entry?.scaled ? t("qualityScaled", { width: entry.bitmap.width, height: entry.bitmap.height }) : "";
  const kind = entry?.mediaType === "image/png" ? "PNG" : "JPEG";
  return [pending ? t("qualityPending") : "", shown, [size, scaled].filter(Boolean).join("  "), lossySource(instance), entry ? t("qualityRendered", { kind }) : ""];
}

function windowLine(window, found) {
  const shown = window ?? found;
  if (!shown) return t("overlayWindowFile");
  return t(window ? "overlayWindow" : "overlayWindowFound", { width: whole(shown.width), center: whole(shown.center) });
}

// PS3.3 C.7.6.1.1.5: "01" says that the image has been compressed with loss at some time.
function lossySource(instance) {
  if (text(instance, "LossyImageCompression") !== "01") return "";
  const ratio = number(instance, "LossyImageCompressionRatio");
  return ratio ? t("qualityLossyRatio", { ratio: tidy(ratio) }) : t("qualityLossySource");
}

function edges({ left, right, top, bottom }) {
  return [["left", left], ["right", right], ["top", top], ["bottom", bottom]].map(([place, letter]) => letter && h("div", { class: `edge ${place}` }, letter));
}

// The longest round length that takes at most a third of the canvas; none where the file states no spacing.
function ruler({ spacing, pixelsPerColumn, entry }) {
  if (!spacing || !entry) return null;
  const pixels = (mm) => (mm / spacing.column) * pixelsPerColumn;
  const mm = RULER_MM.find((length) => pixels(length) <= 160);
  if (!mm || pixels(mm) < 20) return null;
  const line = h("div", { class: "ruler-line" });
  line.style.width = `${pixels(mm)}px`;
  return h("div", { class: "ruler" }, line, h("span", {}, `${mm >= 10 ? `${mm / 10} cm` : `${mm} mm`}${spacing.detector ? ` ${t("scaleDetector")}` : ""}`));
}

// Windows of thousands, as PET has them, say nothing with their decimals.
function whole(value) {
  return Math.abs(value) >= 100 ? String(Math.round(value)) : tidy(value);
}

function tidy(value) {
  return String(Math.round(value * 100) / 100);
}
