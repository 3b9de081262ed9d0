// Native pixel data to samples (PS3.5 §8.1.1, PS3.3 C.7.6.3.1), colours, and half sizes. No DOM; runs in the worker and in tests.

/**
 * A picture of a native frame, little endian. `shape`: `{columns, rows, components, allocated, stored, highBit, signed, planar,
 * subsampled, ybr}`; `subsampled` is YBR_FULL_422. Bits beyond those stored are no part of the sample. Throws where bytes are missing.
 */
export function nativeSamples(bytes, shape) {
  const { columns, rows, components, allocated, stored } = shape;
  const count = columns * rows * components;
  const inFile = shape.subsampled ? columns * rows * 2 : count;
  const needed = Math.ceil((inFile * allocated) / 8);
  if (bytes.length < needed) throw new Error(`${bytes.length} of ${needed} bytes`);
  let samples = allocated === 1 ? fromBits(bytes, count) : typed(bytes, inFile, allocated, shape.signed);
  if (allocated > 1 && (stored < allocated || shape.highBit !== stored - 1)) masked(samples, shape);
  if (shape.subsampled) samples = fullChrominance(samples, columns, rows);
  else if (components > 1 && shape.planar) samples = interleaved(samples, components);
  if (shape.ybr && components === 3) rgbOfYbr(samples);
  return { columns, rows, width: columns, height: rows, level: 0, origin: 0, components, bits: Math.min(stored, allocated), signed: shape.signed, samples };
}

function typed(bytes, count, allocated, signed) {
  const Samples = { 8: [Uint8Array, Int8Array], 16: [Uint16Array, Int16Array], 32: [Uint32Array, Int32Array] }[allocated]?.[signed ? 1 : 0];
  if (!Samples) throw new Error(`${allocated} bits allocated`);
  // Copied: an odd place in the buffer cannot be read as wider samples. Every machine a browser runs on is little endian.
  return new Samples(bytes.slice(0, (count * allocated) / 8).buffer);
}

// PS3.5 §8.1.1: single bits are filled from the least significant on.
function fromBits(bytes, count) {
  const samples = new Uint8Array(count);
  for (let at = 0; at < count; at++) samples[at] = (bytes[at >> 3] >> (at & 7)) & 1;
  return samples;
}

// What lies above High Bit may be an old overlay (PS3.5 §8.1.2), and what lies below is no sample either.
function masked(samples, { stored, highBit, signed }) {
  const up = 31 - highBit;
  const down = 32 - stored;
  for (let at = 0; at < samples.length; at++) samples[at] = signed ? (samples[at] << up) >> down : (samples[at] << up) >>> down;
}

// PS3.3 C.7.6.3.1.3: Planar Configuration 1 has all reds first.
function interleaved(planes, components) {
  const out = new planes.constructor(planes.length);
  const pixels = planes.length / components;
  for (let part = 0; part < components; part++) for (let at = 0; at < pixels; at++) out[at * components + part] = planes[part * pixels + at];
  return out;
}

// PS3.3 C.7.6.3.1.2, YBR_FULL_422: Y Y Cb Cr for two pixels of a row.
function fullChrominance(packed, columns, rows) {
  const out = new packed.constructor(columns * rows * 3);
  for (let pair = 0, to = 0; to < out.length; pair += 4) {
    for (let which = 0; which < 2 && to < out.length; which++, to += 3) {
      out[to] = packed[pair + which];
      out[to + 1] = packed[pair + 2];
      out[to + 2] = packed[pair + 3];
    }
  }
  return out;
}

/** YBR_FULL to RGB in place, 8 bits (PS3.3 C.7.6.3.1.2, inverted). */
export function rgbOfYbr(samples) {
  const byte = (value) => Math.max(0, Math.min(255, Math.round(value)));
  for (let at = 0; at + 2 < samples.length; at += 3) {
    const [y, cb, cr] = [samples[at], samples[at + 1] - 128, samples[at + 2] - 128];
    samples[at] = byte(y + 1.402 * cr);
    samples[at + 1] = byte(y - 0.344136 * cb - 0.714136 * cr);
    samples[at + 2] = byte(y + 1.772 * cb);
  }
}

/** The same picture at half the size: each sample the mean of those it covers. For what has no resolution levels of its own. */
export function halved({ width, height, components, samples, ...rest }) {
  const [across, down] = [Math.ceil(width / 2), Math.ceil(height / 2)];
  const out = new samples.constructor(across * down * components);
  for (let y = 0, to = 0; y < down; y++) {
    const upper = 2 * y * width;
    const lower = Math.min(2 * y + 1, height - 1) * width;
    for (let x = 0; x < across; x++) {
      const [left, right] = [2 * x, Math.min(2 * x + 1, width - 1)];
      for (let part = 0; part < components; part++) {
        const sum = samples[(upper + left) * components + part] + samples[(upper + right) * components + part]
          + samples[(lower + left) * components + part] + samples[(lower + right) * components + part];
        out[to++] = Math.round(sum / 4);
      }
    }
  }
  return { ...rest, width: across, height: down, components, samples: out, level: rest.level + 1 };
}
