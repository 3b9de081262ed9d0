// The text in the four corners of an image, the directions at its edges, and the scale.

import { ageAt, formatDate, formatTime, personName } from "./dicom.js";
import { edgeLetters } from "./display.js";
import { fill, h } from "./dom.js";
import { language, t } from "./i18n.js";
import { qualityText } from "./image/quality.js";
import { sex } from "./list.js";

const RULER_MM = [100, 50, 20, 10, 5, 2, 1];
const RULER_PIXELS_MAX = 160;

/** Writes the overlay of an `ImageView` that shows a frame of the study in `manifest`. */
export function showImageOverlay(element, view, manifest) {
  const { frame } = view;
  fill(element, frame && [corner("top left", patientLines(manifest)), corner("top right", studyLines(frame, manifest)),
    corner("bottom left", placeLines(view)), corner("bottom right", qualityLines(view)), edges(view), ruler(view)]);
}

function corner(place, lines) {
  return h("div", { class: `corner ${place}` }, lines.filter(Boolean).map((line, at) => h("div", { class: place === "top left" && at === 0 ? "who" : null }, line)));
}

function patientLines({ patient, study }) {
  const name = personName(patient.PatientName, language());
  const age = ageAt(patient.PatientBirthDate, study.StudyDate);
  const born = [formatDate(patient.PatientBirthDate), age === null ? "" : t("years", { n: age }), sex(patient.PatientSex ?? "")].filter(Boolean).join("  ");
  return [name.primary || t("noName"), name.others.join("　"), patient.PatientID, born];
}

function studyLines(frame, { study }) {
  const { series } = frame;
  // "U" says that the body part is not paired (PS3.3 C.8.11.2.1.1): nothing to show.
  const side = [frame.value("ImageLaterality"), series.Laterality].find((one) => one && one !== "U");
  return [`${formatDate(study.StudyDate)} ${formatTime(study.StudyTime)}`.trim(), study.StudyDescription,
    [series.SeriesNumber !== undefined && `#${series.SeriesNumber}`, series.SeriesDescription].filter(Boolean).join(" "),
    [side, frame.value("ViewPosition")].filter(Boolean).join(" ")];
}

function placeLines({ frame, frames, index, scale }) {
  const thickness = frame.numeric("SliceThickness");
  const slice = frame.numeric("SliceLocation");
  const inInstance = Number(frame.instance.NumberOfFrames ?? 1);
  const zoom = Math.round(scale * (globalThis.devicePixelRatio || 1) * 100);
  return [slice !== null && t("overlaySlice", { position: tidy(slice) }), thickness !== null && t("overlayThickness", { thickness: tidy(thickness) }),
    inInstance > 1 && inInstance !== frames.length && t("overlayFrame", { n: frame.number, total: inInstance }), t("overlayImage", { n: index + 1, total: frames.length }),
    t("overlayZoom", { n: zoom })];
}

function qualityLines({ frame, quality, shownVoi }) {
  return [frame.isColour ? t("overlayColour") : windowLine(shownVoi), `${frame.columns}×${frame.rows}`, quality ? qualityText(quality) : t("qualityPending")];
}

function windowLine(voi) {
  if (!voi) return "";
  if (voi.entries) return t("overlayWindowTable", { name: voi.explanation ?? "" });
  return t(voi.found ? "overlayWindowFound" : "overlayWindow", { width: whole(voi.width), center: whole(voi.center) });
}

// Directions turn with the image: each letter is put where its edge is now.
function edges(view) {
  const { left, right, top, bottom } = edgeLetters(view.frame);
  const { columns, rows } = view.frame;
  const middle = view.imageToScreen([columns / 2, rows / 2]);
  return [[left, 0, rows / 2], [right, columns, rows / 2], [top, columns / 2, 0], [bottom, columns / 2, rows]].map(([letter, column, row]) => {
    const [x, y] = view.imageToScreen([column, row]).map((part, axis) => part - middle[axis]);
    const place = Math.abs(x) > Math.abs(y) ? (x < 0 ? "left" : "right") : y < 0 ? "top" : "bottom";
    return letter && h("div", { class: `edge ${place}` }, letter);
  });
}

// The longest round length that takes at most so much of the view; none where the file states no spacing.
function ruler(view) {
  const { spacing, picture, rotation } = view;
  if (!spacing || !picture) return null;
  const [from, to] = [[0, 0], rotation % 180 ? [0, 1] : [1, 0]].map((place) => view.imageToScreen(place));
  const pixelsPerMm = Math.abs(to[0] - from[0]) / (rotation % 180 ? spacing.row : spacing.column);
  const mm = RULER_MM.find((length) => length * pixelsPerMm <= RULER_PIXELS_MAX);
  if (!mm || mm * pixelsPerMm < 20) return null;
  const line = h("div", { class: "ruler-line" });
  line.style.width = `${mm * pixelsPerMm}px`;
  return h("div", { class: "ruler" }, line, h("span", {}, `${mm >= 10 ? `${mm / 10} cm` : `${mm} mm`}${spacing.kind === "detector" ? ` ${t("scaleDetector")}` : ""}`));
}

// Windows of thousands, as PET has them, say nothing with their decimals.
function whole(value) {
  return Math.abs(value) >= 100 ? String(Math.round(value)) : tidy(value);
}

function tidy(value) {
  return String(Math.round(value * 100) / 100);
}
