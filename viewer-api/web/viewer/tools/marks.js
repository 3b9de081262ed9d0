// What was drawn, kept while the study is open. A mark is `{id, kind, key, reference, frame, points, text, label, saved}`: `id` its tracking UID,
// `key` the frame's, `saved` the document it was read from, or `null` while it is a draft.

import { POINTS } from "./measure.js";
import { newUid } from "./uid.js";

/** More drafts than this are not kept: nobody reads them. */
export const MARKS_MAX = 500;
const UNDO_MAX = 50;

/** How a frame is named in documents: the frame's number only where there are several (PS3.3 C.18.4). */
export function referenceOfFrame(frame) {
  const { series, instance, number } = frame;
  return {
    study: series.StudyInstanceUID, series: series.SeriesInstanceUID, instance: instance.SOPInstanceUID, sopClass: instance.SOPClassUID, modality: series.Modality,
    frame: Number(instance.NumberOfFrames) > 1 ? number : undefined,
  };
}

/** All marks of an open study. Event "change" after each change. */
export class MarkBook extends EventTarget {
  #marks = new Map();
  #undo = [];
  #counts = {};
  selected = null;
  /** The drafts as they were last saved. */
  #savedState = "[]";

  get all() {
    return [...this.#marks.values()];
  }

  get drafts() {
    return this.all.filter((mark) => !mark.saved);
  }

  /** Whether there is something that no document holds. */
  get dirty() {
    return this.#state() !== this.#savedState;
  }

  of(key) {
    return this.all.filter((mark) => mark.key === key);
  }

  get(id) {
    return this.#marks.get(id) ?? null;
  }

  /** Adds a mark on `frame` and selects it; answers it, or `null` where there are too many. */
  add(kind, frame, points, text = "") {
    if (this.drafts.length >= MARKS_MAX || points.length !== POINTS[kind]) return null;
    this.#remember();
    this.#counts[kind] = (this.#counts[kind] ?? 0) + 1;
    const mark = { id: newUid(), kind, frame, key: frame.key, reference: referenceOfFrame(frame), points, text, label: `${kind} ${this.#counts[kind]}`, saved: null };
    this.#marks.set(mark.id, mark);
    this.selected = mark.id;
    this.changed();
    return mark;
  }

  /** Takes a mark of a document as a draft; its tracking UID stays, for it is the same measurement (TID 1501). */
  adopt({ id, kind, points, text, label }, frame) {
    this.#marks.set(id, { id, kind, points, text, label, frame, key: frame.key, reference: referenceOfFrame(frame), saved: null });
  }

  /** Shows a mark that a document holds. It cannot be changed here. */
  show(mark) {
    this.#marks.set(mark.id, mark);
  }

  hide(saved) {
    for (const mark of this.all) if (mark.saved === saved) this.#marks.delete(mark.id);
  }

  /** Moves points of a draft; the change is one step of undo until `settle`. */
  move(id, points) {
    const mark = this.#marks.get(id);
    if (!mark || mark.saved) return;
    if (!this.moving) this.#remember();
    this.moving = true;
    this.#marks.set(id, { ...mark, points });
    this.changed();
  }

  settle() {
    this.moving = false;
  }

  retext(id, text) {
    const mark = this.#marks.get(id);
    if (!mark || mark.saved || mark.text === text) return;
    this.#remember();
    this.#marks.set(id, { ...mark, text });
    this.changed();
  }

  remove(id) {
    const mark = this.#marks.get(id);
    if (!mark || mark.saved) return false;
    this.#remember();
    this.#marks.delete(id);
    if (this.selected === id) this.selected = null;
    this.changed();
    return true;
  }

  select(id) {
    if (this.selected === id) return;
    this.selected = id;
    this.changed();
  }

  undo() {
    const before = this.#undo.pop();
    if (!before) return false;
    for (const mark of this.drafts) this.#marks.delete(mark.id);
    for (const mark of before) this.#marks.set(mark.id, mark);
    if (!this.#marks.has(this.selected)) this.selected = null;
    this.changed();
    return true;
  }

  /** What is drafted now is held by documents: it stays, and may be changed and saved anew. */
  saved() {
    this.#savedState = this.#state();
    this.changed();
  }

  changed() {
    this.dispatchEvent(new CustomEvent("change"));
  }

  #state() {
    return JSON.stringify(this.drafts.map(({ id, points, text }) => [id, points, text]));
  }

  #remember() {
    this.#undo.push(this.drafts);
    if (this.#undo.length > UNDO_MAX) this.#undo.shift();
  }
}
