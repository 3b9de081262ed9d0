// What is measured between two samples, and QT corrected for rate. No DOM. All in seconds inside, milliseconds outside.

/** The four formulas, each of QT and RR in seconds (shown with their names, never without). Bazett and Fridericia come first. */
export const FORMULAS = [
  { key: "QTcB", name: "Bazett", of: (qt, rr) => qt / Math.sqrt(rr) },
  { key: "QTcF", name: "Fridericia", of: (qt, rr) => qt / Math.cbrt(rr) },
  { key: "QTcFram", name: "Framingham", of: (qt, rr) => qt + 0.154 * (1 - rr) },
  { key: "QTcH", name: "Hodges", of: (qt, rr) => qt + 0.00175 * (60 / rr - 60) },
];

/** QTc in ms by each formula from QT and RR in ms, as `[{key, name, ms}]`; `[]` where either is not known. */
export function correctedQt(qt_ms, rr_ms) {
  if (!(qt_ms > 0) || !(rr_ms > 0)) return [];
  return FORMULAS.map(({ key, name, of }) => ({ key, name, ms: of(qt_ms / 1000, rr_ms / 1000) * 1000 }));
}

const QT_CODES = ["5.13.5-11", "MDC_ECG_TIME_PD_QT", "2:16160"];
const RR_CODES = ["5.10.2.1-3", "MDC_ECG_TIME_PD_RR", "2:16168"];

/** QT and RR in ms as the file states them (`measurements` of `annotations()`); `null` what it does not. */
export function statedQt(measurements) {
  const of = (codes) => measurements.find((one) => codes.includes(one.code) && one.unit === "ms")?.value ?? null;
  return { qt_ms: of(QT_CODES), rr_ms: of(RR_CODES) };
}

/** Between samples `a` and `b` of `channel`: `{ms, bpm, difference}`; `bpm` is null over no time, `difference` over a missing sample. */
export function between(channel, a, b) {
  const ms = (Math.abs(b - a) / channel.rate) * 1000;
  const difference = channel.values[b] - channel.values[a];
  return { ms, bpm: ms > 0 ? 60_000 / ms : null, difference: Number.isFinite(difference) ? difference : null };
}

/** The sample nearest to `time_s`, kept within the channel. */
export function nearestSample(channel, time_s) {
  const at = Math.round((time_s - channel.start_s) * channel.rate);
  return Math.max(0, Math.min(channel.values.length - 1, at));
}

/** Samples (fractions of them, so that no error adds up) of the marks that march out from `a` and `b` at their distance between `first` and `last`. */
export function march(a, b, first, last) {
  const step = Math.abs(b - a);
  if (step < 2) return [];
  const marks = [];
  for (let at = Math.min(a, b) - step; at >= first; at -= step) marks.push(at);
  for (let at = Math.max(a, b) + step; at <= last; at += step) marks.push(at);
  return marks.sort((one, other) => one - other);
}
