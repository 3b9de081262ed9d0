// A pool of decode workers: jobs by priority, one a worker at a time; a worker that dies is replaced and its job is refused.

import { compile } from "./htj2k.js";

const WORKERS_MAX = 4;
const WORKERS_MIN = 2;
/** A frame of more samples than this takes hundreds of megabytes to decode: one such at a time. */
const HEAVY_SAMPLES = 8_000_000;

/** What a worker says it could not decode. `code` as in htj2k.js, 0 for anything else. */
export class DecodeError extends Error {
  constructor({ message, code }) {
    super(message);
    this.name = "DecodeError";
    this.code = code;
  }
}

export class Workers {
  #idle = [];
  #all = new Set();
  #waiting = [];
  #heavy = 0;
  #next = 0;
  #ended = false;

  constructor(make = begin) {
    this.make = make;
    // Asked for here, not by a worker that has first to be fetched itself; compiled once for all of them.
    // boot.js may have begun it before any module was here.
    const fetched = () => compile(fetch(new URL("./htj2k.wasm", import.meta.url)));
    this.module = globalThis.tsunaguEarly?.decoder?.catch(fetched) ?? fetched();
    this.most = Math.max(WORKERS_MIN, Math.min(WORKERS_MAX, globalThis.navigator?.hardwareConcurrency ?? WORKERS_MIN));
    // The decoder is compiled while the first bytes are still on their way.
    this.#idle.push(this.#begin());
  }

  /**
   * Decodes `job` (see decode-worker.js), whose bytes are given away, and answers a picture. `rank()` is asked when a worker is free: the lowest goes first, and
   * `Infinity` gives the job up with an `AbortError`. `samples` is how large the picture will be.
   */
  decode(job, { rank = () => 0, samples = 0 } = {}) {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ job, rank, heavy: samples > HEAVY_SAMPLES, resolve, reject });
      this.#pump();
    });
  }

  dispose() {
    this.#ended = true;
    for (const one of this.#all) one.worker.terminate();
    for (const { reject } of this.#waiting.splice(0)) reject(given());
    for (const one of this.#all) one.task?.reject(given());
    this.#all.clear();
  }

  #begin() {
    const one = { worker: this.make(), task: null };
    this.#all.add(one);
    this.module.then((module) => one.worker.postMessage({ module }), (error) => one.worker.postMessage({ missing: String(error.message ?? error) }));
    one.worker.onmessage = ({ data }) => this.#finish(one, (task) => (data.error ? task.reject(new DecodeError(data.error)) : task.resolve(data.picture)));
    // Memory at an end, or the file of the worker not delivered: the worker is no use any more, the others go on.
    one.worker.onerror = (event) => {
      event.preventDefault?.();
      one.worker.terminate();
      this.#all.delete(one);
      this.#finish(one, (task) => task.reject(new DecodeError({ message: event.message ?? "the decoder stopped", code: 7 })), true);
    };
    return one;
  }

  #finish(one, settle, isGone = false) {
    const { task } = one;
    one.task = null;
    if (task?.heavy) this.#heavy--;
    if (isGone) this.#idle = this.#idle.filter((other) => other !== one);
    else this.#idle.push(one);
    if (task) settle(task);
    this.#pump();
  }

  #pump() {
    while (!this.#ended && this.#waiting.length && (this.#idle.length || this.#all.size < this.most)) {
      const task = this.#best();
      if (!task) return;
      const one = this.#idle.pop() ?? this.#begin();
      one.task = task;
      if (task.heavy) this.#heavy++;
      const { bytes } = task.job;
      one.worker.postMessage({ ...task.job, id: this.#next++ }, bytes ? [bytes.buffer] : []);
    }
  }

  // Takes the most wanted job that may begin now; those that nobody wants any more are given up on the way.
  #best() {
    const ranked = this.#waiting.map((task) => ({ task, rank: task.rank() }));
    const unwanted = ranked.filter(({ rank }) => rank === Infinity);
    this.#waiting = ranked.filter(({ rank }) => rank !== Infinity).map(({ task }) => task);
    for (const { task } of unwanted) task.reject(given());
    let best = null;
    for (const one of ranked) if (one.rank !== Infinity && !(one.task.heavy && this.#heavy) && (!best || one.rank < best.rank)) best = one;
    if (best) this.#waiting.splice(this.#waiting.indexOf(best.task), 1);
    return best?.task ?? null;
  }
}

function given() {
  return new DOMException("not wanted any more", "AbortError");
}

function begin() {
  // The first of them boot.js may have begun before any module was here.
  const early = globalThis.tsunaguEarly?.worker;
  if (early) globalThis.tsunaguEarly.worker = null;
  return early ?? new Worker(new URL("./decode-worker.js", import.meta.url), { type: "module" });
}
