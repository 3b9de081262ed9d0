// One study as a row of the list.

import { ageAt, formatDate, formatTime, personName } from "../dicom.js";
import { h } from "../dom.js";
import { language, t } from "../i18n.js";
import { sex } from "../patient.js";
import { eraOf } from "./dates.js";
import { newness } from "./seen.js";

/** Columns: key of the word, what it is sorted by (`POST /search`), class. */
export const COLUMNS = [
  ["listColumnName", "patient_name", "c-name"], ["listColumnId", "patient_id", "c-id"], ["listColumnBirth", "birth_date", "c-birth"],
  ["listColumnSex", "sex", "c-sex"], ["listColumnDate", "study_date", "c-date"], ["listColumnModality", "modalities", "c-modality"],
  ["listColumnDescription", "description", "c-description"], ["listColumnAccession", "accession_number", "c-accession"],
  ["listColumnCentre", "centre", "c-centre"], ["listColumnImages", "instances", "c-images"], ["listColumnState", "received", "c-state"],
];

const NUMBERS = new Intl.NumberFormat("en");

/** A count with commas between thousands. Made once: making one anew for each cell is what takes time. */
export function count(number) {
  return NUMBERS.format(number);
}

/** Address of a study on this page: a UID, never more. */
export function addressOf(study) {
  return `#/study/${study.StudyInstanceUID}`;
}

/** The row of `study`, number `index` of the list; `before` is what `seenBefore` answered. */
export function studyRow(study, index, before, on) {
  const state = newness(study, before);
  return h("tr", { tabindex: "-1", class: state ? "fresh" : null, "aria-rowindex": index + 2, dataset: { address: addressOf(study), index: String(index) }, on }, cells(study, state));
}

/** The row of a study that is on its way. */
export function emptyRow(index) {
  return h("tr", { class: "pending", "aria-rowindex": index + 2, dataset: { index: String(index) } }, h("th", { scope: "row" }, h("span", { class: "faint" }, "…")),
    COLUMNS.slice(1).map(([, , style]) => h("td", { class: style })));
}

function cells(study, state) {
  const name = personName(study.PatientName, language());
  const age = ageAt(study.PatientBirthDate, study.StudyDate);
  const era = language() === "ja" ? eraOf(study.PatientBirthDate) : "";
  const cell = (style, ...children) => h("td", { class: style }, ...children);
  return [
    h("th", { scope: "row", class: "c-name cut" }, h("a", { class: "name", href: addressOf(study), tabindex: "-1" }, name.primary || t("noName")), name.others.length ? h("span", { class: "faint" }, name.others.join("　")) : ""),
    cell("c-id cut number", study.PatientID),
    cell("c-birth", h("span", { class: "number" }, formatDate(study.PatientBirthDate)), era ? h("span", { class: "faint" }, era) : "", age === null ? "" : h("span", { class: "faint" }, t("years", { n: age }))),
    cell("c-sex", sex(study.PatientSex)),
    cell("c-date", h("span", { class: "number" }, formatDate(study.StudyDate) || t("noDate")), h("span", { class: "faint number" }, formatTime(study.StudyTime))),
    cell("c-modality", study.ModalitiesInStudy.map((code) => h("span", { class: "modality" }, code))),
    cell("c-description cut", study.StudyDescription),
    cell("c-accession cut number", study.AccessionNumber),
    cell("c-centre cut", study.centre),
    cell("c-images", h("span", { class: "number", title: t("listSeries", { n: study.NumberOfStudyRelatedSeries }) }, count(study.NumberOfStudyRelatedInstances))),
    cell("c-state", stateBadges(study, state)),
  ];
}

function stateBadges(study, state) {
  return [
    state === "new" && h("span", { class: "badge strong" }, t("listNew")), state === "more" && h("span", { class: "badge strong" }, t("listMore")),
    study.priors > 0 && h("span", { class: "badge", title: t("listPriorsWhy", { n: study.priors }) }, t("listPriors", { n: study.priors })),
    study.waits && h("span", { class: "badge", title: t("listWaitsWhy") }, t("listWaits")),
  ];
}
