// One viewport: a frame of a stack, drawn from whatever pixels are here, with layers over it. No chrome of its own.
//
//   const view = new ImageView(place, {store});
//   view.show(frames, index);  view.go(5);  view.setVoi({center: 40, width: 400});  view.addLayer({paint(context, view) {…}});
//
// Events: "frame" (another frame), "picture" (better pixels), "view" (window, zoom, …), "active", "failed" (this frame cannot be had).
// Image coordinates are those of PS3.3 C.10.5; screen coordinates are CSS pixels in the view.

import { h } from "../dom.js";
import { layCover, liftCover } from "./cover.js";
import { FIT_COARSE, fitScale, imageToScreenMap, inverted, levelFor, pixelAspect, spacingOf, through } from "./geometry.js";
import { Gestures } from "./gestures.js";
import { Renderer } from "./gl.js";
import { markSlice, markStage } from "./marks.js";
import { VOLUMES } from "./modalities.js";
import { OverlayPlanes } from "./planes.js";
import { neighbours } from "./queue.js";
import { knownTables, tablesOf } from "./tables.js";
import { foundWindow, lookUp, modalityOf, paddingOf, rescaleOf, shadingOf, statedWindows } from "./voi.js";

const ZOOM_MIN = 0.1;
const ZOOM_MAX = 40;
/** Frames around the present one that are asked for. */
const NEAR_MAX = 400;
/** Tables that could not be read are asked for again after this long. */
const PROBE_AGAIN_MS = 5000;
const NO_PALETTE = Object.assign(new Error("the file has no palette"), { name: "PaletteError" });
/** A canvas is not exchanged under a pointer that is down; it is tried again after this long. */
const BUSY_MS = 500;
/** From so many device pixels a sample on, the samples themselves are shown. */
const SMOOTH_MAX = 16;

let shared = null;

export class ImageView extends EventTarget {
  #map = null;
  #shading = { key: null };
  #dirty = false;
  #paintedKey = null;
  #askedAt = 0;
  #layers = [];
  #isDrawn = false;
  #isGlassEmpty = true;
  #found = new Map();
  /** Whether tables were found in a series, by its UID. */
  #probed = new Map();
  /** Why the tables of an instance could not be read, by its UID. */
  #unread = new Map();
  #stop = new AbortController();
  #drawing = 0;

