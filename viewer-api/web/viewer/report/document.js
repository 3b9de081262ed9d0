// An encapsulated PDF (PS3.3 A.45.1): a title and a button. The browser's own PDF viewer shows it in a new tab.

import { bulkData } from "../api.js";
import { element, formatDate, text } from "../dicom.js";
import { fill, h } from "../dom.js";
import { downloads } from "../downloads.js";
import { addWords, t } from "../i18n.js";
import { problem } from "../problem.js";
import { WORDS } from "./words.js";

addWords(WORDS);

const FORGET_MS = 60_000;

/** Shows the way to open the PDF in `place`. Returns `{dispose}`. */
export function showDocument(place, { instance, address }) {
  const message = h("p", { class: "error", role: "alert" });
  const stop = new AbortController();
  const title = text(instance, "DocumentTitle") || t("reportPdfTitleMissing");
  const open = h("button", { type: "button", class: "primary", on: { click: () => openPdf(instance, address, message, stop.signal) } }, t("reportPdfOpen"));
  fill(place, h("article", { class: "page" }, h("h2", {}, title), h("p", { class: "faint" }, formatDate(text(instance, "ContentDate") || text(instance, "StudyDate"))),
    h("p", {}, t("reportPdfWhy")), h("p", { class: "group" }, open, downloads(() => address)), message));
  return { dispose: () => stop.abort() };
}

// The tab is opened inside the click, before the bytes are here: a browser blocks one that opens later.
async function openPdf(instance, address, message, signal) {
  const tab = globalThis.open("", "_blank");
  message.textContent = "";
  try {
    const bytes = await bulkData(address, element(instance, "EncapsulatedDocument"), "00420011", signal);
    const url = URL.createObjectURL(new Blob([bytes], { type: "application/pdf" }));
    if (tab) {
      tab.opener = null;
      tab.location.replace(url);
    } else h("a", { href: url, download: "document.pdf" }).click();
    setTimeout(() => URL.revokeObjectURL(url), FORGET_MS);
  } catch (error) {
    tab?.close();
    if (error.name !== "AbortError") message.textContent = t("reportPdfFailed", { reason: problem(error) });
  }
}
