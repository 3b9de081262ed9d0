// The study view: who and when on top, series at the side, what the chosen series holds in the middle.

import { pathOf, seriesMetadata } from "./api.js";
import { displaySets, unshownName } from "./display.js";
import { ageAt, formatDate, formatTime, personName, text } from "./dicom.js";
import { fill, h } from "./dom.js";
import { downloads } from "./downloads.js";
import { language, t } from "./i18n.js";
import { loadManifest } from "./image/manifest.js";
import { PixelStore } from "./image/pixels.js";
import { sex } from "./patient.js";
import { problemBox } from "./problem.js";
import { Stack } from "./stack.js";

/** Opened first only where there is nothing else. */
const BESIDE = ["PR", "KO", "SEG", "RWV"];
/** Thumbnails wait for the first picture, but no longer than this. */
const THUMBNAILS_WAIT_MS = 2500;
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
    this.store?.dispose();
  }

  async load() {
    const { signal } = this.stop;
    try {
      const manifest = loadManifest(this.study, signal);
      // The decoder is fetched and compiled while the manifest is on its way.
      this.store ??= new PixelStore();
      this.manifest = await manifest;
      if (signal.aborted) return;
      this.showPatient(this.manifest);
      this.showStrip(this.manifest.series);
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

  showPatient({ patient, study }) {
    const name = personName(patient.PatientName, language());
    const age = ageAt(patient.PatientBirthDate, study.StudyDate);
    const parts = [patient.PatientID, formatDate(patient.PatientBirthDate), age === null ? "" : t("years", { n: age }), sex(patient.PatientSex ?? "")].filter(Boolean);
    const when = [formatDate(study.StudyDate), formatTime(study.StudyTime), study.StudyDescription].filter(Boolean);
    this.place.append(h("h1", { class: "patient" }, h("span", { class: "who" }, name.primary || t("noName")), h("span", { class: "faint" }, name.others.join("　")),
      h("span", { class: "number" }, parts.join("  ")), h("span", { class: "number faint" }, when.join("  "))));
  }

  showStrip(series) {
    this.cards = series.map((one) => this.card(one));
    fill(this.strip, this.cards);
    if (!series.length) return void fill(this.pane, h("p", { class: "quiet" }, t("emptySeries")));
    const first = Math.max(0, series.findIndex((one) => !BESIDE.includes(one.Modality)));
    this.choose(series[first], this.cards[first]);
    this.thumbnailsSoon();
  }

  card(series) {
    const picture = h("span", { class: "thumb", "aria-hidden": "true" }, series.Modality || "–");
    const card = h("button", { type: "button", class: "card", on: { click: () => this.choose(series, card) } }, picture,
      h("span", { class: "card-text" }, h("span", { class: "card-title" }, series.SeriesDescription || t("seriesNumber", { n: series.SeriesNumber ?? "–" })),
        h("span", { class: "faint number" }, [series.Modality, t(series.frames.length ? "images" : "objects", { n: series.count })].filter(Boolean).join("  "))));
    return card;
  }

  // What is being read has the link for itself until its first picture is there.
  thumbnailsSoon() {
    const { signal } = this.stop;
    const begin = () => {
      if (signal.aborted || this.thumbnailsBegun) return;
      this.thumbnailsBegun = true;
      this.manifest.series.forEach((series, at) => this.thumbnail(series, this.cards[at].querySelector(".thumb")));
    };
    this.store.addEventListener("picture", () => setTimeout(begin, 300), { once: true, signal });
    setTimeout(begin, THUMBNAILS_WAIT_MS);
  }

  // The middle frame stands for the series. Where the server has no picture of it, the modality's letters stay.
  thumbnail({ frames }, place) {
    const middle = frames[Math.floor(frames.length / 2)];
    if (!middle) return;
    const image = h("img", { alt: "", src: `${pathOf(...middle.address)}/thumbnail`, on: { load: () => fill(place, image) } });
  }

  async choose(series, card) {
    for (const one of this.cards) one.setAttribute("aria-current", String(one === card));
    this.choosing?.abort();
    const choosing = this.choosing = new AbortController();
    this.stop.signal.addEventListener("abort", () => choosing.abort());
    this.clear();
    const images = series.frames.length ? [{ kind: "image", count: new Set(series.frames.map(({ instance }) => instance)).size }] : [];
    if (images.length && images[0].count === series.count) return this.showSets(series, images);
    fill(this.pane, h("p", { class: "quiet" }, t("loading")));
    try {
      const sets = displaySets(await seriesMetadata(this.study, series.SeriesInstanceUID, choosing.signal));
      if (!choosing.signal.aborted) this.showSets(series, [...images, ...sets]);
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
        `${t(TABS[set.kind], { n: set.count ?? 1 })}${set.kind === "image" ? "" : ` ${text(set.instance, "InstanceNumber")}`}`));
      fill(this.tabs, tabs);
      this.showSet(series, sets[0], tabs, 0);
    } else this.showSet(series, sets[0], [], 0);
  }

  showSet(series, { kind, instance }, tabs, chosen) {
    tabs.forEach((tab, at) => tab.setAttribute("aria-selected", String(at === chosen)));
    this.shown?.dispose?.();
    fill(this.pane);
    this.pane.dataset.kind = kind;
    if (kind === "image") return void (this.shown = new Stack(this.pane, { manifest: this.manifest, frames: series.frames, store: this.store }));
    const source = { study: this.study, series: series.SeriesInstanceUID, instance, address: [this.study, series.SeriesInstanceUID, text(instance, "SOPInstanceUID")] };
    if (kind === "ecg") this.shown = later(import("./ecg/view.js"), ({ EcgView }) => new EcgView(this.pane, source), this.pane);
    else if (kind === "report") this.shown = later(import("./sr.js"), ({ showReport }) => showReport(this.pane, source), this.pane);
    else if (kind === "pdf") this.shown = later(import("./document.js"), ({ showDocument }) => showDocument(this.pane, source), this.pane);
    else fill(this.pane, unshown(source));
  }
}

// A part that is fetched when first used. Who has left before it came is not shown it.
function later(module, make, pane) {
  const shown = { dispose() { shown.gone = true; shown.view?.dispose?.(); } };
  module.then((part) => { if (!shown.gone) shown.view = make(part); }, (error) => { if (!shown.gone) fill(pane, problemBox(error)); });
  return shown;
}

function unshown({ instance, address }) {
  const kind = t(unshownName(instance), { uid: text(instance, "SOPClassUID") });
  return h("div", { class: "problem" }, h("p", {}, t("cannotKind", { kind })), downloads(() => address));
}
