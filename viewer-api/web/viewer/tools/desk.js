// What annotating shares in one reading room: marks, key images, documents the archive holds, and the layers that paint them over each view.

import { t } from "../i18n.js";
import { spacingOf } from "../image/geometry.js";
import { VOLUMES } from "../image/modalities.js";
import { knownTables, tablesOf } from "../image/tables.js";
import { isInverse, modalityOf } from "../image/voi.js";
import { problem } from "../problem.js";
import { KeyImages } from "./key_images.js";
import { MarkBook } from "./marks.js";
import { MEASURING, linesOf, measure, written } from "./measure.js";
import { paintMark, paintReadout } from "./paint.js";
import { paintState } from "./paint_state.js";
import { LAYERS } from "./presentation_state.js";
import { MAKER, savedDocuments } from "./saved.js";
import { isAbout } from "./saved_state.js";
import { scaleAt } from "./scale.js";
import { ellipseStatistics, measurable, unitOf, valueAt } from "./statistics.js";
import { askText } from "./text.js";
import { newUid } from "./uid.js";

const desks = new WeakMap();
/** Drafts of studies that were left without saving, until the page is closed; the study left longest goes first. */
const left = new Map();
const LEFT_MAX = 8;
const AGAIN_MS = 5000;
const NAMES = { mean: "toolsValueMean", deviation: "toolsValueDeviation", least: "toolsValueLeast", greatest: "toolsValueGreatest" };
/** What is written beside a measurement of a scale that has a reason. */
const SHORT = {
  toolsScaleDetector: "toolsScaleDetectorShort", toolsScaleUnknown: "toolsScaleUnknownShort", toolsScaleLoading: "toolsScaleLoadingShort",
  toolsScaleNoRegion: "toolsScaleNoRegionShort", toolsScaleOutside: "toolsScaleOutsideShort", toolsScaleOtherAxes: "toolsScaleOtherAxesShort",
};

/** The desk of a room; made when it is first asked for. */
export function deskOf(room) {
  if (!desks.has(room)) desks.set(room, new Desk(room));
  return desks.get(room);
}

class Desk extends EventTarget {
  #layers = new WeakMap();
  #statistics = new Map();
  #asked = new Map();
  #sketched = null;
  #pointed = null;
  #waiting = new Set();
  #saidNotSavable = false;
  #states = new Map();

  constructor(room) {
    super();
    Object.assign(this, { room, book: new MarkBook(), keys: new KeyImages(), documents: [], panel: null, saving: false, kept: { marks: [], keys: [] } });
    /** Studies that have been shown, by UID: the one that is read, and each prior that hung, whether it still does or not. */
    this.manifests = new Map();
    /** Those whose documents could not be read. */
    this.unread = new Set();
    this.stop = new AbortController();
    const { signal } = this.stop;
    for (const type of ["layout", "frame", "active"]) room.addEventListener(type, () => this.attach(), { signal });
    for (const one of [this.book, this.keys]) one.addEventListener("change", () => this.changed(), { signal });
    addEventListener("beforeunload", (event) => { if (this.unsaved) event.preventDefault(); }, { signal });
    addEventListener("tsunagu:linked", () => this.readAgain(), { signal });
    this.takeUp(room.manifest.study.StudyInstanceUID);
    this.attach();
    this.load(room.manifest);
  }

  dispose() {
    this.leave(this.room.manifest.study.StudyInstanceUID);
    this.stop.abort();
    this.panel?.remove();
  }

  // A study that is left and opened again has its drafts still.
  leave(study) {
    if (!this.unsaved) return;
    left.delete(study);
    left.set(study, { marks: [...this.book.savable, ...this.kept.marks], keys: [...this.keys.all.map(({ key }) => key), ...this.kept.keys] });
    if (left.size > LEFT_MAX) left.delete(left.keys().next().value);
  }

  takeUp(study) {
    const kept = left.get(study);
    if (!kept) return;
    left.delete(study);
    this.kept = kept;
    this.adoptKept();
    this.room.say(t("toolsTakenUp"));
  }

  // What was drawn on a prior has its frame again once that prior hangs; until then it is kept.
  adoptKept() {
    const { marks, keys } = this.kept;
    const isHere = (key) => this.frameOf(key) !== null;
    this.kept = { marks: marks.filter(({ key }) => !isHere(key)), keys: keys.filter((key) => !isHere(key)) };
    for (const mark of marks.filter(({ key }) => isHere(key))) this.book.adopt(mark, this.frameOf(mark.key));
    for (const key of keys.filter(isHere)) this.keys.toggle(this.frameOf(key));
  }

  /** Whether anything would be lost with the page. */
  get unsaved() {
    return this.dirty || this.kept.marks.length > 0 || this.kept.keys.length > 0;
  }

  /** Whether anything was drawn or chosen that no document holds. */
  get dirty() {
    return this.book.dirty || this.keys.dirty;
  }

