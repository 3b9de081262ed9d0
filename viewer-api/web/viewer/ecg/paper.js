// ECG paper on a canvas: millimetres in, pixels out. Grid 1 mm light and 5 mm heavy, calibration pulse 1 mV × 200 ms at each row.

import { LEFT_MM, layOut, samplesOf, xOf, yOf } from "./geometry.js";

const COLOURS = { paper: "#fffaf7", light: "#f6d9d3", heavy: "#e5a79d", trace: "#111", label: "#111", prior: "#2f6fb3", device: "#0b5fa5" };
/** Drawn by the processor, at once: a trace made ready beforehand is then only put on the screen, with a graphics card or without. */
const PLAIN = { alpha: false, willReadFrequently: true };
/** Samples a pixel from which on not every one is drawn: below it that would save nothing. */
const DENSE = 8;
const CANVAS_PIXELS_MAX = 64 * 1024 * 1024;

/**
 * Draws `rows` on `canvas` at `pixelsPerMm` CSS pixels a millimetre and answers the layout with `mm`, device pixels a millimetre.
 * `under` are rows of another recording drawn below in blue; `caption` stands at the foot; `points` are `{group, channel, sample}` of the device.
 */
export function drawPaper(canvas, rows, { speed, gain, pixelsPerMm, under = null, caption = "", points = [] }) {
  const sheet = layOut(rows, { speed, gain }, under ?? []);
  let ratio = globalThis.devicePixelRatio || 1;
  // A long strip at a high density could ask for more pixels than a browser gives.
  while (ratio > 0.5 && sheet.width_mm * sheet.height_mm * (pixelsPerMm * ratio) ** 2 > CANVAS_PIXELS_MAX) ratio /= 2;
  canvas.width = Math.round(sheet.width_mm * pixelsPerMm * ratio);
  canvas.height = Math.round(sheet.height_mm * pixelsPerMm * ratio);
  canvas.style.width = `${sheet.width_mm * pixelsPerMm}px`;
  canvas.style.height = `${sheet.height_mm * pixelsPerMm}px`;
  // For whoever measures on the canvas: the scale, and where the first row begins.
  Object.assign(canvas.dataset, { pixelsPerMm: String(pixelsPerMm), topMm: String(sheet.top_mm) });
  const pen = { context: canvas.getContext("2d", PLAIN), mm: pixelsPerMm * ratio, ratio, speed, gain };
  pen.context.drawImage(grid(canvas.width, canvas.height, pen, sheet), 0, 0);
  if (under) for (const cell of layOut(under, { speed, gain }, rows).cells) drawTrace(pen, cell, COLOURS.prior);
  drawPulses(pen, sheet.cells);
  // Names lie under the traces: a wave at the beginning of a column is not hidden by one.
  for (const cell of sheet.cells) drawLabel(pen, cell);
  for (const cell of sheet.cells) drawTrace(pen, cell, COLOURS.trace);
  drawPoints(pen, sheet.cells, points);
  drawCaption(pen, sheet, caption);
  return { ...sheet, mm: pen.mm, ratio, speed, gain };
}

let drawnGrid = null;

// The empty paper of one size is kept: the next trace of a reading list lies on the same.
function grid(width, height, { mm, ratio }, { width_mm, height_mm }) {
  const key = `${width} ${height} ${mm} ${ratio}`;
  if (drawnGrid?.key === key) return drawnGrid.canvas;
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d", PLAIN);
  context.fillStyle = COLOURS.paper;
  context.fillRect(0, 0, width, height);
  for (const [step, colour] of [[1, COLOURS.light], [5, COLOURS.heavy]]) {
    context.fillStyle = colour;
    const weight = Math.max(1, Math.round(ratio * (step === 5 ? 1 : 0.75)));
    for (let x = 0; x <= width_mm; x += step) context.fillRect(Math.round(x * mm), 0, weight, height);
    for (let y = 0; y <= height_mm; y += step) context.fillRect(0, Math.round(y * mm), width, weight);
  }
  drawnGrid = { key, canvas };
  return canvas;
}

function drawPulses(pen, cells) {
  const rows = new Set();
  for (const cell of cells) {
    if (rows.has(cell.row)) continue;
    rows.add(cell.row);
    if (cell.channel.inMillivolts) drawPulse(pen, cell.middle_mm);
  }
}

// 1 mV for 200 ms, with a foot before and after.
function drawPulse({ context, mm, ratio, speed, gain }, middle_mm) {
  const width_mm = 0.2 * speed;
  const left_mm = LEFT_MM - width_mm - 3;
  const foot_mm = Math.min(1.5, left_mm);
  context.beginPath();
  for (const [x, y] of [[-foot_mm, 0], [0, 0], [0, -gain], [width_mm, -gain], [width_mm, 0], [width_mm + 1.5, 0]]) context.lineTo((left_mm + x) * mm, (middle_mm + y) * mm);
  stroke(context, 1.1 * ratio, COLOURS.trace);
}

