// ECG mode: one key a verdict, two hundred and more an hour. The verdict is on this computer's disk before the next trace is painted; the
// next trace is drawn before the key is pressed.

import { session } from "../api.js";
import { fill, h } from "../dom.js";
import { Calipers, readingText } from "../ecg/calipers.js";
import { FIRST } from "../ecg/hang.js";
import { loadEcg } from "../ecg/load.js";
import { OwnMeasurements } from "../ecg/side.js";
import { t } from "../i18n.js";
import { problem } from "../problem.js";
import { Feed } from "./feed.js";
import { VerdictForm, composing } from "./form.js";
import { guard } from "./guard.js";
import { showHelp } from "./help.js";
import { modeTools } from "./modetools.js";
import { Pace } from "./pace.js";
import { Pane } from "./pane.js";
import { VerdictQueue, isPassing, readerOf, uuid } from "./queue.js";
import { askToSignIn, claim, findingCodes, release, sendVerdicts, undoVerdict, whoIsSignedIn } from "./service.js";
import { StatusBar } from "./status.js";
import { openStore } from "./store.js";
import { KEYS, verdictWord } from "./verdict.js";

/** A key within this time of a new trace was meant for the one before it. */
const UNSEEN_MS = 150;
const HISTORY_MAX = 10;
const RETRY_MS = 3000;
const PAPER_MARGIN = 28;

/** Reads `worklist` in `main`; `stage` is "" (first or second readings) or "adjudication". */
export class EcgMode {
  constructor(main, { worklist, stage }) {
    Object.assign(this, { main, worklist, stage, history: [], pace: new Pace(), entry: null, saving: false, calipers: null, state: { ...FIRST, layout: "" }, page: new AbortController() });
    this.own = new OwnMeasurements();
    this.form = new VerdictForm({ leave: () => this.place.focus({ preventScroll: true }) });
    this.place = h("section", { class: "reading-place", tabindex: "-1", "aria-label": t("ecgTitle") }, h("p", { class: "quiet" }, t("loading")));
    this.side = h("div");
    this.buttons = h("div", { class: "reading-buttons", role: "group", "aria-label": t("readingVerdict") }, Object.entries(KEYS).map(([key, word]) =>
      h("button", { type: "button", class: `verdict-${word}`, "aria-keyshortcuts": key, on: { click: (event) => this.decide(word, event) } }, h("kbd", {}, key), verdictWord(word))));
    this.said = h("p", { class: "reading-say", role: "status" });
    this.status = new StatusBar(this);
    this.tools = modeTools(this);
    fill(main, h("div", { class: "reading-mode" }, this.status.element, h("div", { class: "reading-body" }, h("div", { class: "reading-left" }, this.tools.element, this.place),
      h("aside", { class: "reading-side" }, this.buttons, this.said, this.form.element, this.own.element, this.side))));
    this.begin();
  }

  dispose() {
    this.page.abort();
    this.calipers?.dispose();
    this.status.dispose();
    this.feed?.dispose();
    this.queue?.wake();
    // What is not read goes back at once instead of when its claim ends.
    for (const { item } of this.feed?.entries ?? []) release(item.item).catch(() => {});
  }

  async begin() {
    const { signal } = this.page;
    const [store, reader] = await Promise.all([openStore(), this.findReader()]);
    if (signal.aborted) return;
    this.queue = new VerdictQueue({ store, reader, who: () => whoIsSignedIn().then(readerOf), send: sendVerdicts, undo: undoVerdict });
    this.queue.addEventListener("change", () => { this.status.show(); this.feed?.resume(); }, { signal });
    addEventListener("online", () => this.queue.wake(), { signal });
    guard(this.queue, signal);
    addEventListener("resize", () => { this.measured = null; this.redraw(); }, { signal });
    this.place.addEventListener("scroll", () => { this.scrolled = true; }, { signal, passive: true });
    document.addEventListener("visibilitychange", () => { this.pace.hide(document.hidden); this.askWhoReads(); }, { signal });
    document.addEventListener("keydown", (event) => this.onKey(event), { signal });
    await this.queue.open();
    // What is claimed for a page that is gone would be kept from others until its claim ends.
    if (signal.aborted) return;
    const stage = this.stage || undefined;
    this.feed = new Feed({ claim: (count, held, until) => claim(this.worklist, { count, stage, held }, until), load: loadItem, busy: () => this.queue.items });
    this.feed.addEventListener("change", () => this.fed(), { signal });
    this.feed.refill();
    findingCodes(signal).then(({ codes }) => { this.form.codes = codes; }).catch(() => this.say(t("readingNoCodes")));
  }

