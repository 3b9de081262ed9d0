// Playing the frames of a view, at a rate; a frame that is not here yet is waited for, never skipped.

import { numbersOf } from "./geometry.js";

const RATE_MIN = 1;
const RATE_MAX = 60;
const RATE_UNSTATED = 15;

/** Frames a second of a cine: what the file says, else 15; between 1 and 60 (PS3.3 C.7.6.5). */
export function frameRate(frame) {
  const [stated] = numbersOf(frame?.value("RecommendedDisplayFrameRate"));
  const [time_ms] = numbersOf(frame?.value("FrameTime"));
  return keptRate(stated ?? (time_ms > 0 ? 1000 / time_ms : RATE_UNSTATED));
}

/** `rate` as a whole number that can be played. */
export function keptRate(rate) {
  return Math.round(Math.max(RATE_MIN, Math.min(RATE_MAX, Number(rate) || RATE_UNSTATED)));
}

/** The first index and the number of what is looped over at `index`: the frames of the present instance, or the stack where each has one. */
export function loopOf(frames, index) {
  const { instance } = frames[index];
  let [first, last] = [index, index];
  while (first > 0 && frames[first - 1].instance === instance) first--;
  while (last < frames.length - 1 && frames[last + 1].instance === instance) last++;
  return last > first ? { first, length: last - first + 1 } : { first: 0, length: frames.length };
}

/** Plays one view. `changed()` is called when it starts and stops. */
export class Cine {
  constructor(changed) {
    this.changed = changed;
    this.view = null;
  }

  get playing() {
    return this.view !== null;
  }

  play(view, { rate, ready }) {
    this.stop();
    Object.assign(this, { view, rate: keptRate(rate), ready, due: performance.now() });
    this.changed();
    this.next();
  }

  setRate(rate) {
    this.rate = keptRate(rate);
  }

  stop() {
    clearTimeout(this.timer);
    if (!this.view) return;
    this.view = null;
    this.changed();
  }

  next() {
    const { view } = this;
    const { first, length } = loopOf(view.frames, view.index);
    const following = first + ((view.index - first + 1) % length);
    if (this.ready(following)) view.go(following);
    // From one due time to the next, so that what a frame costs does not slow the rate; after a stall it does not race to catch up.
    const now = performance.now();
    this.due = Math.max(this.due + 1000 / this.rate, now);
    this.timer = setTimeout(() => this.view && this.next(), this.due - now);
  }
}
