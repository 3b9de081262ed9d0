// The ECG page: loads the groups of a waveform object, draws the chosen one on mm paper, shows what the device wrote.

import { bulkData, fromBase64 } from "../api.js";
import { ageAt, element, formatDate, formatTime, personName, text, values } from "../dicom.js";
import { fill, h, select } from "../dom.js";
import { downloads } from "../downloads.js";
import { language, t } from "../i18n.js";
import { problem } from "../problem.js";
import { sex } from "../patient.js";
import { calibrate, screenScale } from "./calibrate.js";
import { computedLeads, hasTwelve, rowsOf } from "./leads.js";
import { drawPaper, paperSize } from "./paper.js";
import { WaveformError, annotations, correctedQt, decodeGroup, groupHeads, paddingOf, sharedFilter } from "./waveform.js";

const PAGE_S = 10;

/** Shows the waveform of `instance` in `place`. `dispose()` lets go of it. */
export class EcgView {
  constructor(place, { instance, address }) {
    Object.assign(this, { place, instance, address });
    this.stop = new AbortController();
    this.state = { source: "", layout: "3x4", speed: 25, gain: 10, rhythm: "II", size: "", start_s: 0 };
    this.skipped = [];
    fill(place, h("p", { class: "quiet" }, t("loading")));
    this.load();
  }

  dispose() {
    this.stop.abort();
    this.watcher?.disconnect();
  }

  async load() {
    const groups = [];
    for (const head of groupHeads(this.instance)) {
      try {
        const path = `54000100/${head.index}/54001010`;
        const data = await bulkData(this.address, element(head.item, "WaveformData"), path, this.stop.signal);
        groups.push({ head, channels: decodeGroup(head, data, paddingOf(head, fromBase64)) });
      } catch (error) {
        if (error.name === "AbortError" || error.status === 401) return;
        this.skipped.push(error instanceof WaveformError ? t(error.key, error.parts) : problem(error));
      }
    }
    this.sources = sourcesOf(groups);
    if (this.sources.length) this.show();
    else this.refuse(this.skipped[0] ?? t("ecgErrorEmpty"));
  }

  refuse(reason) {
    fill(this.place, h("div", { class: "problem" }, h("p", {}, t("ecgFailed", { reason })),
      downloads(() => this.address)));
  }

  get source() {
    return this.sources.find(({ key }) => key === this.state.source) ?? this.sources[0];
  }

  show() {
    this.canvas = h("canvas", { class: "paper", role: "img" });
    this.tools = h("div", { class: "tools", role: "toolbar", "aria-label": t("toolbar") });
    this.scroller = h("div", { class: "paper-box", tabindex: "0", "aria-label": t("ecgTitle"), role: "region" }, this.canvas);
    this.state_line = h("p", { class: "ecg-state" });
    this.bar = h("div", { class: "paper-scale", "aria-hidden": "true" });
    fill(this.place, this.tools, h("div", { class: "ecg" }, h("div", { class: "ecg-sheet" }, this.headLine(), this.scroller, h("div", { class: "ecg-foot" }, this.state_line, this.bar)), this.sidePanel()));
    this.chooseSource(this.sources[0].key);
    this.watcher = new ResizeObserver(() => { if (this.state.size === "fit") this.draw(); });
    this.watcher.observe(this.scroller.parentElement);
  }

  headLine() {
    const name = personName(values(this.instance, "PatientName")[0], language());
    const birth = text(this.instance, "PatientBirthDate");
    const age = ageAt(birth, text(this.instance, "StudyDate"));
    const when = [formatDate(text(this.instance, "StudyDate")), formatTime(text(this.instance, "StudyTime"))].filter(Boolean).join(" ");
    const parts = [text(this.instance, "PatientID"), formatDate(birth), age === null ? "" : t("years", { n: age }), sex(text(this.instance, "PatientSex")), when, text(this.instance, "InstitutionName")];
    return h("p", { class: "ecg-head" }, h("span", { class: "who" }, name.primary || t("noName")), h("span", { class: "faint" }, name.others.join("　")), parts.filter(Boolean).map((part) => h("span", { class: "number" }, part)));
  }

  chooseSource(key) {
    this.state.source = key;
    this.state.start_s = 0;
    this.state.layout = hasTwelve(this.source.channels) ? (this.state.layout === "all" ? "3x4" : this.state.layout) : "all";
    this.state.size ||= this.firstSize();
    this.showTools();
    this.draw();
  }