  // Whose verdicts these are is known before the first of them is sent; where the link is cut, it is asked again.
  async findReader() {
    const { signal } = this.page;
    while (!signal.aborted) {
      try {
        return readerOf(await session(signal));
      } catch (error) {
        if (signal.aborted || error.status === 401) break;
        fill(this.place, h("p", { class: "quiet" }, `${problem(error)} ${t("readingRetries")}`));
        await new Promise((go) => setTimeout(go, RETRY_MS));
      }
    }
    this.page.abort();
    return null;
  }

  // All pages of a browser share one session: another reader may have signed in beside this one.
  async askWhoReads() {
    if (document.hidden) return;
    const now = await whoIsSignedIn(this.page.signal).then(readerOf, () => null);
    if (now !== null && this.queue && now !== this.queue.reader) location.reload();
  }

  // Something was claimed or fetched: the trace that is waited for is shown, the one after it drawn.
  fed() {
    if (this.feed.current !== this.entry || !this.shown) this.show();
    else this.prepare();
    this.status.show();
  }

  // Asked for once and after a resize, not at every trace: asking makes the browser lay the page out at once.
  get width() {
    this.measured ??= Math.max(320, this.place.clientWidth - PAPER_MARGIN);
    return this.measured;
  }

  paneOf(entry) {
    const key = JSON.stringify([this.state, this.width, this.form.codes.length]);
    if (entry.pane?.key !== key) entry.pane = { key, pane: new Pane(entry, this.state, this.width, (code) => this.form.wordOf(code)) };
    return entry.pane.pane;
  }

  show(again = {}) {
    const entry = this.feed.current;
    this.calipers?.dispose();
    this.calipers = null;
    this.entry = entry;
    this.shown = false;
    if (!entry) return this.showEmpty();
    if (entry.state === "failed") return this.showFailed(entry);
    if (entry.state !== "ready" && entry.error?.status === 401) return void askToSignIn();
    if (entry.state !== "ready") return void fill(this.place, h("p", { class: "quiet" }, t(entry.error ? "readingWaitsForLink" : "loading")));
    if (!entry.ecg.sources.length) return this.showFailed({ ...entry, error: null });
    this.pane = this.paneOf(entry);
    this.place.replaceChildren(this.pane.element);
    if (this.scrolled) this.place.scrollTop = 0;
    this.scrolled = false;
    this.shown = true;
    this.shownAt = performance.now();
    this.own.clear();
    this.form.reset(again);
    this.side.replaceChildren(this.pane.notes);
    if (document.activeElement !== this.place && !this.form.element.contains(document.activeElement)) this.place.focus({ preventScroll: true });
    this.pace.start(again.took_ms);
    this.status.show();
    afterPaint(() => {
      performance.mark("tsunagu:ecg-painted");
      this.shownAt = performance.now();
      this.prepare();
    });
  }

  showEmpty() {
    if (this.feed.error?.status === 401) return void askToSignIn();
    if (this.feed.error) fill(this.place, h("p", { class: "quiet" }, `${problem(this.feed.error)} ${t("readingRetries")}`));
    else fill(this.place, h("p", { class: "quiet" }, t(this.feed.claiming ? "loading" : "readingDone")));
    fill(this.side);
  }

  // It cannot be seen, so it cannot be judged: it goes back, and the reader goes on.
  showFailed({ ecg, error }) {
    const reason = error ? problem(error) : ecg.skipped[0] ?? t("ecgErrorEmpty");
    fill(this.place, h("div", { class: "problem", role: "alert" }, h("p", {}, t("ecgFailed", { reason })), h("button", { type: "button", on: { click: () => this.putBack() } }, t("readingPutBack"))));
    fill(this.side);
  }

  // The next one is drawn while this one is looked at.
  prepare() {
    const next = this.feed.entries[1];
    if (this.preparing || !this.shown || next?.state !== "ready" || !next.ecg.sources.length) return;
    this.preparing = true;
    setTimeout(() => {
      this.preparing = false;
      if (!this.page.signal.aborted && this.feed.entries.includes(next)) this.paneOf(next);
    }, 0);
  }

  redraw() {
    if (!this.shown) return;
    const said = { ...this.form.said, took_ms: this.pace.current_ms };
    this.show(said);
  }

