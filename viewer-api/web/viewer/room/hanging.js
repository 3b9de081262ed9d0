// How the images of a study hang: which go where, turned how, beside what. No DOM.

import { NOT_HUNG, VOLUMES } from "../image/modalities.js";
import { numbersOf } from "./geometry.js";

/** Layouts a reader chooses: rows and columns. */
export const LAYOUTS = { "1x1": [1, 1], "1x2": [1, 2], "2x1": [2, 1], "2x2": [2, 2] };

const PROJECTIONS = ["CR", "DX", "RG"];

/** Whether a series holds pictures that can be hung. */
export function hangs(series) {
  return !NOT_HUNG.includes(series.Modality) && series.frames.length > 0;
}

/**
 * Which breast a frame shows, `"R"`, `"L"` or `null`: Image Laterality, else Laterality (PS3.3 C.8.11.7.1, C.7.3.1), else Patient Orientation: in a
 * craniocaudal view the rows count towards the sternum, so down the picture is the patient's left for a right breast.
 */
export function breastSide(frame) {
  for (const value of [frame.value("ImageLaterality"), frame.value("Laterality"), frame.series?.Laterality]) if (value === "R" || value === "L") return value;
  const [, down = ""] = orientationOf(frame);
  if (down.includes("L")) return "R";
  return down.includes("R") ? "L" : null;
}

/** `"CC"`, `"MLO"`, the View Position as it is where it is another, or `null` (PS3.3 C.8.11.1.1.2 and its mammography values, CID 4014). */
export function breastView(frame) {
  const view = String(frame.value("ViewPosition") ?? "").toUpperCase().trim();
  if (["CC", "XCCL", "XCCM", "XCC", "FB", "RCC", "LCC"].includes(view)) return "CC";
  if (["MLO", "LMO", "ML", "LM", "RMLO", "LMLO"].includes(view)) return "MLO";
  return view || null;
}

function orientationOf(frame) {
  const value = frame.value("PatientOrientation");
  return (Array.isArray(value) ? value : String(value ?? "").split("\\")).map((part) => String(part ?? "").toUpperCase());
}

/**
 * How a mammogram is turned so that it hangs as readers expect: right breast with the chest wall at the right, left breast at the left, lateral
 * (CC) or head (MLO) up. `{mirror, upsideDown}`; what Patient Orientation does not say stays as it is.
 */
export function breastTurn(frame) {
  const side = breastSide(frame);
  const [across = "", down = ""] = orientationOf(frame);
  const wall = across.startsWith("P") ? "right" : across.startsWith("A") ? "left" : null;
  const wanted = side === "R" ? "right" : side === "L" ? "left" : null;
  const mirror = Boolean(wall && wanted && wall !== wanted);
  const lateral = side === "R" ? "R" : "L";
  const upsideDown = down.startsWith("H") || (breastView(frame) === "CC" && side !== null && down.startsWith(lateral));
  return { mirror, upsideDown };
}

/** The edge at which the chest wall lies when hung: `"right"` for a right breast, `"left"` for a left one, else `null`. */
export function chestWall(frame) {
  return { R: "right", L: "left" }[breastSide(frame)] ?? null;
}

const BREAST_SLOTS = [["R", "CC"], ["L", "CC"], ["R", "MLO"], ["L", "MLO"]];

/**
 * The mammograms of a study in the order of hanging: `[RCC, LCC, RMLO, LMLO]`, each an array of frames (several where a view was taken again), and
 * `others`, what fits nowhere. `null` where there are fewer than two of the four.
 */
export function breastSlots(series) {
  const frames = series.filter((one) => one.Modality === "MG" && hangs(one)).flatMap((one) => one.frames);
  const slots = BREAST_SLOTS.map(([side, view]) => frames.filter((frame) => breastSide(frame) === side && breastView(frame) === view && frame.number === 1));
  const others = frames.filter((frame) => !slots.some((slot) => slot.includes(frame)));
  return slots.filter((slot) => slot.length).length >= 2 ? { slots: slots.map(forPresentation), others } : null;
}

