// Asking for a short text in a dialogue.

import { h } from "../dom.js";
import { t } from "../i18n.js";

const TEXT_CHARACTERS_MAX = 300;

/** Resolves to what was typed, `""` where the reader thought better of it. */
export function askText(question, value = "") {
  return new Promise((resolve) => {
    const input = h("input", { type: "text", maxlength: TEXT_CHARACTERS_MAX, "aria-label": question, value, autocomplete: "off" });
    const form = h("form", { method: "dialog", class: "tools-ask" }, h("label", {}, question, input),
      h("span", { class: "group" }, h("button", { type: "submit", value: "yes", class: "primary" }, t("toolsEnter")), h("button", { type: "button", on: { click: () => dialog.close("") } }, t("toolsCancel"))));
    const dialog = h("dialog", { class: "tools-dialog", "aria-label": question, on: { close: () => { dialog.remove(); resolve(dialog.returnValue === "yes" ? input.value.trim() : ""); } } }, form);
    document.body.append(dialog);
    dialog.showModal();
    input.focus();
  });
}
