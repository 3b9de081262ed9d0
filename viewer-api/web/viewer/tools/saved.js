// Annotations the archive holds of the open study: reports, presentation states, key images. Read after the first picture, shown by choice.

import { seriesMetadata } from "../api.js";
import { code, formatDate, formatTime, items, numbers, text } from "../dicom.js";
import { marksOfReport } from "./saved_report.js";
import { stateOf } from "./saved_state.js";

const MODALITIES = ["SR", "PR", "KO"];
const KEY_OBJECTS = "1.2.840.10008.5.1.4.1.1.88.59";
/** Documents that are read, those of the last series first. */
const DOCUMENTS_MAX = 60;
/** Manufacturer (0008,0070) of what this page saves. */
export const MAKER = "Tsunagu";

/**
 * The documents of a manifest that say something of images: `[{kind: "report"|"state"|"keys", reference, title, when, maker, shown, …}]`. Throws an `ApiError` where
 * they cannot be read: that is not the same as that there are none.
 */
export async function savedDocuments(manifest, signal) {
  const series = manifest.series.filter((one) => MODALITIES.includes(one.Modality)).reverse();
  const documents = [];
  for (const one of series) {
    if (documents.length >= DOCUMENTS_MAX) break;
    const metadata = await seriesMetadata(manifest.study.StudyInstanceUID, one.SeriesInstanceUID, signal).catch((error) => {
      // It went since the manifest was made.
      if (error.status === 404) return [];
      throw error;
    });
    documents.push(...metadata.map(documentOf).filter(Boolean));
  }
  return chosen(current(documents).filter(({ kind, marks }) => kind !== "report" || marks.length));
}

/** What one document says, or `null` where it says nothing that can be shown over an image. */
export function documentOf(dataset) {
  const sopClass = text(dataset, "SOPClassUID");
  const common = {
    reference: { series: text(dataset, "SeriesInstanceUID"), instance: text(dataset, "SOPInstanceUID"), sopClass },
    title: text(dataset, "ContentDescription") || text(dataset, "SeriesDescription") || code(dataset, "ConceptNameCodeSequence")?.meaning || "",
    when: [formatDate(text(dataset, "ContentDate") || text(dataset, "PresentationCreationDate")), formatTime(text(dataset, "ContentTime") || text(dataset, "PresentationCreationTime"))].filter(Boolean).join(" "),
    made: `${text(dataset, "PresentationCreationDate")}${text(dataset, "PresentationCreationTime")}`, maker: text(dataset, "Manufacturer"), replaces: predecessorsOf(dataset), shown: false,
  };
  if (sopClass === KEY_OBJECTS) return { ...common, kind: "keys", keys: keysOf(dataset) };
  if (sopClass.startsWith("1.2.840.10008.5.1.4.1.1.11.")) return { ...common, kind: "state", state: stateOf(dataset) };
  const { marks, complete } = marksOfReport(dataset);
  // One that holds nothing any more still replaces another.
  return marks.length || common.replaces.length ? { ...common, kind: "report", marks, complete } : null;
}

// A document that a later one stands for is history (PS3.3 C.17.2, Predecessor Documents Sequence).
function current(documents) {
  const replaced = new Set(documents.flatMap((one) => one.replaces));
  return documents.filter((one) => !replaced.has(one.reference.instance));
}

// Reports and states are drawn from the start, of states that this page saved one after another (one series) the last; of several documents of a kind the newest stands first.
function chosen(documents) {
  const order = ["report", "state", "keys"];
  const isOurs = (one) => one.kind === "state" && one.maker === MAKER;
  const last = new Map();
  for (const { made, reference } of documents.filter(isOurs)) if (made > (last.get(reference.series) ?? "")) last.set(reference.series, made);
  for (const one of documents) one.shown = one.kind !== "keys" && (!isOurs(one) || one.made === last.get(one.reference.series));
  return documents.sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind) || b.when.localeCompare(a.when));
}

function predecessorsOf(dataset) {
  return items(dataset, "PredecessorDocumentsSequence").flatMap((study) => items(study, "ReferencedSeriesSequence"))
    .flatMap((series) => items(series, "ReferencedSOPSequence")).map((one) => text(one, "ReferencedSOPInstanceUID"));
}

// TID 2010: images directly under the title.
function keysOf(dataset) {
  return items(dataset, "ContentSequence").filter((item) => text(item, "ValueType") === "IMAGE").flatMap((item) => {
    const target = items(item, "ReferencedSOPSequence")[0];
    const uid = text(target, "ReferencedSOPInstanceUID");
    const frames = numbers(target, "ReferencedFrameNumber");
    return uid ? (frames.length ? frames : [1]).map((frame) => `${uid}/${frame}`) : [];
  });
}
