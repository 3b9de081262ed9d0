// From stored samples to grey: Modality LUT (PS3.3 C.11.1), VOI LUT (C.11.2), inversion, padding. No DOM.
//
// A *shading* is what a renderer needs, the same for WebGL and for the plain canvas; `greyOf` is the reference both are tested against.

const TABLE_ENTRIES_MAX = 65_536;

/** All windows the file states for a frame: `[{center, width, function, explanation}]`, in modality units. */
export function statedWindows(frame) {
  const centers = frame.numbers("WindowCenter");
  const widths = frame.numbers("WindowWidth");
  const words = [frame.value("WindowCenterWidthExplanation") ?? []].flat();
  const stated = functionOf(frame.value("VOILUTFunction"));
  return centers.map((center, at) => ({ center, width: widths[at], function: stated, explanation: words[at] ?? "" }))
    .filter(({ width }) => width > 0);
}

function functionOf(value) {
  return ["LINEAR_EXACT", "SIGMOID"].includes(value) ? value : "LINEAR";
}

/** Rescale Slope and Intercept (PS3.3 C.11.1.1.2); the identity where none are stated. */
export function rescaleOf(frame) {
  const slope = frame.numeric("RescaleSlope");
  return { slope: slope || 1, intercept: slope ? frame.numeric("RescaleIntercept") ?? 0 : 0 };
}

/** Stored values that are no part of the image, `[low, high]`, or `null` (PS3.3 C.7.5.1.1.2). */
export function paddingOf(frame) {
  const value = frame.numeric("PixelPaddingValue");
  if (value === null || frame.isColour) return null;
  const limit = frame.numeric("PixelPaddingRangeLimit") ?? value;
  return [Math.min(value, limit), Math.max(value, limit)];
}

/** Part of full brightness, 0 to 1, of a modality value (PS3.3 C.11.2.1.2.1, C.11.2.1.3.1, C.11.2.1.3.2). */
export function brightness({ center, width, function: kind = "LINEAR" }, value) {
  let part;
  if (kind === "SIGMOID") part = 1 / (1 + Math.exp((-4 * (value - center)) / width));
  else if (kind === "LINEAR_EXACT") part = width > 0 ? (value - center) / width + 0.5 : Number(value > center);
  // A width below 1 is not allowed for LINEAR; 1 is a threshold.
  else part = width <= 1 ? Number(value > center - 0.5) : (value - (center - 0.5)) / (width - 1) + 0.5;
  return Math.max(0, Math.min(1, part));
}

/**
 * The window between the 0.5th and the 99.5th percentile of samples that are no padding, in modality units: what is shown where the
 * file states none. The server takes the same (transcode/src/render.rs), so that a thumbnail looks like the image.
 */
export function foundWindow(picture, { slope, intercept }, padding) {
  if (picture.bits === 1) return { center: 0.5 * slope + intercept, width: Math.abs(slope), function: "LINEAR_EXACT" };
  const { samples } = picture;
  // A percentile of some 200,000 samples is good enough, and quick for 25 million.
  const step = Math.max(1, Math.floor(samples.length / 200_000));
  const seen = [];
  for (let at = 0; at < samples.length; at += step) if (!padding || samples[at] < padding[0] || samples[at] > padding[1]) seen.push(samples[at]);
  if (!seen.length) return { center: intercept, width: 1, function: "LINEAR_EXACT" };
  const sorted = Float64Array.from(seen).sort();
  const place = (part) => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] * slope + intercept;
  const [dark, bright] = [place(0.005), place(0.995)];
  return { center: (dark + bright) / 2, width: Math.max(Math.abs(bright - dark), Math.min(1, Math.abs(slope))), function: "LINEAR_EXACT" };
}

/** The whole range of the stored bits, rescaled: to begin with where nothing is known. */
export function fullWindow(frame) {
  const bits = Math.max(1, Math.min(16, Number(frame.instance.BitsStored ?? 8)));
  const { slope, intercept } = rescaleOf(frame);
  const low = Number(frame.instance.PixelRepresentation) === 1 ? -(2 ** (bits - 1)) : 0;
  return { center: (low + 2 ** (bits - 1)) * slope + intercept, width: Math.max(2, 2 ** bits * Math.abs(slope)), function: "LINEAR" };
}

/** The value of a stored sample in modality units, by Modality LUT where there is one (PS3.3 C.11.1.1), else rescaled. */
export function modalityOf(frame, tables, sample) {
  if (tables?.modality) return lookUp(tables.modality, sample);
  const { slope, intercept } = rescaleOf(frame);
  return sample * slope + intercept;
}

