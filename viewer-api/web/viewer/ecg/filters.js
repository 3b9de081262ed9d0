// Display filters: a copy of the samples, made only when a reader asks, never the stored data. No DOM.
//
// Each is a second-order Butterworth section run forward and then backward, so that no wave moves in time (zero phase). Two
// passes fall by 6 dB where one falls by 3; the corner is moved so that both together fall by 3 dB at the frequency named.

const TWO_PASSES = (Math.SQRT2 - 1) ** 0.25;
const NOTCH_QUALITY = 10;

/** What a reader may choose, in Hz; 0 is off. High-pass takes the wander of the baseline away, low-pass muscle, notch the mains. */
export const CHOICES = { high: [0, 0.05, 0.5], low: [0, 150, 75, 35], notch: [0, 50, 60] };

/** No filter: how every trace is first shown. */
export const OFF = Object.freeze({ high: 0, low: 0, notch: 0 });

/** Whether anything is filtered. */
export function filtered({ high, low, notch }) {
  return high > 0 || low > 0 || notch > 0;
}

/** A high-pass of 0.5 Hz shifts the ST segment (AHA/ACC/HRS 2007: 0.05 Hz for diagnosis). */
export function distortsST({ high }) {
  return high >= 0.5;
}

/** What `choice` can do at `rate` samples a second: a corner at or above half the rate does nothing, and is not said to. */
export function possible(choice, rate) {
  const fits = (hertz) => (hertz > 0 && hertz < rate / 2 ? hertz : 0);
  return { high: fits(choice.high), low: fits(choice.low), notch: fits(choice.notch) };
}

/** Coefficients `{b, a}` (a[0] = 1) of one section: bilinear transform with its corner pre-warped (R. Bristow-Johnson's cookbook). */
export function section(kind, hertz, rate) {
  const moved = kind === "low" ? 1 / TWO_PASSES : kind === "high" ? TWO_PASSES : 1;
  // The corner is moved where the transform has bent the frequencies already, so that it holds near half the rate too.
  const angle = 2 * Math.atan(Math.tan((Math.PI * hertz) / rate) * moved);
  const cosine = Math.cos(angle);
  const alpha = Math.sin(angle) / (2 * (kind === "notch" ? NOTCH_QUALITY : Math.SQRT1_2));
  const shape = { low: [(1 - cosine) / 2, 1 - cosine, (1 - cosine) / 2], high: [(1 + cosine) / 2, -(1 + cosine), (1 + cosine) / 2], notch: [1, -2 * cosine, 1] }[kind];
  const norm = 1 + alpha;
  return { b: shape.map((value) => value / norm), a: [1, (-2 * cosine) / norm, (1 - alpha) / norm] };
}

// One pass in place, begun as if the first value had always been there, so that the beginning does not ring.
function pass({ b, a }, values) {
  const still = (values[0] * (b[0] + b[1] + b[2])) / (a[0] + a[1] + a[2]);
  let one = still - b[0] * values[0];
  let two = b[2] * values[0] - a[2] * still;
  for (let at = 0; at < values.length; at++) {
    const value = values[at];
    const result = b[0] * value + one;
    one = b[1] * value - a[1] * result + two;
    two = b[2] * value - a[2] * result;
    values[at] = result;
  }
}

// Forward and backward over a run of samples continued at both ends by its own reflection through the end point.
function bothWays(sections, run) {
  const pad = run.length - 1;
  if (pad < 1) return run;
  const long = new Float64Array(run.length + 2 * pad);
  for (let at = 0; at < pad; at++) {
    long[at] = 2 * run[0] - run[pad - at];
    long[pad + run.length + at] = 2 * run[run.length - 1] - run[run.length - 2 - at];
  }
  long.set(run, pad);
  for (const one of sections) {
    pass(one, long);
    long.reverse();
    pass(one, long);
    long.reverse();
  }
  return long.subarray(pad, pad + run.length);
}

/** `values` filtered by `choice`; a missing sample (NaN) stays missing, and what lies on its two sides is filtered apart. */
export function applyFilters(values, rate, choice) {
  const fits = possible(choice, rate);
  const sections = ["high", "low", "notch"].filter((kind) => fits[kind] > 0).map((kind) => section(kind, fits[kind], rate));
  if (!sections.length) return values;
  const result = Float32Array.from(values);
  for (let from = 0; from < values.length;) {
    if (Number.isNaN(values[from])) {
      from++;
      continue;
    }
    let to = from;
    while (to < values.length && !Number.isNaN(values[to])) to++;
    result.set(bothWays(sections, Float64Array.from(values.subarray(from, to))), from);
    from = to;
  }
  return result;
}

const kept = new WeakMap();

/** `channel` as it is to be drawn: itself, or a copy of it with filtered values, which is kept as long as the channel is. */
export function shownChannel(channel, choice) {
  if (!filtered(possible(choice, channel.rate)) || !channel.inMillivolts) return channel;
  const key = `${choice.high} ${choice.low} ${choice.notch}`;
  const held = kept.get(channel);
  if (held?.key === key) return held.shown;
  const shown = { ...channel, values: applyFilters(channel.values, channel.rate, choice), filtered: choice };
  kept.set(channel, { key, shown });
  return shown;
}