// Where a view is kept both for processing and for presentation, the latter is read (PS3.3 C.8.11.1.1.3, by SOP Class).
function forPresentation(slot) {
  const processed = slot.filter((frame) => !String(frame.instance?.SOPClassUID ?? "").endsWith(".1.1.2.1"));
  return processed.length ? processed : slot;
}

/**
 * What a study hangs as when it is opened: `{kind, rows, columns, places: [{frames, index, prior} | null]}`; `prior` says whose the frames are.
 * Mammograms hang 2 × 2, or with `prior` (the series of a prior study) in two rows of four, the prior below. Two projections of a chest hang side
 * by side; so does a study beside its prior. A volume opens in its middle, everything else at its first image.
 */
export function hang(series, prior = null) {
  const breasts = breastSlots(series);
  if (breasts) return hangBreasts(breasts, prior && breastSlots(prior));
  const shown = series.filter(hangs);
  if (!shown.length) return { kind: "single", rows: 1, columns: 1, places: [null] };
  const first = shown[0];
  if (prior) {
    const before = matching(first, prior);
    return { kind: "prior", rows: 1, columns: 2, places: [place(first.frames), before ? place(before.frames, true) : null] };
  }
  const projections = PROJECTIONS.includes(first.Modality) ? shown.filter((one) => PROJECTIONS.includes(one.Modality)).flatMap((one) => one.frames) : [];
  if (projections.length === 2) return { kind: "projections", rows: 1, columns: 2, places: projections.map((frame) => place([frame])) };
  return { kind: "single", rows: 1, columns: 1, places: [place(first.frames)] };
}

function hangBreasts({ slots }, before) {
  const hung = (filled, prior) => filled.map((slot) => (slot.length ? place(slot, prior) : null));
  if (!before) return { kind: "mammography", rows: 2, columns: 2, places: hung(slots, false) };
  return { kind: "mammography", rows: 2, columns: 4, places: [...hung(slots, false), ...hung(before.slots, true)] };
}

function place(frames, prior = false) {
  return { frames, index: startIndex(frames), prior };
}

/** Where a stack opens: a volume in its middle, a cine and a list of stills at the beginning. */
export function startIndex(frames) {
  const first = frames[0];
  const volume = VOLUMES.includes(first?.series?.Modality) && numbersOf(first.value("ImagePositionPatient")).length === 3;
  return volume ? Math.floor(frames.length / 2) : 0;
}

/** The series of a prior that is read beside `series`: of the same kind, by description, body part and number of images. */
export function matching(series, candidates) {
  const score = (one) => (one.SeriesDescription && one.SeriesDescription === series.SeriesDescription ? 4 : 0)
    + (one.BodyPartExamined && one.BodyPartExamined === series.BodyPartExamined ? 2 : 0)
    + (Math.min(one.frames.length, series.frames.length) / Math.max(one.frames.length, series.frames.length));
  const alike = PROJECTIONS.includes(series.Modality) ? PROJECTIONS : [series.Modality];
  return candidates.filter((one) => hangs(one) && alike.includes(one.Modality)).sort((a, b) => score(b) - score(a))[0] ?? null;
}

/** Whether a prior holds anything that hangs. */
export function hasPictures({ ModalitiesInStudy }) {
  return [ModalitiesInStudy ?? []].flat().some((one) => !NOT_HUNG.includes(one));
}

/** The prior to hang first: the newest one with the same modality that is not later, or `null`. `priors` are rows of the manifest, newest first. */
export function bestPrior(modality, priors) {
  const alike = PROJECTIONS.includes(modality) ? PROJECTIONS : [modality];
  return priors.find((prior) => !prior.later && [prior.ModalitiesInStudy ?? []].flat().some((one) => alike.includes(one))) ?? null;
}
