// The ECG page: loads a waveform object, draws it on mm paper with the ECG before it, measures, shows what the device wrote.

import { ageAt, formatDate, formatTime, personName, text, values } from "../dicom.js";
import { fill, h, styleSheet } from "../dom.js";
import { downloads } from "../downloads.js";
import { addWords, language, t } from "../i18n.js";
import { sex } from "../patient.js";
import { problem } from "../problem.js";
import { Calipers, readingText } from "./calipers.js";
import { screenScale } from "./calibrate.js";
import { FIRST, PAGE_S, alignment_s, sheetRows, underRows } from "./hang.js";
import { paperSize } from "./geometry.js";
import { firstLayout } from "./leads.js";
import { durationOf, earlierEcgs, loadEcg, loadEcgOf } from "./load.js";
import { Sheet } from "./sheet.js";
import { OwnMeasurements, deviceNotes } from "./side.js";
import { caption, displayFilters, recordedFilters } from "./state.js";
import { tools } from "./tools.js";
import { WORDS } from "./words.js";

addWords(WORDS);

/** Shows the waveform of `instance` in `place`. `dispose()` lets go of it. */
export class EcgView {
  constructor(place, { instance = null, address }) {
    Object.assign(this, { place, instance, address });
    this.stop = new AbortController();
    this.state = { ...FIRST };
    this.priors = [];
    this.prior = null;
    /** The study whose ECG is the prior, or was to be: `prior` is `null` while it comes, where it holds none, and where it failed. */
    Object.assign(this, { priorStudy: null, priorError: null });
    fill(place, h("p", { class: "quiet" }, t("loading")));
    this.load();
  }

  dispose() {
    this.stop.abort();
    this.watcher?.disconnect();
    this.calipers?.dispose();
  }

  async load() {
    try {
      const [ecg] = await Promise.all([loadEcg(this.address, this.stop.signal, this.instance), styleSheet(new URL("./ecg.css", import.meta.url))]);
      if (this.stop.signal.aborted) return;
      this.ecg = ecg;
      this.instance = ecg.instance;
      if (!ecg.sources.length) return this.refuse(ecg.skipped[0] ?? t("ecgErrorEmpty"));
      this.show();
      this.findPriors();
    } catch (error) {
      if (error.name !== "AbortError" && error.status !== 401) this.refuse(problem(error));
    }
  }

  refuse(reason) {
    fill(this.place, h("div", { class: "problem", role: "alert" }, h("p", {}, t("ecgFailed", { reason })), downloads(() => this.address)));
  }

  get source() {
    return this.ecg.sources.find(({ key }) => key === this.state.source) ?? this.ecg.sources[0];
  }

  show() {
    this.sheet = new Sheet();
    this.beat = new Sheet();
    this.before = new Sheet();
    this.own = new OwnMeasurements();
    this.tools = h("div", { class: "ecg-tools", role: "toolbar", "aria-label": t("ecgTools") });
    this.beatBox = h("div", { class: "paper-box beat", role: "region", "aria-label": t("ecgMedian"), tabindex: "0" }, this.beat.element);
    this.scroller = h("div", { class: "paper-box", tabindex: "0", "aria-label": t("ecgTitle"), role: "region", "aria-keyshortcuts": "C" }, this.sheet.element);
    this.said = h("p", { class: "ecg-said number", role: "status" });
    this.state_line = h("p", { class: "ecg-state" });
    this.bar = h("div", { class: "paper-scale", "aria-hidden": "true" });
    this.beforeBox = h("section", { class: "ecg-prior", "aria-label": t("ecgPrior") });
    fill(this.place, this.tools, h("div", { class: "ecg" },
      h("div", { class: "ecg-sheet" }, this.headLine(), h("div", { class: "ecg-papers" }, this.scroller, this.beatBox), h("div", { class: "ecg-foot" }, h("div", {}, this.said, this.state_line), this.bar), this.beforeBox),
      h("aside", { class: "ecg-side" }, this.own.element, deviceNotes(this.ecg.annotations))));
    this.chooseSource(this.ecg.sources[0].key);
    this.watcher = new ResizeObserver(() => { if (this.state.size === "fit") this.draw(); });
    this.watcher.observe(this.place);
    document.addEventListener("keydown", (event) => this.onKey(event), { signal: this.stop.signal });
  }

