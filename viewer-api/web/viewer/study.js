// The study page: who and when on top, series at the side, and in the middle a room of images, or an ECG, a report, a document.

import { seriesMetadata } from "./api.js";
import { ageAt, formatDate, formatTime, personName, text } from "./dicom.js";
import { displaySets, unshownName } from "./display.js";
import { fill, h, styleSheet } from "./dom.js";
import { downloads } from "./downloads.js";
import { language, t } from "./i18n.js";
import { liftCover } from "./image/cover.js";
import { FIT_COARSE, levelFor } from "./image/geometry.js";
import { loadManifest } from "./image/manifest.js";
import { ABOUT_IMAGES, NOT_HUNG, VOLUMES } from "./image/modalities.js";
import { PixelStore } from "./image/pixels.js";
import { sex } from "./patient.js";
import { problemBox } from "./problem.js";

const TABS = { ecg: "tabEcg", report: "tabReport", pdf: "tabPdf", cda: "tabCda", other: "tabOther" };
/** How long the frame that was guessed to be the first one is wanted in any case. */
const AHEAD_MS = 10_000;
/** What stands around a picture waits for it at most so long. */
const REVEAL_MS_MAX = 800;
/** The parts of the page that show what is no picture, loaded when first used. */
const SHOWN = {
  ecg: async (place, source) => { const { EcgView } = await import("./ecg/view.js"); return new EcgView(place, source); },
  report: async (place, source) => (await import("./report/report.js")).showReport(place, source),
  pdf: async (place, source) => (await import("./report/document.js")).showDocument(place, source),
  cda: async (place, source) => (await import("./report/cda.js")).showCda(place, source),
  other: async (place, source) => fill(place, unshown(source)),
};

/** Shows a study in `main` and its patient line in `place`. Returns `{dispose}`. */
export function showStudy(main, place, study) {
  const page = new StudyPage(main, place, study);
  page.load();
  return page;
}

/** The page of one study. */
export class StudyPage {
  constructor(main, place, study) {
    Object.assign(this, { main, place, study });
    this.stop = new AbortController();
    this.shown = null;
    this.room = null;
    this.store = null;
    // As wide before the series are known as after.
    this.side = h("div", { class: "strip" });
    this.tabs = h("div", { class: "tabs", role: "tablist" });
    this.pane = h("section", { class: "pane" }, h("p", { class: "quiet" }, t("loading")));
    this.images = h("section", { class: "pane", dataset: { kind: "image" }, hidden: true });
    fill(place, h("a", { class: "crumb", href: "#/studies" }, `← ${t("back")}`));
    this.body = h("div", { class: "study coming" }, this.side, h("div", { class: "reading" }, this.tabs, this.pane, this.images));
    fill(main, this.body);
  }

  // The first picture and what stands around it come together: painting that first would keep the picture waiting.
  // Where the picture takes longer, or there is none, it comes alone.
  revealSoon() {
    const reveal = () => this.body.classList.remove("coming");
    this.store.addEventListener("picture", () => requestAnimationFrame(reveal), { once: true });
    this.store.addEventListener("failed", reveal, { once: true });
    setTimeout(reveal, REVEAL_MS_MAX);
  }

  dispose() {
    this.stop.abort();
    liftCover();
    this.strip?.dispose();
    this.clear();
    this.room?.dispose();
    this.room = null;
    this.store?.dispose();
  }

  async load() {
    const { signal } = this.stop;
    try {
      // The manifest is asked for first: everything else can come while the server makes it.
      const asked = loadManifest(this.study, signal);
      const parts = Promise.all([import("./room/room.js"), import("./room/strip.js"), import("./room/sets.js"), styleSheet(new URL("./room/room.css", import.meta.url))]);
      this.store ??= new PixelStore();
      this.revealSoon();
      const manifest = this.manifest = await asked;
      if (!signal.aborted) this.lookAhead(manifest);
      if (signal.aborted) return;
      this.showPatient(manifest);
      const [{ Room }, { Strip }, { setsOf }] = await parts;
      if (signal.aborted) return;
      Object.assign(this, { Room });
      this.strip = new Strip({ choose: (set) => this.choose(set), put: (set, cell) => this.choose(set, cell), targetAt: (x, y) => this.room?.cellAt(x, y) ?? null });
      this.side.replaceWith(this.strip.element);
      this.begin(manifest.series.flatMap((series) => [...setsOf(series), ...restOf(series)]).filter((set) => set.frames.length || set.rest));
    } catch (error) {
      this.fail(error, () => this.load());
    }
  }

  // The first picture is asked for while the room is still being fetched and built; it then asks for what it needs itself.
  lookAhead({ series }) {
    const first = series.find((one) => one.frames.length && !NOT_HUNG.includes(one.Modality));
    const frame = first?.frames[VOLUMES.includes(first.Modality) && Number(first.instances[0].NumberOfFrames ?? 1) === 1 ? first.frames.length >> 1 : 0];
    if (!frame) return;
    const scale = Math.min(innerWidth / frame.columns, innerHeight / frame.rows) * (globalThis.devicePixelRatio || 1);
    this.store.want([frame], { level: levelFor(scale, this.store.levelsOf(frame), FIT_COARSE), owner: "ahead" });
    // Let go long after the room asks itself: a download given up between the two would not be kept by the browser for the next visit.
    setTimeout(() => this.store?.want([], { owner: "ahead" }), AHEAD_MS);
  }

  begin(sets) {
    this.strip.show(sets);
    if (!sets.length) return void fill(this.pane, h("p", { class: "quiet" }, t("emptySeries")));
    this.openRoom(sets);
    this.choose(sets.find((set) => !ABOUT_IMAGES.includes(set.Modality)) ?? sets[0]);
  }