  // True size, unless that would hide the end of the strip.
  firstSize() {
    const rows = rowsOf(this.state.layout, this.source.channels, { start_s: 0, seconds: PAGE_S, rhythm: this.state.rhythm });
    return paperSize(rows, this.state).width_mm * screenScale().pixelsPerMm > this.room() ? "fit" : "true";
  }

  room() {
    return this.scroller.parentElement.clientWidth - 26;
  }

  showTools() {
    const { state, source } = this;
    const set = (key, numeric) => (value) => { state[key] = numeric ? Number(value) : value; this.draw(); };
    const twelve = hasTwelve(source.channels) ? [["3x4", t("ecgLayout3x4")], ["6x2", t("ecgLayout6x2")], ["12x1", t("ecgLayout12x1")]] : [];
    const leads = [...new Set(source.channels.map(({ lead }) => lead))].map((lead) => [lead, lead]);
    this.time = h("span", { class: "number" });
    fill(this.tools, this.sources.length > 1 && select(t("ecgSource"), this.sources.map(({ key, label }) => [key, label]), state.source, (key) => this.chooseSource(key)),
      select(t("ecgLayout"), [...twelve, ["all", t("ecgLayoutAll")]], state.layout, set("layout")),
      twelve.length > 0 && select(t("ecgRhythm"), leads, state.rhythm, set("rhythm")),
      select(t("ecgSpeed"), [25, 50].map((value) => [value, `${value} mm/s`]), state.speed, set("speed", true)),
      select(t("ecgGain"), [5, 10, 20].map((value) => [value, `${value} mm/mV`]), state.gain, set("gain", true)),
      select(t("ecgSize"), [["true", t("ecgSizeTrue")], ["fit", t("ecgSizeFit")]], state.size, set("size")),
      h("button", { type: "button", on: { click: () => calibrate(() => this.draw()) } }, t("ecgCalibrate")),
      this.duration() > PAGE_S * 1.05 && h("span", { class: "group" }, h("button", { type: "button", on: { click: () => this.turn(-PAGE_S) } }, t("ecgEarlier")), this.time, h("button", { type: "button", on: { click: () => this.turn(PAGE_S) } }, t("ecgLater"))),
      h("span", { class: "grow" }), downloads(() => this.address));
  }

  duration() {
    return Math.max(...this.source.channels.map(({ start_s, values: series, rate }) => start_s + series.length / rate));
  }

  turn(seconds) {
    this.state.start_s = Math.max(0, Math.min(this.state.start_s + seconds, Math.floor((this.duration() - 0.01) / PAGE_S) * PAGE_S));
    this.draw();
  }

  draw() {
    const { state, source } = this;
    // A median beat is about a second long: every lead is shown whole, side by side as on the sheet.
    const page_s = source.derived ? this.duration() * (state.layout === "6x2" ? 2 : state.layout === "3x4" ? 4 : 1) : PAGE_S;
    const seconds = source.derived ? page_s : Math.min(PAGE_S, Math.max(1, Math.ceil(this.duration())));
    const channels = source.derived ? source.channels.map((channel) => ({ ...channel, start_s: 0 })) : source.channels;
    const rows = source.derived ? beatRows(state.layout, channels, seconds) : rowsOf(state.layout, channels, { start_s: state.start_s, seconds, rhythm: state.rhythm });
    const scale = screenScale();
    const pixelsPerMm = state.size === "fit" ? Math.max(1, this.room() / paperSize(rows, state).width_mm) : scale.pixelsPerMm;
    drawPaper(this.canvas, rows, { ...state, pixelsPerMm });
    this.canvas.setAttribute("aria-label", t("ecgPaper", { leads: source.channels.map(({ lead }) => lead).join(" "), speed: state.speed, gain: state.gain }));
    this.time.textContent = t("ecgTime", { from: state.start_s, to: Math.min(state.start_s + PAGE_S, Math.round(this.duration())), total: Math.round(this.duration()) });
    this.showState(scale, pixelsPerMm);
  }

