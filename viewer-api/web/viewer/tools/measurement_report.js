// Measurements as a DICOM SR document: Comprehensive SR (PS3.3 A.35.3) by TID 1500 "Measurement Report" (PS3.16). Points on one plane of one
// image need no 3D coordinates. Ellipses become planar regions (TID 1410), everything else measurement groups (TID 1501).

import { CODES, codeItem, container, evidence, imageItem, languageItem, numberItem, observerItems, regionItem, root, textItem, uidItem } from "./content.js";
import { majorFirst } from "./geometry.js";
import { commonOf, dataset, momentOf } from "./model.js";

/** Comprehensive SR Storage. */
export const COMPREHENSIVE_SR = "1.2.840.10008.5.1.4.1.1.88.33";
/** This program as an observer: one UID for all of them, made once. */
export const DEVICE_UID = "2.25.213563157890428176950297713519764205714";

/** Significant digits that are stored: a pointer and a pixel know no more. */
const DIGITS = 6;
const QUANTITIES = { length: CODES.length, angle: CODES.angle, cobb: CODES.cobb, area: CODES.area };
const DERIVATIONS = { mean: CODES.mean, deviation: CODES.deviation, least: CODES.least, greatest: CODES.greatest };
const GRAPHICS = { length: "POLYLINE", angle: "POLYLINE", probe: "POINT", ellipse: "ELLIPSE" };

/**
 * The document as DICOM JSON. `marks` are `{id, label, kind, points, text, reference: {series, instance, sopClass, frame, modality}, values,
 * remark, scale}`, none where all were deleted; `predecessors` documents that this one stands for from now on, `{series, instance, sopClass}`.
 */
export function measurementReport(source, marks, { series, instance, person, language, description, now, predecessors = [] }) {
  const moment = momentOf(now);
  const references = marks.map((mark) => mark.reference);
  const study = source.study.StudyInstanceUID;
  return dataset({
    ...commonOf(source, { sopClass: COMPREHENSIVE_SR, modality: "SR", series, description, number: 9901, now }),
    SOPInstanceUID: instance, ContentDate: moment.date, ContentTime: moment.time, ReferencedPerformedProcedureStepSequence: null,
    CompletionFlag: "PARTIAL", VerificationFlag: "UNVERIFIED", PerformedProcedureCodeSequence: null,
    PredecessorDocumentsSequence: predecessors.length ? evidence(study, predecessors) : undefined,
    CurrentRequestedProcedureEvidenceSequence: references.length ? evidence(study, references) : undefined,
    ...root(CODES.measurementReport, "1500", [
      languageItem(language), ...observerItems({ person, deviceUid: DEVICE_UID }),
      codeItem("HAS CONCEPT MOD", CODES.procedureReported, CODES.imagingProcedure),
      ...(references.length ? [container("CONTAINS", CODES.imageLibrary, [container("CONTAINS", CODES.imageLibraryGroup, images(references))])] : []),
      container("CONTAINS", CODES.measurements, marks.map(group)),
    ]),
  });
}

function images(references) {
  const unique = new Map(references.map((one) => [`${one.instance}/${one.frame ?? ""}`, one]));
  return [...unique.values()].map((one) => imageItem("CONTAINS", one));
}

function group(mark) {
  const region = mark.kind === "ellipse" ? [regionItem("CONTAINS", CODES.imageRegion, "ELLIPSE", majorFirst(mark.points, mark.scale), mark.reference)] : [];
  const remarks = [mark.remark, mark.text].filter(Boolean).map((text) => textItem("CONTAINS", CODES.comment, text));
  return container("CONTAINS", CODES.group, [
    textItem("HAS OBS CONTEXT", CODES.trackingIdentifier, mark.label), uidItem("HAS OBS CONTEXT", CODES.trackingUid, mark.id),
    ...region, ...mark.values.map((value) => measurement(mark, value)), ...remarks,
  ]);
}

// TID 300, TID 1419: what was measured, how it was derived, and from which points (TID 320). A planar region stands once for all its values.
function measurement(mark, { key, value, unit }) {
  const derived = DERIVATIONS[key];
  const base = quantityOf(mark.reference.modality, unit);
  const name = QUANTITIES[key] ?? (derived && !base ? derived : base ?? CODES.pixelValue);
  const modifier = derived && base ? [codeItem("HAS CONCEPT MOD", CODES.derivation, derived)] : [];
  return numberItem(name, Number(value.toPrecision(DIGITS)), unit.ucum, [...modifier, ...(mark.kind === "ellipse" ? [] : regions(mark))]);
}

function regions(mark) {
  const region = (points) => regionItem("INFERRED FROM", null, GRAPHICS[mark.kind] ?? "POLYLINE", points, mark.reference);
  return mark.kind === "cobb" ? [region(mark.points.slice(0, 2)), region(mark.points.slice(2))] : [region(mark.points)];
}

// What modality values are, where PS3.16 has a concept of it.
function quantityOf(modality, unit) {
  if (unit.ucum[0] === "[hnsf'U]") return CODES.attenuation;
  return modality === "MR" ? CODES.mrSignal : null;
}
