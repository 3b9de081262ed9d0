// Key images as a Key Object Selection Document (PS3.3 A.35.4) by TID 2010.

import { CODES, evidence, imageItem, languageItem, observerItems, root, textItem } from "./content.js";
import { DEVICE_UID } from "./measurement_report.js";
import { commonOf, dataset, momentOf } from "./model.js";

/** Key Object Selection Document Storage. */
export const KEY_OBJECT_SELECTION = "1.2.840.10008.5.1.4.1.1.88.59";

/** The document as DICOM JSON. `references` are `{series, instance, sopClass, frame}` in the order of their choice. */
export function keyObjectSelection(source, references, { series, instance, person, language, remark, description, now }) {
  const moment = momentOf(now);
  const said = remark ? [textItem("CONTAINS", CODES.keyDescription, remark)] : [];
  return dataset({
    ...commonOf(source, { sopClass: KEY_OBJECT_SELECTION, modality: "KO", series, description, number: 9902, now }),
    SOPInstanceUID: instance, ContentDate: moment.date, ContentTime: moment.time, ReferencedPerformedProcedureStepSequence: null,
    CurrentRequestedProcedureEvidenceSequence: evidence(source.study.StudyInstanceUID, references),
    ...root(CODES.ofInterest, "2010", [
      languageItem(language), ...observerItems({ person, deviceUid: DEVICE_UID }), ...said, ...references.map((one) => imageItem("CONTAINS", one)),
    ]),
  });
}
