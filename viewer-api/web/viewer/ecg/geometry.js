// Where everything lies on ECG paper, in millimetres from its top left corner. No DOM, no pixels.

/** Room left of the traces for the calibration pulse. */
export const LEFT_MM = 14;
const MARGIN_MM = 3;
/** Room below for what the paper says about itself. */
const FOOT_MM = 6;
/** A channel without a voltage is spread over this part of its row. */
const SPREAD = 0.66;
const SPILL_MM_MAX = 60;
const CLEAR_MM = 2;

// More leads are hung closer, more gain gets more room.
function rowHeight_mm(rows, gain) {
  const base = rows <= 4 ? 30 : rows <= 6 ? 24 : 15;
  return gain > 10 ? base * 1.4 : base;
}

/** Size of the paper for `rows` of `rowsOf` at `speed` mm/s and `gain` mm/mV: `{width_mm, height_mm, row_mm}`. */
export function paperSize(rows, { speed, gain }) {
  const seconds = Math.max(0.2, ...rows.map((row) => row.reduce((sum, part) => sum + part.seconds, 0)));
  const row_mm = rowHeight_mm(rows.length, gain);
  const five = (length) => Math.ceil(length / 5) * 5;
  return { width_mm: five(LEFT_MM + seconds * speed + MARGIN_MM), height_mm: five(rows.length * row_mm + MARGIN_MM + FOOT_MM), row_mm };
}

/**
 * The paper with a cell for each part of each row: `{width_mm, height_mm, row_mm, top_mm, cells}`, a cell being
 * `{channel, from_s, seconds, row, left_mm, middle_mm, row_mm, unit}`; `unit` is `{mm, zero}`, millimetres of one value and the value on the middle line.
 * `shared` are rows of another recording that lie on the same paper: their waves need room too.
 */
export function layOut(rows, { speed, gain }, shared = []) {
  const plain = paperSize(rows, { speed, gain });
  // A wave higher than the first row, or deeper than the last, gets the paper it needs: nothing is cut off at the edge.
  const above_mm = spill([...(rows[0] ?? []), ...(shared[0] ?? [])], gain, plain.row_mm, 1) - MARGIN_MM + CLEAR_MM;
  const below_mm = spill([...(rows.at(-1) ?? []), ...(shared.at(-1) ?? [])], gain, plain.row_mm, -1);
  const more = (over_mm) => Math.min(SPILL_MM_MAX, Math.max(0, Math.ceil(over_mm / 5) * 5));
  const size = { ...plain, height_mm: plain.height_mm + more(above_mm) + more(below_mm) };
  const top_mm = MARGIN_MM + more(above_mm);
  const cells = [];
  rows.forEach((row, at) => {
    let left_mm = LEFT_MM;
    for (const part of row) {
      if (part.channel) cells.push({ ...part, row: at, left_mm, middle_mm: top_mm + (at + 0.5) * size.row_mm, row_mm: size.row_mm, unit: unitOf(part.channel, gain, size.row_mm) });
      left_mm += part.seconds * speed;
    }
  });
  return { ...size, top_mm, cells };
}

// Millimetres by which the samples of a row reach beyond it upwards (`sign` 1) or downwards (-1).
function spill(row, gain, row_mm, sign) {
  let most = 0;
  for (const part of row) {
    if (!part.channel?.inMillivolts) continue;
    const [first, last] = samplesOf(part);
    for (let at = first; at <= last; at++) if (part.channel.values[at] * sign > most) most = part.channel.values[at] * sign;
  }
  return most * gain - row_mm / 2;
}

function unitOf(channel, gain, row_mm) {
  if (channel.inMillivolts) return { mm: gain, zero: 0 };
  let [low, high] = [Infinity, -Infinity];
  for (const value of channel.values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return { mm: (row_mm * SPREAD) / Math.max(high - low, 1e-9), zero: Number.isFinite(low) ? (low + high) / 2 : 0 };
}

/** Millimetres from the left of sample `at` (fractions allowed) of a cell. */
export function xOf(cell, at, speed) {
  return cell.left_mm + (cell.channel.start_s + at / cell.channel.rate - cell.from_s) * speed;
}

/** Millimetres from the top of `value` in a cell. */
export function yOf(cell, value) {
  return cell.middle_mm - (value - cell.unit.zero) * cell.unit.mm;
}

/** First and last sample of a cell that may be seen in it. */
export function samplesOf({ channel, from_s, seconds }) {
  const first = Math.max(0, Math.floor((from_s - channel.start_s) * channel.rate));
  return [first, Math.min(channel.values.length - 1, Math.ceil((from_s + seconds - channel.start_s) * channel.rate))];
}

/** The time, in seconds, at `x_mm` of a cell. */
export function timeAt(cell, x_mm, speed) {
  return cell.from_s + (x_mm - cell.left_mm) / speed;
}

/** The cell at a point: of the row nearest to `y_mm`, the one `x_mm` falls in, or the nearest; its index, -1 on an empty sheet. */
export function cellAt(cells, x_mm, y_mm, speed) {
  let [best, least] = [-1, Infinity];
  cells.forEach((cell, index) => {
    const right_mm = cell.left_mm + cell.seconds * speed;
    const aside = Math.max(0, cell.left_mm - x_mm, x_mm - right_mm);
    const distance = Math.abs(cell.middle_mm - y_mm) * 1000 + aside;
    if (distance < least) [best, least] = [index, distance];
  });
  return best;
}
