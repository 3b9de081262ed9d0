// A sending and its states. Knows no page and no network: both are handed in, so that a test can cut the line anywhere.
//
//   ready ─ start → sending ⇄ paused          sending → broken (the line) or busy (the server) → sending, by itself
//   sending → signed-out → sending, by hand   sending → finishing → done; anything → failed where again cannot help
//
// A file counts as done once the server has answered for it, which it does when it is durable; bytes that are on their way are told
// apart. What was under way when the line broke goes again under the same batch id: it repeats nothing.

/** Files of one request, and bytes after which a request is full: small enough that the count of what is confirmed moves. */
export const REQUEST_FILES_MAX = 32;
export const REQUEST_BYTES_MAX = 16 << 20;
/** Requests at once. */
export const PARALLEL = 3;
/** Longest wait between two attempts. */
const BACK_OFF_MS_MAX = 30_000;
/** A file that the server refuses so often is given up. */
const REFUSED_MAX = 8;
/** Problems that are kept in full; of more, the number. */
export const LISTED_MAX = 2_000;

/**
 * `files` as `gather` finds them; `transport` is `{openBatch, store, receipt}` of transport.js; `clock` is `{now(), wait(ms, signal)}`;
 * `digest` answers the SHA-256 of a Blob, for the record; `whyUnread` makes a reason of an error of `open`.
 * Events: "change" whenever something below has changed.
 */
export class Sending extends EventTarget {
  constructor({ files, batch, programme, transport, clock, whyUnread, digest = async () => "" }) {
    super();
    Object.assign(this, { files, batch, programme, transport, clock, whyUnread, digest });
    this.state = "ready";
    this.why = "";
    this.next_s = 0;
    this.total_bytes = files.reduce((sum, { bytes }) => sum + bytes, 0);
    this.waiting = files.map((file, at) => at).reverse();
    this.outcomes = new Array(files.length);
    this.counts = { stored: 0, "already-held": 0, variant: 0, quarantined: 0, failed: 0 };
    this.problems = [];
    this.done_bytes = 0;
    this.refusals = new Map();
    this.sent = new Map();
    this.receipt = null;
    this.stop = new AbortController();
    this.rates = [];
    this.running = Promise.resolve();
  }

  get done() {
    return Object.values(this.counts).reduce((sum, count) => sum + count, 0);
  }

  /** Bytes that have gone and are not confirmed yet. */
  get under_way() {
    return [...this.sent.values()].reduce((sum, bytes) => sum + bytes, 0);
  }

  /** Confirmed bytes a second over the last half minute, 0 where too little is known. */
  get rate() {
    const first = this.rates[0];
    const span = first ? this.clock.now() - first.at : 0;
    return span > 1000 ? ((this.done_bytes - first.bytes) * 1000) / span : 0;
  }

  become(state, why = "", next_s = 0) {
    Object.assign(this, { state, why, next_s });
    this.dispatchEvent(new Event("change"));
  }

  /** Begins, or goes on. */
  start() {
    if (!["ready", "paused", "broken", "busy", "signed-out", "failed"].includes(this.state)) return this.running;
    this.stop.abort();
    this.stop = new AbortController();
    this.rates = [{ at: this.clock.now(), bytes: this.done_bytes }];
    this.become("sending");
    const { stop } = this;
    // What the run before still holds has to be put back first.
    this.running = this.running.then(() => this.run(stop));
    return this.running;
  }

  /** Stops what is under way; its files wait again. */
  pause() {
    if (!["sending", "broken", "busy"].includes(this.state)) return;
    this.stop.abort();
    this.become("paused");
  }

  /** Goes on at once where it waits: the line is said to be back. */
  hurry() {
    if (this.state === "broken" || this.state === "busy") this.start();
  }

  async run(stop) {
    const { signal } = stop;
    const failures = [];
    try {
      await this.persist(() => this.transport.openBatch({ id: this.batch, programme: this.programme, expected: this.files.length }, signal), signal);
      // Each worker takes the next group; where one meets a broken line, all wait for the same attempt.
      await Promise.allSettled(Array.from({ length: PARALLEL }, () => this.work(stop, failures)));
      if (failures.length) throw failures[0];
      if (signal.aborted) return;
      this.become("finishing");
      this.receipt = await this.persist(() => this.transport.receipt(this.batch, signal), signal);
      this.become("done");
    } catch (error) {
      if (signal.aborted && !failures.length) return;
      stop.abort();
      if (error.status === 401) this.become("signed-out");
      else this.become("failed", error.message || String(error.status ?? ""));
    }
  }

  async work(stop, failures) {
    const { signal } = stop;
    while (this.waiting.length && !signal.aborted) {
      const group = this.group();
      try {
        await this.send(group, signal);
      } catch (error) {
        // Whatever cannot be helped ends the others, too.
        if (!signal.aborted) failures.push(error);
        stop.abort();
      } finally {
        // What is not answered for waits again, first of all.
        const open = group.filter((at) => this.outcomes[at] === undefined);
        this.waiting.push(...open.reverse());
        this.sent.delete(group);
      }
    }
  }

