// The toolbar of the ECG page.

import { formatDate } from "../dicom.js";
import { h, select } from "../dom.js";
import { t } from "../i18n.js";
import { calibrate } from "./calibrate.js";
import { CHOICES } from "./filters.js";
import { PAGE_S } from "./hang.js";
import { hasFour, hasTwelve } from "./leads.js";
import { durationOf } from "./load.js";

/** Layouts a set of leads can be hung in, as `[key, label]`. */
export function layouts(channels) {
  const twelve = hasTwelve(channels) ? [["3x4", t("ecgLayout3x4")], ["6x2", t("ecgLayout6x2")], ["12x1", t("ecgLayout12x1")], ["cabrera", t("ecgLayoutCabrera")]] : [];
  return [...twelve, ...(hasFour(channels) ? [["4x1", t("ecgLayout4x1")]] : []), ["all", t("ecgLayoutAll")]];
}

/** The parts of the toolbar of `view` as `{bar, time}`; `time` is the text of what part of a long recording is shown. */
export function tools(view) {
  const { state, source, ecg } = view;
  const set = (key, numeric) => (value) => view.set({ [key]: numeric ? Number(value) : value });
  const leads = [...new Set(source.channels.map(({ lead }) => lead))].map((lead) => [lead, lead]);
  const time = h("span", { class: "number" });
  const long = durationOf(source.channels) > PAGE_S * 1.05 && !source.derived;
  const bar = [ecg.sources.length > 1 && select(t("ecgSource"), ecg.sources.map(({ key, label }) => [key, label]), state.source || source.key, (key) => view.chooseSource(key)),
    select(t("ecgLayout"), layouts(source.channels), state.layout, set("layout")),
    hasTwelve(source.channels) && select(t("ecgRhythm"), leads, state.rhythm, set("rhythm")),
    select(t("ecgSpeed"), [12.5, 25, 50].map((value) => [value, `${value} mm/s`]), state.speed, set("speed", true)),
    select(t("ecgGain"), [5, 10, 20].map((value) => [value, `${value} mm/mV`]), state.gain, set("gain", true)),
    filterTools(view), select(t("ecgSize"), [["true", t("ecgSizeTrue")], ["fit", t("ecgSizeFit")]], state.size, set("size")),
    h("button", { type: "button", class: "calipers-button", "aria-pressed": String(Boolean(view.calipers)), "aria-keyshortcuts": "C", on: { click: () => view.toggleCalipers() } }, t("ecgCalipers")),
    priorTools(view), ecg.annotations.points.length > 0 && pointsTool(view),
    h("button", { type: "button", on: { click: () => calibrate(() => view.draw()) } }, t("ecgCalibrate")),
    long && h("span", { class: "group" }, h("button", { type: "button", on: { click: () => view.turn(-PAGE_S) } }, t("ecgEarlier")), time, h("button", { type: "button", on: { click: () => view.turn(PAGE_S) } }, t("ecgLater")))];
  return { bar, time };
}

/** The three choices of display filter, for whoever has `state.filters` and `set`. */
export function filterTools(view) {
  const words = { high: "ecgFilterHighName", low: "ecgFilterLowName", notch: "ecgFilterNotchName" };
  return Object.entries(CHOICES).map(([kind, choices]) => select(t(words[kind]), choices.map((hertz) => [hertz, hertz ? t("ecgHz", { n: hertz }) : t("ecgFilterOff")]), view.state.filters[kind],
    (value) => view.set({ filters: { ...view.state.filters, [kind]: Number(value) } })));
}

function priorTools(view) {
  if (!view.priorStudy) return null;
  const which = view.priors.length > 1 && select(t("ecgPriorWhich"), view.priors.map(({ study, date }) => [study, formatDate(date)]), view.priorStudy, (study) => view.choosePrior(study));
  return [select(t("ecgPrior"), [["below", t("ecgPriorBelow")], ["over", t("ecgPriorOver")], ["off", t("ecgPriorOff")]], view.state.prior, (value) => view.set({ prior: value })), which];
}

function pointsTool(view) {
  const button = h("button", { type: "button", "aria-pressed": String(view.state.points), on: { click: () => {
    view.set({ points: !view.state.points });
    button.setAttribute("aria-pressed", String(view.state.points));
  } } }, t("ecgPoints"));
  return button;
}
