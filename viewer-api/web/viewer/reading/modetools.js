// The small toolbar of ECG mode: how traces are drawn. Each choice has a key too.

import { h, select } from "../dom.js";
import { layouts, filterTools } from "../ecg/tools.js";
import { TWELVE } from "../ecg/leads.js";
import { t } from "../i18n.js";
import { showHelp } from "./help.js";

/** `{element, next(name)}` for `mode`; `next` goes on to the next choice. */
export function modeTools(mode) {
  const twelve = TWELVE.map((lead) => ({ lead }));
  const choices = {
    layout: [["", t("readingLayoutAuto")], ...layouts(twelve)],
    speed: [12.5, 25, 50].map((value) => [value, `${value} mm/s`]),
    gain: [5, 10, 20].map((value) => [value, `${value} mm/mV`]),
    prior: [["below", t("ecgPriorBelow")], ["over", t("ecgPriorOver")], ["off", t("ecgPriorOff")]],
  };
  const names = { layout: "ecgLayout", speed: "ecgSpeed", gain: "ecgGain", prior: "ecgPrior" };
  const set = (name, value) => mode.set({ [name]: name === "speed" || name === "gain" ? Number(value) : value });
  const boxes = Object.fromEntries(Object.entries(choices).map(([name, options]) => [name, select(t(names[name]), options, mode.state[name], (value) => set(name, value))]));
  const next = (name) => {
    const keys = choices[name].map(([key]) => String(key));
    const value = keys[(keys.indexOf(String(mode.state[name])) + 1) % keys.length];
    boxes[name].querySelector("select").value = value;
    set(name, value);
  };
  const element = h("div", { class: "ecg-tools reading-tools", role: "toolbar", "aria-label": t("ecgTools") }, Object.values(boxes), filterTools(mode),
    h("button", { type: "button", "aria-keyshortcuts": "C", on: { click: () => mode.toggleCalipers() } }, t("ecgCalipers")),
    h("button", { type: "button", "aria-keyshortcuts": "Z", on: { click: () => mode.undo() } }, t("readingUndo")),
    h("button", { type: "button", "aria-keyshortcuts": "?", on: { click: () => showHelp() } }, t("readingHelp")));
  return { element, next };
}