/** An entry of a LUT `{first, entries, bits}`: below the first the first, beyond the last the last (PS3.3 C.11.1.1.1, C.7.6.3.1.5). */
export function lookUp({ first, entries }, value) {
  return entries[Math.max(0, Math.min(entries.length - 1, Math.round(value) - first))];
}

/** Whether low values are to be bright: MONOCHROME1, or a Presentation LUT Shape INVERSE on MONOCHROME2 (PS3.3 C.11.6.1.2). */
export function isInverse(frame) {
  // In an image, MONOCHROME1 and INVERSE say the same thing and come together (C.8.11.1.1.1); twice would undo it.
  return frame.instance.PhotometricInterpretation === "MONOCHROME1" || frame.value("PresentationLUTShape") === "INVERSE";
}

/**
 * How a frame is shaded: `{kind: "colour", bits, invert}`, `{kind: "palette", table, first, invert}`, `{kind: "window", center, width,
 * function, slope, intercept, padding, invert}` or `{kind: "table", table, first, padding, invert}` with 8 bits an entry. `voi` is
 * `null` for what the file says; `found` is taken where it says nothing. `tables` come from tables.js.
 */
export function shadingOf(frame, { voi, found, inverted = false, tables = null, picture }) {
  if (picture.components > 1 || picture.quality.kind === "rendered") return { kind: "colour", bits: picture.bits, invert: inverted };
  if (frame.instance.PhotometricInterpretation === "PALETTE COLOR") return { kind: "palette", ...paletteTable(tables?.palette), invert: inverted };
  const shown = voi ?? (tables?.voi && !statedWindows(frame).length ? tables.voi : null) ?? statedWindows(frame)[0] ?? found ?? fullWindow(frame);
  const invert = isInverse(frame) !== inverted;
  const padding = paddingOf(frame);
  if (!shown.entries && !tables?.modality) return { kind: "window", ...shown, function: shown.function ?? "LINEAR", ...rescaleOf(frame), padding, invert };
  return { kind: "table", ...bakedTable(frame, tables, shown, picture), padding, invert };
}

// All stored values there can be through Modality LUT and VOI LUT or window, once.
function bakedTable(frame, tables, shown, { bits, signed }) {
  const count = Math.min(TABLE_ENTRIES_MAX, 2 ** Math.min(16, bits));
  const first = signed ? -count / 2 : 0;
  const table = new Uint8Array(count);
  const full = shown.entries ? 2 ** shown.bits - 1 : 1;
  for (let at = 0; at < count; at++) {
    const value = modalityOf(frame, tables, first + at);
    table[at] = Math.round(255 * (shown.entries ? Math.min(1, lookUp(shown, value) / full) : brightness(shown, value)));
  }
  return { table, first };
}

function paletteTable(palette) {
  if (!palette) return { table: Uint8Array.of(0, 0, 0), first: 0 };
  const table = new Uint8Array(3 * palette.red.length);
  const shift = Math.max(8, Math.min(16, palette.bits)) - 8;
  ["red", "green", "blue"].forEach((name, part) => palette[name].forEach((entry, at) => { table[3 * at + part] = Math.min(255, entry >> shift); }));
  return { table, first: palette.first };
}

/** Grey, 0 to 255, of a sample (which may lie between two) under a shading of kind "window" or "table": the reference of the renderers. */
export function greyOf(shading, sample) {
  const { padding, invert } = shading;
  if (padding && sample >= padding[0] && sample <= padding[1]) return 0;
  const grey = shading.kind === "window" ? Math.round(255 * brightness(shading, sample * shading.slope + shading.intercept))
    : shading.table[Math.max(0, Math.min(shading.table.length - 1, Math.round(sample) - shading.first))];
  return invert ? 255 - grey : grey;
}

/** A window as it is, a LUT as the window that spans what it maps: where dragging goes on from. */
export function windowOf(voi) {
  if (!voi.entries) return voi;
  const { first, entries: { length } } = voi;
  return { center: first + length / 2, width: length, function: "LINEAR" };
}

/** The window after a drag of `dx`, `dy` pixels over a window or LUT: x width, y centre, in steps of the width where the drag began. */
export function draggedWindow(voi, dx, dy) {
  const start = windowOf(voi);
  const step = Math.max(start.width, Math.abs(start.center) / 1000, 1e-6) / 400;
  const least = Math.min(1, start.width);
  return { center: tidy(start.center + dy * step), width: tidy(Math.max(least, start.width + dx * step)), function: start.function ?? "LINEAR" };
}

function tidy(value) {
  return Math.abs(value) >= 20 ? Math.round(value) : Number(value.toPrecision(3));
}