  headLine() {
    const name = personName(values(this.instance, "PatientName")[0], language());
    const birth = text(this.instance, "PatientBirthDate");
    const age = ageAt(birth, text(this.instance, "StudyDate"));
    const when = [formatDate(text(this.instance, "StudyDate")), formatTime(text(this.instance, "StudyTime"))].filter(Boolean).join(" ");
    const who = [text(this.instance, "PatientID"), formatDate(birth), age === null ? "" : t("years", { n: age }), sex(text(this.instance, "PatientSex"))].filter(Boolean).join("  ");
    return h("header", { class: "ecg-head" }, h("span", { class: "who" }, name.primary || t("noName")), h("span", { class: "faint" }, name.others.join("　")),
      h("span", { class: "number" }, who), h("span", { class: "number" }, when), h("span", { class: "faint" }, text(this.instance, "InstitutionName")));
  }

  chooseSource(key) {
    this.state.source = key;
    this.state.layout = firstLayout(this.source.channels);
    this.state.start_s = 0;
    this.state.size ||= this.firstSize();
    this.showTools();
    this.draw();
  }

  // True size if the whole strip can be seen in it, otherwise fitted: the last lead must not begin out of sight.
  firstSize() {
    return this.width_mm() * screenScale().pixelsPerMm > this.room() ? "fit" : "true";
  }

  // Millimetres side by side: the rhythm, and the median beat where it is shown.
  width_mm() {
    const beat = this.showsBeat() ? paperSize(this.beatRows(), this.state).width_mm : 0;
    return paperSize(sheetRows(this.source, this.state), this.state).width_mm + beat;
  }

  room() {
    return Math.max(200, this.scroller.closest(".ecg-sheet").clientWidth - (this.showsBeat() ? 36 : 26));
  }

  // A median beat stands beside the rhythm where the screen is wide enough for both.
  showsBeat() {
    return !this.source.derived && this.median && this.place.clientWidth > 1100;
  }

  get median() {
    return this.ecg.sources.find(({ derived }) => derived);
  }

  showTools() {
    const { bar, time } = tools(this);
    this.time = time;
    fill(this.tools, bar, h("span", { class: "grow" }), downloads(() => this.address));
  }

  /** Changes what is shown; the toolbar stays, so that the keyboard stays where it is. */
  set(change) {
    Object.assign(this.state, change);
    this.draw();
  }

  turn(seconds) {
    const last = Math.max(0, Math.ceil(durationOf(this.source.channels) / PAGE_S - 1.001) * PAGE_S);
    this.set({ start_s: Math.max(0, Math.min(last, this.state.start_s + seconds)) });
  }

  draw() {
    const { state, source } = this;
    const rows = sheetRows(source, state);
    const scale = screenScale();
    const pixelsPerMm = state.size === "fit" ? Math.max(1, this.room() / this.width_mm()) : scale.pixelsPerMm;
    const share = state.size === "fit" ? Math.round((pixelsPerMm / scale.pixelsPerMm) * 100) : 0;
    const options = { speed: state.speed, gain: state.gain, pixelsPerMm, points: state.points ? this.ecg.annotations.points : [], size: { fitted: share, calibrated: scale.calibrated } };
    options.caption = caption(source, state, options.size);
    const overlaid = state.prior === "over" && this.priorSource();
    this.shift_s = overlaid ? alignment_s(source, overlaid) : 0;
    this.sheet.draw(rows, { ...options, under: overlaid ? underRows(rows, overlaid, state, this.shift_s) : null });
    this.sheet.canvas.setAttribute("aria-label", t("ecgPaper", { leads: source.channels.map(({ lead }) => lead).join(" "), speed: state.speed, gain: state.gain }));
    this.drawBeat(options);
    this.drawPrior(options);
    const whole = Math.round(durationOf(source.channels));
    this.time.textContent = t("ecgTime", { from: state.start_s, to: Math.min(state.start_s + PAGE_S, whole), total: whole });
    this.showState(scale, pixelsPerMm, share);
  }

  beatRows() {
    const few = ["II", "V1", "V5"].map((name) => this.median.channels.find(({ lead }) => lead === name)).filter(Boolean);
    return sheetRows(few.length ? { ...this.median, channels: few } : this.median, { ...this.state, layout: "all" });
  }

  drawBeat(options) {
    this.beatBox.hidden = !this.showsBeat();
    if (this.beatBox.hidden) return;
    this.beat.draw(this.beatRows(), { ...options, caption: t("ecgMedian") });
    this.beat.canvas.setAttribute("aria-label", t("ecgMedian"));
  }

  // The prior recording like for like: recorded beside recorded, median beside median.
  priorSource() {
    const sources = this.prior?.sources ?? [];
    return sources.find(({ derived }) => derived === this.source.derived) ?? null;
  }