  showState(scale, pixelsPerMm) {
    const { source, state } = this;
    const fitted = state.size === "fit" && t("ecgFitted", { n: Math.round((pixelsPerMm / scale.pixelsPerMm) * 100) });
    const screen = scale.calibrated ? t("ecgCalibrated", { n: scale.pixelsPerMm.toFixed(2) }) : t("ecgUncalibrated");
    const named = (list) => list.map(({ lead }) => lead).join(" ");
    const computed = source.channels.filter((channel) => channel.computed);
    const missing = source.channels.filter((channel) => channel.missing);
    const rate = source.channels[0].rate;
    fill(this.state_line, [`${state.speed} mm/s  ${state.gain} mm/mV`, t("ecgFilters"), filterText(source.channels), t("ecgSampling", { rate, seconds: (source.channels[0].values.length / rate).toFixed(1) }), fitted, screen,
      !source.channels.every((channel) => channel.inMillivolts) && t("ecgNoUnits"), computed.length > 0 && t("ecgComputed", { leads: named(computed) }), missing.length > 0 && t("ecgMissing", { leads: named(missing) }),
      ...this.skipped.map((reason) => t("ecgSkipped", { reason }))].filter(Boolean).map((part) => h("span", {}, part)));
    // 1 s and 1 mV as they are on this screen: what a reader measures against where the millimetres are not certain.
    const seconds = h("span", { class: "scale-time" }, "1 s");
    const volts = h("span", { class: "scale-volt" }, "1 mV");
    seconds.style.width = `${state.speed * pixelsPerMm}px`;
    volts.style.height = `${state.gain * pixelsPerMm}px`;
    fill(this.bar, volts, seconds);
  }

  sidePanel() {
    const found = annotations(this.instance);
    const qtc = correctedQt(found.measurements);
    const line = (name, value) => h("div", { class: "line" }, h("dt", {}, name), h("dd", { class: "number" }, value));
    const panel = h("aside", { class: "ecg-side" });
    if (found.measurements.length) panel.append(h("h2", {}, t("ecgMeasurements")), h("dl", {}, found.measurements.map((one) => line(one.name, `${one.value} ${one.unit}`))));
    if (qtc) panel.append(h("dl", { title: t("ecgComputedQtc") }, line("QTcB", `${qtc.bazett.toFixed(0)} ms`), line("QTcF", `${qtc.fridericia.toFixed(0)} ms`)), h("p", { class: "faint" }, t("ecgComputedQtc")));
    if (found.statements.length) panel.append(h("h2", {}, t("ecgFindings")), h("ul", {}, found.statements.map((one) => h("li", {}, one))), h("p", { class: "faint" }, t("ecgDeviceNote")));
    if (found.points) panel.append(h("p", { class: "faint" }, t("ecgFiducials", { n: found.points })));
    if (!panel.childElementCount) panel.append(h("p", { class: "faint" }, t("ecgNoAnnotations")));
    return panel;
  }
}

// All recorded groups make one source (their offsets tell them apart); each derived one, a median beat, is its own.
function sourcesOf(groups) {
  const recorded = groups.filter(({ head }) => !head.derived).flatMap(({ channels }) => channels);
  const sources = recorded.length ? [{ key: "recorded", label: t("ecgRecorded"), channels: [...recorded, ...computedLeads(recorded)], derived: false }] : [];
  for (const { head, channels } of groups) {
    if (!head.derived) continue;
    const label = /median/i.test(head.label) ? t("ecgMedian") : head.label || t("ecgUnlabelled", { n: head.index + 1 });
    sources.push({ key: String(head.index), label, channels: [...channels, ...computedLeads(channels)], derived: true });
  }
  return sources;
}

// Every lead of a beat from its own beginning, in the cells of the layout.
function beatRows(layout, channels, seconds) {
  const rows = rowsOf(layout, channels, { seconds });
  const sheet = layout === "3x4" ? rows.slice(0, 3) : rows;
  return sheet.map((row) => row.map((part) => ({ ...part, from_s: 0 })));
}

function filterText(channels) {
  const filter = sharedFilter(channels.filter(({ computed }) => !computed));
  if (filter === "mixed") return t("ecgFiltersMixed");
  if (!filter) return t("ecgFiltersUnknown");
  const band = filter.low !== null || filter.high !== null ? t("ecgHz", { n: `${filter.low ?? "?"}–${filter.high ?? "?"}` }) : "";
  const notch = filter.notch ? t("ecgNotch", { n: filter.notch }) : "";
  return t("ecgFiltersStored", { filter: [band, notch].filter(Boolean).join(" ") });
}
