// What a reader must always see: whether verdicts wait to be sent, how many are left, how fast it goes.

import { fill, h } from "../dom.js";
import { t } from "../i18n.js";
import { askToSignIn } from "./service.js";
import { refusalSentence, refusingSentence } from "./verdict.js";

const TICK_MS = 1000;

// A text that is the same is left alone: replacing it would have the bar laid out again between a key and its trace.
const write = (element, words) => { if (element.textContent !== words) element.textContent = words; };

/** The bar on top of ECG mode. */
export class StatusBar {
  constructor(mode) {
    this.mode = mode;
    this.sent = h("p", { class: "reading-sent", role: "status" });
    this.stage = h("span", { class: "reading-stage" });
    this.left = h("span", { class: "number" });
    this.pace = h("span", { class: "number" });
    this.refused = h("div", { class: "reading-refused", role: "alert", hidden: true });
    this.others = h("span", { class: "reading-others" });
    this.element = h("header", { class: "reading-status" }, this.stage, this.left, this.pace, h("span", { class: "grow" }), this.others, this.sent, this.refused);
    this.timer = setInterval(() => this.showPace(), TICK_MS);
  }

  dispose() {
    clearInterval(this.timer);
  }

  /** Shows what is so now, once a frame however often it is called. */
  show() {
    if (this.asked) return;
    this.asked = true;
    requestAnimationFrame(() => {
      this.asked = false;
      this.update();
    });
  }

  update() {
    const { queue, feed } = this.mode;
    if (!queue) return;
    write(this.stage, { first: t("readingStageFirst"), second: t("readingStageSecond"), adjudication: t("readingStageAdjudication") }[feed?.current?.item.stage] ?? "");
    write(this.left, feed?.remaining === null || !feed ? "" : t("readingLeft", { n: feed.remaining + feed.entries.length, ready: Math.max(0, feed.entries.filter(({ state }) => state === "ready").length - 1) }));
    write(this.others, queue.others ? t("readingOthers", { n: queue.others }) : "");
    this.showSent(queue);
    this.showRefused(queue);
    this.showPace();
  }

  showSent({ state, waiting, store, error }) {
    const said = state === "cut" ? t(store.durable ? "readingCut" : "readingCutUnkept", { n: waiting }) : state === "sign-in" ? t("readingSignIn", { n: waiting }) : state === "refusing" ? t("readingRefusing", { n: waiting, reason: refusingSentence(error) }) : waiting ? t("readingWaiting", { n: waiting }) : t("readingAllSent");
    this.sent.dataset.waiting = String(waiting);
    this.sent.dataset.state = state;
    if (this.sent.firstChild?.textContent === said) return;
    fill(this.sent, h("span", {}, said), state === "sign-in" && h("button", { type: "button", on: { click: () => askToSignIn() } }, t("signInSend")), (state === "cut" || state === "refusing") && h("button", { type: "button", on: { click: () => this.mode.queue.wake() } }, t("retry")));
  }

  showRefused(queue) {
    const { refused } = queue;
    if (!refused.length && this.refused.hidden) return;
    this.refused.hidden = !refused.length;
    fill(this.refused, refused.map((record) => h("p", {}, t(record.kind === "undo" ? "readingRefusedUndo" : "readingRefused"), refusalSentence(record.refused), " ",
      h("button", { type: "button", on: { click: () => queue.forget(record.seq) } }, t("readingRefusedSeenIt")))));
  }

  showPace() {
    const { pace } = this.mode;
    const rate = pace.perHour;
    write(this.pace, [this.mode.shown && t("readingNow", { s: Math.floor(pace.current_ms / 1000) }), rate && t("readingRate", { n: rate, s: (3600 / rate).toFixed(1) }), pace.count > 0 && t("readingCount", { n: pace.count })].filter(Boolean).join("  "));
  }
}
