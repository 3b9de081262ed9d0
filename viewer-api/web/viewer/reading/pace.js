// How long an ECG took and how many that makes an hour. Time in which the page is hidden does not count. No DOM.

const RECENT = 20;

export class Pace {
  constructor(now = () => performance.now()) {
    Object.assign(this, { now, took: [], count: 0, since: null, before_ms: 0, running: false });
  }

  /** A trace has appeared; `before_ms` were spent on it earlier (after undo). */
  start(before_ms = 0) {
    this.before_ms = before_ms;
    this.since = this.now();
    this.running = true;
  }

  /** The page is hidden, or seen again. */
  hide(hidden) {
    if (!this.running) return;
    if (hidden && this.since !== null) {
      this.before_ms = this.current_ms;
      this.since = null;
    } else if (!hidden && this.since === null) this.since = this.now();
  }

  /** Milliseconds on the present trace. */
  get current_ms() {
    return this.before_ms + (this.since === null ? 0 : this.now() - this.since);
  }

  /** The trace is read: answers its milliseconds. */
  stop() {
    const took_ms = Math.round(this.current_ms);
    this.took.push(took_ms);
    if (this.took.length > RECENT) this.took.shift();
    this.count++;
    this.running = false;
    return took_ms;
  }

  /** The last verdict was taken back. */
  takeBack() {
    this.took.pop();
    this.count = Math.max(0, this.count - 1);
  }

  /** ECGs an hour at the pace of the last twenty; `null` before the first. */
  get perHour() {
    const sum = this.took.reduce((all, one) => all + one, 0);
    return sum > 0 ? Math.round((3_600_000 * this.took.length) / sum) : null;
  }
}
