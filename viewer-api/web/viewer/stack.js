// A stack of images being read: its toolbar, the scroll bar, cine, the text over the image. The image itself is an ImageView.

import { frameRate } from "./display.js";
import { fill, h, select } from "./dom.js";
import { downloads } from "./downloads.js";
import { t } from "./i18n.js";
import { PAN, SCROLL, WINDOW, ZOOM } from "./image/gestures.js";
import { VOLUMES } from "./image/voi.js";
import { ImageView } from "./image/view.js";
import { showImageOverlay } from "./overlay.js";
import { problem } from "./problem.js";
import { ScrollBar } from "./scrollbar.js";

/** Usual CT windows in HU, by the i18n key of their name. */
const CT_PRESETS = {
  presetLung: { center: -600, width: 1500, function: "LINEAR" }, presetMediastinum: { center: 40, width: 400, function: "LINEAR" },
  presetBone: { center: 400, width: 2000, function: "LINEAR" }, presetBrain: { center: 40, width: 80, function: "LINEAR" },
};
const DRAGS = { window: WINDOW, pan: PAN, zoom: ZOOM, scroll: SCROLL };

/** Shows the frames of a series in `place`; `manifest` as `loadManifest` answers it. Has `dispose`. */
export class Stack {
  constructor(place, { manifest, frames, store }) {
    Object.assign(this, { manifest, store });
    this.overlay = h("div", { class: "overlay" });
    this.notice = h("div", { class: "notice", role: "status" });
    this.bar = new ScrollBar(frames.length, (index) => this.view.go(index));
    this.tools = h("div", { class: "tools", role: "toolbar", "aria-label": t("toolbar") });
    const glass = h("div", { class: "glass", on: { keydown: (event) => this.onKey(event) } });
    fill(place, this.tools, h("div", { class: "stage" }, glass, this.bar.element));
    this.view = new ImageView(glass, { store });
    this.view.canvas.setAttribute("aria-label", t("stackLabel"));
    glass.append(this.overlay, this.notice);
    this.stop = new AbortController();
    const { signal } = this.stop;
    for (const type of ["frame", "picture", "view", "failed"]) this.view.addEventListener(type, () => this.refreshSoon(), { signal });
    this.view.addEventListener("frame", () => this.onFrame(), { signal });
    this.view.addEventListener("view", () => this.onView(), { signal });
    store.addEventListener("picture", ({ frame }) => { if (frame.series === frames[0].series) this.refreshSoon(); }, { signal });
    store.addEventListener("link", ({ state }) => { this.link = state; this.refreshSoon(); }, { signal });
    this.link = "ok";
    this.showTools(frames[0]);
    // A volume opens in its middle, a cine and a list of stills at the beginning.
    this.view.show(frames, VOLUMES.includes(frames[0].series.Modality) && Number(frames[0].instance.NumberOfFrames ?? 1) === 1 ? Math.floor(frames.length / 2) : 0);
    this.view.canvas.focus({ preventScroll: true });
  }

  dispose() {
    this.pause();
    cancelAnimationFrame(this.refreshing);
    this.stop.abort();
    this.view.dispose();
  }

  showTools(frame) {
    const button = (key, action, extra = {}) => h("button", { type: "button", ...extra, on: { click: action } }, t(key));
    const { isColour } = frame;
    const drags = [["window", t("toolWindow")], ["pan", t("toolPan")], ["zoom", t("toolZoom")], ["scroll", t("toolScroll")]];
    if (isColour) drags.shift();
    this.view.setTool(0, DRAGS[drags[0][0]]);
    this.presets = frame.series.Modality === "CT" && !isColour ? CT_PRESETS : {};
    const presets = [["file", t("presetFile")], ...Object.keys(this.presets).map((key) => [key, t(key)]), ["manual", t("presetManual")]];
    this.presetBox = select(t("preset"), presets, "file", (value) => this.preset(value));
    this.invertButton = button("invert", () => this.view.setInverted(!this.view.inverted), { "aria-pressed": "false" });
    this.overlayButton = button("overlay", () => this.toggleOverlay(), { "aria-pressed": "true" });
    this.playButton = button("play", () => (this.playing ? this.pause() : this.play()));
    this.rate = h("input", { type: "number", min: 1, max: 60, value: frameRate(frame), "aria-label": t("frameRate"), class: "rate" });
    const cine = this.bar.total > 1 && h("span", { class: "group" }, this.playButton, h("label", { class: "field" }, this.rate, h("span", {}, t("frameRate"))));
    fill(this.tools, select(t("tool"), drags, drags[0][0], (value) => this.view.setTool(0, DRAGS[value])), !isColour && this.presetBox,
      h("span", { class: "group" }, this.invertButton, button("fit", () => this.view.fit()), button("oneToOne", () => this.view.oneToOne()),
        button("reset", () => this.view.reset()), this.overlayButton),
      cine, h("span", { class: "grow" }), downloads(() => this.view.frame.address));
  }

