// A stack of images being read: scroll, window, cine, overlay text. Pictures come rendered from the server.

import { edgeLetters, frameRate, framesOf, fullWindow, isColour, pixelAspect, spacingOf, statedWindow } from "./display.js";
import { fill, h, select } from "./dom.js";
import { downloads } from "./downloads.js";
import { number, numbers, text } from "./dicom.js";
import { FrameLoader, neighbours } from "./frames.js";
import { t } from "./i18n.js";
import { CT_PRESETS, applyLevels, draggedWindow, levels } from "./levels.js";
import { showImageOverlay } from "./overlay.js";
import { problem } from "./problem.js";
import { ScrollBar } from "./scrollbar.js";
import { Viewport } from "./viewport.js";

const PREFETCH_FRAMES = 24;
const WINDOW_REQUEST_MS = 160;
/** Above this many samples, a picture fitted to the screen is asked for at the size of the screen. */
const WHOLE_PIXELS_MAX = 1 << 20;
const VIEWPORT_STEP = 256;
/** Where a file states no window, the slices of these share the one found first, or their brightness would flicker. */
const VOLUMES = ["CT", "MR", "PT", "NM"];

/** Shows the images of one display set in `place`. Returns `{dispose}`. */
export class Stack {
  constructor(place, { study, series, instances, studyRow }) {
    Object.assign(this, { study, series, studyRow });
    this.frames = framesOf(instances);
    this.index = 0;
    this.direction = 1;
    this.window = null;
    this.found = new Map();
    this.negative = false;
    this.scratch = document.createElement("canvas");
    this.canvas = h("canvas", { class: "picture", tabindex: "0", role: "img", "aria-label": t("stackLabel"), on: { keydown: (event) => this.onKey(event) } });
    this.overlay = h("div", { class: "overlay" });
    this.notice = h("div", { class: "notice", role: "status" });
    this.bar = new ScrollBar(this.frames.length, (index) => this.go(index));
    this.tools = h("div", { class: "tools", role: "toolbar", "aria-label": t("toolbar") });
    fill(place, this.tools, h("div", { class: "stage" }, h("div", { class: "glass" }, this.canvas, this.overlay, this.notice), this.bar.element));
    this.loader = new FrameLoader({ addressOf: (index) => this.addressOf(index), arrived: (index) => this.arrived(index), failed: (index) => this.arrived(index) });
    this.viewport = new Viewport(this.canvas, { scroll: (steps) => this.go(this.index + steps), window: (dx, dy, begin) => this.onWindow(dx, dy, begin), moved: () => this.moved() });
    this.showTools();
    // The first picture is asked for at the size it is going to have.
    this.viewport.measure();
    // A volume opens in its middle, a cine and a list of stills at the beginning.
    this.go(VOLUMES.includes(text(this.frames[0].instance, "Modality")) && this.frames[0].frames === 1 ? Math.floor(this.frames.length / 2) : 0);
    this.canvas.focus({ preventScroll: true });
  }

  dispose() {
    this.pause();
    clearTimeout(this.soon);
    this.loader.dispose();
    this.viewport.dispose();
  }

  get frame() {
    return this.frames[this.index];
  }

  addressOf(index) {
    const { instance, frame } = this.frames[index];
    return { address: [this.study, this.series, text(instance, "SOPInstanceUID")], frame, pixels: number(instance, "Rows") * number(instance, "Columns") };
  }

  showTools() {
    const { instance } = this.frames[0];
    const button = (key, action, extra = {}) => h("button", { type: "button", ...extra, on: { click: action } }, t(key));
    const colour = isColour(instance);
    const drags = [["window", t("toolWindow")], ["pan", t("toolPan")], ["zoom", t("toolZoom")], ["scroll", t("toolScroll")]];
    if (colour) drags.shift();
    this.viewport.tool = drags[0][0];
    this.presets = text(instance, "Modality") === "CT" && !colour ? CT_PRESETS : {};
    const presets = [["file", t("presetFile")], ...Object.keys(this.presets).map((key) => [key, t(key)]), ["manual", t("presetManual")]];
    this.presetBox = select(t("preset"), presets, "file", (value) => this.preset(value));
    this.invertButton = button("invert", () => this.invert(), { "aria-pressed": "false" });
    this.overlayButton = button("overlay", () => this.toggleOverlay(), { "aria-pressed": "true" });
    this.playButton = button("play", () => (this.playing ? this.pause() : this.play()));
    this.rate = h("input", { type: "number", min: 1, max: 60, value: frameRate(instance), "aria-label": t("frameRate"), class: "rate" });
    const cine = this.frames.length > 1 && h("span", { class: "group" }, this.playButton, h("label", { class: "field" }, this.rate, h("span", {}, t("frameRate"))));
    fill(this.tools, select(t("tool"), drags, this.viewport.tool, (value) => { this.viewport.tool = value; }), !colour && this.presetBox,
      h("span", { class: "group" }, this.invertButton, button("fit", () => this.home()), button("oneToOne", () => this.viewport.oneToOne()), button("reset", () => this.reset()), this.overlayButton),
      cine, h("span", { class: "grow" }), downloads(() => this.addressOf(this.index).address));
  }

