// The ECGs that come next: claimed and fetched before they are wanted. No DOM.

import { isPassing } from "./queue.js";

/** How many are fetched beyond the one that is read. */
export const AHEAD = 5;
const BYTES_MAX = 96 * 1024 * 1024;
const PARALLEL = 2;
/** More unconfirmed verdicts than this are sent first, before anything more is claimed. */
const WAITING_MAX = 30;
const RETRY_MS = 3000;

/**
 * Entries `{item, state: "waiting"|"loading"|"ready"|"failed", ecg, prior, error}` in the order they are to be read. `claim(count, held)` answers
 * `{items, remaining}`; `load(item, signal)` answers `{ecg, prior}`; `busy()` the items whose verdicts are not confirmed. Sends "change".
 */
export class Feed extends EventTarget {
  constructor({ claim, load, busy, later = (action, ms) => setTimeout(action, ms) }) {
    super();
    Object.assign(this, { claim, load, busy, later, entries: [], remaining: null, exhausted: false, heldBack: false, error: null, stop: new AbortController() });
  }

  dispose() {
    this.stop.abort();
  }

  get current() {
    return this.entries[0] ?? null;
  }

  /** The current one is read; answers the next. */
  shift() {
    this.entries.shift();
    this.refill();
    return this.current;
  }

  /** Puts an entry back in front: its verdict was taken back. */
  unshift(entry) {
    this.entries.unshift(entry);
    this.changed();
  }

  changed() {
    this.dispatchEvent(new Event("change"));
  }

  /** Verdicts were confirmed: what waited for that is claimed. */
  resume() {
    if (this.heldBack && this.busy().length <= WAITING_MAX) this.refill();
  }

  /** Claims and fetches what is missing. Called whenever something has changed; one claim runs at a time. */
  async refill() {
    this.fetchNext();
    if (this.claiming || this.stop.signal.aborted) return;
    const missing = AHEAD + 1 - this.entries.length;
    const busy = this.busy();
    this.heldBack = busy.length > WAITING_MAX;
    if (missing <= 0 || this.heldBack || (this.exhausted && this.entries.length)) return;
    this.claiming = true;
    try {
      const held = [...new Set([...this.entries.map(({ item }) => item.item), ...busy])];
      const { items, remaining } = await this.claim(missing, held, this.stop.signal);
      this.take(items, remaining);
    } catch (error) {
      this.failed(error);
    } finally {
      this.claiming = false;
      this.changed();
    }
    this.fetchNext();
  }

  // What was read while the claim was under way is not taken up again.
  take(items, remaining) {
    const known = new Set([...this.entries.map(({ item }) => item.item), ...this.busy()]);
    const fresh = items.filter(({ item }) => !known.has(item));
    this.entries.push(...fresh.map((item) => ({ item, state: "waiting", ecg: null, prior: null, error: null })));
    this.remaining = remaining;
    this.exhausted = fresh.length === 0;
    this.error = null;
  }

  failed(error) {
    if (this.stop.signal.aborted) return;
    this.error = error;
    this.later(() => this.refill(), RETRY_MS);
  }

  get bytes() {
    return this.entries.reduce((sum, { ecg, prior }) => sum + (ecg?.bytes ?? 0) + (prior?.bytes ?? 0), 0);
  }

  fetchNext() {
    if (this.stop.signal.aborted) return;
    const loading = this.entries.filter(({ state }) => state === "loading").length;
    const next = this.entries.find(({ state }) => state === "waiting");
    if (!next || loading >= PARALLEL || (next !== this.current && this.bytes > BYTES_MAX)) return;
    this.fetch(next);
    this.fetchNext();
  }

  async fetch(entry) {
    entry.state = "loading";
    try {
      Object.assign(entry, await this.load(entry.item, this.stop.signal), { state: "ready" });
    } catch (error) {
      if (this.stop.signal.aborted) return;
      // A broken link is tried again; what the server has not got is told.
      Object.assign(entry, { state: isPassing(error) ? "waiting" : "failed", error });
      if (isPassing(error)) return void this.later(() => this.fetchNext(), RETRY_MS);
    } finally {
      this.changed();
    }
    this.fetchNext();
  }
}
