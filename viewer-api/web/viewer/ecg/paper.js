// ECG paper on a canvas: millimetres in, pixels out. Grid 1 mm light and 5 mm heavy, calibration pulse 1 mV × 200 ms at each row.

const LEFT_MM = 14;
const MARGIN_MM = 3;
const COLOURS = { paper: "#fffaf7", light: "#f6d9d3", heavy: "#e5a79d", trace: "#111", label: "#111", faint: "#5a4a46" };
const CANVAS_PIXELS_MAX = 64 * 1024 * 1024;

/** Height of a row in mm: more leads are hung closer, more gain gets more room. */
function rowHeight_mm(rows, gain) {
  const base = rows <= 4 ? 30 : rows <= 6 ? 24 : 15;
  return gain > 10 ? base * 1.4 : base;
}

/** Size of the paper in mm for `rows` of `layout` rows at `speed` mm/s and `gain` mm/mV. */
export function paperSize(rows, { speed, gain }) {
  const seconds = Math.max(...rows.map((row) => row.reduce((sum, part) => sum + part.seconds, 0)));
  const row_mm = rowHeight_mm(rows.length, gain);
  return { width_mm: Math.ceil((LEFT_MM + seconds * speed + MARGIN_MM) / 5) * 5, height_mm: Math.ceil((rows.length * row_mm + 2 * MARGIN_MM) / 5) * 5, row_mm };
}

/** Draws `rows` on `canvas` at `pixelsPerMm` CSS pixels a millimetre. */
export function drawPaper(canvas, rows, { speed, gain, pixelsPerMm }) {
  const size = paperSize(rows, { speed, gain });
  let ratio = globalThis.devicePixelRatio || 1;
  // A long strip at a high density could ask for more pixels than a browser gives.
  while (ratio > 0.5 && size.width_mm * size.height_mm * (pixelsPerMm * ratio) ** 2 > CANVAS_PIXELS_MAX) ratio /= 2;
  canvas.width = Math.round(size.width_mm * pixelsPerMm * ratio);
  canvas.height = Math.round(size.height_mm * pixelsPerMm * ratio);
  canvas.style.width = `${size.width_mm * pixelsPerMm}px`;
  canvas.style.height = `${size.height_mm * pixelsPerMm}px`;
  const pen = { context: canvas.getContext("2d", { alpha: false }), mm: pixelsPerMm * ratio, ratio, speed, gain };
  drawGrid(pen, size);
  rows.forEach((row, at) => drawRow(pen, row, MARGIN_MM + (at + 0.5) * size.row_mm, size.row_mm));
  return size;
}

function drawGrid({ context, mm, ratio }, { width_mm, height_mm }) {
  context.fillStyle = COLOURS.paper;
  context.fillRect(0, 0, context.canvas.width, context.canvas.height);
  for (const [step, colour, weight] of [[1, COLOURS.light, 1], [5, COLOURS.heavy, 1]]) {
    context.fillStyle = colour;
    const width = Math.max(1, Math.round(weight * ratio * (step === 5 ? 1 : 0.75)));
    for (let x = 0; x <= width_mm; x += step) context.fillRect(Math.round(x * mm), 0, width, context.canvas.height);
    for (let y = 0; y <= height_mm; y += step) context.fillRect(0, Math.round(y * mm), context.canvas.width, width);
  }
}

function drawRow(pen, row, middle_mm, row_mm) {
  const first = row.find((part) => part.channel)?.channel;
  if (first?.inMillivolts) drawPulse(pen, middle_mm);
  let left_mm = LEFT_MM;
  for (const part of row) {
    if (part.channel) drawTrace(pen, part, left_mm, middle_mm, row_mm);
    left_mm += part.seconds * pen.speed;
  }
}

// 1 mV for 200 ms, with a foot before and after.
function drawPulse({ context, mm, ratio, speed, gain }, middle_mm) {
  const width_mm = 0.2 * speed;
  const left_mm = LEFT_MM - width_mm - 3;
  const points = [[-1.5, 0], [0, 0], [0, -gain], [width_mm, -gain], [width_mm, 0], [width_mm + 1.5, 0]];
  context.beginPath();
  for (const [x, y] of points) context.lineTo((left_mm + x) * mm, (middle_mm + y) * mm);
  stroke(context, 1.1 * ratio);
}

function stroke(context, width) {
  context.strokeStyle = COLOURS.trace;
  context.lineWidth = width;
  context.lineJoin = "round";
  context.stroke();
}

function drawTrace(pen, { channel, from_s, seconds }, left_mm, middle_mm, row_mm) {
  const { context, mm, ratio } = pen;
  context.save();
  context.beginPath();
  context.rect(left_mm * mm, 0, seconds * pen.speed * mm, context.canvas.height);
  context.clip();
  context.beginPath();
  tracePath(context, channel, { from_s, seconds, left: left_mm * mm, middle: middle_mm * mm, second: pen.speed * mm, unit: unitPixels(pen, channel, row_mm) });
  stroke(context, Math.max(1, 1.15 * ratio));
  context.restore();
  drawLabel(pen, channel, left_mm, middle_mm, row_mm);
}

// Pixels of one value: gain × mm where it is mV; otherwise the channel is spread over two thirds of its row, without a scale.
function unitPixels({ gain, mm }, channel, row_mm) {
  if (channel.inMillivolts) return { pixels: gain * mm, zero: 0 };
  let low = Infinity;
  let high = -Infinity;
  for (const value of channel.values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return { pixels: (row_mm * mm * 0.66) / Math.max(high - low, 1e-9), zero: Number.isFinite(low) ? (low + high) / 2 : 0 };
}

/** Adds every sample of the part to the path; a missing one (NaN) lifts the pen. */
export function tracePath(context, channel, { from_s, seconds, left, middle, second, unit }) {
  const first = Math.max(0, Math.floor((from_s - channel.start_s) * channel.rate));
  const last = Math.min(channel.values.length - 1, Math.ceil((from_s + seconds - channel.start_s) * channel.rate));
  let down = false;
  for (let at = first; at <= last; at++) {
    const value = channel.values[at];
    if (Number.isNaN(value)) {
      down = false;
      continue;
    }
    const x = left + (channel.start_s + at / channel.rate - from_s) * second;
    const y = middle - (value - unit.zero) * unit.pixels;
    if (down) context.lineTo(x, y);
    else context.moveTo(x, y);
    down = true;
  }
}

function drawLabel({ context, mm, gain }, channel, left_mm, middle_mm, row_mm) {
  const name = channel.computed ? `${channel.lead}※` : channel.lead;
  const size = Math.max(2.6, Math.min(3.6, row_mm / 6)) * mm;
  context.font = `600 ${size}px system-ui, sans-serif`;
  const x = (left_mm + 1) * mm;
  const y = (middle_mm - Math.min(row_mm * 0.5 - 3, Math.max(7, gain * 0.75))) * mm;
  context.fillStyle = COLOURS.paper;
  context.globalAlpha = 0.75;
  context.fillRect(x - 0.4 * mm, y - size * 0.85, context.measureText(name).width + 0.8 * mm, size * 1.1);
  context.globalAlpha = 1;
  context.fillStyle = COLOURS.label;
  context.fillText(name, x, y);
  // A tick where the column begins, as on printed 3×4 sheets.
  context.fillRect(left_mm * mm, (middle_mm - 2) * mm, Math.max(1, 0.3 * mm), 4 * mm);
}
