// Content items of a structured report (PS3.3 C.17.3) and the parts our documents share: language, observer, evidence.

import { bySeries, code, dataset } from "./model.js";

/** Names and values of concepts (PS3.16), `[value, scheme, meaning]`. */
export const CODES = {
  measurementReport: ["126000", "DCM", "Imaging Measurement Report"], measurements: ["126010", "DCM", "Imaging Measurements"],
  group: ["125007", "DCM", "Measurement Group"], trackingIdentifier: ["112039", "DCM", "Tracking Identifier"],
  trackingUid: ["112040", "DCM", "Tracking Unique Identifier"], imageRegion: ["111030", "DCM", "Image Region"],
  language: ["121049", "DCM", "Language of Content Item and Descendants"], observerType: ["121005", "DCM", "Observer Type"],
  person: ["121006", "DCM", "Person"], device: ["121007", "DCM", "Device"], personName: ["121008", "DCM", "Person Observer Name"],
  deviceUid: ["121012", "DCM", "Device Observer UID"], deviceName: ["121013", "DCM", "Device Observer Name"],
  deviceMaker: ["121014", "DCM", "Device Observer Manufacturer"], procedureReported: ["121058", "DCM", "Procedure reported"],
  imagingProcedure: ["363679005", "SCT", "Imaging procedure"], derivation: ["121401", "DCM", "Derivation"], comment: ["121106", "DCM", "Comment"],
  imageLibrary: ["111028", "DCM", "Image Library"], imageLibraryGroup: ["126200", "DCM", "Image Library Group"],
  length: ["410668003", "SCT", "Length"], angle: ["1483009", "SCT", "Angle"], cobb: ["285285000", "SCT", "Cobb angle"], area: ["42798000", "SCT", "Area"],
  mean: ["373098007", "SCT", "Mean"], deviation: ["386136009", "SCT", "Standard Deviation"], least: ["255605001", "SCT", "Minimum"],
  greatest: ["56851009", "SCT", "Maximum"], attenuation: ["112031", "DCM", "Attenuation Coefficient"], mrSignal: ["110852", "DCM", "MR signal intensity"],
  // PS3.16 has no concept for the bare value of a pixel.
  pixelValue: ["PIXELVALUE", "99TSUNAGU", "Pixel value"],
  ofInterest: ["113000", "DCM", "Of Interest"], keyDescription: ["113012", "DCM", "Key Object Description"],
};

/** One content item: `relation` to its parent, value type, `name` as a code or `null`, what it says, and its children. */
export function item(relation, type, name, said = {}, children = []) {
  return dataset({
    RelationshipType: relation, ValueType: type, ConceptNameCodeSequence: name ? [code(name)] : undefined, ...said,
    ContentSequence: children.length ? children : undefined,
  });
}

export const textItem = (relation, name, text) => item(relation, "TEXT", name, { TextValue: text });
export const codeItem = (relation, name, value, children) => item(relation, "CODE", name, { ConceptCodeSequence: [code(value)] }, children);
export const uidItem = (relation, name, uid) => item(relation, "UIDREF", name, { UID: uid });
export const container = (relation, name, children) => item(relation, "CONTAINER", name, { ContinuityOfContent: "SEPARATE" }, children);

/** A measured value with its UCUM unit `[value, meaning]` (PS3.3 C.18.1). */
export function numberItem(name, value, unit, children) {
  const measured = dataset({ NumericValue: value, MeasurementUnitsCodeSequence: [code([unit[0], "UCUM", unit[1]])] });
  return item("CONTAINS", "NUM", name, { MeasuredValueSequence: [measured] }, children);
}

/** A reference to an image, or to one frame of a multi-frame image (PS3.3 C.18.4). */
export function imageItem(relation, reference, name = null) {
  return item(relation, "IMAGE", name, { ReferencedSOPSequence: [referenceOf(reference)] });
}

/** One item that names an instance, and its frame where it has several. */
export function referenceOf({ sopClass, instance, frame }) {
  return dataset({ ReferencedSOPClassUID: sopClass, ReferencedSOPInstanceUID: instance, ReferencedFrameNumber: frame ?? undefined });
}

/** Points on an image (PS3.3 C.18.6), selected from it. */
export function regionItem(relation, name, type, points, reference) {
  return item(relation, "SCOORD", name, { GraphicData: points.flat().map(Math.fround), GraphicType: type }, [imageItem("SELECTED FROM", reference)]);
}

/** TID 1204: the language of all that follows. */
export function languageItem(language) {
  return codeItem("HAS CONCEPT MOD", CODES.language, language === "ja" ? ["ja", "RFC5646", "Japanese"] : ["en", "RFC5646", "English"]);
}

/** TID 1001 and 1002: who observed. A person where one is named; else the device, which has a UID of its own. */
export function observerItems({ person, deviceUid }) {
  if (person) return [codeItem("HAS OBS CONTEXT", CODES.observerType, CODES.person), item("HAS OBS CONTEXT", "PNAME", CODES.personName, { PersonName: person })];
  return [codeItem("HAS OBS CONTEXT", CODES.observerType, CODES.device), uidItem("HAS OBS CONTEXT", CODES.deviceUid, deviceUid),
    textItem("HAS OBS CONTEXT", CODES.deviceName, "Tsunagu viewer"), textItem("HAS OBS CONTEXT", CODES.deviceMaker, "Tsunagu")];
}

/** Everything a document refers to, by study and series (PS3.3 C.17.2, Hierarchical SOP Instance Reference Macro). */
export function evidence(study, references) {
  return [dataset({ StudyInstanceUID: study, ReferencedSeriesSequence: bySeries(references, "ReferencedSOPSequence") })];
}

/** The root of a document: its title and template (PS3.3 C.18.8). */
export function root(title, template, children) {
  return {
    ValueType: "CONTAINER", ConceptNameCodeSequence: [code(title)], ContinuityOfContent: "SEPARATE",
    ContentTemplateSequence: [dataset({ MappingResource: "DCMR", TemplateIdentifier: template })], ContentSequence: children,
  };
}
