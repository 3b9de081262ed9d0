// Saving an instance: as it is held (a plain link), or byte for byte as it was received (a permission of its own).

import { originalFile, pathOf } from "./api.js";
import { h } from "./dom.js";
import { t } from "./i18n.js";
import { problem } from "./problem.js";

const FORGET_MS = 60_000;

/** A link and a button for the instance that `addressOf()` names at the moment of the click: `[study, series, instance]`. */
export function downloads(addressOf) {
  const message = h("span", { class: "error", role: "alert" });
  const link = h("a", { class: "button", download: "", href: "", on: { click: () => { link.href = pathOf(...addressOf()); } } }, t("download"));
  const original = h("button", { type: "button", on: { click: () => saveOriginal(addressOf(), original, message) } }, t("original"));
  return h("span", { class: "group" }, message, link, original);
}

// Fetched rather than linked: a refusal is a sentence on this page, not a failed download.
async function saveOriginal(address, button, message) {
  message.textContent = "";
  button.disabled = true;
  try {
    const url = URL.createObjectURL(await originalFile(address));
    h("a", { href: url, download: "original.dcm" }).click();
    setTimeout(() => URL.revokeObjectURL(url), FORGET_MS);
  } catch (error) {
    message.textContent = error.status === 403 ? t("originalRefused") : problem(error);
  }
  button.disabled = false;
}