function stroke(context, width, colour) {
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.lineJoin = "round";
  context.stroke();
}

function drawTrace({ context, mm, ratio, speed }, cell, colour) {
  context.save();
  context.beginPath();
  context.rect(cell.left_mm * mm, 0, cell.seconds * speed * mm, context.canvas.height);
  context.clip();
  context.beginPath();
  tracePath(context, cell, { mm, speed });
  stroke(context, Math.max(1, 1.15 * ratio), colour);
  context.restore();
}

/**
 * Adds the samples of a cell to the path, `mm` pixels a millimetre; a missing one (NaN) lifts the pen. Where many samples fall on
 * a pixel, each half of a pixel draws its first, lowest, highest and last, each at its own place: no peak is lost, no sample is
 * moved, and the line is nowhere farther than half a pixel from that through all samples.
 */
export function tracePath(context, cell, { mm, speed }) {
  const { values, rate } = cell.channel;
  const [first, last] = samplesOf(cell);
  const dense = rate / (speed * mm) > DENSE;
  let down = false;
  const draw = (at) => {
    const [x, y] = [xOf(cell, at, speed) * mm, yOf(cell, values[at]) * mm];
    if (down) context.lineTo(x, y);
    else context.moveTo(x, y);
    down = true;
  };
  for (let at = first; at <= last;) {
    if (Number.isNaN(values[at])) {
      down = false;
      at++;
    } else if (dense) at = drawColumn(cell, at, last, { mm, speed }, draw);
    else draw(at++);
  }
}

// The samples from `from` that fall on the same half of a pixel; answers the first that does not.
function drawColumn(cell, from, last, { mm, speed }, draw) {
  const { values } = cell.channel;
  const half = (at) => Math.floor(xOf(cell, at, speed) * mm * 2);
  const column = half(from);
  let [low, high, to] = [from, from, from];
  for (; to <= last && !Number.isNaN(values[to]) && half(to) === column; to++) {
    if (values[to] < values[low]) low = to;
    if (values[to] > values[high]) high = to;
  }
  let before = -1;
  for (const at of [from, Math.min(low, high), Math.max(low, high), to - 1]) {
    if (at > before) draw(at);
    before = at;
  }
  return to;
}

function drawLabel({ context, mm, gain, speed }, { channel, left_mm, middle_mm, row_mm, seconds }) {
  const name = channel.computed ? `${channel.lead}※` : channel.lead;
  const size = Math.max(2.6, Math.min(3.6, row_mm / 6)) * mm;
  context.font = `600 ${size}px system-ui, sans-serif`;
  const x = (left_mm + 1) * mm;
  const y = (middle_mm - Math.min(row_mm * 0.5 - 3, Math.max(7, gain * 0.75))) * mm;
  context.fillStyle = COLOURS.paper;
  context.globalAlpha = 0.75;
  context.fillRect(x - 0.4 * mm, y - size * 0.85, Math.min(seconds * speed * mm, context.measureText(name).width + 0.8 * mm), size * 1.1);
  context.globalAlpha = 1;
  context.fillStyle = COLOURS.label;
  context.fillText(name, x, y);
  // A tick where the column begins, as on printed 3×4 sheets.
  context.fillRect(left_mm * mm, (middle_mm - 2) * mm, Math.max(1, 0.3 * mm), 4 * mm);
}

// Fiducial points the device wrote (PS3.3 C.10.10; channel 0 = all of the group): short blue marks along the foot of the row.
function drawPoints({ context, mm, speed }, cells, points) {
  context.fillStyle = COLOURS.device;
  for (const cell of cells) {
    const right_mm = cell.left_mm + cell.seconds * speed;
    for (const { group, channel, sample } of points) {
      if (group !== cell.channel.group || (channel !== 0 && channel !== cell.channel.index + 1)) continue;
      const x_mm = xOf(cell, sample - 1, speed);
      if (x_mm >= cell.left_mm && x_mm <= right_mm) context.fillRect(Math.round(x_mm * mm), (cell.middle_mm + cell.row_mm * 0.32) * mm, Math.max(1, 0.25 * mm), 2.4 * mm);
    }
  }
}

// What the paper says about itself stays on it, wherever the paper goes.
function drawCaption({ context, mm }, { height_mm, width_mm }, caption) {
  if (!caption) return;
  context.font = `${Math.min(2.9 * mm, 14 * (globalThis.devicePixelRatio || 1))}px system-ui, sans-serif`;
  const width = Math.min(context.measureText(caption).width, (width_mm - 4) * mm);
  context.fillStyle = COLOURS.paper;
  context.fillRect(1.4 * mm, (height_mm - 4.8) * mm, width + 1.2 * mm, 4 * mm);
  context.fillStyle = COLOURS.label;
  context.fillText(caption, 2 * mm, (height_mm - 1.8) * mm, (width_mm - 4) * mm);
}
