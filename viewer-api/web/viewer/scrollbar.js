// The upright bar beside a stack: where we are, what is loaded; drag or click to go there. A slider to assistive technology.

import { h } from "./dom.js";
import { t } from "./i18n.js";

/** A scroll bar over `total` frames; `go(index)` is called when the reader moves it. `element` is what to put in the page. */
export class ScrollBar {
  constructor(total, go) {
    this.total = total;
    this.go = go;
    this.thumb = h("div", { class: "bar-thumb" });
    this.loaded = h("canvas", { class: "bar-loaded", width: 4, height: 512, "aria-hidden": "true" });
    this.element = h("div", { class: "bar", role: "slider", tabindex: "-1", "aria-label": t("slider"), "aria-orientation": "vertical",
      "aria-valuemin": 1, "aria-valuemax": total, hidden: total < 2, on: {
        pointerdown: (event) => { this.element.setPointerCapture(event.pointerId); this.follow(event); },
        pointermove: (event) => { if (event.buttons & 1) this.follow(event); },
      } }, this.loaded, this.thumb);
  }

  follow(event) {
    const box = this.element.getBoundingClientRect();
    const part = (event.clientY - box.top) / Math.max(1, box.height);
    this.go(Math.max(0, Math.min(this.total - 1, Math.floor(part * this.total))));
  }

  /** Shows frame `index` as the present one. */
  show(index) {
    this.element.setAttribute("aria-valuenow", index + 1);
    this.element.setAttribute("aria-valuetext", `${index + 1} / ${this.total}`);
    const height = Math.max(4, 100 / this.total);
    this.thumb.style.height = `${height}%`;
    this.thumb.style.top = `${(this.total > 1 ? index / (this.total - 1) : 0) * (100 - height)}%`;
  }

  /** Marks the frames of `indices` as loaded. */
  mark(indices) {
    const context = this.loaded.getContext("2d", { willReadFrequently: true });
    const step = this.loaded.height / this.total;
    context.clearRect(0, 0, 4, this.loaded.height);
    context.fillStyle = "#3f8fb0";
    for (const index of indices) context.fillRect(0, Math.floor(index * step), 4, Math.max(1, Math.ceil(step)));
  }
}
