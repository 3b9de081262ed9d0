// The pixels of a study: fetched by priority, decoded by workers while they come, kept within bounds.
//
//   const store = new PixelStore();
//   store.want(frames, {level: 1, seen: 1, owner: view});   // the first is on the screen, the others are near it, nearest first
//   store.addEventListener("picture", ({frame}) => …);      // better pixels of a frame
//   store.get(frame) → Picture | null                       // the finest there is
//   await store.whole(frame, signal) → Picture              // full resolution
//
// Events: "picture" {frame}, "failed" {frame, error}, "link" {state: "ok" | "slow" | "broken"}.

import { loadManifest } from "./manifest.js";
import { Received, download, worthAnotherTry } from "./download.js";
import { endOf, firstLevel, plan, RANK } from "./queue.js";
import { qualityOf, sampleBytes, sourcesOf } from "./sources.js";
import { DecodeError, Workers } from "./workers.js";

/** Codestreams kept, in bytes: a CT of 500 slices, or six mammograms. */
const CODESTREAM_BYTES_MAX = 112 * 1024 * 1024;
/** Decoded samples kept, in bytes: a CT of 300 slices. What is on the screen is kept in any case. */
const SAMPLES_BYTES_MAX = 160 * 1024 * 1024;
/** Browsers open six connections to a server; two are left for what else the page asks. */
const DOWNLOADS_MAX = 4;
/** A frame with more left to come than this makes way for one that is on the screen. */
const GIVES_WAY_BYTES = 256 * 1024;

/** One frame as far as it is here. */
class Held {
  constructor(frame) {
    this.frame = frame;
    this.sources = sourcesOf(frame);
    this.received = null;
    this.counted = 0;
    this.pictures = new Map();
    this.decoding = new Set();
    this.loading = null;
    this.error = null;
    this.refused = null;
    this.wholeQuality = null;
    this.used = 0;
    this.renewed = false;
    this.onlyWhole = false;
  }

  get source() {
    return this.sources[0];
  }

  get levels() {
    return this.source.levels;
  }

  /** Whether the bytes of `level` are here. */
  has(level) {
    const { received } = this;
    if (!received) return false;
    const end = endOf(this.source.ends, Math.min(level, this.levels));
    return received.isWhole || (end > 0 && received.have >= end);
  }

  get finest() {
    let best = null;
    for (const picture of this.pictures.values()) if (!best || picture.level < best.level) best = picture;
    return best;
  }
}

export class PixelStore extends EventTarget {
  #held = new Map();
  #wishes = new Map();
  #steps = [];
  #ranks = new Map();
  #downloads = 0;
  #clock = 0;
  #codestreamBytes = 0;
  #samplesBytes = 0;
  #link = "ok";
  #stop = new AbortController();
  #renewing = new Map();
  // What the server has said of one frame of an instance (406: no such form of these pixels) it would say of all.
  #refusals = new Map();

