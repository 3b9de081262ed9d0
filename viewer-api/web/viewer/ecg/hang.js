// From an ECG and what the reader chose to the rows that are drawn: page, layout, filters, the prior laid under. No DOM.

import { OFF, shownChannel } from "./filters.js";
import { durationOf } from "./load.js";
import { rowsOf } from "./leads.js";

/** Seconds on one sheet. */
export const PAGE_S = 10;
const ALIGN_S_MAX = 0.6;
const ALIGN_RATE = 125;
/** The first beat: rates differ, so later ones cannot all be laid on each other. */
const ALIGN_BEAT_S = 1.3;

/** What is shown at first. */
export const FIRST = Object.freeze({ source: "", layout: "3x4", speed: 25, gain: 10, rhythm: "II", size: "", start_s: 0, filters: OFF, prior: "below", points: true });

/** The rows of one sheet of `source` in `state`. A median beat is about a second long: every lead is shown whole, side by side. */
export function sheetRows(source, state) {
  const channels = source.channels.map((channel) => shownChannel(source.derived ? atZero(channel) : channel, state.filters));
  if (!source.derived) {
    const seconds = Math.min(PAGE_S, Math.max(1, Math.ceil(durationOf(channels) - 0.01)));
    return rowsOf(state.layout, channels, { start_s: state.start_s, seconds, rhythm: state.rhythm });
  }
  const columns = { "6x2": 2, cabrera: 2, "3x4": 4 }[state.layout] ?? 1;
  const rows = rowsOf(state.layout, channels, { seconds: durationOf(channels) * columns });
  return (state.layout === "3x4" ? rows.slice(0, 3) : rows).map((row) => row.map((part) => ({ ...part, from_s: 0 })));
}

const zeroed = new WeakMap();

// The same object each time, so that its filtered copy is found again.
function atZero(channel) {
  if (channel.start_s === 0) return channel;
  if (!zeroed.has(channel)) zeroed.set(channel, { ...channel, start_s: 0 });
  return zeroed.get(channel);
}

/** Rows of `prior` in the cells of `rows`, moved by `shift_s` so that its beats lie on the current ones. */
export function underRows(rows, prior, state, shift_s) {
  const of = (lead) => prior.channels.find((channel) => channel.lead === lead);
  return rows.map((row) => row.map((part) => {
    const channel = part.channel && of(part.channel.lead);
    if (!channel || channel.inMillivolts !== part.channel.inMillivolts) return { ...part, channel: undefined };
    return { ...part, channel: { ...shownChannel(channel, state.filters), start_s: channel.start_s + shift_s } };
  }));
}

// A lead at 125 samples a second, its slope only: where QRS complexes are, without the baseline.
function slopes(channel, seconds) {
  const length = Math.floor(seconds * ALIGN_RATE);
  return Float32Array.from({ length }, (_, at) => {
    const value = (time_s) => channel.values[Math.round((time_s - channel.start_s) * channel.rate)] ?? 0;
    const slope = Math.abs(value((at + 1) / ALIGN_RATE) - value(at / ALIGN_RATE));
    return Number.isFinite(slope) ? slope : 0;
  });
}

/** Seconds by which `prior` is to be moved so that its QRS complexes fall on those of `current`: the best of ±0.6 s by correlation of slopes in the first beat. */
export function alignment_s(current, prior) {
  const lead = ["II", "I", "aVF", "V1"].find((name) => [current, prior].every(({ channels }) => channels.some((channel) => channel.lead === name)));
  if (!lead) return 0;
  const [one, two] = [[current, ALIGN_BEAT_S], [prior, ALIGN_BEAT_S + ALIGN_S_MAX]].map(([{ channels }, seconds]) => slopes(channels.find((channel) => channel.lead === lead), seconds));
  let [best, shift] = [-Infinity, 0];
  for (let by = -Math.round(ALIGN_S_MAX * ALIGN_RATE); by <= ALIGN_S_MAX * ALIGN_RATE; by++) {
    let sum = 0;
    for (let at = Math.max(0, by); at < one.length && at - by < two.length; at++) sum += one[at] * two[at - by];
    if (sum > best) [best, shift] = [sum, by / ALIGN_RATE];
  }
  return shift;
}