  /** Goes to a frame, kept inside the stack. */
  go(index) {
    const next = Math.max(0, Math.min(this.frames.length - 1, index));
    if (next !== this.index) this.direction = next > this.index ? 1 : -1;
    if (this.frames[next].instance !== this.frame.instance) this.rate.value = frameRate(this.frames[next].instance);
    this.index = next;
    this.bar.show(next);
    this.request();
    this.paint();
  }

  // What the server is asked for now; a picture made with another `key` is shown, adjusted, until this one is here.
  rendering() {
    const { pixels } = this.addressOf(this.index);
    let viewport = null;
    if (pixels > WHOLE_PIXELS_MAX) {
      const { instance } = this.frame;
      const longest = Math.max(number(instance, "Rows"), number(instance, "Columns"));
      const side = Math.ceil((longest * this.viewport.scaleOf(this.matrix())) / VIEWPORT_STEP) * VIEWPORT_STEP;
      if (side < longest) viewport = [Math.max(side, VIEWPORT_STEP), Math.max(side, VIEWPORT_STEP)];
    }
    const window = this.window ?? this.foundWindow();
    return { key: JSON.stringify([window, viewport]), window, viewport };
  }

  matrix() {
    const { instance, frame } = this.frame;
    return { columns: number(instance, "Columns"), rows: number(instance, "Rows"), aspect: pixelAspect(instance, frame) };
  }

  // What a found window is shared by: the volume, the frames of an instance, or nothing.
  foundKey(index) {
    const { instance, frames } = this.frames[index];
    if (VOLUMES.includes(text(instance, "Modality"))) return "volume";
    return frames > 1 ? text(instance, "SOPInstanceUID") : null;
  }

  foundWindow() {
    const { instance, frame } = this.frame;
    return isColour(instance) || statedWindow(instance, frame) ? null : this.found.get(this.foundKey(this.index)) ?? null;
  }

  request() {
    clearTimeout(this.soon);
    this.soon = 0;
    const indices = neighbours(this.index, this.frames.length, this.direction, PREFETCH_FRAMES);
    this.loader.want(indices, this.rendering());
  }

  // While a drag goes on, at most one request in `WINDOW_REQUEST_MS`, always with the latest values.
  requestSoon() {
    this.soon ||= setTimeout(() => this.request(), WINDOW_REQUEST_MS);
  }

  arrived(index) {
    const found = this.loader.cache.held.get(index)?.found;
    const key = this.foundKey(index);
    if (found && key && index === this.index && !this.found.has(key)) {
      this.found.set(key, found);
      this.request();
    }
    this.bar.mark(this.loader.cache.held.keys());
    if (index === this.index) this.paint();
  }

  paint() {
    const entry = this.loader.cache.get(this.index);
    const matrix = this.matrix();
    if (entry) this.viewport.show(this.adjusted(entry), { ...matrix, smooth: entry.scaled });
    else if (this.loader.errorOf(this.index) || !this.viewport.picture) this.viewport.show(null, matrix);
    this.showNotice(entry);
    this.showOverlay(entry);
  }

  // The picture itself where it is already what is wanted, else a copy with its grey levels moved.
  adjusted({ bitmap, window }) {
    const { instance } = this.frame;
    const shown = window ?? this.fileWindow();
    const wanted = this.window ?? this.fileWindow();
    const moved = !isColour(instance) && (shown.center !== wanted.center || shown.width !== wanted.width);
    if (!moved && !this.negative) return bitmap;
    const inverse = text(instance, "PhotometricInterpretation") === "MONOCHROME1";
    Object.assign(this.scratch, { width: bitmap.width, height: bitmap.height });
    const context = this.scratch.getContext("2d", { willReadFrequently: true });
    context.drawImage(bitmap, 0, 0);
    const pixels = context.getImageData(0, 0, bitmap.width, bitmap.height);
    applyLevels(pixels.data, levels(moved ? shown : null, wanted, { inverse, negative: this.negative }));
    context.putImageData(pixels, 0, 0);
    return this.scratch;
  }

