// What of a mammogram is breast and what is air around it: for the black mask, and for a scale that shows the breasts as large as they fit. No DOM.

/** The mask is found on at most so many samples a side: less than a millimetre each. */
const SIDE_MAX = 256;
/** The outer part of the picture, opposite the chest wall, that is taken to be air. */
const AIR_PART = 0.03;
/** A sample belongs to the breast where it differs from air by this part of the range, and by this many deviations of the air. */
const RANGE_PART = 0.02;
const DEVIATIONS = 6;
/** Samples added around the breast, so that the mask never hides skin. */
const MARGIN = 3;
const SHARE_MIN = 0.04;

/**
 * `{width, height, air: Uint8Array, box}`, 1 where a sample is air that reaches the edge; `box` `{left, right, top, bottom}` holds the breast in parts of the
 * picture (0…1). `wall` is the side of the chest wall, `"left"` or `"right"`, in the picture as it is stored. `null` where air cannot be told from
 * breast: then nothing is masked.
 */
export function breastMask({ samples, width, height, components = 1 }, wall) {
  if (components !== 1 || (wall !== "left" && wall !== "right")) return null;
  const step = Math.max(1, Math.ceil(Math.max(width, height) / SIDE_MAX));
  const small = { width: Math.floor(width / step), height: Math.floor(height / step) };
  if (small.width < 16 || small.height < 16) return null;
  const values = new Float32Array(small.width * small.height);
  for (let y = 0; y < small.height; y++) for (let x = 0; x < small.width; x++) values[y * small.width + x] = samples[y * step * width + x * step];
  const tissue = tissueOf(values, small, wall);
  if (!tissue) return null;
  const breast = reached(tissue, small, wallSeeds(small, wall), 1);
  const air = reached(grown(tissue, small), small, outerSeeds(small, wall), 0);
  const share = air.reduce((sum, one) => sum + one, 0) / air.length;
  const box = boxOf(breast, small);
  return !box || share < SHARE_MIN || share > 1 - SHARE_MIN ? null : { ...small, air, box };
}

// Air is what the outer edge shows: its median, and how far its samples stray.
function tissueOf(values, { width, height }, wall) {
  const strip = Math.max(2, Math.round(width * AIR_PART));
  const edge = new Float32Array(strip * height);
  for (let y = 0, to = 0; y < height; y++) for (let at = 0; at < strip; at++) edge[to++] = values[y * width + (wall === "left" ? width - 1 - at : at)];
  const air = middle(edge);
  const stray = middle(edge.map((value) => Math.abs(value - air)));
  const away = values.map((value) => Math.abs(value - air)).sort();
  const range = away[Math.floor(away.length * 0.99)];
  if (!(range > 0)) return null;
  const least = Math.max(RANGE_PART * range, DEVIATIONS * stray);
  return Uint8Array.from(values, (value) => (Math.abs(value - air) > least ? 1 : 0));
}

function middle(values) {
  return values.slice().sort()[values.length >> 1];
}

function grown(tissue, { width, height }) {
  let from = tissue;
  for (let turn = 0; turn < MARGIN; turn++) {
    const to = from.slice();
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const at = y * width + x;
        if (from[at]) continue;
        if ((x > 0 && from[at - 1]) || (x < width - 1 && from[at + 1]) || (y > 0 && from[at - width]) || (y < height - 1 && from[at + width])) to[at] = 1;
      }
    }
    from = to;
  }
  return from;
}

// What is connected to the seeds through samples of `kind`.
function reached(tissue, { width, height }, seeds, kind) {
  const out = new Uint8Array(tissue.length);
  const open = seeds.filter((at) => tissue[at] === kind);
  for (const at of open) out[at] = 1;
  const visit = (next) => {
    if (out[next] || tissue[next] !== kind) return;
    out[next] = 1;
    open.push(next);
  };
  while (open.length) {
    const at = open.pop();
    const x = at % width;
    const y = (at - x) / width;
    if (x > 0) visit(at - 1);
    if (x < width - 1) visit(at + 1);
    if (y > 0) visit(at - width);
    if (y < height - 1) visit(at + width);
  }
  return out;
}

function wallSeeds({ width, height }, wall) {
  const column = wall === "left" ? Math.round(width * 0.04) : width - 1 - Math.round(width * 0.04);
  return Array.from({ length: height }, (_, y) => y * width + column);
}

// The outer edge, and above and below it; never the chest wall's own edge.
function outerSeeds({ width, height }, wall) {
  const outer = Array.from({ length: height }, (_, y) => y * width + (wall === "left" ? width - 1 : 0));
  const level = Array.from({ length: width }, (_, x) => [x, (height - 1) * width + x]).flat();
  return [...outer, ...level];
}

function boxOf(breast, { width, height }) {
  let [left, right, top, bottom] = [width, -1, height, -1];
  for (let at = 0; at < breast.length; at++) {
    if (!breast[at]) continue;
    const x = at % width;
    const y = (at - x) / width;
    [left, right, top, bottom] = [Math.min(left, x), Math.max(right, x), Math.min(top, y), Math.max(bottom, y)];
  }
  return right < 0 ? null : { left: left / width, right: (right + 1) / width, top: top / height, bottom: (bottom + 1) / height };
}

/**
 * The common scale of several mammograms in CSS pixels a millimetre, so that each fits its view. Each of `views` is `{width, height, box}`: CSS pixels of
 * the view, and the breast in mm: how far it reaches from the chest wall, and how high it is.
 */
export function commonScale(views) {
  return Math.min(...views.map(({ width, height, box }) => Math.min(width / box.depth, height / box.height)));
}
