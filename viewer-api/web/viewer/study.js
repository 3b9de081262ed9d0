// The study view: who and when on top, series at the side, what the chosen series holds in the middle.

import { findStudy, pathOf, searchInstances, searchSeries, seriesMetadata } from "./api.js";
import { displaySets, unshownName } from "./display.js";
import { ageAt, formatDate, formatTime, number, personName, text, values } from "./dicom.js";
import { showDocument } from "./document.js";
import { fill, h } from "./dom.js";
import { downloads } from "./downloads.js";
import { language, t } from "./i18n.js";
import { sex } from "./patient.js";
import { problemBox } from "./problem.js";
import { showReport } from "./sr.js";
import { Stack } from "./stack.js";

const WITHOUT_PICTURE = ["SR", "KO", "PR", "ECG", "DOC", "RTSTRUCT", "RTPLAN", "RTDOSE", "RWV", "REG", "AU", "HD", "SEG"];
const TABS = { image: "tabImages", ecg: "tabEcg", report: "tabReport", pdf: "tabPdf", other: "tabOther" };

/** Shows a study in `main` and its patient line in `place`. Returns `{dispose}`. */
export function showStudy(main, place, study) {
  const view = new StudyView(main, place, study);
  view.load();
  return view;
}

class StudyView {
  constructor(main, place, study) {
    Object.assign(this, { main, place, study });
    this.stop = new AbortController();
    this.shown = null;
    this.strip = h("nav", { class: "strip", "aria-label": t("series") });
    this.tabs = h("div", { class: "tabs", role: "tablist" });
    this.pane = h("section", { class: "pane" }, h("p", { class: "quiet" }, t("loading")));
    fill(place, h("a", { class: "crumb", href: "#/studies" }, `← ${t("back")}`));
    fill(main, h("div", { class: "study" }, this.strip, h("div", { class: "reading" }, this.tabs, this.pane)));
  }

  dispose() {
    this.stop.abort();
    this.shown?.dispose?.();
    this.shown = null;
  }

  async load() {
    const { signal } = this.stop;
    try {
      const [row, series] = await Promise.all([findStudy(this.study, signal), searchSeries(this.study, signal)]);
      if (signal.aborted) return;
      this.row = row;
      this.showPatient(row);
      this.showStrip(series.sort(bySeriesNumber));
    } catch (error) {
      this.fail(error, () => this.load());
    }
  }

  fail(error, again) {
    if (error.name === "AbortError" || error.status === 401) return;
    this.shown?.dispose?.();
    this.shown = null;
    fill(this.pane, problemBox(error, again));
  }

  showPatient(row) {
    if (!row) return;
    const name = personName(values(row, "PatientName")[0], language());
    const birth = text(row, "PatientBirthDate");
    const age = ageAt(birth, text(row, "StudyDate"));
    const parts = [text(row, "PatientID"), formatDate(birth), age === null ? "" : t("years", { n: age }), sex(text(row, "PatientSex"))].filter(Boolean);
    const when = [formatDate(text(row, "StudyDate")), formatTime(text(row, "StudyTime")), text(row, "StudyDescription")].filter(Boolean);
    this.place.append(h("h1", { class: "patient" }, h("span", { class: "who" }, name.primary || t("noName")), h("span", { class: "faint" }, name.others.join("　")),
      h("span", { class: "number" }, parts.join("  ")), h("span", { class: "number faint" }, when.join("  "))));
  }

  showStrip(series) {
    this.cards = series.map((one) => this.card(one));
    fill(this.strip, this.cards);
    if (!series.length) fill(this.pane, h("p", { class: "quiet" }, t("emptySeries")));
    const first = series.findIndex((one) => !["PR", "KO", "SEG", "RWV"].includes(text(one, "Modality")));
    if (series.length) this.choose(series[Math.max(0, first)], this.cards[Math.max(0, first)]);
  }

