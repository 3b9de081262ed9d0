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
  /** What documents hold of the drafts, by id: of which study, and as what. */
  #stored = new Map();

  get all() {
    return [...this.#marks.values()];
  }

  get drafts() {
    return this.all.filter((mark) => !mark.saved);
  }

  /** What can be saved: a cut through a volume is in no archive, so nothing can refer to it. */
  get savable() {
    return this.drafts.filter((mark) => !mark.frame?.derived);
  }

  /** Whether there is something that no document holds, or that one still holds though it was deleted. */
  get dirty() {
    return [...this.savable.map(({ reference }) => reference), ...this.#stored.values()].some(({ study }) => this.isDirty(study));
  }

  /** The same of one study. */
  isDirty(study) {
    const drafts = this.savable.filter(({ reference }) => reference.study === study);
    const stored = [...this.#stored].filter(([, one]) => one.study === study);
    return drafts.length !== stored.length || drafts.some((mark) => this.#stored.get(mark.id)?.state !== stateOf(mark));
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

  /** `marks`, as they were when they were sent, are all that documents now hold of `study`. They stay, and may be changed and saved anew. */
  saved(study, marks) {
    for (const [id, one] of this.#stored) if (one.study === study) this.#stored.delete(id);
    for (const mark of marks) this.#stored.set(mark.id, { study, state: stateOf(mark) });
    this.changed();
  }

  changed() {
    this.dispatchEvent(new CustomEvent("change"));
  }

  #remember() {
    this.#undo.push(this.drafts);
    if (this.#undo.length > UNDO_MAX) this.#undo.shift();
  }
}

function stateOf({ points, text }) {
  return JSON.stringify([points, text]);
}
