// The panel beside the trace: one's own measurements first, then what the device wrote, marked as the device's.

import { fill, h } from "../dom.js";
import { t } from "../i18n.js";
import { correctedQt, statedQt } from "./measure.js";

const line = (name, value) => h("div", { class: "line" }, h("dt", {}, name), h("dd", { class: "number" }, value));

// Bazett and Fridericia as lines; the others as small print.
function qtcLines(qt_ms, rr_ms) {
  const all = correctedQt(qt_ms, rr_ms);
  if (!all.length) return [];
  const [first, rest] = [all.slice(0, 2), all.slice(2)];
  return [h("dl", {}, first.map(({ key, name, ms }) => line(`${key} (${name})`, `${ms.toFixed(0)} ms`))),
    h("p", { class: "faint small" }, rest.map(({ name, ms }) => `${name} ${ms.toFixed(0)} ms`).join("  "))];
}

/** What the device wrote: statements, measurements, and QTc computed from its QT and RR. `small` leaves out what a reading list has no room for. */
export function deviceNotes(found, { small = false } = {}) {
  const { qt_ms, rr_ms } = statedQt(found.measurements);
  const box = h("section", { class: "device", "aria-label": t("ecgDevice") }, h("h2", {}, h("span", { class: "device-mark" }, t("ecgDevice")), small ? null : t("ecgFindings")));
  if (found.statements.length) box.append(h("ul", {}, found.statements.map((one) => h("li", {}, one))));
  if (found.measurements.length) box.append(h("dl", {}, found.measurements.map((one) => line(one.name, `${one.value} ${one.unit}`))));
  const computed = qtcLines(qt_ms, rr_ms);
  if (computed.length) box.append(...computed, h("p", { class: "faint small" }, t("ecgComputedQtc")));
  if (!small && found.points.length) box.append(h("p", { class: "faint small" }, t("ecgFiducials", { n: found.points.length })));
  if (!found.statements.length && !found.measurements.length) box.append(h("p", { class: "faint" }, t("ecgNoAnnotations")));
  else box.append(h("p", { class: "faint small" }, t("ecgDeviceNote")));
  return box;
}

/** One's own measurements by calipers, `{PR, QRS, QT, RR}` in ms, with QTc from them. */
export class OwnMeasurements {
  constructor() {
    this.found = {};
    this.element = h("section", { class: "own", "aria-live": "polite" });
    this.show();
  }

  /** Keeps `ms` under `name`. */
  add({ name, ms }) {
    this.found[name] = ms;
    this.show();
  }

  clear() {
    this.found = {};
    this.show();
  }

  show() {
    const names = ["RR", "PR", "QRS", "QT"].filter((name) => this.found[name] !== undefined);
    const { QT, RR } = this.found;
    this.element.hidden = !names.length;
    fill(this.element, h("h2", {}, t("ecgOwn")), h("dl", {}, names.map((name) => line(name === "RR" ? `RR (${(60_000 / RR).toFixed(0)} /min)` : name, `${this.found[name].toFixed(0)} ms`))),
      qtcLines(QT, RR), QT && RR ? h("p", { class: "faint small" }, t("ecgOwnQtc")) : null,
      h("button", { type: "button", on: { click: () => this.clear() } }, t("ecgOwnClear")));
  }
}
