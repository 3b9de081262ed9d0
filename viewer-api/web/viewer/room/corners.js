// The text in the corners of a view, the directions at its edges, and the scale.

import { ageAt, formatDate, formatTime, personName } from "../dicom.js";
import { fill, h } from "../dom.js";
import { language, t } from "../i18n.js";
import { isLater } from "../image/manifest.js";
import { qualityText } from "../image/quality.js";
import { lossyRatioOf } from "../image/sources.js";
import { sex } from "../patient.js";
import { numbersOf } from "./geometry.js";

const RULER_MM = [100, 50, 20, 10, 5, 2, 1];
const RULER_PIXELS_MAX = 160;
/** Along which patient axis cuts of MPR follow each other. */
const AXES = { sagittal: 0, coronal: 1, axial: 2 };
/** Views narrower than this, in CSS pixels, say only what differs from view to view. */
const COMPACT_PIXELS = 420;

/** Writes what is known about the frame of `cell` into its overlay. */
export function showCorners(cell) {
  const { view, overlay, manifest } = cell;
  const { frame } = view;
  if (!frame) return void fill(overlay);
  const compact = cell.place.clientWidth < COMPACT_PIXELS;
  overlay.classList.toggle("compact", compact);
  if (cell.hangs) return fill(overlay, besideBreast(cell, compact), compact ? null : edges(view), compact ? null : ruler(view));
  fill(overlay, corner("top left", [...(compact ? [] : patientLines(manifest).slice(0, cell.room.cells.length > 1 ? 1 : 4)), priorLine(cell)]), corner("top right", studyLines(cell, compact)),
    corner("bottom left", placeLines(cell, compact)), corner("bottom right", qualityLines(view, compact)), edges(view), compact ? null : ruler(view));
}

// Of a mammogram everything is written over the air, away from the chest wall; whose it is stands above the room.
function besideBreast(cell, compact) {
  const { view, manifest } = cell;
  const side = cell.hangs === "right" ? "left" : "right";
  return [corner(`top ${side}`, [...studyLines(cell, true), priorLine(cell) || formatDate(manifest.study.StudyDate)]),
    corner(`bottom ${side}`, [...(compact ? [] : placeLines(cell, compact)), ...qualityLines(view, compact)])];
}

function corner(place, lines) {
  return h("div", { class: `corner ${place}` }, lines.filter(Boolean).map((line) => (typeof line === "string" ? h("div", {}, line) : line)));
}

function patientLines({ patient, study }) {
  const name = personName(patient.PatientName, language());
  const age = ageAt(patient.PatientBirthDate, study.StudyDate);
  return [h("div", { class: "who" }, name.primary || t("noName")), name.others.join("　"), patient.PatientID ?? "",
    [formatDate(patient.PatientBirthDate), age === null ? "" : t("years", { n: age }), sex(patient.PatientSex ?? "")].filter(Boolean).join("  ")];
}

function priorLine({ prior, manifest, room }) {
  return prior && h("div", { class: "prior-mark" }, studyMark(manifest.study, room.manifest.study));
}

/** What marks another study of the person beside the one that is read: that it is before it or after it, and its date. */
export function studyMark(study, read) {
  return t(isLater(study, read) ? "roomLaterMark" : "roomPriorMark", { date: formatDate(study.StudyDate) || t("noDate") });
}

function studyLines({ view: { frame }, manifest: { study } }, compact) {
  // "U" says that the body part is not paired (PS3.3 C.8.11.2.1.1): nothing to show.
  const side = [frame.value("ImageLaterality"), frame.value("Laterality"), frame.series.Laterality].find((one) => one && one !== "U");
  const placed = [side, frame.value("ViewPosition")].filter(Boolean).join(" ");
  const series = [frame.series.SeriesNumber !== undefined && `#${frame.series.SeriesNumber}`, frame.series.SeriesDescription].filter(Boolean).join(" ");
  if (compact) return [placed ? h("div", { class: "who" }, placed) : series];
  return [`${formatDate(study.StudyDate)} ${formatTime(study.StudyTime)}`.trim(), study.StudyDescription ?? "", series, placed && h("div", { class: "who" }, placed)];
}

function placeLines(cell, compact) {
  const { view } = cell;
  const { frame, frames, index } = view;
  const count = Number(frame.value("NumberOfFrames") ?? 1);
  const [slice] = numbersOf(frame.value("SliceLocation"));
  const [thickness] = numbersOf(frame.value("SliceThickness"));
  const position = slice ?? numbersOf(frame.value("ImagePositionPatient"))[AXES[cell.orientation] ?? 2];
  const image = frames.length === 1 ? "" : t(count === frames.length ? "roomFrame" : "roomImage", { n: index + 1, total: frames.length });
  if (cell.title) return [h("div", { class: `cut-mark cut-${cell.orientation}` }, cell.title), position !== undefined && t("roomSlice", { position: tidy(position) }), image];
  if (compact) return [image];
  return [position !== undefined && t("roomSlice", { position: tidy(position) }), thickness !== undefined && t("roomThickness", { thickness: tidy(thickness) }),
    count > 1 && count !== frames.length && t("roomFrame", { n: frame.number, total: count }), image,
    t("roomZoom", { n: Math.round(view.scale * (globalThis.devicePixelRatio || 1) * 100) })];
}