  drawPrior(options) {
    const source = this.priorSource();
    this.beforeBox.hidden = !this.priorStudy || this.state.prior !== "below";
    if (this.beforeBox.hidden) return;
    const when = this.priors.find(({ study }) => study === this.priorStudy);
    const title = h("h2", {}, t("ecgPriorOf", { date: formatDate(when?.date) }));
    if (!source) return void fill(this.beforeBox, title, h("p", { class: "faint" }, this.priorMissing()));
    fill(this.beforeBox, title, h("div", { class: "paper-box" }, this.before.element));
    this.before.draw(sheetRows(source, { ...this.state, start_s: 0 }), { ...options, points: [], caption: caption(source, this.state, options.size) });
    this.before.canvas.setAttribute("aria-label", t("ecgPriorOf", { date: formatDate(when?.date) }));
  }

  // Why no prior is drawn though one is chosen.
  priorMissing() {
    if (this.priorError) return t("ecgPriorFailed", { reason: problem(this.priorError) });
    return t(this.prior ? "ecgPriorOther" : this.priorComing ? "loading" : "ecgPriorEmpty");
  }

  // The newest that can be drawn; one that was recorded without a waveform hides no older one.
  async findPriors() {
    // Without the manifest there are no priors; the ECG itself is here.
    this.priors = await earlierEcgs(this.address[0], this.stop.signal).catch(() => []);
    for (const { study } of this.priors) {
      if (this.stop.signal.aborted) return;
      await this.choosePrior(study);
      if (this.prior || this.priorError || this.priorStudy !== study) return;
    }
  }

  /** Shows the ECG of `study` as the prior: that of the study asked for last, whichever comes first. */
  async choosePrior(study) {
    const coming = this.priorComing = {};
    Object.assign(this, { priorStudy: study, prior: null, priorError: null });
    this.draw();
    const [prior, error] = await loadEcgOf(study, this.stop.signal).then((ecg) => [ecg, null], (failure) => [null, failure]);
    if (this.stop.signal.aborted || coming !== this.priorComing) return;
    Object.assign(this, { prior, priorError: error, priorComing: null });
    this.showTools();
    this.draw();
  }

  showState(scale, pixelsPerMm, share) {
    const { source, state } = this;
    const fitted = share && t("ecgFitted", { n: share });
    const screen = scale.calibrated ? t("ecgCalibrated", { n: scale.pixelsPerMm.toFixed(2) }) : t("ecgUncalibrated");
    const named = (list) => list.map(({ lead }) => lead).join(" ");
    const computed = source.channels.filter((channel) => channel.computed);
    const unscaled = source.channels.filter((channel) => !channel.inMillivolts);
    const missing = source.channels.filter((channel) => channel.missing);
    const [{ rate, values: series }] = source.channels;
    fill(this.state_line, [`${state.speed} mm/s  ${state.gain} mm/mV`, displayFilters(state.filters, rate), recordedFilters(source.channels), t("ecgSampling", { rate, seconds: (series.length / rate).toFixed(1) }), fitted, screen,
      unscaled.length > 0 && t("ecgNoUnits", { leads: named(unscaled) }), computed.length > 0 && t("ecgComputed", { leads: named(computed) }), missing.length > 0 && t("ecgMissing", { leads: named(missing) }),
      state.points && this.ecg.annotations.points.length > 0 && t("ecgPointsShown"), state.prior === "over" && this.priorStudy && (this.priorSource() ? t("ecgOverlaid", { ms: Math.round(this.shift_s * 1000) }) : this.priorMissing()),
      ...this.ecg.skipped.map((reason) => t("ecgSkipped", { reason }))].filter(Boolean).map((part) => h("span", {}, part)));
    // 1 s and 1 mV as they are on this screen: what a reader measures against where the millimetres are not certain.
    const seconds = h("span", { class: "scale-time" }, "1 s");
    const volts = h("span", { class: "scale-volt" }, "1 mV");
    seconds.style.width = `${state.speed * pixelsPerMm}px`;
    volts.style.height = `${state.gain * pixelsPerMm}px`;
    fill(this.bar, volts, seconds);
  }

  toggleCalipers() {
    if (this.calipers) {
      this.calipers.dispose();
      this.calipers = null;
      this.said.textContent = "";
    } else {
      this.calipers = new Calipers(this.sheet);
      const say = () => { this.said.textContent = `${this.calipers.reading.lead}  ${readingText(this.calipers.reading)}  ${t("ecgCaliperKeys")}`; };
      this.calipers.addEventListener("change", say);
      this.calipers.addEventListener("measure", (event) => this.own.add(event.detail));
      say();
      this.scroller.focus({ preventScroll: true });
    }
    this.showTools();
  }

  onKey(event) {
    if (event.isComposing || event.target.closest?.("input, select, textarea, dialog") || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "c") this.toggleCalipers();
    else if (event.key === "Escape" && this.calipers) this.toggleCalipers();
    else if (!this.calipers?.key(event)) return;
    event.preventDefault();
  }
}