  // One room for all images of the study; it stays while an ECG or a report is shown.
  openRoom(sets) {
    const pictures = sets.filter((set) => set.frames.length);
    if (pictures.length) this.room = new this.Room(this.images, { manifest: this.manifest, sets: pictures, strip: this.strip, store: this.store });
  }

  fail(error, again) {
    if (error.name === "AbortError" || error.status === 401) return;
    this.clear();
    this.showPart("document");
    fill(this.pane, problemBox(error, again));
  }

  showPatient({ patient, study }) {
    const name = personName(patient.PatientName, language());
    const age = ageAt(patient.PatientBirthDate, study.StudyDate);
    const parts = [patient.PatientID, formatDate(patient.PatientBirthDate), age === null ? "" : t("years", { n: age }), sex(patient.PatientSex ?? "")].filter(Boolean);
    const when = [formatDate(study.StudyDate), formatTime(study.StudyTime), study.StudyDescription].filter(Boolean);
    fill(this.place, this.place.firstChild, h("h1", { class: "patient" }, h("span", { class: "who" }, name.primary || t("noName")), h("span", { class: "faint" }, name.others.join("　")),
      h("span", { class: "number" }, parts.join("  ")), h("span", { class: "number faint" }, when.join("  "))));
  }

  /** Shows a set: pictures in the room (in `cell`, else in its active view), all else in its own page. */
  choose(set, cell = null) {
    this.choosing?.abort();
    this.clear();
    if (!set.frames.length) return this.showRest(set);
    this.showPart("image");
    if (this.room.active) this.room.putSet(set, cell ?? this.room.active);
    else this.room.open(set);
  }

  showPart(part) {
    this.images.hidden = part !== "image";
    this.pane.hidden = part === "image";
    if (part === "image") return;
    liftCover();
    this.body.classList.remove("coming");
    this.room?.rest();
  }

  clear() {
    this.shown?.dispose?.();
    this.shown = null;
    fill(this.tabs);
    fill(this.pane);
  }

  async showRest(set) {
    const choosing = this.choosing = new AbortController();
    this.stop.signal.addEventListener("abort", () => choosing.abort(), { signal: choosing.signal });
    this.showPart("document");
    this.strip.mark([], set);
    fill(this.pane, h("p", { class: "quiet" }, t("loading")));
    try {
      const metadata = await seriesMetadata(this.study, set.SeriesInstanceUID, choosing.signal);
      if (!choosing.signal.aborted) await this.showSets(set, displaySets(metadata, set.rest));
    } catch (error) {
      if (!choosing.signal.aborted) this.fail(error, () => this.choose(set));
    }
  }

  async showSets({ SeriesInstanceUID }, sets) {
    if (!sets.length) return void fill(this.pane, h("p", { class: "quiet" }, t("emptySeries")));
    const tabs = sets.length > 1 ? sets.map((set, at) => h("button", { type: "button", role: "tab", on: { click: () => this.showSet(SeriesInstanceUID, set, tabs, at) } },
      `${t(TABS[set.kind])} ${text(set.instance, "InstanceNumber")}`)) : [];
    fill(this.tabs, tabs);
    await this.showSet(SeriesInstanceUID, sets[0], tabs, 0);
  }

  async showSet(series, { kind, instance }, tabs, chosen) {
    tabs.forEach((tab, at) => tab.setAttribute("aria-selected", String(at === chosen)));
    const { choosing } = this;
    // What shows it may still be on its way when another is chosen: each has a box of its own, and only the last one's is in the page.
    const box = this.box = h("div", { class: "pane-box" });
    const isLast = () => box === this.box && choosing === this.choosing && !choosing.signal.aborted;
    this.shown?.dispose?.();
    this.shown = null;
    fill(this.pane, box);
    this.pane.dataset.kind = kind;
    const frames = { of: (key) => this.frameOf(key), goTo: (key) => this.goTo(key) };
    const source = { frames, study: this.study, series, instance, address: [this.study, series, text(instance, "SOPInstanceUID")] };
    try {
      const shown = await SHOWN[kind](box, source);
      if (isLast()) this.shown = shown;
      else shown?.dispose?.();
    } catch (error) {
      if (isLast()) this.fail(error, () => this.showSet(series, { kind, instance }, tabs, chosen));
    }
  }

  /** The frame `key` (`instance/frame`) of this study, or `null`. */
  frameOf(key) {
    return this.manifest.series.flatMap((series) => series.frames).find((frame) => frame.key === key) ?? null;
  }

  /** Leaves a report for the image it speaks of. */
  goTo(key) {
    const set = this.room?.sets.find((one) => one.frames.some((frame) => frame.key === key));
    if (!set) return;
    this.choose(set);
    this.room.active?.view?.go(set.frames.findIndex((frame) => frame.key === key));
  }
}

// What of a series has no pixels: documents, waveforms, reports, objects this page can only name.
function restOf(series) {
  const rest = series.instances.filter(({ Rows, Columns }) => !(Rows > 0 && Columns > 0));
  const { instances, renditions, ...attributes } = series;
  return rest.length ? [{ ...attributes, series, frames: [], clip: null, rest: new Set(rest.map(({ SOPInstanceUID }) => SOPInstanceUID)), count: rest.length }] : [];
}

function unshown({ instance, address }) {
  const name = unshownName(instance);
  if (name === "presentationOver") return h("div", { class: "page" }, h("p", {}, t("presentationOver")), h("p", {}, downloads(() => address)));
  if (name === "imageWithoutPixels") return h("div", { class: "problem" }, h("p", {}, t("imageWithoutPixels")), downloads(() => address));
  const kind = t(name, { uid: text(instance, "SOPClassUID") });
  return h("div", { class: "problem" }, h("p", {}, t("cannotKind", { kind })), downloads(() => address));
}