  fileWindow() {
    const { instance, frame } = this.frame;
    return statedWindow(instance, frame) ?? this.foundWindow() ?? this.loader.cache.held.get(this.index)?.found ?? fullWindow(instance);
  }

  showNotice(entry) {
    const error = this.loader.errorOf(this.index);
    if (error && !entry) fill(this.notice, h("div", { class: "problem" }, h("p", {}, t("cannotRender", { reason: reasonOf(error) }), this.frame.frames > 1 ? t("cannotFrame", { n: this.frame.frame }) : ""),
      h("button", { type: "button", on: { click: () => this.again() } }, t("retry")), downloads(() => this.addressOf(this.index).address)));
    else fill(this.notice, entry ? "" : h("p", {}, t("loading")));
    this.notice.classList.toggle("failed", Boolean(error && !entry));
  }

  again() {
    this.loader.forgive();
    this.request();
    this.paint();
  }

  showOverlay(entry) {
    const { instance, frame, frames } = this.frame;
    const ratio = globalThis.devicePixelRatio || 1;
    showImageOverlay(this.overlay, {
      studyRow: this.studyRow, instance, frame, frames, index: this.index, total: this.frames.length, colour: isColour(instance),
      window: this.window ?? statedWindow(instance, frame), found: this.foundWindow() ?? entry?.found, zoom: this.viewport.scale(), edges: edgeLetters(instance), spacing: spacingOf(instance, frame),
      pixelsPerColumn: this.viewport.scale() / ratio, entry, pending: this.loader.pending(this.index), slice: numbers(instance, "SliceLocation")[0],
    });
  }

  moved() {
    if (!this.frames.length || !this.loader) return;
    this.requestSoon();
    this.paint();
  }

  onWindow(dx, dy, begin) {
    if (isColour(this.frame.instance)) return;
    if (begin) this.windowStart = this.window ?? this.fileWindow();
    else this.setWindow(draggedWindow(this.windowStart, dx, dy), "manual");
  }

  setWindow(window, preset) {
    this.window = window;
    this.presetBox.querySelector("select").value = preset;
    this.requestSoon();
    this.paint();
  }

  preset(name) {
    if (name === "manual") this.setWindow(this.window ?? this.fileWindow(), name);
    else this.setWindow(this.presets[name] ?? null, name);
    this.canvas.focus({ preventScroll: true });
  }

  invert() {
    this.negative = !this.negative;
    this.invertButton.setAttribute("aria-pressed", String(this.negative));
    this.paint();
  }

  toggleOverlay() {
    this.overlay.hidden = !this.overlay.hidden;
    this.overlayButton.setAttribute("aria-pressed", String(!this.overlay.hidden));
  }

  home() {
    this.viewport.home();
    this.viewport.moved();
  }

  reset() {
    if (this.negative) this.invert();
    this.setWindow(null, "file");
    this.home();
  }

  play() {
    this.playing = true;
    this.playButton.textContent = t("pause");
    this.tick();
  }

  pause() {
    this.playing = false;
    clearTimeout(this.timer);
    if (this.playButton) this.playButton.textContent = t("play");
  }

  // Loops over the frames of the present instance, or over the stack where each has one. Waits for a frame rather than skip it.
  tick() {
    const { frame, frames } = this.frame;
    const [first, length] = frames > 1 ? [this.index - frame + 1, frames] : [0, this.frames.length];
    const next = first + ((this.index - first + 1) % length);
    const ready = this.loader.cache.held.has(next) || this.loader.errorOf(next);
    if (ready || !this.loader.running.size) this.go(next);
    const rate = Math.max(1, Math.min(60, Number(this.rate.value) || 15));
    this.timer = setTimeout(() => { if (this.playing) this.tick(); }, 1000 / rate);
  }

  onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.round(this.frames.length / 10));
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -this.frames.length, End: this.frames.length }[event.key];
    if (steps) this.go(this.index + steps);
    else if (event.key === " " && this.frames.length > 1) this.playing ? this.pause() : this.play();
    else if (event.key === "i") this.invert();
    else if (event.key === "r") this.reset();
    else if (event.key === "o") this.toggleOverlay();
    else if (event.key === "+" || event.key === ";") this.viewport.zoomBy(1.25);
    else if (event.key === "-") this.viewport.zoomBy(0.8);
    else return;
    event.preventDefault();
  }
}

function reasonOf(error) {
  if (error.bitmap) return t("reasonBitmap");
  if (error.status === 0) return t("reasonNetwork");
  if (error.status === 404) return t("reasonNoFrame");
  if (error.status === undefined || [403, 410, 429, 503].includes(error.status)) return problem(error);
  return error.message ? t("reasonServer", { status: error.status, detail: error.message }) : t("reasonNotImage", { status: error.status });
}
