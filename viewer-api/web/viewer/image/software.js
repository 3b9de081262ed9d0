// What gl.js does, with plain loops: for browsers without WebGL2, until a context is made, and while a lost one comes back.

import { after, imageToSamplesMap } from "./geometry.js";
import { greyOf } from "./voi.js";

/** Draws `scene` (gl.js) over all of the canvas of `context`. */
export function paint(context, scene) {
  const image = context.createImageData(scene.width, scene.height);
  fillPixels(image.data, scene);
  context.putImageData(image, 0, 0);
}

/** The RGBA bytes of `scene`. */
export function pixels(scene) {
  const out = new Uint8ClampedArray(scene.width * scene.height * 4);
  fillPixels(out, scene);
  return out;
}

function fillPixels(out, scene) {
  const { picture, map, width, height, shading, smooth } = scene;
  const all = after(imageToSamplesMap(picture), map);
  const [a, b, c, d, e, f] = all;
  new Uint32Array(out.buffer).fill(0xff000000);
  if (b === 0 && c === 0 && smooth && shading.kind === "window" && shading.function !== "SIGMOID" && shading.width > 1 && !shading.padding) return fillUpright(out, scene, all);
  const shade = shading.kind === "window" || shading.kind === "table" ? greyShader(picture, shading, smooth) : colourShader(picture, shading, smooth);
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0; x < width; x++, to += 4) {
      const [u, v] = [a * (x + 0.5) + c * (y + 0.5) + e, b * (x + 0.5) + d * (y + 0.5) + f];
      if (u >= 0 && v >= 0 && u < picture.width && v < picture.height) shade(u, v, out, to);
    }
  }
}

// What nearly every first picture is: upright, grey, a linear window. Ten times as quick: columns are found once, the window is one line.
function fillUpright(out, { picture, width, height, shading }, [a, , , d, e, f]) {
  const pixels = new Uint32Array(out.buffer);
  const { samples, width: columns, height: rows } = picture;
  const [left, part] = [new Int32Array(width), new Float32Array(width)];
  let [first, last] = [width, -1];
  for (let x = 0; x < width; x++) {
    const u = a * (x + 0.5) + e;
    if (u < 0 || u >= columns) continue;
    [first, last] = [Math.min(first, x), x];
    left[x] = Math.floor(u - 0.5);
    part[x] = u - 0.5 - left[x];
  }
  const [gain, shift] = lineOf(shading);
  for (let y = 0; y < height; y++) {
    const v = d * (y + 0.5) + f;
    if (v < 0 || v >= rows) continue;
    const top = Math.floor(v - 0.5);
    const down = v - 0.5 - top;
    const [upper, lower] = [Math.max(0, top) * columns, Math.min(rows - 1, top + 1) * columns];
    for (let x = first; x <= last; x++) {
      const p = left[x] < 0 ? 0 : left[x];
      const q = left[x] + 1 < columns ? left[x] + 1 : columns - 1;
      const across = part[x];
      const value = (samples[upper + p] * (1 - across) + samples[upper + q] * across) * (1 - down) + (samples[lower + p] * (1 - across) + samples[lower + q] * across) * down;
      let grey = value * gain + shift;
      grey = grey < 0 ? 0 : grey > 255 ? 255 : (grey + 0.5) | 0;
      if (shading.invert) grey = 255 - grey;
      pixels[y * width + x] = 0xff000000 | (grey * 0x010101);
    }
  }
}

// Grey = gain · sample + shift, of LINEAR and LINEAR_EXACT (PS3.3 C.11.2.1.2.1, C.11.2.1.3.2).
function lineOf({ center, width, function: kind, slope, intercept }) {
  const [middle, across] = kind === "LINEAR" ? [center - 0.5, width - 1] : [center, width];
  return [(255 * slope) / across, 255 * ((intercept - middle) / across + 0.5)];
}

// The four samples around a place and how much of the right and of the lower ones is taken.
function corners(picture, u, v) {
  const [x, y] = [Math.floor(u - 0.5), Math.floor(v - 0.5)];
  const [left, right] = [Math.max(0, x), Math.min(picture.width - 1, x + 1)];
  const [upper, lower] = [Math.max(0, y) * picture.width, Math.min(picture.height - 1, y + 1) * picture.width];
  return [upper + left, upper + right, lower + left, lower + right, u - 0.5 - x, v - 0.5 - y];
}

function greyShader(picture, shading, smooth) {
  const { samples, width } = picture;
  const { padding } = shading;
  const isPadding = (value) => padding && value >= padding[0] && value <= padding[1];
  return (u, v, out, to) => {
    const nearest = samples[Math.floor(v) * width + Math.floor(u)];
    let value = nearest;
    if (smooth && !isPadding(nearest)) {
      const [p, q, r, s, across, down] = corners(picture, u, v);
      const of = (at) => (isPadding(samples[at]) ? nearest : samples[at]);
      value = (of(p) * (1 - across) + of(q) * across) * (1 - down) + (of(r) * (1 - across) + of(s) * across) * down;
    }
    out[to] = out[to + 1] = out[to + 2] = greyOf(shading, value);
  };
}

function colourShader(picture, { kind, table, first, invert }, smooth) {
  const { samples, width, bits } = picture;
  const last = kind === "palette" ? table.length / 3 - 1 : 0;
  const part = kind === "palette"
    ? (at, which) => table[3 * Math.max(0, Math.min(last, samples[at] - first)) + which]
    : (at, which) => (samples[3 * at + which] * 255) / (2 ** bits - 1);
  return (u, v, out, to) => {
    const [p, q, r, s, across, down] = smooth ? corners(picture, u, v) : [Math.floor(v) * width + Math.floor(u), 0, 0, 0, 0, 0];
    for (let which = 0; which < 3; which++) {
      let value = part(p, which);
      if (smooth) value = (value * (1 - across) + part(q, which) * across) * (1 - down) + (part(r, which) * (1 - across) + part(s, which) * across) * down;
      out[to + which] = invert ? 255 - value : value;
    }
  };
}
