// Where frames lie in the patient: planes, the line in which two of them meet, the slice nearest a point. No DOM.
//
// Image coordinates are those of PS3.3 C.10.5: (0, 0) is the top left corner of the first pixel, (0.5, 0.5) its centre, which is where Image
// Position (Patient) is (PS3.3 C.7.6.2.1.1). Patient coordinates are in mm.

/** Planes whose normals are less than this apart are parallel: one degree. */
const PARALLEL_COSINE_MIN = Math.cos(Math.PI / 180);

export const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
export const minus = (a, b) => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
export const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
/** `point + direction · length`. */
export const along = (point, direction, length) => point.map((part, axis) => part + direction[axis] * length);

/** The numbers of a value that may be one, an array, or nothing. */
export function numbersOf(value) {
  return (Array.isArray(value) ? value : value === null || value === undefined ? [] : [value]).map(Number).filter(Number.isFinite);
}

/**
 * The plane of a frame: `{origin, row, column, normal, spacing: {row, column}, rows, columns, frameOfReference}`, or `null` where the file does
 * not place it. `row` is the direction in which columns count up, `column` that in which rows do; both of length 1.
 */
export function planeOf(frame) {
  const origin = numbersOf(frame.value("ImagePositionPatient"));
  const cosines = numbersOf(frame.value("ImageOrientationPatient"));
  const [rowSpacing, columnSpacing] = numbersOf(frame.value("PixelSpacing"));
  const rows = Number(frame.value("Rows"));
  const columns = Number(frame.value("Columns"));
  if (origin.length !== 3 || cosines.length !== 6 || !(rowSpacing > 0) || !(columnSpacing > 0) || !(rows > 0) || !(columns > 0)) return null;
  const row = unit(cosines.slice(0, 3));
  const column = unit(cosines.slice(3));
  // The two are to be orthogonal (PS3.3 C.7.6.2.1.1); where they are not, there is no plane to speak of.
  if (!row || !column || Math.abs(dot(row, column)) > 0.01) return null;
  return { origin, row, column, normal: cross(row, column), spacing: { row: rowSpacing, column: columnSpacing }, rows, columns, frameOfReference: frame.value("FrameOfReferenceUID") ?? null };
}

function unit(vector) {
  const length = Math.hypot(...vector);
  return length > 0.5 ? vector.map((part) => part / length) : null;
}

/** A point of the patient for image coordinates `[column, row]`. */
export function toPatient(plane, [column, row]) {
  return along(along(plane.origin, plane.row, (column - 0.5) * plane.spacing.column), plane.column, (row - 0.5) * plane.spacing.row);
}

/** Image coordinates `[column, row]` of the foot of `point` on the plane. */
export function toImage(plane, point) {
  const from = minus(point, plane.origin);
  return [dot(from, plane.row) / plane.spacing.column + 0.5, dot(from, plane.column) / plane.spacing.row + 0.5];
}

/** How far `point` is before the plane, in mm along its normal. */
export function distanceTo(plane, point) {
  return dot(minus(point, plane.origin), plane.normal);
}

/** Whether two frames are measured in the same space. Without a Frame of Reference UID nothing is known (PS3.3 C.7.4.1.1.1). */
export function sameSpace(a, b) {
  return Boolean(a && b && a.frameOfReference && a.frameOfReference === b.frameOfReference);
}

export function parallel(a, b) {
  return Math.abs(dot(a.normal, b.normal)) >= PARALLEL_COSINE_MIN;
}

/**
 * The line in which the picture `other` cuts the picture `plane`, as `[[column, row], [column, row]]` in image coordinates of `plane`, cut at both
 * pictures' edges; `null` where they are parallel, do not meet, or are not in the same space.
 */
export function localiserLine(plane, other) {
  if (!sameSpace(plane, other) || parallel(plane, other)) return null;
  const corners = [[0, 0], [other.columns, 0], [other.columns, other.rows], [0, other.rows]].map((corner) => toPatient(other, corner));
  const sides = corners.map((corner) => distanceTo(plane, corner));
  const meets = [];
  for (let at = 0; at < 4; at++) {
    const next = (at + 1) % 4;
    if (sides[at] === 0) meets.push(corners[at]);
    else if (sides[at] * sides[next] < 0) meets.push(along(corners[at], minus(corners[next], corners[at]), sides[at] / (sides[at] - sides[next])));
  }
  if (meets.length < 2) return null;
  return clipLine(toImage(plane, meets[0]), toImage(plane, meets.at(-1)), plane.columns, plane.rows);
}

/** The part of a line within `0…width` × `0…height`, or `null` (Liang and Barsky). */
export function clipLine([x0, y0], [x1, y1], width, height) {
  const [dx, dy] = [x1 - x0, y1 - y0];
  let [from, to] = [0, 1];
  for (const [direction, room] of [[-dx, x0], [dx, width - x0], [-dy, y0], [dy, height - y0]]) {
    if (direction === 0 && room < 0) return null;
    if (direction < 0) from = Math.max(from, room / direction);
    if (direction > 0) to = Math.min(to, room / direction);
  }
  return from < to ? [[x0 + from * dx, y0 + from * dy], [x0 + to * dx, y0 + to * dy]] : null;
}

/** The index of the plane nearest to `point`; planes that are `null` do not count. -1 where there is none. */
export function nearestPlane(planes, point) {
  let [nearest, least] = [-1, Infinity];
  planes.forEach((plane, index) => {
    const away = plane ? Math.abs(distanceTo(plane, point)) : Infinity;
    if (away < least) [nearest, least] = [index, away];
  });
  return nearest;
}

/** The middle of a picture in the patient. */
export function middleOf(plane) {
  return toPatient(plane, [plane.columns / 2, plane.rows / 2]);
}
