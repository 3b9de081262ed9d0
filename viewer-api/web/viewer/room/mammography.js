// Mammograms in their views: one true scale, the chest wall at the middle of the pair, the air around the breast black.

import { breastMask, commonScale } from "./breast.js";
import { breastTurn, chestWall } from "./hanging.js";

/** Room left around the breast, in mm. */
const AROUND_MM = 6;

/** Turns the view of a mammogram as readers expect it. Does nothing where it hangs so already. */
export function turn(view, frame) {
  const { mirror, upsideDown } = breastTurn(frame);
  if (upsideDown) { view.rotate(90); view.rotate(90); }
  // Half a turn exchanges left and right as well.
  if (mirror !== upsideDown) view.flip();
}

// The chest wall in the picture as it is stored, before it was turned.
function storedWall(frame) {
  const wall = chestWall(frame);
  if (!wall) return null;
  return breastTurn(frame).mirror ? { left: "right", right: "left" }[wall] : wall;
}

/** Brings all mammograms of `cells` to one scale, each with its chest wall at the middle. Without a spacing, a view is fitted by itself. */
export function alignBreasts(cells) {
  const views = cells.filter((cell) => cell.view?.frame && chestWall(cell.view.frame)).map((cell) => measured(cell)).filter(Boolean);
  const scaled = views.filter(({ mm }) => mm);
  if (!scaled.length) return;
  const scale = commonScale(scaled);
  for (const one of scaled) {
    place(one, scale);
    one.cell.settle();
  }
}

function measured(cell) {
  const { view } = cell;
  const box = cell.place.getBoundingClientRect();
  if (!box.width || !box.height) return null;
  view.fit();
  const { frame, spacing } = view;
  const [columns, rows] = [Number(frame.value("Columns")), Number(frame.value("Rows"))];
  const breast = cell.mask?.box ?? { left: 0, right: 1, top: 0, bottom: 1 };
  const wall = storedWall(frame);
  const mm = spacing ? { row: spacing.row, column: spacing.column } : null;
  const depth = wall === "left" ? breast.right : 1 - breast.left;
  return { cell, view, width: box.width, height: box.height, columns, rows, wall, breast, mm,
    box: mm && { depth: Math.min(columns * mm.column, depth * columns * mm.column + AROUND_MM), height: Math.min(rows * mm.row, (breast.bottom - breast.top) * rows * mm.row + 2 * AROUND_MM) } };
}

function place({ view, width, height, columns, rows, wall, breast, mm }, scale) {
  view.setScale(scale * mm.column);
  const [edge, middle] = [wall === "left" ? 0 : columns, ((breast.top + breast.bottom) / 2) * rows];
  const [x, y] = view.imageToScreen([edge, middle]);
  view.pan((chestWall(view.frame) === "right" ? width : 0) - x, height / 2 - y);
}

/** The mask of the view's picture, as a canvas to be laid over it; kept until another frame is shown. */
export function maskOf(view) {
  const found = view.picture && breastMask(view.picture, storedWall(view.frame));
  if (!found) return null;
  const canvas = new OffscreenCanvas(found.width, found.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const pixels = context.createImageData(found.width, found.height);
  for (let at = 0; at < found.air.length; at++) pixels.data[4 * at + 3] = found.air[at] * 255;
  context.putImageData(pixels, 0, 0);
  return { canvas, box: found.box };
}

/** The layer that paints the air of a cell's mammogram black, whether or not the picture is inverted. */
export function maskLayer(cell) {
  return { paint(context, view) {
    if (!cell.mask || !view.frame) return;
    const { canvas } = cell.mask;
    const [columns, rows] = [Number(view.frame.value("Columns")), Number(view.frame.value("Rows"))];
    const [x0, y0] = view.imageToScreen([0, 0]);
    const [x1, y1] = view.imageToScreen([columns, 0]);
    const [x2, y2] = view.imageToScreen([0, rows]);
    context.save();
    context.transform((x1 - x0) / canvas.width, (y1 - y0) / canvas.width, (x2 - x0) / canvas.height, (y2 - y0) / canvas.height, x0, y0);
    context.drawImage(canvas, 0, 0);
    context.restore();
  } };
}