function qualityLines(view, compact) {
  const { frame, picture } = view;
  const shown = frame.isColour ? t("roomColour") : windowLine(view);
  const inverted = view.inverted && t("roomInverted");
  const said = picture && (view.quality ?? picture.quality);
  const quality = !said ? t("roomPending") : said.kind === "computed" ? t("roomQualityComputed") : qualityText(said);
  if (compact) return [inverted, shown, quality];
  return [inverted, shown, `${frame.value("Columns")}×${frame.value("Rows")}`, lossySource(frame, said), quality];
}

function windowLine({ shownVoi }) {
  if (!shownVoi) return "";
  if (shownVoi.entries) return t("roomFileTable");
  const words = { width: whole(shownVoi.width), center: whole(shownVoi.center) };
  return [shownVoi.found ? t("roomWindowFound", words) : t("roomWindow", words), shownVoi.function === "SIGMOID" && t("roomSigmoid")].filter(Boolean).join("  ");
}

// PS3.3 C.7.6.1.1.5: "01" says that the image has been compressed with loss at some time, before it came here.
function lossySource(frame, said) {
  if (frame.value("LossyImageCompression") !== "01" || said?.kind === "lossy") return "";
  const ratio = lossyRatioOf(frame);
  return ratio ? t("roomSourceLossyRatio", { ratio: tidy(ratio) }) : t("roomSourceLossy");
}

/** Patient directions at the edges of a picture as it is turned in its view: `{left, right, top, bottom}`, `""` where unknown. */
export function edgeLetters(frame, rotation, flipped) {
  const cosines = numbersOf(frame.value("ImageOrientationPatient"));
  const minus = (vector) => vector.map((part) => -part);
  let around;
  if (cosines.length === 6) {
    const [row, column] = [cosines.slice(0, 3), cosines.slice(3)];
    around = [letters(minus(column)), letters(row), letters(column), letters(minus(row))];
  } else {
    const [right = "", bottom = ""] = [frame.value("PatientOrientation") ?? []].flat().map(String);
    around = [opposite(bottom), right, bottom, opposite(right)];
  }
  // Turned clockwise first, then flipped (PS3.3 C.10.6): `around` goes clockwise from the top.
  const quarter = (((rotation / 90) % 4) + 4) % 4;
  const [top, right, bottom, left] = around.map((_, at) => around[(at - quarter + 4) % 4]);
  return flipped ? { top, bottom, left: right, right: left } : { top, bottom, left, right };
}

function letters(vector) {
  const names = [["R", "L"], ["A", "P"], ["F", "H"]];
  return vector.map((part, axis) => ({ part: Math.abs(part), name: names[axis][part > 0 ? 1 : 0] })).filter(({ part }) => part > 0.35)
    .sort((a, b) => b.part - a.part).map(({ name }) => name).join("");
}

function opposite(letter) {
  const pairs = { R: "L", L: "R", A: "P", P: "A", F: "H", H: "F" };
  return [...letter].map((one) => pairs[one] ?? "").join("");
}

function edges(view) {
  const found = edgeLetters(view.frame, view.rotation, view.flipped);
  return Object.entries(found).map(([place, letter]) => letter && h("div", { class: `edge ${place}` }, letter));
}

// The longest round length that takes at most a third of the view; none where the file states no spacing.
function ruler(view) {
  const { spacing } = view;
  if (!spacing || !view.picture) return null;
  const across = view.rotation % 180 === 0 ? spacing.column : spacing.row;
  const pixels = (mm) => (mm / across) * view.scale * (across === spacing.column ? 1 : spacing.row / spacing.column);
  const mm = RULER_MM.find((length) => pixels(length) <= RULER_PIXELS_MAX);
  if (!mm || pixels(mm) < 20) return null;
  const line = h("div", { class: "ruler-line" });
  line.style.width = `${pixels(mm)}px`;
  return h("div", { class: "ruler" }, line, h("span", {}, `${mm >= 10 ? `${mm / 10} cm` : `${mm} mm`}${spacing.kind === "detector" ? ` ${t("roomDetector")}` : ""}`));
}

// Windows of thousands, as PET has them, say nothing with their decimals.
function whole(value) {
  return Math.abs(value) >= 100 ? String(Math.round(value)) : tidy(value);
}

function tidy(value) {
  return String(Math.round(value * 100) / 100);
}
