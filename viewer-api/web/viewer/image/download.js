// The bytes of one frame over a link that may be slow or break: read as they come, resumed where they stopped, tried again with patience.

import { ApiError, openBytes } from "../api.js";

const WAITS_MS = [300, 1000, 2500, 5000, 10_000];
/** Without a byte for so long the link is called slow, … */
const SLOW_MS = 4000;
/** … and the request is given up and begun again. */
const STALLED_MS = 20_000;
/** A frame larger than this is not read into memory: 1 GiB. */
const FRAME_BYTES_MAX = 1 << 30;

/** Bytes that have come of a frame, in one buffer, which grows where the length was not said before. */
export class Received {
  constructor(total) {
    if (total > FRAME_BYTES_MAX) throw new Error(`a frame of ${total} bytes`);
    this.total = total;
    this.have = 0;
    this.buffer = new Uint8Array(total);
    this.isWhole = false;
  }

  add(chunk) {
    const needed = this.have + chunk.length;
    if (needed > FRAME_BYTES_MAX) throw new Error(`a frame of more than ${FRAME_BYTES_MAX} bytes`);
    if (needed > this.buffer.length) {
      const larger = new Uint8Array(Math.max(needed, this.buffer.length * 2, 1 << 16));
      larger.set(this.buffer.subarray(0, this.have));
      this.buffer = larger;
    }
    this.buffer.set(chunk, this.have);
    this.have = needed;
  }

  finish() {
    this.isWhole = true;
    this.total = this.have;
    if (this.buffer.length > this.have) this.buffer = this.buffer.slice(0, this.have);
  }

  /** The first `bytes`, as a view. */
  first(bytes) {
    return this.buffer.subarray(0, Math.min(bytes, this.have));
  }
}

/**
 * Reads a frame from `source` (sources.js) into `received` until `last()` bytes are here (asked again at each piece, so that a goal may
 * move while it runs; 0 means all). `arrived()` is called at each piece, `link(state)` with "ok", "slow" or "broken". Throws an
 * `ApiError` where the server says no, and an `AbortError` where `signal` does.
 */
export async function download(source, received, { last, arrived, link }, signal) {
  for (let failures = 0; ; failures++) {
    const before = received.have;
    try {
      await readOnce(source, received, { last, arrived, link }, signal);
      link("ok");
      return;
    } catch (error) {
      if (signal.aborted || !worthAnotherTry(error)) throw error;
      // Whatever came is progress: patience begins anew.
      if (received.have > before && source.ranges) failures = 0;
      if (failures >= WAITS_MS.length) throw error;
      link("broken");
      await pause(WAITS_MS[failures], signal);
    }
  }
}

/** Whether an error is of the link or of a moment: the same request may well succeed later. */
export function worthAnotherTry(error) {
  return error.name === "TypeError" || error.name === "TimeoutError" || [0, 408, 425, 429, 502, 503, 504].includes(error.status);
}

async function readOnce(source, received, { last, arrived, link }, signal) {
  if (!source.ranges) received.have = 0;
  const stop = new AbortController();
  const give = () => stop.abort(signal.reason);
  signal.addEventListener("abort", give);
  const watch = watchdog(link, () => stop.abort(new DOMException("no bytes came", "TimeoutError")));
  try {
    const until = last();
    const asked_ms = performance.now();
    const response = await openBytes(source.url, { accept: source.accept, first: received.have, last: source.ranges && until && until < source.total ? until - 1 : null }, stop.signal);
    // A server or proxy that knows no ranges sends all of it.
    if (response.status === 200) received.have = 0;
    const begun_ms = performance.now();
    // A large image takes minutes on a slow link; that it is slow is to be told meanwhile (link/link.js).
    const came = (bytes) => globalThis.dispatchEvent?.(new CustomEvent("tsunagu:bytes", { detail: { url: source.url, asked_ms, begun_ms, end_ms: performance.now(), bytes } }));
    await readBody(response, received, { last, arrived, touched: (bytes) => { watch.touched(); came(bytes); } });
  } catch (error) {
    // An abort of ours that says why is that; fetch may wrap it.
    if (!signal.aborted && stop.signal.aborted) throw stop.signal.reason;
    throw error;
  } finally {
    watch.end();
    signal.removeEventListener("abort", give);
    stop.abort();
  }
}

async function readBody(response, received, { last, arrived, touched }) {
  const reader = response.body.getReader();
  const length = Number(response.headers.get("Content-Length") ?? 0);
  const expected = length ? received.have + length : 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    touched(value.length);
    received.add(value);
    arrived();
    if (last() && received.have >= last() && received.have < received.total) return void reader.cancel().catch(() => {});
  }
  if (expected && received.have < expected) throw new ApiError(0, `${received.have} of ${expected} bytes`);
  if (!received.total || received.have >= received.total) received.finish();
}

// Says "slow" and, later, gives up, where no byte comes.
function watchdog(link, giveUp) {
  let timers = [];
  const set = () => { timers = [setTimeout(() => link("slow"), SLOW_MS), setTimeout(giveUp, STALLED_MS)]; };
  const clear = () => timers.forEach(clearTimeout);
  set();
  return { touched() { clear(); link("ok"); set(); }, end: clear };
}

function pause(wait_ms, signal) {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const end = () => { clearTimeout(timer); globalThis.removeEventListener?.("online", awake); signal.removeEventListener("abort", stop); };
    // The machine is back on its network: no need to wait any longer.
    const awake = () => { end(); resolve(); };
    const stop = () => { end(); reject(signal.reason); };
    const timer = setTimeout(awake, wait_ms);
    globalThis.addEventListener?.("online", awake);
    signal.addEventListener("abort", stop);
  });
}
