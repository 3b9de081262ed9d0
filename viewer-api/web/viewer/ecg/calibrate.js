// How many CSS pixels a millimetre of this screen takes: assumed from 96 dpi, or measured with a card of known width.

import { h } from "../dom.js";
import { t } from "../i18n.js";
import { remember, remembered } from "../settings.js";

const ASSUMED = 96 / 25.4;
const CARD_MM = 85.6;

// Kept in pixels of the screen itself ("d" before the number): the page may be zoomed, the screen stays as it is.
function density() {
  return globalThis.devicePixelRatio || 1;
}

/** `{pixelsPerMm, calibrated}` of this screen, in CSS pixels. */
export function screenScale() {
  const kept = remembered("ecgPixelsPerMm", "");
  const pixelsPerMm = kept.startsWith("d") ? Number(kept.slice(1)) / density() : Number(kept);
  const calibrated = pixelsPerMm > 1 && pixelsPerMm < 40;
  return { pixelsPerMm: calibrated ? pixelsPerMm : ASSUMED, calibrated };
}

/** Opens the calibration dialogue; `changed` is called if the value was changed. */
export function calibrate(changed) {
  const bar = h("div", { class: "card-bar" }, `${CARD_MM} mm`);
  const slider = h("input", { type: "range", min: 2, max: 12, step: 0.01, value: screenScale().pixelsPerMm, "aria-label": t("ecgCalibrateWidth"), on: { input: () => show() } });
  const show = () => { bar.style.width = `${slider.value * CARD_MM}px`; };
  const keep = (value) => () => { remember("ecgPixelsPerMm", value()); dialog.close(); changed(); };
  const dialog = h("dialog", { class: "calibrate", "aria-label": t("ecgCalibrate"), on: { close: () => dialog.remove() } }, h("h2", {}, t("ecgCalibrate")), h("p", {}, t("ecgCalibrateHow")), bar, slider,
    h("p", { class: "group" }, h("button", { type: "button", class: "primary", on: { click: keep(() => `d${slider.value * density()}`) } }, t("ecgCalibrateSave")),
      h("button", { type: "button", on: { click: keep(() => "") } }, t("ecgCalibrateForget")), h("button", { type: "button", on: { click: () => dialog.close() } }, t("close"))));
  document.body.append(dialog);
  show();
  dialog.showModal();
}