  card(series) {
    const modality = text(series, "Modality");
    const count = number(series, "NumberOfSeriesRelatedInstances") ?? "";
    const picture = h("span", { class: "thumb", "aria-hidden": "true" }, modality || "–");
    const card = h("button", { type: "button", class: "card", on: { click: () => this.choose(series, card) } }, picture,
      h("span", { class: "card-text" }, h("span", { class: "card-title" }, text(series, "SeriesDescription") || t("seriesNumber", { n: text(series, "SeriesNumber") || "–" })),
        h("span", { class: "faint number" }, [modality, t(WITHOUT_PICTURE.includes(modality) ? "objects" : "images", { n: count })].filter(Boolean).join("  "))));
    if (!WITHOUT_PICTURE.includes(modality)) this.thumbnail(series, picture, count);
    return card;
  }

  // The middle instance stands for the series. Where the server has no picture of it, the modality's letters stay.
  async thumbnail(series, picture, count) {
    const uid = text(series, "SeriesInstanceUID");
    try {
      const [middle] = await searchInstances(this.study, uid, { limit: 1, offset: Math.floor(count / 2) }, this.stop.signal);
      if (!number(middle, "Rows") || this.stop.signal.aborted) return;
      const image = h("img", { alt: "", src: `${pathOf(this.study, uid, text(middle, "SOPInstanceUID"))}/thumbnail`, on: { load: () => fill(picture, image) } });
    } catch {
      // A missing thumbnail is no reason to disturb anybody; opening the series says what is wrong.
    }
  }

  async choose(series, card) {
    for (const one of this.cards) one.setAttribute("aria-current", String(one === card));
    this.choosing?.abort();
    const choosing = this.choosing = new AbortController();
    this.stop.signal.addEventListener("abort", () => choosing.abort());
    this.clear();
    fill(this.pane, h("p", { class: "quiet" }, t("loading")));
    const uid = text(series, "SeriesInstanceUID");
    try {
      const sets = displaySets(await seriesMetadata(this.study, uid, choosing.signal));
      if (!choosing.signal.aborted) this.showSets(uid, sets);
    } catch (error) {
      this.fail(error, () => this.choose(series, card));
    }
  }

  clear() {
    this.shown?.dispose?.();
    this.shown = null;
    fill(this.tabs);
    fill(this.pane);
  }

  showSets(series, sets) {
    if (!sets.length) return void fill(this.pane, h("p", { class: "quiet" }, t("emptySeries")));
    if (sets.length > 1) {
      const tabs = sets.map((set, at) => h("button", { type: "button", role: "tab", on: { click: () => this.showSet(series, set, tabs, at) } },
        `${t(TABS[set.kind], { n: set.instances.length })}${set.kind === "image" ? "" : ` ${text(set.instances[0], "InstanceNumber")}`}`));
      fill(this.tabs, tabs);
      this.showSet(series, sets[0], tabs, 0);
    } else this.showSet(series, sets[0], [], 0);
  }

  showSet(series, { kind, instances }, tabs, chosen) {
    tabs.forEach((tab, at) => tab.setAttribute("aria-selected", String(at === chosen)));
    this.shown?.dispose?.();
    fill(this.pane);
    this.pane.dataset.kind = kind;
    const source = { study: this.study, series, instances, instance: instances[0], studyRow: this.row, address: [this.study, series, text(instances[0], "SOPInstanceUID")] };
    if (kind === "image") this.shown = new Stack(this.pane, source);
    else if (kind === "ecg") this.shown = later(import("./ecg/view.js"), ({ EcgView }) => new EcgView(this.pane, source), this.pane);
    else if (kind === "report") this.shown = showReport(this.pane, source);
    else if (kind === "pdf") this.shown = showDocument(this.pane, source);
    else fill(this.pane, unshown(source));
  }
}

// A part that is fetched when first used. Who has left before it came is not shown it.
function later(module, make, pane) {
  const shown = { dispose() { shown.gone = true; shown.view?.dispose(); } };
  module.then((part) => { if (!shown.gone) shown.view = make(part); }, (error) => { if (!shown.gone) fill(pane, problemBox(error)); });
  return shown;
}

function bySeriesNumber(a, b) {
  return (number(a, "SeriesNumber") ?? Infinity) - (number(b, "SeriesNumber") ?? Infinity) || 0;
}

function unshown({ instance, address }) {
  const kind = t(unshownName(instance), { uid: text(instance, "SOPClassUID") });
  return h("div", { class: "problem" }, h("p", {}, t("cannotKind", { kind })), downloads(() => address));
}
