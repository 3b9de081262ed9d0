// Lines over a picture: where the active view's slice cuts it, and in MPR where the other two cuts do.

import { localiserLine, toImage } from "./geometry.js";

const DARK = "rgba(0, 0, 0, .75)";
const ACTIVE = "#f2c14e";
export const CUT_COLOURS = { axial: "#e9786b", sagittal: "#7fc97a", coronal: "#6aa9ee" };

// Twice, dark below, so that a line is seen on white bone and on black air.
function stroke(context, [from, to], colour, dash = []) {
  context.save();
  context.setLineDash(dash);
  for (const [style, width] of [[DARK, 3.5], [colour, 1.5]]) {
    context.strokeStyle = style;
    context.lineWidth = width;
    context.beginPath();
    context.moveTo(...from);
    context.lineTo(...to);
    context.stroke();
  }
  context.restore();
}

/** The line of the active view's slice in the others. */
export function localiserLayer(cell) {
  return { paint(context, view) {
    const { room } = cell;
    const active = room.active;
    if (!room.localisers || room.mpr || !active || active === cell || !cell.plane || !active.plane) return;
    const line = localiserLine(cell.plane, active.plane);
    if (line) stroke(context, line.map((point) => view.imageToScreen(point)), ACTIVE, [7, 4]);
  } };
}

/** In MPR, the lines of the other two cuts, in the colours of their frames, with room around the point where they meet. */
export function crosshairLayer(cell) {
  const GAP_PIXELS = 14;
  return { paint(context, view) {
    const { mpr } = cell.room;
    if (!mpr || !cell.plane || !cell.orientation) return;
    const [x, y] = view.imageToScreen(toImage(cell.plane, mpr.point));
    for (const other of mpr.cells) {
      if (other === cell || !other.plane) continue;
      const line = localiserLine(cell.plane, other.plane)?.map((point) => view.imageToScreen(point));
      if (!line) continue;
      const length = Math.hypot(line[1][0] - line[0][0], line[1][1] - line[0][1]) || 1;
      const [ux, uy] = [(line[1][0] - line[0][0]) / length, (line[1][1] - line[0][1]) / length];
      const meet = (x - line[0][0]) * ux + (y - line[0][1]) * uy;
      for (const [from, to] of [[0, meet - GAP_PIXELS], [meet + GAP_PIXELS, length]]) {
        if (to > from) stroke(context, [from, to].map((at) => [line[0][0] + ux * at, line[0][1] + uy * at]), CUT_COLOURS[other.orientation]);
      }
    }
  } };
}