  group() {
    const group = [];
    let bytes = 0;
    while (this.waiting.length && group.length < REQUEST_FILES_MAX) {
      const next = this.files[this.waiting.at(-1)].bytes;
      if (group.length && bytes + next > REQUEST_BYTES_MAX) break;
      bytes += next;
      group.push(this.waiting.pop());
    }
    return group;
  }

  async send(group, signal) {
    const files = [];
    for (const at of group) {
      signal.throwIfAborted();
      const blob = await this.blobOf(at);
      if (blob) files.push({ at, name: this.files[at].name, blob });
    }
    if (!files.length) return;
    const onSent = (bytes) => {
      this.sent.set(group, bytes);
      this.dispatchEvent(new Event("change"));
    };
    const digests = Promise.all(files.map(async ({ at, blob }) => { this.files[at].sha256 ||= await this.digest(blob); }));
    const { parts, again_ms } = await this.persist(async () => {
      if (!files.length) return { parts: [] };
      this.sent.set(group, 0);
      try {
        return await this.transport.store(this.batch, files, { onSent, signal });
      } catch (error) {
        this.sent.delete(group);
        if (error.status === 0) await this.dropUnreadable(files, signal);
        throw error;
      }
    }, signal);
    this.sent.delete(group);
    await digests;
    this.settle(files, parts);
    if (again_ms && files.some(({ at }) => this.outcomes[at] === undefined)) await this.clock.wait(again_ms, signal);
  }

  async blobOf(at) {
    try {
      const blob = await this.files[at].open();
      // A byte shows whether it can still be read: a request that breaks says no more than that it broke.
      await blob.slice(0, 1).arrayBuffer();
      return blob;
    } catch (error) {
      this.fail(at, this.whyUnread(error));
      return null;
    }
  }

  // A file that was changed or taken away breaks the request; it must not be taken for the line.
  async dropUnreadable(files, signal) {
    for (let index = files.length - 1; index >= 0; index--) {
      signal.throwIfAborted();
      try {
        await files[index].blob.slice(0, 1).arrayBuffer();
      } catch (error) {
        this.fail(files[index].at, this.whyUnread(error));
        files.splice(index, 1);
      }
    }
  }

  settle(files, parts) {
    files.forEach(({ at }, index) => {
      const part = parts[index];
      if (part.outcome === "refused") return this.refused(at, part);
      if (part.outcome === "too-large") return this.fail(at, { text: part.reason, next: part.next_step });
      this.outcomes[at] = part.outcome;
      this.counts[part.outcome]++;
      this.done_bytes += this.files[at].bytes;
      if (part.outcome === "quarantined") this.note({ name: this.files[at].name, kind: "quarantined", text: part.reason, next: part.next_step });
      return undefined;
    });
    this.rates.push({ at: this.clock.now(), bytes: this.done_bytes });
    while (this.rates.length > 2 && this.rates.at(-1).at - this.rates[0].at > 30_000) this.rates.shift();
    this.dispatchEvent(new Event("change"));
  }

  refused(at, part) {
    const times = (this.refusals.get(at) ?? 0) + 1;
    this.refusals.set(at, times);
    if (times >= REFUSED_MAX) this.fail(at, { key: "uploadGaveUp", parts: { why: part.reason } });
  }

  fail(at, why) {
    this.outcomes[at] = "failed";
    this.counts.failed++;
    this.note({ name: this.files[at].name, kind: "failed", ...why });
    this.dispatchEvent(new Event("change"));
  }

  note(problem) {
    if (this.problems.length < LISTED_MAX) this.problems.push(problem);
  }

  /** Does `act` until it is done, cannot be, or is stopped: a line that broke is tried for as long as the page is open. */
  async persist(act, signal) {
    for (let attempt = 1; ; attempt++) {
      try {
        const result = await act();
        if (this.state === "broken" || this.state === "busy") this.become("sending");
        return result;
      } catch (error) {
        if (signal.aborted || !error.passes) throw error;
        await this.hold(error, attempt, signal);
      }
    }
  }

  async hold(error, attempt, signal) {
    const back_off_ms = Math.min(BACK_OFF_MS_MAX, 500 * 2 ** Math.min(attempt, 16));
    const wait_ms = Math.min(error.again_ms ?? back_off_ms, 2 * BACK_OFF_MS_MAX);
    this.become(error.status === 0 ? "broken" : "busy", error.message, Math.ceil(wait_ms / 1000));
    await this.clock.wait(wait_ms, signal);
  }
}

/** The clock of the page. */
export const CLOCK = {
  now: () => performance.now(),
  wait: (ms, signal) => new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new DOMException("", "AbortError"));
    }, { once: true });
  }),
};
