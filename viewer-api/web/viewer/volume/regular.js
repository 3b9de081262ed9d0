// Whether a series is a regular volume that may be cut anew in other planes, and if not, why not. No DOM.

import { cross, distanceTo, dot, minus, parallel, planeOf } from "../room/geometry.js";

const SLICES_MIN = 8;
/** Slices may lie this far from where equal steps would put them, as a part of the step. */
const STEP_ERROR_MAX = 0.05;
/** The way from slice to slice may lean this far from their normal: a gantry tilt of more shears the volume (Gantry/Detector Tilt, PS3.3 C.8.2.1). */
const TILT_DEGREES_MAX = 1;
/** A volume holds samples of 16 bits, all signed or none. */
const BITS_MAX = 16;
/** Between slices thicker than this many times the pixel, a new cut would show mostly what was made up. */
const STEP_TO_PIXEL_MAX = 12;

/**
 * `{ok: true, order, geometry}` or `{ok: false, reason, parts}`, `reason` being a key of a word. `order` holds the frames along the normal;
 * `geometry` is `{origin, axes: [row, column, normal], spacing: [column, row, slice], size: [columns, rows, slices], frameOfReference}`.
 */
export function regularity(frames) {
  if (frames.length < SLICES_MIN) return no("volumeFew", { n: frames.length, least: SLICES_MIN });
  const first = frames[0];
  if (Number(first.value("SamplesPerPixel") ?? 1) !== 1 || first.value("PhotometricInterpretation") === "PALETTE COLOR") return no("volumeColour");
  if (frames.some((frame) => !fitsVolume({ bits: Number(frame.value("BitsStored") ?? 0), signed: isSigned(frame) }, { signed: isSigned(first) }))) return no("volumeSamples");
  const planes = frames.map(planeOf);
  if (planes.some((plane) => !plane)) return no("volumeUnplaced");
  return samePlanes(frames, planes) ?? evenSteps(frames, planes);
}

const isSigned = (frame) => Number(frame.value("PixelRepresentation") ?? 0) === 1;

/** Whether samples of `bits` can stand in a volume beside those of `form`. */
export function fitsVolume({ bits, signed }, form) {
  return bits <= BITS_MAX && signed === form.signed;
}

const no = (reason, parts = {}) => ({ ok: false, reason, parts });

function samePlanes(frames, planes) {
  const [first] = planes;
  if (!first.frameOfReference) return no("volumeNoFrameOfReference");
  for (const plane of planes) {
    if (plane.frameOfReference !== first.frameOfReference) return no("volumeFramesOfReference");
    if (plane.rows !== first.rows || plane.columns !== first.columns) return no("volumeMatrix");
    if (!near(plane.spacing.row, first.spacing.row) || !near(plane.spacing.column, first.spacing.column)) return no("volumeSpacing");
    if (!parallel(plane, first) || Math.abs(dot(plane.row, first.row)) < 0.9998) return no("volumeOrientation");
  }
  // One slope and intercept a slice is usual for PET; the samples are then not comparable as they are stored.
  const rescale = (frame) => `${frame.value("RescaleSlope") ?? 1}/${frame.value("RescaleIntercept") ?? 0}`;
  return frames.some((frame) => rescale(frame) !== rescale(frames[0])) ? no("volumeRescale") : null;
}

function near(a, b) {
  return Math.abs(a - b) <= 0.001 * Math.max(a, b);
}

function evenSteps(frames, planes) {
  const [first] = planes;
  const places = planes.map((plane, at) => ({ at, place: distanceTo(first, plane.origin) })).sort((a, b) => a.place - b.place);
  const steps = places.slice(1).map(({ place }, at) => place - places[at].place);
  const step = [...steps].sort((a, b) => a - b)[Math.floor(steps.length / 2)];
  if (steps.some((one) => one < 0.01)) return no("volumeSamePlace", { n: steps.filter((one) => one < 0.01).length });
  const gaps = steps.filter((one) => one > step * 1.5);
  if (gaps.length) return no("volumeGap", { n: gaps.length, mm: tidy(Math.max(...gaps)), step: tidy(step) });
  if (steps.some((one) => Math.abs(one - step) > step * STEP_ERROR_MAX)) return no("volumeUneven", { least: tidy(Math.min(...steps)), most: tidy(Math.max(...steps)) });
  const tilt = tiltDegrees(planes[places[0].at], planes[places.at(-1).at]);
  if (tilt > TILT_DEGREES_MAX) return no("volumeTilt", { degrees: tidy(tilt) });
  if (step > STEP_TO_PIXEL_MAX * Math.max(first.spacing.row, first.spacing.column)) return no("volumeThick", { step: tidy(step), pixel: tidy(Math.max(first.spacing.row, first.spacing.column)) });
  const lowest = planes[places[0].at];
  const mean = (places.at(-1).place - places[0].place) / (places.length - 1);
  return { ok: true, order: places.map(({ at }) => frames[at]), geometry: {
    origin: lowest.origin, axes: [lowest.row, lowest.column, lowest.normal], spacing: [lowest.spacing.column, lowest.spacing.row, mean],
    size: [lowest.columns, lowest.rows, places.length], frameOfReference: lowest.frameOfReference,
  } };
}

// The angle between the way from the first slice to the last and their normal.
function tiltDegrees(first, last) {
  const way = minus(last.origin, first.origin);
  const aside = Math.hypot(...cross(way, first.normal));
  return (Math.atan2(aside, Math.abs(dot(way, first.normal))) * 180) / Math.PI;
}

function tidy(value) {
  return Math.round(value * 100) / 100;
}

/** The middle of a volume in the patient. */
export function centreOf({ origin, axes, spacing, size }) {
  return origin.map((part, axis) => part + axes.reduce((sum, direction, at) => sum + direction[axis] * spacing[at] * (size[at] - 1) / 2, 0));
}