  constructor(place, { store, renderer = (shared ??= new Renderer()) }) {
    super();
    Object.assign(this, { store, renderer, frames: [], index: 0, direction: 1, voi: null, inverted: false });
    this.canvas = h("canvas", { class: "picture", tabindex: "0", role: "img" });
    this.glass = h("canvas", { class: "layers", "aria-hidden": "true" });
    place.append(this.canvas, this.glass);
    this.#begin(renderer.surface);
    this.planes = new OverlayPlanes();
    this.#home();
    this.gestures = new Gestures(this.canvas, this);
    const { signal } = this.#stop;
    store.addEventListener("picture", (event) => this.#onPicture(event), { signal });
    store.addEventListener("failed", (event) => { if (event.frame === this.frame) { this.repaint(); this.#tell("failed"); } }, { signal });
    renderer.addEventListener("changed", () => this.#resurface(), { signal });
    this.canvas.addEventListener("focus", () => this.activate(), { signal });
    this.watcher = new ResizeObserver(() => { this.#measure(); this.#want(); this.#draw(); this.#tell("view"); });
    this.watcher.observe(this.canvas);
    this.#measure();
  }

  dispose() {
    this.#stop.abort();
    this.watcher.disconnect();
    this.gestures.dispose();
    cancelAnimationFrame(this.#drawing);
    this.store.want([], { owner: this });
    this.canvas.remove();
    this.glass.remove();
  }

  // What is shown.

  /** Shows `frames` from `index` on; window, zoom and rotation begin anew unless `keep`. */
  show(frames, index = 0, { keep = false } = {}) {
    this.frames = frames;
    this.index = -1;
    if (!keep) {
      Object.assign(this, { voi: null, inverted: false });
      this.#home();
    }
    if (!frames.length) {
      this.store.want([], { owner: this });
      this.index = 0;
      return this.#redraw();
    }
    this.#measure();
    this.go(index);
  }

  /** Goes to a frame, kept inside the stack. */
  go(index) {
    const next = Math.max(0, Math.min(this.frames.length - 1, index));
    if (next === this.index || !this.frames.length) return;
    if (this.index >= 0) this.direction = next > this.index ? 1 : -1;
    this.index = next;
    this.#askedAt = performance.now();
    layCover(this.canvas.parentElement, this.frame);
    this.#want();
    this.#redraw();
    this.#tell("frame");
  }

  get frame() {
    return this.frames[this.index] ?? null;
  }

  /** The finest picture of the frame that is here, or `null`. */
  get picture() {
    return this.frame ? this.store.get(this.frame) : null;
  }

  /** What is to be said of the pixels shown, or `null` where there are none. */
  get quality() {
    return this.frame ? this.store.quality(this.frame) : null;
  }

  /** Why the frame cannot be shown, or `null`. */
  get error() {
    if (!this.frame) return null;
    return this.store.errorOf(this.frame) ?? (this.lacksPalette ? this.#unread.get(this.frame.instance.SOPInstanceUID) ?? (knownTables(this.frame) && NO_PALETTE) : null);
  }

  /** Whether there are pixels that cannot be drawn, because the colours they stand for are not here. */
  get lacksPalette() {
    const { frame, picture } = this;
    return Boolean(picture) && frame.instance.PhotometricInterpretation === "PALETTE COLOR" && picture.quality.kind !== "rendered" && !knownTables(frame)?.palette;
  }

  /** Tries again what failed. */
  retry() {
    this.store.forgive();
    if (this.frame) this.#askAgain(this.frame);
  }

  /** Whether the frame at `index` can be shown at once, as sharp as the screen. */
  isReady(index) {
    const frame = this.frames[index];
    return Boolean(frame) && (this.store.isHere(frame, this.#level(FIT_COARSE)) || Boolean(this.store.errorOf(frame)));
  }

  // Grey levels.

  /** `null`: what the file says. A window `{center, width, function}`, or a LUT of `luts`. */
  setVoi(voi) {
    this.voi = voi;
    this.#redraw();
    this.#tell("view");
  }

  /** The window, or LUT, that is in effect; `found: true` where the file states none. `null` for colours. */
  get shownVoi() {
    if (!this.frame || this.frame.isColour) return null;
    const tables = knownTables(this.frame);
    const stated = statedWindows(this.frame)[0] ?? tables?.voi;
    const found = stated ? null : this.#foundVoi();
    return this.voi ?? stated ?? (found && { ...found, found: true });
  }

  /** All windows and LUTs that the file states for this frame. */
  get statedVois() {
    return this.frame ? [...statedWindows(this.frame), ...(knownTables(this.frame)?.voiAll ?? [])] : [];
  }

  /** A window found in the pixels of this frame, for "auto"; `null` while there are none. */
  findVoi() {
    const { frame, picture } = this;
    return frame && picture && !frame.isColour ? foundWindow(picture, rescaleOf(frame), paddingOf(frame)) : null;
  }

  setInverted(inverted_) {
    this.inverted = inverted_;
    this.#redraw();
    this.#tell("view");
  }

  // Where it lies.

  /** CSS pixels an image column takes. */
  get scale() {
    return this.frame ? fitScale(this.#matrix(), this.size, this.rotation) * this.zoom : 1;
  }

  /** Width and height in CSS pixels. */
  get size() {
    return { width: Math.max(1, this.canvas.clientWidth), height: Math.max(1, this.canvas.clientHeight) };
  }

  rotate(degrees) {
    this.rotation = (this.rotation + (this.flipped ? -degrees : degrees) + 360) % 360;
    this.#moved();
  }

  /** Mirrors what is seen left to right. */
  flip() {
    this.flipped = !this.flipped;
    this.#moved();
  }

  /** All of the image, centred. */
  fit() {
    Object.assign(this, { zoom: 1, panX: 0, panY: 0 });
    this.#moved();
  }

  /** Fit, unturned. */
  reset() {
    this.#home();
    Object.assign(this, { voi: null, inverted: false });
    this.#moved();
  }

  /** One image column on one device pixel, sample upon pixel. */
  oneToOne() {
    if (!this.frame) return;
    const ratio = deviceRatio();
    this.zoomAt(1 / ratio / this.scale);
    const [x, y] = this.imageToScreen([0, 0]).map((place) => place * ratio);
    this.pan((Math.round(x) - x) / ratio, (Math.round(y) - y) / ratio);
  }

  /** Zooms by `factor` around a point, the middle where none is given. */
  zoomAt(factor, x = this.size.width / 2, y = this.size.height / 2) {
    const { width, height } = this.size;
    const applied = Math.max(ZOOM_MIN, Math.min(this.#zoomMax(), this.zoom * factor)) / this.zoom;
    this.zoom *= applied;
    this.panX = x - width / 2 - (x - width / 2 - this.panX) * applied;
    this.panY = y - height / 2 - (y - height / 2 - this.panY) * applied;
    this.#moved();
  }

  /** Sets the scale in CSS pixels a column, around the middle: for views that share one. */
  setScale(scale) {
    if (this.frame) this.zoomAt(scale / this.scale);
  }

  pan(dx, dy) {
    this.panX += dx;
    this.panY += dy;
    this.#moved();
  }

  imageToScreen(place) {
    return through(this.#imageMap(), place);
  }

  screenToImage(place) {
    return through(inverted(this.#imageMap()), place);
  }

  /** `{row, column, kind}` in mm, or `null` where the file does not say (PS3.3 10.7.1.3). Of ultrasound, where one region has a scale. */
  get spacing() {
    if (!this.frame) return null;
    const regions = (knownTables(this.frame)?.regions ?? []).filter(({ spacing }) => spacing);
    return spacingOf(this.frame) ?? (regions.length === 1 ? regions[0].spacing : null);
  }

  /** What the file says at a place: a number in modality units, `[r, g, b]`, or `null` outside, or while not all of it is here. */
  modalityValue(column, row) {
    const { frame, picture } = this;
    const [x, y] = [Math.floor(column), Math.floor(row)];
    if (!picture || picture.level > 0 || picture.quality.kind === "rendered" || !(x >= 0 && y >= 0 && x < picture.width && y < picture.height)) return null;
    const at = (y * picture.width + x) * picture.components;
    if (picture.components > 1) return Array.from(picture.samples.subarray(at, at + 3));
    const tables = knownTables(frame);
    const sample = picture.samples[at];
    if (frame.instance.PhotometricInterpretation === "PALETTE COLOR") {
      const palette = tables?.palette;
      return palette ? ["red", "green", "blue"].map((name) => lookUp({ first: palette.first, entries: palette[name] }, sample) >> (palette.bits - 8)) : null;
    }
    return modalityOf(frame, tables, sample);
  }

  // Layers and tools.

  addLayer(layer) {
    this.#layers.push(layer);
    this.repaint();
  }

  removeLayer(layer) {
    this.#layers = this.#layers.filter((one) => one !== layer);
    this.repaint();
  }

  /** Paints the layers anew, soon; the picture under them only if it changed. */
  repaint() {
    this.#drawing ||= requestAnimationFrame(() => this.#draw());
  }

  /** `button` 0 left (and finger), 1 middle, 2 right; `null` for what it is by itself: window, pan, zoom. */
  setTool(button, tool) {
    this.gestures.setTool(button, tool);
  }

  /** Shows or hides the overlay planes of the file. */
  setPlanes(shown) {
    this.planes.hidden = !shown;
    this.repaint();
  }

  /** Says that the reader works here. */
  activate() {
    this.#tell("active");
  }

  /** What is seen, as PNG; without `overlays` only the pixels. */
  snapshot({ overlays = true } = {}) {
    this.#dirty = true;
    this.#draw();
    const out = h("canvas", { width: this.canvas.width, height: this.canvas.height });
    const context = out.getContext("2d");
    context.drawImage(this.canvas, 0, 0);
    if (overlays) context.drawImage(this.glass, 0, 0);
    return new Promise((resolve, reject) => out.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("no picture"))), "image/png"));
  }

  // Inside.

  #home() {
    Object.assign(this, { zoom: 1, panX: 0, panY: 0, rotation: 0, flipped: false });
    this.#map = null;
  }

  #zoomMax() {
    // As far as 40 times the fit, and 40 device pixels a sample.
    return Math.max(ZOOM_MAX, this.frame ? ZOOM_MAX / deviceRatio() / fitScale(this.#matrix(), this.size, this.rotation) : 0);
  }

  #matrix() {
    const { frame } = this;
    return { columns: frame.columns, rows: frame.rows, aspect: pixelAspect(frame) };
  }

  #imageMap() {
    const key = this.frame;
    if (!key) return [1, 0, 0, 1, 0, 0];
    if (this.#map?.key !== key) {
      const { scale, panX, panY, rotation, flipped } = this;
      this.#map = { key, map: imageToScreenMap(this.#matrix(), this.size, { scale, panX, panY, rotation, flipped }) };
    }
    return this.#map.map;
  }

  #measure() {
    const ratio = deviceRatio();
    const { width, height } = this.size;
    const [across, down] = [Math.max(1, Math.round(width * ratio)), Math.max(1, Math.round(height * ratio))];
    for (const canvas of [this.canvas, this.glass]) if (canvas.width !== across || canvas.height !== down) Object.assign(canvas, { width: across, height: down });
    this.#map = null;
    this.#dirty = true;
  }

  #moved() {
    this.#map = null;
    this.#want();
    this.#redraw();
    this.#tell("view");
  }

  #level(coarse) {
    return levelFor(this.scale * deviceRatio(), this.store.levelsOf(this.frame), coarse);
  }

  #want() {
    if (!this.frame) return;
    const [level, sharp] = [this.#level(FIT_COARSE), this.#level(1)];
    const key = `${this.index} ${level} ${sharp} ${this.direction} ${this.frame.key}`;
    if (key === this.wanted) return;
    this.wanted = key;
    this.store.want(neighbours(this.frames, this.index, this.direction, NEAR_MAX), { level, sharp, seen: 1, owner: this });
    if (this.frame.instance.PhotometricInterpretation === "PALETTE COLOR") this.#askTables();
  }

  #onPicture({ frame, picture }) {
    if (frame !== this.frame) return;
    this.#redraw();
    this.#tell("picture");
    if (picture.level === 0) markStage("full-resolution");
    this.#probe(frame);
  }

  // After the first picture of an instance: are there LUTs, overlays, regions, which the manifest does not have? Slices of a volume are alike: what the first
  // has not, none has.
  #probe(frame) {
    const known = this.#probed.get(frame.series.SeriesInstanceUID);
    if (known !== false || !VOLUMES.includes(frame.series.Modality)) this.#askTables();
  }

  // What could not be read is not none: it is asked for again after a while, for as long as it is shown.
  async #askTables() {
    const { frame } = this;
    const uid = frame.instance.SOPInstanceUID;
    if (frame.derived || knownTables(frame) || this.#unread.has(uid)) return;
    const { SeriesInstanceUID } = frame.series;
    if (!this.#probed.has(SeriesInstanceUID)) this.#probed.set(SeriesInstanceUID, false);
    try {
      const { modality, voi, overlays, regions } = await tablesOf(frame);
      if (modality || voi || overlays.length || regions.length) this.#probed.set(SeriesInstanceUID, true);
    } catch (error) {
      this.#probed.delete(SeriesInstanceUID);
      this.#unread.set(uid, error);
      setTimeout(() => this.#askAgain(frame), PROBE_AGAIN_MS);
    }
    if (this.#stop.signal.aborted || frame.instance !== this.frame?.instance) return;
    this.#shading = { key: null };
    this.#redraw();
    this.#tell("view");
  }

  #askAgain({ instance }) {
    this.#unread.delete(instance.SOPInstanceUID);
    if (!this.#stop.signal.aborted && instance === this.frame?.instance) this.#probe(this.frame);
  }

  // The window found first is shared by a volume, and by the frames of an instance.
  #foundVoi() {
    const { frame, picture } = this;
    const key = VOLUMES.includes(frame.series.Modality) ? frame.series.SeriesInstanceUID : frame.instance.SOPInstanceUID;
    if (!this.#found.has(key) && picture) this.#found.set(key, this.findVoi());
    return this.#found.get(key) ?? null;
  }

  #redraw() {
    this.#dirty = true;
    this.repaint();
  }

  #begin(surface) {
    this.context = this.canvas.getContext("2d", { alpha: false, ...surface });
    this.glassContext = null;
    this.surface = surface;
  }

  // A canvas keeps the context it was first asked for: other ones take the place of both, drawn on before they are seen.
  #resurface() {
    const { surface } = this.renderer;
    if (this.#stop.signal.aborted || surface.willReadFrequently === this.surface.willReadFrequently) return this.#redraw();
    if (this.gestures.isBusy) return void setTimeout(() => this.#resurface(), BUSY_MS);
    const [canvas, glass] = [this.canvas, this.glass];
    const isFocused = document.activeElement === canvas;
    [this.canvas, this.glass] = [canvas.cloneNode(), glass.cloneNode()];
    this.#begin(surface);
    this.gestures = this.gestures.moved(this.canvas);
    this.canvas.addEventListener("focus", () => this.activate(), { signal: this.#stop.signal });
    this.watcher.unobserve(canvas);
    this.#dirty = true;
    this.#draw();
    canvas.replaceWith(this.canvas);
    glass.replaceWith(this.glass);
    this.watcher.observe(this.canvas);
    if (isFocused) this.canvas.focus({ preventScroll: true });
  }

  #draw() {
    cancelAnimationFrame(this.#drawing);
    this.#drawing = 0;
    if (this.#stop.signal.aborted) return;
    if (this.#dirty) this.#drawPicture();
    this.#dirty = false;
    this.#drawLayers();
  }

  #drawPicture() {
    const scene = this.scene();
    if (!scene) {
      // A canvas that nothing was drawn on is black, and the first stroke waits for the graphics process.
      if (this.#isDrawn) this.context.fillRect(0, 0, this.canvas.width, this.canvas.height);
      this.#isDrawn = false;
      return;
    }
    this.renderer.draw(this.context, scene);
    liftCover();
    this.#isDrawn = true;
    markStage("first-pixel");
    if (scene.picture.level <= this.#level(FIT_COARSE)) markStage("fit-resolution");
    if (this.#paintedKey !== this.frame.key) markSlice(this.#askedAt);
    this.#paintedKey = this.frame.key;
  }

  /** What the renderer is given for the present view (gl.js), or `null` while there is nothing to draw. */
  scene() {
    const { frame } = this;
    const picture = frame && this.store.fit(frame, this.#level(1));
    if (!picture) return null;
    const tables = knownTables(frame);
    if (this.lacksPalette) return null;
    const ratio = deviceRatio();
    const map = inverted(this.#imageMap().map((part) => part * ratio));
    return { picture, map, width: this.canvas.width, height: this.canvas.height, shading: this.#shadingOf(picture, tables), smooth: this.scale * ratio * 2 ** picture.level < SMOOTH_MAX };
  }

  // A table over 65,536 values is not made anew for every paint.
  #shadingOf(picture, tables) {
    const { frame, voi, inverted: isInverted } = this;
    const found = frame.isColour || statedWindows(frame).length ? null : this.#foundVoi();
    const key = [frame, voi, isInverted, tables, found, picture.components, picture.bits, picture.quality.kind === "rendered"];
    if (!this.#shading.key || key.some((part, at) => part !== this.#shading.key[at])) {
      this.#shading = { key, shading: shadingOf(frame, { voi, found, inverted: isInverted, tables, picture }) };
    }
    return this.#shading.shading;
  }

  #drawLayers() {
    const planes = (this.frame && knownTables(this.frame)?.overlays) ?? [];
    const isEmpty = !this.#layers.length && !planes.length;
    // A canvas that is cleared is drawn by the browser again, for each slice.
    if (this.#isGlassEmpty && (isEmpty || !this.picture)) return;
    this.#isGlassEmpty = isEmpty;
    const context = this.glassContext ??= this.glass.getContext("2d", this.surface);
    const ratio = deviceRatio();
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.glass.width, this.glass.height);
    if (!this.frame) return;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    if (this.picture) this.planes.paint(context, planes, this.#imageMap());
    for (const layer of this.#layers) {
      context.save();
      layer.paint(context, this);
      context.restore();
    }
  }

  #tell(type) {
    this.dispatchEvent(new Event(type));
  }
}

function deviceRatio() {
  return globalThis.devicePixelRatio || 1;
}
