// The keys of ECG mode, on `?`.

import { h } from "../dom.js";
import { t } from "../i18n.js";

/** Opens the list of keys. */
export function showHelp() {
  if (document.querySelector("dialog.reading-help")) return;
  const rows = [["1 2 3", t("readingKeyVerdict")], ["F", t("readingKeyFindings")], ["N", t("readingKeyText")], ["U", t("readingKeyUrgent")], ["Z", t("readingKeyUndo")], ["C", t("readingKeyCalipers")],
    ["← → X M , . ↑ ↓ P Q T R", t("ecgCaliperKeys")], ["L S G B", t("readingKeyDraw")], ["Backspace", t("readingKeyBack")], ["?", t("readingHelp")]];
  const dialog = h("dialog", { class: "calibrate reading-help", "aria-label": t("readingHelp"), on: { close: () => dialog.remove() } }, h("h2", {}, t("readingHelp")),
    h("dl", {}, rows.map(([keys, what]) => h("div", { class: "line" }, h("dt", {}, keys.split(" ").map((key) => h("kbd", {}, key))), h("dd", {}, what)))),
    h("p", { class: "group" }, h("button", { type: "button", class: "primary", autofocus: true, on: { click: () => dialog.close() } }, t("close"))));
  document.body.append(dialog);
  dialog.showModal();
}