  constructor({ workers = new Workers(), renew = loadManifest } = {}) {
    super();
    this.workers = workers;
    this.renew = renew;
    // What failed for want of a link goes on when it is back (link/link.js).
    globalThis.addEventListener?.("tsunagu:linked", () => this.forgive(worthAnotherTry), { signal: this.#stop.signal });
  }

  dispose() {
    this.#stop.abort();
    for (const held of this.#held.values()) held.loading?.abort();
    this.#held.clear();
    this.#wishes.clear();
    this.workers.dispose();
  }

  /** Bytes kept now: `{codestreams, samples}`. */
  get bytes() {
    return { codestreams: this.#codestreamBytes, samples: this.#samplesBytes };
  }

  /**
   * What `owner` wants from now on, in place of what it wanted before: `frames`, of which the first `seen` are on the screen, at resolution
   * `level` (0 is full), then `sharp`, and in full as soon as there is time for it. No frames: nothing any more.
   */
  want(frames, { level = 0, sharp = level, seen = 1, owner = "" } = {}) {
    if (frames.length) this.#wishes.set(owner, { frames, level, sharp, seen });
    else this.#wishes.delete(owner);
    for (const frame of frames.slice(0, seen)) this.#of(frame).used = ++this.#clock;
    this.#replan();
  }

  /** The finest picture of a frame that is here, or `null`. */
  get(frame) {
    return this.#held.get(frame.key)?.finest ?? null;
  }

  /**
   * The picture to draw at `level`: the coarsest that is fine enough, unless it is finer by far than one that is nearly so (drawn much
   * smaller, every second sample would be passed over); `null` where there is none.
   */
  fit(frame, level) {
    const held = this.#held.get(frame.key);
    if (!held) return null;
    held.used = ++this.#clock;
    // How far a picture is from what is wanted, in levels; a coarser one counts double.
    const distance = (picture) => (picture.level > level ? 2 * (picture.level - level) : level - picture.level);
    let best = null;
    for (const picture of held.pictures.values()) if (!best || distance(picture) < distance(best)) best = picture;
    return best;
  }

  /** What is to be said of the pixels of a frame, all that is here taken together; `null` where nothing is. */
  quality(frame) {
    const held = this.#held.get(frame.key);
    return held?.wholeQuality ?? held?.finest?.quality ?? null;
  }

  /** Resolution levels below full that a frame has. */
  levelsOf(frame) {
    return this.#of(frame).levels;
  }

  /** Why a frame cannot be had, or `null`. */
  errorOf(frame) {
    return this.#held.get(frame.key)?.error ?? null;
  }

  /** Whether the samples of a frame are here at `level` or finer. */
  isHere(frame, level = Infinity) {
    return (this.get(frame)?.level ?? Infinity) <= level;
  }

  /** Tries again what failed, the best way first; with `which(error)` only for such errors. */
  forgive(which = null) {
    if (!which) this.#refusals.clear();
    for (const held of this.#held.values()) {
      if (!held.error || (which && !which(held.error))) continue;
      held.error = null;
      held.refused = null;
      const ways = sourcesOf(held.frame);
      // Bytes that came the same way are gone on from; those of another are no good.
      if (ways[0].kind === held.source.kind && ways[0].url === held.source.url) continue;
      held.sources = ways;
      held.onlyWhole = false;
      this.#forget(held);
    }
    this.#replan();
  }

  /** A frame in full resolution, without loss where that can be had. Rejects with the error of the frame, or with `signal`'s. */
  async whole(frame, signal) {
    const [picture] = await this.volume([frame], signal);
    return picture;
  }

  /** All `frames` in full resolution, in their order; `onProgress(done, total)` as they come. The pictures are the caller's to keep. */
  volume(frames, signal, onProgress = () => {}) {
    const owner = Symbol("volume");
    const pictures = new Array(frames.length).fill(null);
    let done = 0;
    return new Promise((resolve, reject) => {
      const ended = new AbortController();
      const end = (settle, value) => { ended.abort(); this.want([], { owner }); settle(value); };
      const look = () => {
        const left = [];
        frames.forEach((frame, at) => {
          if (pictures[at]) return;
          const picture = this.#held.get(frame.key)?.pictures.get(0);
          if (picture) { pictures[at] = picture; done++; }
          else left.push(frame);
        });
        onProgress(done, frames.length);
        if (!left.length) return end(resolve, pictures);
        const failed = left.find((frame) => this.errorOf(frame));
        if (failed) return end(reject, this.errorOf(failed));
        // Few at a time stand in front, so that samples are not decoded and let go again before they are taken.
        this.want(left, { level: 0, seen: Math.min(left.length, 8), owner });
      };
      const wanted = new Set(frames.map(({ key }) => key));
      const heard = (event) => { if (wanted.has(event.frame.key) && (event.type === "failed" || event.picture.level === 0)) look(); };
      this.addEventListener("picture", heard, { signal: ended.signal });
      this.addEventListener("failed", heard, { signal: ended.signal });
      signal?.addEventListener("abort", () => end(reject, signal.reason), { signal: ended.signal });
      if (signal?.aborted) end(reject, signal.reason);
      else look();
    });
  }

  #of(frame) {
    let held = this.#held.get(frame.key);
    if (!held) this.#held.set(frame.key, held = new Held(frame));
    return held;
  }

  #replan() {
    if (this.#stop.signal.aborted) return;
    this.#steps = plan([...this.#wishes.values()], {
      cost: sampleBytes, weight: (frame) => frame.held.bytes || sampleBytes(frame, 1), samples_max: SAMPLES_BYTES_MAX * 0.8, bytes_max: CODESTREAM_BYTES_MAX * 0.9,
    });
    this.#ranks = new Map();
    for (const { frame, rank } of this.#steps) if (!this.#ranks.has(frame.key)) this.#ranks.set(frame.key, rank);
    this.#makeWay();
    this.#pump();
  }

  // Downloads that nobody waits for end; large ones make way for what is on the screen and goes on later from where they stopped.
  #makeWay() {
    const first = this.#steps.find((step) => step.rank < RANK.seenSharp && this.#lacksBytes(step));
    for (const held of this.#held.values()) {
      if (!held.loading) continue;
      const rank = this.#ranks.get(held.frame.key) ?? Infinity;
      const left = held.received?.total ? held.received.total - held.received.have : 0;
      if (rank === Infinity || (first && rank >= RANK.seenWhole && left > GIVES_WAY_BYTES)) held.loading.abort();
    }
  }

  #lacksBytes({ frame, level }) {
    const held = this.#of(frame);
    return !held.error && !held.has(level) && !(level > 0 && held.finest && held.finest.level <= level) && !held.pictures.has(0);
  }

