// One place of the grid: an ImageView with what is written over it, its bar, its notices.

import { fill, h } from "../dom.js";
import { downloads } from "../downloads.js";
import { t } from "../i18n.js";
import { ImageView } from "../image/view.js";
import { ScrollBar } from "../scrollbar.js";
import { showCorners } from "./corners.js";
import { chestWall } from "./hanging.js";
import { planesOf } from "./linked.js";
import { maskLayer, maskOf } from "./mammography.js";
import { crosshairLayer, localiserLayer } from "./localiser.js";
import { reasonOf } from "./reason.js";

export class Cell {
  /** `room` is asked for its store, and told by `room.cellChanged(cell, what)`. */
  constructor(room, number) {
    Object.assign(this, { room, number, prior: false, manifest: room.manifest, mask: null, anchor: 0, set: null, placed: "" });
    this.place = h("div", { class: "cell-view" });
    this.overlay = h("div", { class: "overlay" });
    this.notice = h("div", { class: "notice", role: "status" });
    this.glass = h("div", { class: "glass" }, this.place, this.overlay, this.notice);
    this.element = h("section", { class: "cell", "aria-label": t("roomCell", { n: number + 1 }) }, this.glass);
    this.bar = null;
    this.view = null;
    this.empty();
  }

  empty() {
    fill(this.notice, h("p", { class: "faint" }, t("roomEmpty")));
  }

  /** Shows `frames` from `index`; `manifest` is that of their study, `prior` whether it is one. */
  show({ frames, index = 0, manifest = this.room.manifest, prior = false, set = null, store = this.room.store }) {
    if (this.view && this.store !== store) this.clear();
    Object.assign(this, { manifest, prior, set, store, anchor: index, mask: null });
    this.element.classList.toggle("prior", prior);
    this.makeView();
    this.showBar(frames.length);
    fill(this.notice);
    this.view.show(frames, index);
    this.bar?.show(this.view.index);
    this.paint();
  }

  makeView() {
    if (this.view) return;
    const view = this.view = new ImageView(this.place, { store: this.store });
    view.canvas.setAttribute("aria-label", t("roomImageLabel"));
    view.addLayer(maskLayer(this));
    view.addLayer(localiserLayer(this));
    view.addLayer(crosshairLayer(this));
    view.addEventListener("frame", () => { this.bar?.show(view.index); this.arrived(); this.paint(); this.room.cellChanged(this, "frame"); });
    view.addEventListener("picture", () => { this.arrived(); this.paint(); this.room.cellChanged(this, "picture"); });
    view.addEventListener("failed", () => this.paint());
    view.addEventListener("active", () => this.room.activate(this));
    view.addEventListener("view", () => { this.paint(); this.room.cellChanged(this, "view"); });
    this.room.equip(this);
  }

  showBar(total) {
    this.bar?.element.remove();
    this.bar = total > 1 ? new ScrollBar(total, (index) => { this.room.activate(this); this.view.go(index); }) : null;
    if (this.bar) this.element.append(this.bar.element);
  }

  // A mammogram's air is told from its first picture; a finer one would say the same.
  arrived() {
    const { view } = this;
    if (view.frame?.series.Modality !== "MG" || !view.picture || this.mask?.frame === view.frame.key) return;
    const mask = maskOf(view);
    this.mask = mask && { ...mask, frame: view.frame.key };
    this.room.maskFound(this);
  }

  paint() {
    cancelAnimationFrame(this.painting);
    this.painting = requestAnimationFrame(() => {
      if (!this.view?.frame) return;
      if (this.mask && this.mask.frame !== this.view.frame.key) this.mask = null;
      showCorners(this);
      this.showNotice();
    });
  }

  showNotice() {
    const { view } = this;
    const lacks = !view.picture || view.lacksPalette;
    const error = lacks ? view.error : null;
    if (error) fill(this.notice, h("div", { class: "problem" }, h("p", {}, t("cannotRender", { reason: reasonOf(error) }), Number(view.frame.value("NumberOfFrames") ?? 1) > 1 ? t("cannotFrame", { n: view.frame.number }) : ""),
      h("button", { type: "button", on: { click: () => view.retry() } }, t("retry")), view.frame.derived ? null : downloads(() => view.frame.address)));
    else if (this.room.link !== "ok" && view.quality?.kind !== "lossless" && !view.frame.derived) fill(this.notice, h("p", { class: "link" }, t(this.room.link === "slow" ? "linkSlow" : "linkBroken")));
    else fill(this.notice, lacks ? h("p", {}, t("loading")) : "");
    this.notice.classList.toggle("failed", Boolean(error));
  }

  /** What lies where it lies now was put there by the room. */
  settle() {
    this.placed = lies(this.view);
  }

  /** The side of the chest wall of a mammogram that hangs beside others, else `null`. */
  get hangs() {
    return this.room.cells.length > 1 && this.view?.frame?.series.Modality === "MG" ? chestWall(this.view.frame) : null;
  }

  /** Whether the reader has zoomed or panned since. */
  get touched() {
    return Boolean(this.view) && this.placed !== lies(this.view);
  }

  /** The plane of what is shown, or `null`. */
  get plane() {
    const { view } = this;
    return view?.frame ? planesOf(view.frames)[view.index] ?? null : null;
  }

  clear() {
    cancelAnimationFrame(this.painting);
    this.view?.dispose();
    Object.assign(this, { view: null, mask: null, set: null, prior: false });
    this.element.classList.remove("prior");
    this.bar?.element.remove();
    this.bar = null;
    fill(this.overlay);
    fill(this.place);
    this.empty();
  }

  dispose() {
    this.clear();
    this.element.remove();
  }
}

function lies({ zoom, panX, panY }) {
  return [zoom, panX, panY].join();
}
