// Marks over the image: thin bright lines on a dark rim, legible on lung and on bone, and what they measure beside them.

import { arrowHead } from "./presentation_state.js";
import { strokes } from "./hit.js";

const COLOURS = { draft: "#ffe26a", selected: "#ffffff", saved: "#7fd6ff", state: "#9be89b" };
const RIM = "rgb(0 0 0 / 75%)";
/** Behind letters: bone is as bright as they are. */
const PLATE = "rgb(0 0 0 / 55%)";
const FONT = '13px system-ui, "Hiragino Sans", "Yu Gothic UI", "Noto Sans CJK JP", Meiryo, sans-serif';
const LINE_HEIGHT = 17;
const CROSS_PIXELS = 6;
const HEAD_PIXELS = 13;

/** Paints one mark; `lines` are what is written beside it. */
export function paintMark(context, view, mark, lines, { selected = false, handles = false } = {}) {
  context.save();
  context.lineJoin = context.lineCap = "round";
  context.setLineDash([]);
  const colour = selected ? COLOURS.selected : mark.saved ? COLOURS.saved : COLOURS.draft;
  const paths = pathsOf(mark, view);
  stroke(context, paths, RIM, 4);
  if (mark.saved) context.setLineDash([7, 4]);
  stroke(context, paths, colour, 1.6);
  context.setLineDash([]);
  const points = mark.points.map((point) => view.imageToScreen(point));
  if (handles) for (const point of points) dot(context, point, colour);
  write(context, view, placeOf(mark, points), lines, colour);
  context.restore();
}

function pathsOf(mark, view) {
  const points = mark.points.map((point) => view.imageToScreen(point));
  const [x, y] = points[0];
  if (mark.kind === "probe") return [[[x - CROSS_PIXELS, y], [x + CROSS_PIXELS, y]], [[x, y - CROSS_PIXELS], [x, y + CROSS_PIXELS]]];
  if (mark.kind === "text") return [];
  if (mark.kind === "arrow" && points.length > 1) {
    const length = Math.hypot(points[1][0] - x, points[1][1] - y) || 1;
    return [points, arrowHead(points, Math.min(0.5, HEAD_PIXELS / length))];
  }
  // The lines of Cobb's method are far apart: a thin one says that they belong together.
  const middle = ([a, b]) => [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
  const lines = strokes(mark, view);
  return mark.kind === "cobb" && lines.length > 1 ? [...lines, lines.map(middle)] : lines;
}

function stroke(context, paths, colour, width) {
  context.strokeStyle = colour;
  context.lineWidth = width;
  for (const path of paths) {
    context.beginPath();
    path.forEach(([x, y], at) => (at ? context.lineTo(x, y) : context.moveTo(x, y)));
    context.stroke();
  }
}

function dot(context, [x, y], colour) {
  context.beginPath();
  context.arc(x, y, 4, 0, 2 * Math.PI);
  context.fillStyle = RIM;
  context.fill();
  context.lineWidth = 1.6;
  context.strokeStyle = colour;
  context.stroke();
}

// Beside the rightmost point, where the lines of the mark are not.
function placeOf(mark, points) {
  if (mark.kind === "text") return [points[0][0] + 10, points[0][1]];
  const right = points.reduce((best, point) => (point[0] > best[0] ? point : best));
  return [right[0] + 12, right[1]];
}

function write(context, view, [x, y], lines, colour) {
  if (!lines.length) return;
  context.font = FONT;
  context.textBaseline = "middle";
  const width = Math.max(...lines.map((line) => context.measureText(line).width));
  const room = context.canvas.clientWidth || context.canvas.width;
  const height = lines.length * LINE_HEIGHT;
  const deep = context.canvas.clientHeight || context.canvas.height;
  const left = Math.max(4, Math.min(room - width - 4, x));
  const top = Math.max(LINE_HEIGHT / 2 + 2, Math.min(deep - height + LINE_HEIGHT / 2 - 2, y - (height - LINE_HEIGHT) / 2));
  context.fillStyle = PLATE;
  context.beginPath();
  context.roundRect(left - 4, top - LINE_HEIGHT / 2 - 1, width + 8, height + 2, 3);
  context.fill();
  context.fillStyle = colour;
  lines.forEach((line, at) => context.fillText(line, left, top + at * LINE_HEIGHT));
}

/** One graphic of a presentation state: `{type, points, units, filled}` (PS3.3 C.10.5), and its texts. */
export function paintGraphic(context, view, paths, texts) {
  context.save();
  context.lineJoin = context.lineCap = "round";
  stroke(context, paths, RIM, 4);
  stroke(context, paths, COLOURS.state, 1.6);
  for (const { at, lines } of texts) write(context, view, at, lines, COLOURS.state);
  context.restore();
}

/** What lies under the pointer, beside it. */
export function paintReadout(context, view, point, lines) {
  context.save();
  const [x, y] = view.imageToScreen(point);
  write(context, view, [x + 14, y - 12], lines, COLOURS.draft);
  context.restore();
}