  #pump() {
    let isSeenLacking = false;
    for (const step of this.#steps) {
      const held = this.#of(step.frame);
      if (held.error) continue;
      if (this.#lacksBytes(step)) {
        if (step.rank < RANK.seenSharp) isSeenLacking = true;
        // While what is on the screen has no picture yet, it has the link for itself.
        if (isSeenLacking && step.rank >= RANK.near) break;
        if (!held.loading && this.#downloads < DOWNLOADS_MAX) this.#load(held);
      } else if (step.decode) this.#decode(held, step.level, step.rank);
    }
  }

  // Where a download may stop: what is seen is read to its end in one answer, what is near as far as its next step wants.
  #goal(held, { total }) {
    if (!held.source.ends) return total;
    for (const { frame, level, rank } of this.#steps) {
      if (frame.key !== held.frame.key) continue;
      if (rank < RANK.near) return total;
      if (!held.has(level)) return endOf(held.source.ends, Math.min(level, held.levels));
    }
    return total;
  }

  async #load(held) {
    const { source } = held;
    const known = this.#refusals.get(refusalOf(held));
    if (known) {
      await this.#refuse(held, known);
      return this.#pump();
    }
    const abort = held.loading = new AbortController();
    this.#downloads++;
    try {
      const received = held.received ??= new Received(source.total);
      this.#count(held);
      await download(source, received, { last: () => this.#goal(held, received), arrived: () => this.#arrived(held), link: (state) => this.#say(state) }, abort.signal);
    } catch (error) {
      if (!abort.signal.aborted) await this.#refuse(held, error);
    }
    this.#count(held);
    held.loading = null;
    this.#downloads--;
    if (this.#stop.signal.aborted) return;
    this.#evict();
    this.#arrived(held);
    this.#pump();
  }

  // Decodes as soon as the bytes of a wanted level are here; of what is seen first the first useful picture, then each that is better.
  #arrived(held) {
    for (const { frame, level, rank, decode } of this.#steps) {
      if (!decode || frame.key !== held.frame.key) continue;
      if (held.has(level)) this.#decode(held, level, rank);
      else if (rank < RANK.seenWhole && !held.decoding.size) this.#preview(held, level, rank);
    }
  }

  #preview(held, level, rank) {
    let finest = firstLevel(held.source.ends, Math.min(level, held.levels));
    if (!held.has(finest)) return;
    while (finest > level + 1 && held.has(finest - 1)) finest--;
    if (finest > level && finest < (held.finest?.level ?? Infinity)) this.#decode(held, finest, rank);
  }

  async #decode(held, wanted, rank) {
    const level = Math.min(wanted, held.levels);
    // A finer picture serves as well, but for the one full picture that shows that all of it can be decoded.
    if (held.error || held.decoding.has(level) || held.pictures.has(level) || !held.has(level) || (held.onlyWhole && !held.received.isWhole)) return;
    if (level === 0 && held.wholeQuality && rank >= RANK.seenWhole) return;
    if (rank >= RANK.near && held.finest?.level < level) return;
    held.decoding.add(level);
    const { source, received } = held;
    const end = (!held.onlyWhole && endOf(source.ends, level)) || received.have;
    const prefix = end < received.have || !received.isWhole;
    try {
      const job = { ...source.job, level, prefix, bytes: received.first(end).slice() };
      const picture = await this.workers.decode(job, { rank: () => this.#rankOf(held, level), samples: sampleBytes(held.frame, level) / 2 });
      if (!this.#stop.signal.aborted) this.#keep(held, source, picture);
    } catch (error) {
      // A beginning that cannot be decoded says nothing yet about the whole.
      if (error.name !== "AbortError" && held.source === source) {
        if (prefix && !held.onlyWhole) held.onlyWhole = true;
        else await this.#refuse(held, error);
      }
    }
    held.decoding.delete(level);
    if (!this.#stop.signal.aborted) this.#pump();
  }

  // Coarser pictures of what is on the screen go before finer ones.
  #rankOf(held, level) {
    const rank = this.#ranks.get(held.frame.key) ?? Infinity;
    if (rank >= RANK.seenWhole) return rank;
    const step = this.#steps.find((one) => one.frame.key === held.frame.key && one.level <= level);
    return step?.rank ?? rank;
  }

  #keep(held, source, { reversible, levels, ...picture }) {
    if (held.source !== source) return;
    // The codestream may have fewer levels than were asked for; it is found under both.
    if (source.job.kind === "htj2k" && levels < source.levels) source.levels = levels;
    picture.quality = qualityOf(held.frame, source, { level: picture.level, reversible });
    picture.frame = held.frame;
    this.#drop(held, picture.level);
    held.pictures.set(picture.level, picture);
    this.#samplesBytes += picture.samples.byteLength;
    if (picture.level === 0) held.wholeQuality = picture.quality;
    held.used = ++this.#clock;
    this.#evict();
    this.#tell("picture", { frame: held.frame, picture });
  }

  // The next way to the pixels; the error where there is none.
  async #refuse(held, error) {
    if (error.status === 401) return;
    if (error.status === 410 && !held.renewed) return this.#renew(held);
    // A link that is down is down for every way.
    if (error.status === 406) this.#refusals.set(refusalOf(held), error);
    const isOfTheWay = error instanceof DecodeError || (error.status > 0 && error.status !== 403);
    if (isOfTheWay && held.sources.length > 1) {
      held.refused ??= error;
      held.sources = held.sources.slice(1);
      held.onlyWhole = false;
      held.loading?.abort();
      this.#forget(held);
      return;
    }
    held.error = held.refused && isOfTheWay ? held.refused : error;
    // An answer that stopped coming is a broken link, too, though no request was refused.
    if (!(error.status > 0) && worthAnotherTry(error)) globalThis.dispatchEvent?.(new Event("tsunagu:broke"));
    this.#tell("failed", { frame: held.frame, error: held.error });
  }

  // 410: the study was packed anew since its manifest was fetched (docs/manifest.md). All instances learn where they lie now.
  async #renew(held) {
    held.renewed = true;
    const study = held.frame.series.StudyInstanceUID;
    if (!this.#renewing.has(study)) {
      this.#renewing.set(study, this.renew(study, this.#stop.signal).finally(() => setTimeout(() => this.#renewing.delete(study), 2000)));
    }
    try {
      const manifest = await this.#renewing.get(study);
      const fresh = new Map(manifest.series.flatMap(({ instances }) => instances).map((instance) => [instance.SOPInstanceUID, instance]));
      const { instance } = held.frame;
      const now = fresh.get(instance.SOPInstanceUID);
      if (!now) throw Object.assign(new Error("the instance is not in the manifest any more"), { status: 404 });
      for (const name of ["representation", "transfer_syntax", "frame_bytes", "resolution_ends"]) instance[name] = now[name];
      this.#forget(held);
      held.sources = sourcesOf(held.frame);
    } catch (error) {
      held.error = error;
      this.#tell("failed", { frame: held.frame, error });
    }
  }

  #count(held) {
    const now = held.received?.buffer.length ?? 0;
    this.#codestreamBytes += now - held.counted;
    held.counted = now;
  }

  // Bytes of another representation are no good; pictures are.
  #forget(held) {
    held.received = null;
    this.#count(held);
  }

  #drop(held, level) {
    const picture = held.pictures.get(level);
    if (!picture) return;
    held.pictures.delete(level);
    this.#samplesBytes -= picture.samples.byteLength;
  }

  // Least wanted first, of the same rank the least recently used. What is on the screen keeps the picture it is drawn from.
  #evict() {
    if (this.#samplesBytes <= SAMPLES_BYTES_MAX && this.#codestreamBytes <= CODESTREAM_BYTES_MAX) return;
    const rank = (held) => this.#ranks.get(held.frame.key) ?? Infinity;
    const order = [...this.#held.values()].sort((a, b) => (rank(b) === rank(a) ? a.used - b.used : rank(b) > rank(a) ? 1 : -1));
    for (const held of order) {
      if (this.#samplesBytes <= SAMPLES_BYTES_MAX) break;
      const levels = [...held.pictures.keys()].sort((a, b) => a - b);
      const sharp = this.#sharpLevel(held.frame);
      for (const one of levels) if (rank(held) >= RANK.seenWhole || (one < sharp && levels.length > 1)) this.#drop(held, one);
    }
    for (const held of order) {
      if (this.#codestreamBytes <= CODESTREAM_BYTES_MAX) break;
      if (!held.loading && !held.decoding.size && rank(held) >= RANK.seenWhole) this.#forget(held);
    }
    // A frame of which nothing is left and that nobody wants is not remembered, unless it is known to fail.
    for (const held of order) if (rank(held) === Infinity && !held.received && !held.pictures.size && !held.loading && !held.error) this.#held.delete(held.frame.key);
  }

  #sharpLevel(frame) {
    for (const { frames, sharp, seen } of this.#wishes.values()) if (frames.slice(0, seen).some(({ key }) => key === frame.key)) return sharp;
    return 0;
  }

  #say(state) {
    if (state === this.#link) return;
    this.#link = state;
    this.#tell("link", { state });
  }

  #tell(type, detail) {
    this.dispatchEvent(Object.assign(new Event(type), detail));
  }
}

function refusalOf({ frame, source }) {
  return `${frame.instance.SOPInstanceUID} ${source.kind}`;
}