  /** Changes how traces are drawn, from this one on. */
  set(change) {
    Object.assign(this.state, change);
    this.redraw();
    this.place.focus({ preventScroll: true });
  }

  say(sentence) {
    this.said.textContent = sentence;
  }

  async decide(word, event) {
    const { entry } = this;
    if (this.saving || !this.shown) return;
    if (performance.now() - this.shownAt < UNSEEN_MS) return this.say(t("readingTooSoon"));
    const said = this.form.said;
    if (said.urgent && word === "normal") return this.say(t("readingUrgentNormal"));
    performance.mark("tsunagu:ecg-key", { startTime: event?.timeStamp ?? performance.now() });
    this.saving = true;
    const verdict = { id: uuid(), item: entry.item.item, stage: entry.item.stage, verdict: word, ...said, took_ms: this.pace.stop() };
    try {
      await this.queue.add(verdict);
    } catch (error) {
      this.pace.takeBack();
      this.pace.start(verdict.took_ms);
      return this.say(t("readingNotSaved", { reason: problem(error) }));
    } finally {
      this.saving = false;
    }
    performance.mark("tsunagu:ecg-kept");
    entry.pane = null;
    this.history.push({ entry, verdict });
    if (this.history.length > HISTORY_MAX) this.history.shift();
    this.say(t("readingSaid", { verdict: verdictWord(word) }));
    this.feed.shift();
    this.show();
  }

  /** Takes the last verdict back and shows its ECG again, with what was said about it. */
  async undo() {
    if (this.saving) return;
    const last = this.history.pop();
    if (!last) return this.say(t("readingNothingToUndo"));
    this.saving = true;
    try {
      await this.queue.undo(last.verdict.id);
    } catch (error) {
      this.history.push(last);
      return this.say(t("readingNotSaved", { reason: problem(error) }));
    } finally {
      this.saving = false;
    }
    this.pace.takeBack();
    this.entry = last.entry;
    this.feed.entries.unshift(last.entry);
    this.show(last.verdict);
    this.say(t("readingUndone", { verdict: verdictWord(last.verdict.verdict) }));
  }

  /** Gives the present ECG back unread. */
  putBack() {
    if (!this.feed?.current || this.saving) return;
    release(this.feed.current.item.item).catch((error) => this.say(problem(error)));
    this.feed.shift();
    this.show();
  }

  toggleCalipers() {
    if (!this.shown) return;
    if (this.calipers) {
      this.calipers.dispose();
      this.calipers = null;
      return this.say("");
    }
    this.calipers = new Calipers(this.pane.sheet);
    const say = () => this.say(`${this.calipers.reading.lead}  ${readingText(this.calipers.reading)}`);
    this.calipers.addEventListener("change", say);
    this.calipers.addEventListener("measure", (event) => this.own.add(event.detail));
    say();
  }

  onKey(event) {
    if (composing(event) || event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input, select, textarea, dialog")) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const act = { f: () => this.form.field.focus(), n: () => this.form.note.focus(), u: () => this.form.setUrgent(!this.form.urgent), z: () => this.undo(), c: () => this.toggleCalipers(),
      "?": () => showHelp(), l: () => this.tools.next("layout"), s: () => this.tools.next("speed"), g: () => this.tools.next("gain"), b: () => this.tools.next("prior"), Backspace: () => this.putBack(),
      Escape: () => this.calipers && this.toggleCalipers() };
    if (Object.hasOwn(KEYS, key)) {
      // A key that is held down is one verdict.
      if (!event.repeat) this.decide(KEYS[key], event);
    } else if (this.calipers?.key(event)) this.place.focus({ preventScroll: true });
    else if (Object.hasOwn(act, key)) {
      if (!event.repeat) act[key]();
    } else return;
    event.preventDefault();
  }
}

async function loadItem({ study, series, instance, priors = [] }, signal) {
  const earlier = priors[0] ? loadEcg([priors[0].study, priors[0].series, priors[0].instance], signal).then((prior) => ({ prior }), (error) => {
    if (error.status === undefined || isPassing(error)) throw error;
    return { prior: null, priorError: error };
  }) : { prior: null };
  const [ecg, before] = await Promise.all([loadEcg([study, series, instance], signal), earlier]);
  return { ecg, ...before };
}

// After the frame that holds what was just put into the page: a task queued from its animation frame runs behind the painting.
function afterPaint(act) {
  requestAnimationFrame(() => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => { port1.close(); act(); };
    port2.postMessage(null);
  });
}
