// What is fetched and decoded in which order. No DOM, no network: wishes in, a list of steps out.

/** Ranks of the classes; within a class nearer frames come first. */
export const RANK = { seen: 0, seenSharp: 500, seenWhole: 1000, near: 2000, nearWhole: 100_000 };
/** A first useful picture lies within so many bytes: 80 ms of a link of 10 Mbit/s. */
export const FIRST_BYTES = 96 * 1024;

/**
 * The steps for all `wishes` (`[{frames, level, sharp, seen}]`; the first `seen` frames are on the screen, the others are near them,
 * nearest first; `level` is good enough, `sharp` what the screen can show), as `[{frame, level, rank, decode}]` by rank: what is seen at its level, what is seen in full, what is near. A step with `decode`
 * wants a picture at `level`, one without only the bytes. `cost(frame, level)` answers bytes of samples, of which near frames may take
 * `samples_max` in sum; `weight(frame)` bytes of the whole frame, `bytes_max` in sum.
 */
export function plan(wishes, { cost, weight, samples_max, bytes_max }) {
  const steps = [];
  let samples = 0;
  let bytes = 0;
  for (const { frames, level, sharp = level, seen = 1 } of wishes) {
    frames.slice(0, seen).forEach((frame, at) => {
      steps.push({ frame, level, rank: RANK.seen + at, decode: true });
      if (sharp < level) steps.push({ frame, level: sharp, rank: RANK.seenSharp + at, decode: true });
      if (level > 0) steps.push({ frame, level: 0, rank: RANK.seenWhole + at, decode: true });
      samples += cost(frame, level);
      bytes += weight(frame);
    });
  }
  const longest = Math.max(0, ...wishes.map(({ frames, seen = 1 }) => frames.length - seen));
  const known = new Set(steps.map(({ frame }) => frame.key));
  for (let near = 0; near < longest; near++) {
    for (const { frames, level, seen = 1 } of wishes) {
      const frame = frames[seen + near];
      if (!frame || known.has(frame.key)) continue;
      known.add(frame.key);
      bytes += weight(frame);
      if (bytes > bytes_max) continue;
      samples += cost(frame, level);
      steps.push({ frame, level, rank: RANK.near + near, decode: samples <= samples_max });
      if (level > 0) steps.push({ frame, level: 0, rank: RANK.nearWhole + near, decode: false });
    }
  }
  return steps.sort((a, b) => a.rank - b.rank);
}

/**
 * Frames around `index` of `frames`: itself, then nearest first, twice as many in the direction of travel, at most `count`.
 */
export function neighbours(frames, index, direction, count) {
  const wanted = [index];
  const last = frames.length - 1;
  for (let step = 1; wanted.length < count && step <= frames.length; step++) {
    wanted.push(index + step * direction);
    if (step % 2 === 0) wanted.push(index - (step / 2) * direction);
  }
  // The end of the stack is near on one side: what is left on the other follows.
  for (let step = Math.ceil(frames.length / 2); wanted.length < 2 * count && step <= frames.length; step++) wanted.push(index - step * direction);
  return [...new Set(wanted)].filter((at) => at >= 0 && at <= last).slice(0, count).map((at) => frames[at]);
}

/** The level of the first useful picture: the finest within `FIRST_BYTES`, never finer than `level`; `level` where nothing is gained. */
export function firstLevel(ends, level) {
  if (!ends) return level;
  const highest = ends.length - 1;
  for (let coarse = highest; coarse > level; coarse--) {
    if (ends[highest - coarse + 1] > FIRST_BYTES) return coarse;
  }
  return level;
}

/** The byte at which `level` (0 is full) ends; 0, for all, where levels do not follow one another. */
export function endOf(ends, level) {
  if (!ends) return 0;
  return ends[Math.max(0, ends.length - 1 - level)];
}
