// Which mark, and which of its points, lies under the pointer. Distances are of the screen: a finger needs the same room at any zoom.

import { ellipseOutline, fromStretch } from "./geometry.js";

/** CSS pixels within which a point or a line counts as touched. */
export const REACH = { mouse: 8, pen: 10, touch: 20 };

/** `{mark, handle}` under the screen point, `handle` the index of a point or -1 for the mark as a whole; `null` beside everything. */
export function hit(marks, view, at, reach, selected) {
  // The selected mark is asked first, then the one drawn last.
  const order = [...marks].reverse().sort((a, b) => (b.id === selected) - (a.id === selected));
  for (const mark of order) {
    const points = mark.points.map((point) => view.imageToScreen(point));
    const handle = points.findIndex((point) => Math.hypot(point[0] - at[0], point[1] - at[1]) <= reach);
    if (handle >= 0) return { mark, handle };
    if (strokes(mark, view).some((line) => near(line, at, reach))) return { mark, handle: -1 };
  }
  return null;
}

/** The lines of a mark on the screen: arrays of points. */
export function strokes(mark, view) {
  const place = (points) => points.map((point) => view.imageToScreen(point));
  if (mark.kind === "ellipse") {
    const outline = place(ellipseOutline(mark.points));
    return [[...outline, outline[0]]];
  }
  const points = place(mark.points);
  return mark.kind === "cobb" ? [points.slice(0, 2), points.slice(2)].filter((line) => line.length > 1) : points.length > 1 ? [points] : [];
}

function near(line, at, reach) {
  return line.some((point, index) => index > 0 && fromStretch(at, line[index - 1], point) <= reach);
}
