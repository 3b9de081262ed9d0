// The strip of a study's series, and of a prior's below: what can be put into a view.

import { pathOf } from "../api.js";
import { fill, h } from "../dom.js";
import { t } from "../i18n.js";
import { carry } from "./carry.js";

/** Thumbnails wait this long for the first picture, which matters more; a slow link would otherwise share itself among them. */
const THUMBNAILS_WAIT_MS = 1500;

export class Strip {
  /** `on`: `{choose(set, card), put(set, target), targetAt(x, y)}`. */
  constructor(on) {
    Object.assign(this, { on, cards: new Map(), waiting: [] });
    this.own = h("div", { class: "strip-part" });
    this.priors = h("div", { class: "strip-part" });
    this.element = h("nav", { class: "strip", "aria-label": t("series") }, this.own, this.priors);
    this.timer = setTimeout(() => this.loadThumbnails(), THUMBNAILS_WAIT_MS);
  }

  dispose() {
    clearTimeout(this.timer);
    this.timer = null;
    this.waiting = [];
  }

  /** Lists the sets of the study. */
  show(sets) {
    fill(this.own, sets.map((set) => this.card(set)));
  }

  /** Lists the sets of a prior below a heading, or nothing. */
  showPrior(heading, sets) {
    for (const [set, card] of this.cards) if (this.priors.contains(card)) this.cards.delete(set);
    fill(this.priors, heading && h("h2", { class: "strip-head" }, heading), sets.map((set) => this.card(set)));
    if (this.timer === null) this.loadThumbnails();
  }

  card(set) {
    const picture = h("span", { class: "thumb", "aria-hidden": "true" }, set.Modality || "–");
    const title = [set.SeriesDescription || t("seriesNumber", { n: set.SeriesNumber ?? "–" }), set.clip && t("roomClip", { n: set.clip })].filter(Boolean).join("  ");
    const count = set.frames.length ? t(set.clip ? "roomFrames" : "images", { n: set.frames.length }) : t("objects", { n: set.count ?? set.series.count });
    const card = h("button", { type: "button", class: "card", "aria-description": set.frames.length ? t("roomCardHint") : null, on: { click: () => this.on.choose(set, card) } }, picture,
      h("span", { class: "card-text" }, h("span", { class: "card-title" }, title), h("span", { class: "faint number" }, [set.Modality, count].filter(Boolean).join("  "))));
    this.cards.set(set, card);
    if (set.frames.length) {
      carry(card, { label: () => title, targetAt: this.on.targetAt, put: (target) => this.on.put(set, target) });
      this.waiting.push(() => this.thumbnail(set, picture));
    }
    return card;
  }

  /** The first picture is here (or was waited for): thumbnails may come. */
  loadThumbnails() {
    clearTimeout(this.timer);
    this.timer = null;
    for (const load of this.waiting.splice(0)) load();
  }

  // The middle image stands for the series. Where the server has no picture of it, the modality's letters stay.
  thumbnail({ frames }, picture) {
    const image = h("img", { alt: "", fetchpriority: "low", draggable: "false", src: `${pathOf(...frames[Math.floor(frames.length / 2)].address)}/thumbnail`, on: { load: () => picture.replaceChildren(image) } });
  }

  /** Marks the sets in `shown` (in some view), and `active` (in the active one). */
  mark(shown, active) {
    for (const [set, card] of this.cards) {
      card.classList.toggle("shown", shown.includes(set));
      if (set === active) card.setAttribute("aria-current", "true");
      else card.removeAttribute("aria-current");
    }
  }
}
