// Where an image lies in its view: fit, zoom, pan, rotation, flip, and back. No DOM.
//
// Image coordinates are those of PS3.3 C.10.5: 0,0 is the top left corner of the first pixel. Screen coordinates are CSS pixels from the
// top left of the view. The image is rotated clockwise first and then flipped left to right, as in PS3.3 C.10.6.

/** Height of a pixel over its width (PS3.3 C.7.6.3.1.7, C.10.7.1.3). */
export function pixelAspect(frame) {
  for (const keyword of ["PixelSpacing", "ImagerPixelSpacing", "PixelAspectRatio"]) {
    const [row, column] = frame.numbers(keyword);
    if (row > 0 && column > 0) return row / column;
  }
  return 1;
}

/** Projection images: what Pixel Spacing means is only known where it differs from that at the detector (PS3.3 10.7.1.3). */
const PROJECTIONS = ["CR", "DX", "MG", "XA", "RF", "RG", "PX", "IO", "DR"];

/** `{row, column, kind}` in mm, or `null`: "patient", "calibrated", or "detector", which is larger than the patient by the magnification. */
export function spacingOf(frame) {
  const pair = (keyword) => {
    const values = frame.numbers(keyword);
    return values.length === 2 && values.every((mm) => mm > 0) ? values : null;
  };
  const patient = pair("PixelSpacing");
  const detector = pair("ImagerPixelSpacing");
  const projection = PROJECTIONS.includes(frame.series.Modality);
  if (patient && !projection) return { row: patient[0], column: patient[1], kind: "patient" };
  if (patient && detector && patient.some((mm, at) => Math.abs(mm - detector[at]) > 1e-6)) return { row: patient[0], column: patient[1], kind: "calibrated" };
  const found = detector ?? patient;
  return found ? { row: found[0], column: found[1], kind: "detector" } : null;
}

/** CSS pixels an image column takes where all of the image is just in view. */
export function fitScale({ columns, rows, aspect }, { width, height }, rotation) {
  const turned = rotation % 180 !== 0;
  const [across, down] = turned ? [rows * aspect, columns] : [columns, rows * aspect];
  return Math.min(width / across, height / down);
}

/**
 * The map `[a, b, c, d, e, f]`, x = a·column + c·row + e, y = b·column + d·row + f, of an image of `matrix` in a view of `size` (CSS
 * pixels) under `{scale, panX, panY, rotation, flipped}`; `scale` is CSS pixels a column.
 */
export function imageToScreenMap({ columns, rows, aspect }, { width, height }, { scale, panX, panY, rotation, flipped }) {
  const [cos, sin] = { 0: [1, 0], 90: [0, 1], 180: [-1, 0], 270: [0, -1] }[((rotation % 360) + 360) % 360];
  const mirror = flipped ? -1 : 1;
  const [a, b] = [mirror * cos * scale, sin * scale];
  const [c, d] = [mirror * -sin * scale * aspect, cos * scale * aspect];
  return [a, b, c, d, width / 2 + panX - (a * columns + c * rows) / 2, height / 2 + panY - (b * columns + d * rows) / 2];
}

/** The map the other way. */
export function inverted([a, b, c, d, e, f]) {
  const det = a * d - b * c;
  return [d / det, -b / det, -c / det, a / det, (c * f - d * e) / det, (b * e - a * f) / det];
}

/** A point through a map. */
export function through([a, b, c, d, e, f], [x, y]) {
  return [a * x + c * y + e, b * x + d * y + f];
}

/** First `inner`, then `outer`, as one map. */
export function after(outer, inner) {
  const [a, b, c, d, e, f] = outer;
  const [p, q, r, s, t, u] = inner;
  return [a * p + c * q, b * p + d * q, a * r + c * s, b * r + d * s, a * t + c * u + e, b * t + d * u + f];
}

/**
 * From image coordinates to those of a picture's samples. A wavelet keeps the even samples of every level (T.800 F.3), so their centres
 * stay where they were; a mean of 2 by 2 lies in their middle.
 */
export function imageToSamplesMap({ columns, rows, width, height, level, origin = 0 }) {
  if (level === 0) return [width / columns, 0, 0, height / rows, 0, 0];
  const part = 2 ** -level;
  return [part, 0, 0, part, origin * (1 - part), origin * (1 - part)];
}

/** The lowest resolution, as a level (0 is full) up to `levels`, whose samples take at most `coarse` device pixels of the screen. */
export function levelFor(devicePixelsPerColumn, levels, coarse = 1) {
  let level = 0;
  while (level < levels && devicePixelsPerColumn * 2 ** (level + 1) <= coarse) level++;
  return level;
}
