// Geometry of measurements, without a DOM. Points are [column, row] with the top left corner of the first pixel at 0,0 (PS3.3
// C.10.5.1.2, C.18.6.1.2). A scale is `{row, column}`: the height and the width of a pixel in whatever unit is wanted.

const SQUARE = { row: 1, column: 1 };

/** The vector from `a` to `b` in units of `scale`, `[across, down]`. */
export function between(a, b, scale = SQUARE) {
  return [(b[0] - a[0]) * scale.column, (b[1] - a[1]) * scale.row];
}

/** The distance of two points. */
export function distance(a, b, scale = SQUARE) {
  return Math.hypot(...between(a, b, scale));
}

/** The angle at `vertex` between `a` and `b` in degrees, 0 to 180; `null` where a leg has no length. */
export function angleAt(a, vertex, b, scale = SQUARE) {
  return angleOf(between(vertex, a, scale), between(vertex, b, scale));
}

/** The angle of two lines by Cobb's method in degrees, 0 to 90 folded: whichever way round each was drawn. */
export function cobbAngle([a, b, c, d], scale = SQUARE) {
  const angle = angleOf(between(a, b, scale), between(c, d, scale));
  return angle === null ? null : Math.min(angle, 180 - angle);
}

function angleOf(u, v) {
  if (!Math.hypot(...u) || !Math.hypot(...v)) return null;
  // atan2 keeps its accuracy near 0° and 180°, where the arc cosine loses half the digits.
  return Math.abs(Math.atan2(u[0] * v[1] - u[1] * v[0], u[0] * v[0] + u[1] * v[1])) * 180 / Math.PI;
}

/** The ellipse that fills the box of two opposite corners, as the ends of its axes, the longer one first (PS3.3 C.18.6.1.1, ELLIPSE). */
export function ellipseIn(a, b) {
  const [x, y] = [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
  const across = [[Math.min(a[0], b[0]), y], [Math.max(a[0], b[0]), y]];
  const down = [[x, Math.min(a[1], b[1])], [x, Math.max(a[1], b[1])]];
  return Math.abs(a[0] - b[0]) >= Math.abs(a[1] - b[1]) ? [...across, ...down] : [...down, ...across];
}

/** Centre and semi-axes (as vectors) of an ellipse given by the ends of its axes. */
export function ellipseOf([a, b, c, d]) {
  const centre = [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
  return { centre, u: [(b[0] - a[0]) / 2, (b[1] - a[1]) / 2], v: [(d[0] - c[0]) / 2, (d[1] - c[1]) / 2] };
}

/** The area of an ellipse. */
export function ellipseArea(points, scale = SQUARE) {
  const { u, v } = ellipseOf(points);
  return Math.PI * Math.abs(u[0] * v[1] - u[1] * v[0]) * scale.column * scale.row;
}

/** `count` points around an ellipse. */
export function ellipseOutline(points, count = 72) {
  const { centre, u, v } = ellipseOf(points);
  return Array.from({ length: count }, (_, at) => {
    const [cos, sin] = [Math.cos(2 * Math.PI * at / count), Math.sin(2 * Math.PI * at / count)];
    return [centre[0] + u[0] * cos + v[0] * sin, centre[1] + u[1] * cos + v[1] * sin];
  });
}

/** Whether a point is in the ellipse; its border is. */
export function inEllipse(points, [x, y]) {
  const { centre, u, v } = ellipseOf(points);
  const area = u[0] * v[1] - u[1] * v[0];
  if (!area) return false;
  const [dx, dy] = [x - centre[0], y - centre[1]];
  return ((dx * v[1] - dy * v[0]) / area) ** 2 + ((dy * u[0] - dx * u[1]) / area) ** 2 <= 1 + 1e-12;
}

/** The ellipse after the end `index` of an axis was taken to `to`: that axis grows or shrinks, both ways alike, and keeps its direction. */
export function ellipseStretched(points, index, to) {
  const { centre, u, v } = ellipseOf(points);
  const axis = index < 2 ? u : v;
  const length = Math.hypot(...axis) || 1;
  const direction = [axis[0] / length, axis[1] / length];
  const wanted = Math.max(0.5, Math.abs((to[0] - centre[0]) * direction[0] + (to[1] - centre[1]) * direction[1]));
  const ends = [-1, 1].map((sign) => [centre[0] + sign * wanted * direction[0], centre[1] + sign * wanted * direction[1]]);
  return index < 2 ? [...ends, points[2], points[3]] : [points[0], points[1], ...ends];
}

/** Axes in the order SCOORD asks for: the major one first (PS3.3 C.18.6.1.1). */
export function majorFirst(points, scale = SQUARE) {
  const [a, b, c, d] = points;
  return distance(a, b, scale) >= distance(c, d, scale) ? points : [c, d, a, b];
}

/** The distance of a point from a stretch of a line. */
export function fromStretch(point, a, b) {
  const [dx, dy] = between(a, b);
  const along = dx || dy ? ((point[0] - a[0]) * dx + (point[1] - a[1]) * dy) / (dx * dx + dy * dy) : 0;
  const at = Math.max(0, Math.min(1, along));
  return distance(point, [a[0] + at * dx, a[1] + at * dy]);
}

/** All points, moved. */
export function moved(points, [dx, dy]) {
  return points.map(([x, y]) => [x + dx, y + dy]);
}

/** As near to a point as the picture has: coordinates stay on it. */
export function within([column, row], { columns, rows }) {
  return [Math.max(0, Math.min(columns, column)), Math.max(0, Math.min(rows, row))];
}
