// One ECG as it is read: who, the trace, the prior at the same scale below. Built and drawn before it is wanted.

import { ageAt, formatDate, personName, text, values } from "../dicom.js";
import { h } from "../dom.js";
import { screenScale } from "../ecg/calibrate.js";
import { paperSize } from "../ecg/geometry.js";
import { alignment_s, sheetRows, underRows } from "../ecg/hang.js";
import { firstLayout } from "../ecg/leads.js";
import { Sheet } from "../ecg/sheet.js";
import { deviceNotes } from "../ecg/side.js";
import { caption } from "../ecg/state.js";
import { language, t } from "../i18n.js";
import { sex } from "../patient.js";
import { verdictWord } from "./verdict.js";

/** Result to child and guardian within 21 days (学校保健安全法施行規則 第9条). */
const LIMIT_DAYS = 21;

/** The pane of a `ready` entry of the feed in `state` at `width` CSS pixels; `wordOf(code)` names a finding. */
export class Pane {
  constructor(entry, state, width, wordOf) {
    const { ecg, prior } = entry;
    this.entry = entry;
    this.sheet = new Sheet();
    const source = ecg.sources[0];
    const own = { ...state, layout: state.layout || firstLayout(source.channels) };
    const rows = sheetRows(source, own);
    const scale = screenScale();
    const wanted_mm = paperSize(rows, own).width_mm;
    const fits = wanted_mm * scale.pixelsPerMm <= width;
    const options = { speed: own.speed, gain: own.gain, pixelsPerMm: fits ? scale.pixelsPerMm : width / wanted_mm, size: { fitted: fits ? 0 : Math.round((width / wanted_mm / scale.pixelsPerMm) * 100), calibrated: scale.calibrated } };
    options.caption = caption(source, own, options.size);
    const before = prior?.sources.find(({ derived }) => !derived);
    const under = before && state.prior === "over" ? underRows(rows, before, own, alignment_s(source, before)) : null;
    this.sheet.draw(rows, { ...options, under });
    this.sheet.canvas.setAttribute("aria-label", t("ecgPaper", { leads: source.channels.map(({ lead }) => lead).join(" "), speed: own.speed, gain: own.gain }));
    this.element = h("article", { class: "reading-pane" }, headLine(ecg.instance), h("div", { class: "paper-box" }, this.sheet.element),
      ecg.skipped.map((reason) => h("p", { class: "error" }, t("ecgSkipped", { reason }))), this.priorPart(entry, before, own, options));
    this.notes = h("div", { class: "reading-notes" }, entry.item.verdicts ? earlierVerdicts(entry.item.verdicts, wordOf) : h("p", { class: "faint small" }, t("readingBlind")), deviceNotes(ecg.annotations, { small: true }));
  }

  priorPart({ item, priorError }, before, state, options) {
    const [first] = item.priors ?? [];
    if (!first) return h("p", { class: "faint" }, t("readingNoPrior"));
    const title = h("h2", {}, t("ecgPriorOf", { date: formatDate(first.date) }));
    if (!before) return h("section", {}, title, h("p", { class: "error" }, t(priorError ? "readingPriorFailed" : "ecgPriorOther")));
    if (state.prior !== "below") return state.prior === "over" ? h("p", { class: "faint" }, t("readingOverlaid", { date: formatDate(first.date) })) : null;
    this.before = new Sheet(t("ecgPriorOf", { date: formatDate(first.date) }));
    this.before.draw(sheetRows(before, state), { ...options, caption: caption(before, state, options.size) });
    return h("section", {}, title, h("div", { class: "paper-box" }, this.before.element));
  }
}

function headLine(instance) {
  const name = personName(values(instance, "PatientName")[0], language());
  const date = text(instance, "StudyDate");
  const birth = text(instance, "PatientBirthDate");
  const age = ageAt(birth, date);
  return h("header", { class: "ecg-head" }, h("span", { class: "who" }, name.primary || t("noName")), h("span", { class: "faint" }, name.others.join("　")),
    h("span", { class: "number" }, [text(instance, "PatientID"), age === null ? "" : t("years", { n: age }), sex(text(instance, "PatientSex"))].filter(Boolean).join("  ")),
    h("span", { class: "number" }, formatDate(date)), h("span", { class: "faint" }, text(instance, "InstitutionName")), dayLine(date));
}

function dayLine(date) {
  const parts = /^(\d{4})(\d{2})(\d{2})$/.exec(date);
  if (!parts) return null;
  const days = Math.floor((Date.now() - new Date(Number(parts[1]), Number(parts[2]) - 1, Number(parts[3])).getTime()) / 86_400_000);
  return days < 0 ? null : h("span", { class: days > LIMIT_DAYS ? "number error" : "number faint" }, t("readingDays", { n: days, limit: LIMIT_DAYS }));
}

// Both readers' verdicts, for who adjudicates.
function earlierVerdicts(verdicts, wordOf) {
  return h("section", { class: "reading-verdicts", "aria-label": t("readingBoth") }, h("h2", {}, t("readingBoth")), verdicts.map((one) =>
    h("div", { class: "reading-verdict" }, h("h3", {}, t(one.stage === "second" ? "readingStageSecond" : "readingStageFirst"), " ", h("strong", {}, verdictWord(one.verdict)), one.urgent && h("strong", { class: "error" }, ` ${t("readingUrgent")}`)),
      one.findings?.length ? h("ul", {}, one.findings.map((code) => h("li", {}, `${code} ${wordOf(code)}`))) : null, one.text ? h("p", { class: "reading-said" }, one.text) : null)));
}
