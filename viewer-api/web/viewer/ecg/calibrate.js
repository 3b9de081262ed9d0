// How many CSS pixels a millimetre of this screen takes: assumed from 96 dpi, or measured with a card of known width.

import { h } from "../dom.js";
import { t } from "../i18n.js";
import { remember, remembered } from "../settings.js";

const ASSUMED = 96 / 25.4;
const CARD_MM = 85.6;

/** `{pixelsPerMm, calibrated}` of this screen. */
export function screenScale() {
  const kept = Number(remembered("ecgPixelsPerMm", ""));
  const calibrated = kept > 1 && kept < 40;
  return { pixelsPerMm: calibrated ? kept : ASSUMED, calibrated };
}

/** Opens the calibration dialogue; `changed` is called if the value was changed. */
export function calibrate(changed) {
  const bar = h("div", { class: "card-bar" }, `${CARD_MM} mm`);
  const slider = h("input", { type: "range", min: 2, max: 12, step: 0.01, value: screenScale().pixelsPerMm, "aria-label": t("ecgCalibrateWidth"), on: { input: () => show() } });
  const show = () => { bar.style.width = `${slider.value * CARD_MM}px`; };
  const keep = (value) => () => { remember("ecgPixelsPerMm", value()); dialog.close(); changed(); };
  const dialog = h("dialog", { class: "calibrate", "aria-label": t("ecgCalibrate"), on: { close: () => dialog.remove() } }, h("h2", {}, t("ecgCalibrate")), h("p", {}, t("ecgCalibrateHow")), bar, slider,
    h("p", { class: "group" }, h("button", { type: "button", class: "primary", on: { click: keep(() => slider.value) } }, t("ecgCalibrateSave")),
      h("button", { type: "button", on: { click: keep(() => "") } }, t("ecgCalibrateForget")), h("button", { type: "button", on: { click: () => dialog.close() } }, t("close"))));
  document.body.append(dialog);
  show();
  dialog.showModal();
}
