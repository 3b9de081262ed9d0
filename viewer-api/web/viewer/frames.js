// Rendered frames: fetched few at a time, the one looked at first, kept in a cache bounded in bytes.

import { renderedFrame } from "./api.js";

/** Decoded pictures kept, in bytes of RGBA. */
const CACHE_BYTES_MAX = 192 * 1024 * 1024;
const CONNECTIONS_MAX = 4;
const PNG_PIXELS_MAX = 1 << 20;

/** One picture a frame, whatever it was rendered with; the least recently used goes first. */
export class FrameCache {
  constructor(bytesMax = CACHE_BYTES_MAX) {
    this.bytes = 0;
    this.bytesMax = bytesMax;
    this.held = new Map();
  }

  /** The picture of `index` (`{bitmap, rendering, window, found, mediaType}`), whatever it was rendered with, or `undefined`. */
  get(index) {
    const entry = this.held.get(index);
    if (entry) {
      this.held.delete(index);
      this.held.set(index, entry);
    }
    return entry;
  }

  /** Keeps `entry`, letting older ones go; `keep` is the frame on screen and stays. */
  put(index, entry, keep) {
    this.drop(index);
    this.held.set(index, entry);
    this.bytes += size(entry);
    for (const [old] of this.held) {
      if (this.bytes <= this.bytesMax) break;
      if (old !== index && old !== keep) this.drop(old);
    }
  }

  drop(index) {
    const entry = this.held.get(index);
    if (!entry) return;
    this.held.delete(index);
    this.bytes -= size(entry);
    entry.bitmap.close();
  }

  clear() {
    for (const index of [...this.held.keys()]) this.drop(index);
  }
}

function size({ bitmap }) {
  return bitmap.width * bitmap.height * 4;
}

/**
 * Loads the frames of one stack. `addressOf(index)` → `{address, frame, pixels}`; `arrived(index)` and `failed(index, error)` are told.
 */
export class FrameLoader {
  constructor({ addressOf, arrived, failed }) {
    Object.assign(this, { addressOf, arrived, failed });
    this.cache = new FrameCache();
    this.waiting = [];
    this.running = new Map();
    this.refused = new Map();
    this.stop = new AbortController();
    this.keep = -1;
  }

  /**
   * Asks for `indices`, most wanted first, rendered as `rendering` (`{key, window, viewport}`). What was asked before and has not
   * begun is forgotten; what runs with another rendering is given up, so that the latest wish wins.
   */
  want(indices, rendering) {
    this.rendering = rendering;
    this.keep = indices[0];
    for (const [index, job] of this.running) {
      if (job.key !== rendering.key || !indices.includes(index)) job.abort.abort();
    }
    this.waiting = indices.filter((index) => this.cache.held.get(index)?.rendering !== rendering.key && this.refused.get(index)?.key !== rendering.key);
    this.pump();
  }

  /** The error a frame was refused with under the present rendering, or `undefined`. */
  errorOf(index) {
    return this.refused.get(index)?.error;
  }

  /** Whether the present rendering of `index` is still on its way. */
  pending(index) {
    return this.refused.get(index)?.key !== this.rendering?.key && this.cache.held.get(index)?.rendering !== this.rendering?.key;
  }

  pump() {
    while (this.running.size < CONNECTIONS_MAX && this.waiting.length) {
      const index = this.waiting.shift();
      if (this.running.has(index)) continue;
      this.run(index, this.rendering);
    }
  }

  async run(index, rendering) {
    const abort = new AbortController();
    this.running.set(index, { key: rendering.key, abort });
    try {
      await this.load(index, rendering, abort.signal);
    } catch (error) {
      if (error.name !== "AbortError" && error.status !== 401) this.refuse(index, rendering, error);
    }
    if (this.running.get(index)?.abort === abort) this.running.delete(index);
    if (this.stop.signal.aborted) return;
    // Given up for another rendering while it ran, and still on screen: it is asked for again.
    if (abort.signal.aborted && index === this.keep && this.pending(index) && !this.waiting.includes(index)) this.waiting.unshift(index);
    this.pump();
  }

  async load(index, rendering, signal) {
    const { address, frame, pixels } = this.addressOf(index);
    const mediaType = pixels <= PNG_PIXELS_MAX ? "image/png" : "image/jpeg";
    const { blob, found } = await renderedFrame(address, { frame, window: rendering.window, viewport: rendering.viewport, mediaType }, signal);
    const bitmap = await createImageBitmap(blob).catch((cause) => { throw Object.assign(new Error("no picture", { cause }), { bitmap: true }); });
    if (signal.aborted || this.stop.signal.aborted) return bitmap.close();
    this.cache.put(index, { bitmap, rendering: rendering.key, window: rendering.window ?? found, found, scaled: Boolean(rendering.viewport), mediaType: blob.type }, this.keep);
    this.refused.delete(index);
    this.arrived(index);
  }

  refuse(index, rendering, error) {
    this.refused.set(index, { key: rendering.key, error });
    this.failed(index, error);
  }

  /** Tries refused frames again. */
  forgive() {
    this.refused.clear();
  }

  dispose() {
    this.stop.abort();
    this.waiting = [];
    for (const { abort } of this.running.values()) abort.abort();
    this.cache.clear();
  }
}

/** Frames around `index`, nearest first and twice as far in the direction of travel, at most `count`. */
export function neighbours(index, total, direction, count) {
  const wanted = [index];
  for (let step = 1; wanted.length < count && step < total; step++) {
    wanted.push(index + step * direction);
    if (step % 2 === 0) wanted.push(index - (step / 2) * direction);
  }
  return [...new Set(wanted)].filter((at) => at >= 0 && at < total).slice(0, count);
}
