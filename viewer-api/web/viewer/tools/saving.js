// What is drafted at a desk becomes documents: a report of the measurements, a presentation state a series, a selection of key images.

import { language, t } from "../i18n.js";
import { spacingOf } from "../image/geometry.js";
import { knownTables } from "../image/tables.js";
import { isInverse, rescaleOf, statedWindows } from "../image/voi.js";
import { keyObjectSelection } from "./key_objects.js";
import { MEASURING } from "./measure.js";
import { referenceOfFrame } from "./marks.js";
import { measurementReport } from "./measurement_report.js";
import { presentationState } from "./presentation_state.js";
import { documentOf } from "./saved.js";
import { store } from "./store.js";
import { newUid } from "./uid.js";

/** Stores everything that is drafted; resolves to the number of documents. `person` is who observed, by name, or `""`. */
export async function saveAll(desk, { person }) {
  const drafts = desk.book.savable;
  await desk.settled(drafts);
  const now = new Date();
  let count = 0;
  for (const [study, manifest] of desk.manifests) {
    const marks = desk.book.isDirty(study) ? drafts.filter((mark) => mark.reference.study === study) : null;
    const keys = desk.keys.isDirty(study) ? desk.keys.of(study) : null;
    const objects = objectsOf(desk, manifest, { marks, keys, person, now });
    if (!objects.length) continue;
    await store(study, objects, desk.stop.signal);
    // What was drawn, moved or chosen since it was sent is still to be saved.
    if (marks) {
      desk.book.saved(study, marks);
      desk.statesOf(study).last = marks.at(-1)?.frame ?? null;
    }
    if (keys) desk.keys.saved(study, keys);
    remember(desk, objects, study);
    count += objects.length;
  }
  return count;
}

// `marks` and `keys` are `null` where nothing of them has changed.
function objectsOf(desk, manifest, { marks, keys, person, now }) {
  const common = () => ({ series: newUid(), instance: newUid(), person, language: language(), now });
  const measured = (marks ?? []).filter((mark) => MEASURING.includes(mark.kind)).map((mark) => describedMark(desk, mark)).filter((mark) => mark.values.length);
  const objects = [];
  const predecessors = predecessorsOf(desk, manifest.study.StudyInstanceUID);
  // Where all measurements were deleted, a report without any takes the place of the one that holds them.
  if (measured.length || (marks && predecessors.length)) objects.push(measurementReport(manifest, measured, { ...common(), description: t("toolsTitleReport"), predecessors }));
  if (marks) objects.push(...states(desk, manifest, marks, common));
  if (keys) objects.push(keyObjectSelection(manifest, keys.map(referenceOfFrame), { ...common(), remark: "", description: t("toolsTitleKeys") }));
  return objects;
}

function describedMark(desk, mark) {
  const { values, scale, reason } = desk.valuesOf(mark);
  const lengths = mark.kind === "length" || mark.kind === "ellipse";
  return { ...mark, values, scale, remark: lengths && reason ? t(reason) : "" };
}

// What this page saved a moment ago is replaced by what it saves now: the drafts are the same ones, changed.
function predecessorsOf(desk, study) {
  return desk.documents.filter((one) => one.kind === "report" && one.study === study && (one.own || one.continued)).map((one) => one.reference);
}

// One state can hold one modality transformation for all of its images, so series whose slices differ need several (PET).
function states(desk, manifest, marks, common) {
  const groups = new Map();
  const series = desk.statesOf(manifest.study.StudyInstanceUID);
  const state = (images, frame) => presentationState(manifest, images, displayOf(desk, frame), { ...common(), ...series.next(), description: t("toolsTitleState") });
  // All states of a desk are one series, of which those saved last are shown: after everything was deleted, one that draws nothing.
  if (!marks.length) return series.last ? [state([imageOf(desk, series.last)], series.last)] : [];
  for (const mark of marks) {
    const { frame } = mark;
    const { rescale, modalityLut } = displayOf(desk, frame);
    const key = JSON.stringify([frame.series.SeriesInstanceUID, frame.isColour, rescale, modalityLut && frame.instance.SOPInstanceUID]);
    groups.set(key, [...(groups.get(key) ?? []), mark]);
  }
  return [...groups.values()].map((list) => {
    const images = new Map();
    for (const mark of list) {
      const image = images.get(mark.key) ?? imageOf(desk, mark.frame);
      image.marks.push({ kind: mark.kind, points: mark.points, label: desk.lines(mark).join("\n") });
      images.set(mark.key, image);
    }
    return state([...images.values()], list[0].frame);
  });
}

function imageOf(desk, frame) {
  const voi = voiOf(viewOf(desk, frame), frame);
  const aspect = frame.numbers("PixelAspectRatio");
  return {
    reference: referenceOfFrame(frame), columns: frame.columns, rows: frame.rows, spacing: spacingOf(frame), aspect: aspect.length === 2 ? aspect : [1, 1],
    marks: [], window: voi?.width > 0 ? { center: voi.center, width: voi.width, function: voi.function } : null, lut: voi?.entries ? voi : null,
  };
}

// What the reader chose, else what the file says of this very frame, else what was found for the one that is shown.
function voiOf(view, frame) {
  return frame.isColour ? null : view?.voi ?? statedWindows(frame)[0] ?? knownTables(frame)?.voi ?? view?.shownVoi ?? null;
}

function displayOf(desk, frame) {
  const view = viewOf(desk, frame);
  return {
    rotation: view?.rotation ?? 0, flipped: Boolean(view?.flipped), inverted: Boolean(view?.inverted), colour: frame.isColour,
    monochrome1: isInverse(frame), modalityLut: frame.isColour ? null : knownTables(frame)?.modality ?? null, rescale: { ...rescaleOf(frame), type: String(frame.value("RescaleType") ?? (frame.series.Modality === "CT" ? "HU" : "")) },
  };
}

// The view that shows the frame's series now, the active one first.
function viewOf(desk, frame) {
  const views = [desk.room.active, ...desk.room.cells].map((cell) => cell?.view).filter((view) => view?.frame);
  return views.find((view) => view.frame.series === frame.series) ?? null;
}

// What was stored is listed at once, without asking the archive again. Its marks are the drafts, which are painted already.
function remember(desk, objects, study) {
  const documents = objects.map(documentOf).filter(Boolean);
  // Reports and states stand for those saved before; a report that was taken up is replaced, too.
  const kinds = new Set(documents.map(({ kind }) => kind).filter((kind) => kind !== "keys"));
  desk.documents = desk.documents.filter((one) => !(one.study === study && kinds.has(one.kind) && (one.own || one.continued)));
  for (const document of documents) desk.documents.push({ ...document, study, own: true, shown: false });
}

