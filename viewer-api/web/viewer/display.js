// What the instances of a series are shown as: one stack of images, and each waveform, report or document by itself. No DOM.

import { items, number, numbers, text, values } from "./dicom.js";

const SOP = "1.2.840.10008.5.1.4.1.1.";
const AUDIO = [`${SOP}9.4.1`, `${SOP}9.4.2`];
const UNSHOWN = [
  [`${SOP}11.`, "kindPresentation"], [`${SOP}66.1`, "kindRegistration"], [`${SOP}66.3`, "kindRegistration"], [`${SOP}67`, "kindRegistration"],
  [`${SOP}66.`, "kindSegmentation"], [`${SOP}481.`, "kindRadiotherapy"], [`${SOP}104.2`, "kindCda"], [`${SOP}9.`, "kindWaveform"],
];

/** `"image"`, `"ecg"`, `"report"`, `"pdf"` or `"other"`, from SOP Class and content. */
export function kindOf(instance) {
  const sopClass = text(instance, "SOPClassUID");
  if (items(instance, "WaveformSequence").length && !AUDIO.includes(sopClass)) return "ecg";
  if (sopClass.startsWith(`${SOP}88.`)) return "report";
  if (sopClass === `${SOP}104.1` || text(instance, "MIMETypeOfEncapsulatedDocument") === "application/pdf") return "pdf";
  if (number(instance, "Rows") && number(instance, "Columns")) return "image";
  return "other";
}

/** The i18n key of the name of a kind of object this page cannot show. */
export function unshownName(instance) {
  const sopClass = text(instance, "SOPClassUID");
  return UNSHOWN.find(([prefix]) => sopClass.startsWith(prefix))?.[1] ?? "kindOther";
}

/** The display sets of a series: `[{kind, instances}]`, images first and together. */
export function displaySets(metadata) {
  const images = inOrder(metadata.filter((instance) => kindOf(instance) === "image"));
  const rest = inOrder(metadata.filter((instance) => kindOf(instance) !== "image"));
  return [...(images.length ? [{ kind: "image", instances: images }] : []),
    ...rest.map((instance) => ({ kind: kindOf(instance), instances: [instance] }))];
}

/** Instances as a reader scrolls them: along the slice normal where every one is parallel and placed, else by Instance Number. */
export function inOrder(instances) {
  const places = instances.map(placeAlongNormal);
  const first = JSON.stringify(normalOf(instances[0])?.map((part) => part.toFixed(3)));
  const placed = instances.length > 1 && places.every((place) => place !== null) && new Set(places.map((place) => place.toFixed(2))).size === places.length
    && instances.every((instance) => JSON.stringify(normalOf(instance).map((part) => part.toFixed(3))) === first);
  const byNumber = (a, b) => (number(a, "InstanceNumber") ?? Infinity) - (number(b, "InstanceNumber") ?? Infinity) || 0;
  if (!placed) return [...instances].sort(byNumber);
  const sorted = instances.map((instance, index) => ({ instance, place: places[index] })).sort((a, b) => a.place - b.place).map((row) => row.instance);
  // The acquisition's own direction is kept: head first stays head first.
  return byNumber(sorted[0], sorted.at(-1)) > 0 ? sorted.reverse() : sorted;
}

function normalOf(instance) {
  const at = numbers(instance, "ImageOrientationPatient");
  if (at.length !== 6) return null;
  return [at[1] * at[5] - at[2] * at[4], at[2] * at[3] - at[0] * at[5], at[0] * at[4] - at[1] * at[3]];
}

function placeAlongNormal(instance) {
  const normal = normalOf(instance);
  const position = numbers(instance, "ImagePositionPatient");
  if (!normal || position.length !== 3) return null;
  return normal[0] * position[0] + normal[1] * position[1] + normal[2] * position[2];
}

/** All frames of a stack in order: `[{instance, frame, frames, index}]`, frames counted from 1. At most `FRAMES_MAX`. */
export function framesOf(instances) {
  const frames = [];
  for (const instance of instances) {
    const count = Math.max(1, Math.min(FRAMES_MAX, number(instance, "NumberOfFrames") ?? 1));
    for (let frame = 1; frame <= count && frames.length < FRAMES_MAX; frame++) frames.push({ instance, frame, frames: count, index: frames.length });
  }
  return frames;
}