  /** Gives each view its layer, and reads what the archive holds of a prior that was hung. */
  attach() {
    for (const { view, manifest, prior } of this.room.cells) {
      if (!view) continue;
      if (prior && !this.manifests.has(manifest.study.StudyInstanceUID)) {
        this.load(manifest);
        this.adoptKept();
      }
      if (this.#layers.has(view)) continue;
      const layer = { paint: (context) => this.paint(context, view) };
      this.#layers.set(view, layer);
      view.addLayer(layer);
    }
  }

  async load(manifest) {
    const study = manifest.study.StudyInstanceUID;
    this.manifests.set(study, manifest);
    if (this.#waiting.has(study)) return;
    this.#waiting.add(study);
    try {
      this.take(await savedDocuments(manifest, this.stop.signal), study);
    } catch (error) {
      if (this.stop.signal.aborted) return;
      this.#waiting.delete(study);
      this.unread.add(study);
      this.room.say(t("toolsSavedFailed", { reason: problem(error) }));
      this.changed();
    }
  }

  /** Asks again for the documents that could not be read. */
  readAgain() {
    const studies = [...this.unread];
    this.unread.clear();
    for (const study of studies) this.load(this.manifests.get(study));
  }

  take(documents, study) {
    for (const one of documents) {
      this.documents.push({ ...one, study });
      if (one.kind === "report" && one.shown) this.showReport(one);
    }
    this.changed();
  }

  showReport({ reference, marks }) {
    for (const mark of marks) this.book.show({ ...mark, id: `${reference.instance} ${mark.id}`, saved: reference.instance });
  }

  /** Shows or hides what a document of the archive says. */
  toggle(document, shown) {
    document.shown = shown;
    if (document.kind === "report") {
      if (shown) this.showReport(document);
      else this.book.hide(document.reference.instance);
    }
    this.changed();
  }

  /** Shows the active view as a presentation state says: window, turn, inversion. */
  apply({ state }) {
    const { view } = this.room.active ?? {};
    if (!view?.frame) return;
    const window = state.windows.find(({ keys }) => isAbout(keys, view.frame)) ?? state.windows[0];
    if (window && !view.frame.isColour) view.setVoi(window.voi);
    for (let turns = 0; view.rotation !== state.rotation && turns < 3; turns++) view.rotate(90);
    if (Boolean(view.flipped) !== state.flipped) view.flip();
    if (!view.frame.isColour) view.setInverted(state.inverse !== isInverse(view.frame));
  }

  changed() {
    for (const { view } of this.room.cells) view?.repaint();
    this.dispatchEvent(new CustomEvent("change"));
  }

  // Drawing.

  /** A drawing is done: it becomes a mark. A text is asked for first. */
  async draw(kind, frame, points) {
    const text = kind === "text" ? await askText(t("toolsAskText")) : "";
    if (kind === "text" && !text) return;
    if (!this.book.add(kind, frame, points, text)) this.room.say(t("toolsTooMany"));
    if (frame.derived && !this.#saidNotSavable) {
      this.#saidNotSavable = true;
      this.room.say(t("toolsNotSavable"));
    } else if (this.book.all.length === 1) this.room.say(t("toolsFirstMark"));
  }

  sketch(view, mark) {
    this.#sketched = mark && { view, mark };
    view.repaint();
  }

  pointAt(view, point) {
    if (!point && this.#pointed?.view !== view) return;
    this.#pointed = point && { view, point };
    view.repaint();
  }

  paint(context, view) {
    if (!view.frame) return;
    for (const document of this.documents) if (document.kind === "state" && document.shown) paintState(context, view, document.state, this.drawnElsewhere(document));
    for (const mark of this.book.of(view.frame.key)) {
      const selected = mark.id === this.book.selected;
      paintMark(context, view, mark, this.lines(mark, view), { selected, handles: selected && !mark.saved });
    }
    if (this.#sketched?.view === view && this.#sketched.mark.key === view.frame.key) paintMark(context, view, this.#sketched.mark, this.lines(this.#sketched.mark, view), { selected: true });
    if (this.#pointed?.view === view) this.paintPoint(context, view, this.#pointed.point);
    if (this.keys.has(view.frame.key)) this.keys.paint(context, view);
  }

  // What a report of ours draws, the state that was saved with it need not draw a second time.
  drawnElsewhere({ maker, study }) {
    const reported = this.documents.some((one) => one.kind === "report" && one.shown && one.maker === MAKER && one.study === study);
    return maker === MAKER && reported ? LAYERS[0] : null;
  }

  /** Whether a report can be edited: what is saved then stands for all of it, so it has to be ours, and all of it drawn as ours is. */
  canContinue({ kind, maker, marks, complete, own, continued }) {
    return kind === "report" && maker === MAKER && !own && !continued && complete && marks.every((mark) => MEASURING.includes(mark.kind) && this.frameOf(mark.key));
  }

  /** Takes the measurements of a report as drafts, to be changed; what is saved next stands for it. */
  continueFrom(document) {
    for (const mark of document.marks) this.book.adopt(mark, this.frameOf(mark.key));
    document.continued = true;
    this.toggle(document, false);
  }

  paintPoint(context, view, point) {
    const value = view.modalityValue(...point);
    if (value === null || value === undefined) return;
    const unit = unitOf(view.frame);
    paintReadout(context, view, point, [Array.isArray(value) ? value.join(", ") : written({ key: "value", value, unit })]);
  }

  // Measuring.

  /** What is written beside a mark. */
  lines(mark) {
    const names = Object.fromEntries(Object.entries(NAMES).map(([key, name]) => [key, t(name)]));
    if (mark.said) return [...linesOf(mark.kind, mark.said, names), mark.text].filter(Boolean);
    const { values, reason } = this.valuesOf(mark);
    const lines = linesOf(mark.kind, values, names);
    if (reason && lines.length && mark.kind !== "probe" && mark.kind !== "angle" && mark.kind !== "cobb") lines[0] += `（${t(SHORT[reason])}）`;
    return [...lines, ...(mark.text ? mark.text.split("\n") : [])];
  }

  /** Values of a mark, and the key of a sentence about its scale: `{values, scale, reason}`. */
  valuesOf(mark) {
    const { frame, points } = mark;
    const scale = scaleAt(spacingOf(frame), frame.series.Modality, this.regionsOf(frame), points);
    const values = measure(mark, scale, this.statisticsOf(mark), unitOf(frame));
    return { values, scale, reason: scale.reason };
  }

  // Cuts through a volume have a store of their own.
  storeOf(frame) {
    const { view } = this.room.cells.find((cell) => cell.view?.frames.some(({ key }) => key === frame.key)) ?? {};
    return view?.store ?? (frame.derived ? null : this.room.store);
  }

  regionsOf(frame) {
    if (frame.series.Modality !== "US" && frame.series.Modality !== "IVUS") return [];
    const known = knownTables(frame);
    if (!known) this.once(`tables ${frame.instance.SOPInstanceUID}`, () => tablesOf(frame, this.stop.signal));
    return known?.regions;
  }

  // Statistics are of all pixels: where not all are here they are fetched, and the mark is painted anew.
  statisticsOf(mark) {
    if (mark.kind !== "ellipse" && mark.kind !== "probe") return null;
    const known = this.#statistics.get(mark.id);
    if (known?.points === mark.points && known.key === mark.key) return known.found;
    const store = this.storeOf(mark.frame);
    const picture = store?.get(mark.frame);
    if (!picture || picture.level !== 0) {
      if (store) this.once(`pixels ${mark.key}`, () => store.whole(mark.frame, this.stop.signal));
      return null;
    }
    const found = measurable(mark.frame, picture) ? this.statistics(mark, picture) : null;
    this.#statistics.set(mark.id, { points: mark.points, key: mark.key, found });
    return found;
  }

  statistics({ kind, frame, points }, picture) {
    const tables = knownTables(frame);
    const valueOf = (sample) => modalityOf(frame, tables, sample);
    if (kind === "ellipse") return ellipseStatistics(frame, picture, points, valueOf);
    const value = valueAt(frame, picture, points[0], valueOf);
    return value === null ? null : { value };
  }

  // What is fetched is fetched once; a failure is tried again by the next paint after a while.
  once(key, action) {
    if (this.#asked.has(key)) return;
    const again = () => { this.#asked.delete(key); if (!this.stop.signal.aborted) this.changed(); };
    this.#asked.set(key, action().then(again, () => setTimeout(again, AGAIN_MS)));
  }

  /** All values of these marks, once the pixels are here. */
  async settled(marks) {
    for (const mark of marks) if (mark.kind === "ellipse" || mark.kind === "probe") await this.storeOf(mark.frame).whole(mark.frame, this.stop.signal).catch(() => null);
    // A state says LUTs again, and without those of its images it would be wrong: where they cannot be read, nothing is saved. Slices of volumes have none.
    for (const { frame } of marks) if (this.regionsOf(frame) === undefined || !(frame.isColour || VOLUMES.includes(frame.series.Modality))) await tablesOf(frame, this.stop.signal);
  }

  /** The series of presentation states that this desk makes of a study; `last` is a frame of those that hold marks now. */
  statesOf(study) {
    if (!this.#states.has(study)) {
      const [series, counted] = [newUid(), { instances: 0 }];
      this.#states.set(study, { last: null, next: () => ({ series, instanceNumber: ++counted.instances }) });
    }
    return this.#states.get(study);
  }

  // Going there.

  /** Shows the frame `key` in the active view, or `false` where it is not of this study. */
  goTo(key) {
    const { room } = this;
    const cell = room.active;
    const index = cell?.view?.frames.findIndex((frame) => frame.key === key) ?? -1;
    if (index >= 0) cell.view.go(index);
    else {
      const set = [...room.sets, ...(room.priorSets ?? [])].find((one) => one.frames.some((frame) => frame.key === key));
      if (!set) return false;
      room.putSet(set);
      room.active.view.go(set.frames.findIndex((frame) => frame.key === key));
    }
    return true;
  }

  /** The frame of a key among all that is open, or `null`. */
  frameOf(key) {
    for (const set of [...this.room.sets, ...(this.room.priorSets ?? [])]) {
      const found = set.frames.find((frame) => frame.key === key);
      if (found) return found;
    }
    return null;
  }
}