  onFrame() {
    const { frame, index } = this.view;
    if (frame.instance !== this.instance) this.rate.value = frameRate(frame);
    this.instance = frame.instance;
    this.bar.show(index);
  }

  onView() {
    const { voi, inverted } = this.view;
    this.invertButton.setAttribute("aria-pressed", String(inverted));
    const preset = voi ? Object.keys(this.presets).find((key) => this.presets[key].center === voi.center && this.presets[key].width === voi.width) ?? "manual" : "file";
    this.presetBox.querySelector("select").value = preset;
  }

  refreshSoon() {
    this.refreshing ||= requestAnimationFrame(() => {
      this.refreshing = 0;
      this.bar.mark([...this.view.frames.keys()].filter((index) => this.store.get(this.view.frames[index])));
      showImageOverlay(this.overlay, this.view, this.manifest);
      this.showNotice();
    });
  }

  showNotice() {
    const { error, picture, frame } = this.view;
    const failed = Boolean(error && !picture);
    const parts = Number(frame.instance.NumberOfFrames ?? 1) > 1 ? t("cannotFrame", { n: frame.number }) : "";
    if (failed) fill(this.notice, h("div", { class: "problem" }, h("p", {}, t("cannotRender", { reason: reasonOf(error) }), parts),
      h("button", { type: "button", on: { click: () => this.store.forgive() } }, t("retry")), downloads(() => this.view.frame.address)));
    else if (this.link !== "ok" && this.view.quality?.kind !== "lossless") fill(this.notice, h("p", { class: "link" }, t(this.link === "slow" ? "linkSlow" : "linkBroken")));
    else fill(this.notice, picture ? "" : h("p", {}, t("loading")));
    this.notice.classList.toggle("failed", failed);
  }

  preset(name) {
    const { shownVoi } = this.view;
    this.view.setVoi(name === "manual" ? shownVoi && { ...shownVoi, found: false } : this.presets[name] ?? null);
    this.view.canvas.focus({ preventScroll: true });
  }

  toggleOverlay() {
    this.overlay.hidden = !this.overlay.hidden;
    this.view.setPlanes(!this.overlay.hidden);
    this.overlayButton.setAttribute("aria-pressed", String(!this.overlay.hidden));
  }

  play() {
    this.playing = true;
    this.playButton.textContent = t("pause");
    this.tick();
  }

  pause() {
    this.playing = false;
    clearTimeout(this.timer);
    this.playButton.textContent = t("play");
  }

  // Loops over the frames of the present instance, or over the stack where each has one. Waits for a frame rather than skip it.
  tick() {
    const { frame, frames, index } = this.view;
    const count = Number(frame.instance.NumberOfFrames ?? 1);
    const [first, length] = count > 1 ? [index - frame.number + 1, Math.min(count, frames.length)] : [0, frames.length];
    const next = first + ((index - first + 1) % length);
    if (this.view.isReady(next)) this.view.go(next);
    const rate = Math.max(1, Math.min(60, Number(this.rate.value) || 15));
    this.timer = setTimeout(() => { if (this.playing) this.tick(); }, 1000 / rate);
  }

  onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target !== this.view.canvas) return;
    const total = this.view.frames.length;
    const page = Math.max(1, Math.round(total / 10));
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -total, End: total }[event.key];
    if (steps) this.view.go(this.view.index + steps);
    else if (event.key === " " && total > 1) this.playing ? this.pause() : this.play();
    else if (event.key === "i") this.view.setInverted(!this.view.inverted);
    else if (event.key === "r") this.view.reset();
    else if (event.key === "o") this.toggleOverlay();
    else if (event.key === "+" || event.key === ";") this.view.zoomAt(1.25);
    else if (event.key === "-") this.view.zoomAt(0.8);
    else return;
    event.preventDefault();
  }
}

/** Why a frame cannot be shown, in a sentence. */
export function reasonOf(error) {
  if (error.name === "DecodeError") return t("reasonCode", { detail: error.message });
  if (error.status === 0) return t("reasonNetwork");
  if (error.status === 404) return t("reasonNoFrame");
  if (error.status === undefined || [403, 410, 429, 503].includes(error.status)) return problem(error);
  return error.message ? t("reasonServer", { status: error.status, detail: error.message }) : t("reasonNotImage", { status: error.status });
}