/** A stack is cut here; more frames than this are not one scroll bar any more. */
export const FRAMES_MAX = 20000;

/** The functional group item of `keyword` for a frame (PS3.3 C.7.6.16): the frame's own, else the shared one, else `null`. */
export function functionalGroup(instance, frame, keyword) {
  const own = items(instance, "PerFrameFunctionalGroupsSequence")[frame - 1];
  const shared = items(instance, "SharedFunctionalGroupsSequence")[0];
  return items(own, keyword)[0] ?? items(shared, keyword)[0] ?? null;
}

/** Whether the samples are colours, which take no window. */
export function isColour(instance) {
  const photometric = text(instance, "PhotometricInterpretation");
  return (number(instance, "SamplesPerPixel") ?? 1) > 1 || photometric === "PALETTE COLOR";
}

/** The first window the file states, in modality units, or `null`. */
export function statedWindow(instance, frame) {
  for (const source of [functionalGroup(instance, frame, "FrameVOILUTSequence"), instance]) {
    const center = number(source, "WindowCenter");
    const width = number(source, "WindowWidth");
    if (center !== null && width !== null && width > 0) return { center, width };
  }
  return null;
}

/** A window to start dragging from where the file states none: the whole range of the stored bits, rescaled. */
export function fullWindow(instance) {
  const bits = Math.max(1, Math.min(16, number(instance, "BitsStored") ?? 8));
  const slope = number(instance, "RescaleSlope") ?? 1;
  const intercept = number(instance, "RescaleIntercept") ?? 0;
  const low = number(instance, "PixelRepresentation") === 1 ? -(2 ** (bits - 1)) : 0;
  return { center: (low + 2 ** (bits - 1)) * slope + intercept, width: Math.max(2, 2 ** bits * Math.abs(slope)) };
}

/** Row and column spacing in mm with where it is measured, or `null` (PS3.3 C.7.6.3.1.7, §10.7.1.3). */
export function spacingOf(instance, frame) {
  const measured = functionalGroup(instance, frame, "PixelMeasuresSequence");
  const patient = [measured, instance].map((source) => numbers(source, "PixelSpacing")).find((pair) => pair.length === 2);
  if (patient && patient.every((mm) => mm > 0)) return { row: patient[0], column: patient[1], detector: false };
  const detector = numbers(instance, "ImagerPixelSpacing");
  return detector.length === 2 && detector.every((mm) => mm > 0) ? { row: detector[0], column: detector[1], detector: true } : null;
}

/** Height of a pixel over its width. */
export function pixelAspect(instance, frame) {
  const spacing = spacingOf(instance, frame);
  if (spacing) return spacing.row / spacing.column;
  const ratio = numbers(instance, "PixelAspectRatio");
  return ratio.length === 2 && ratio.every((part) => part > 0) ? ratio[0] / ratio[1] : 1;
}

/** Patient directions at the left, right, top and bottom edge, `""` where unknown (PS3.3 C.7.6.2.1.1, C.7.6.1.1.1). */
export function edgeLetters(instance) {
  const at = numbers(instance, "ImageOrientationPatient");
  if (at.length === 6) {
    const row = at.slice(0, 3);
    const column = at.slice(3);
    const minus = (vector) => vector.map((part) => -part);
    return { left: letters(minus(row)), right: letters(row), top: letters(minus(column)), bottom: letters(column) };
  }
  const [right = "", bottom = ""] = values(instance, "PatientOrientation").map(String);
  return { left: opposite(right), right, top: opposite(bottom), bottom };
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

/** Frames a second of a cine: what the file says, else 15; between 1 and 60 (PS3.3 C.7.6.5). */
export function frameRate(instance) {
  const time_ms = number(instance, "FrameTime");
  const rate = number(instance, "RecommendedDisplayFrameRate") ?? number(instance, "CineRate") ?? (time_ms > 0 ? 1000 / time_ms : 15);
  return Math.round(Math.max(1, Math.min(60, rate)));
}
