// How much memory a volume may take on this machine, and what is done where it would take more. No DOM.

const MIB = 1024 * 1024;
/** Samples of a volume, in bytes, on a machine that says it has more than 4 GB, and on all others. */
const VOLUME_BYTES_MAX = 320 * MIB;
const VOLUME_SMALL_BYTES_MAX = 96 * MIB;
const REDUCTIONS = [1, 2, 4];

/** The bound for a machine of `memory_gb`, as the browser states it (`navigator.deviceMemory`; `undefined` counts as a small one). */
export function volumeBytesMax(memory_gb) {
  return memory_gb > 4 ? VOLUME_BYTES_MAX : VOLUME_SMALL_BYTES_MAX;
}

/**
 * `{reduction, bytes}`: rows and columns are averaged `reduction` × `reduction` so that the volume fits into `bytes_max`; `null` where even the
 * strongest reduction is too large. Samples take two bytes.
 */
export function planVolume([columns, rows, slices], bytes_max) {
  for (const reduction of REDUCTIONS) {
    const bytes = Math.floor(columns / reduction) * Math.floor(rows / reduction) * slices * 2;
    if (bytes <= bytes_max) return { reduction, bytes };
  }
  return null;
}
