// An encapsulated CDA document (PS3.3 A.45.2) as text: titles, narrative blocks, lists and tables. Nothing of it is run or fetched.

import { bulkData } from "../api.js";
import { element, formatDate, text } from "../dicom.js";
import { fill, h, styleSheet } from "../dom.js";
import { downloads } from "../downloads.js";
import { addWords, t } from "../i18n.js";
import { problem } from "../problem.js";
import { narrative } from "./narrative.js";
import { WORDS } from "./words.js";

addWords(WORDS);
const BYTES_MAX = 8 << 20;

/** Shows the document in `place`. Returns `{dispose}`. */
export async function showCda(place, { instance, address }) {
  await styleSheet(new URL("./report.css", import.meta.url));
  const stop = new AbortController();
  const body = h("div", { class: "cda" }, h("p", { class: "quiet" }, t("loading")));
  fill(place, h("article", { class: "page report" }, h("h2", {}, text(instance, "DocumentTitle") || t("reportCdaTitle")), h("p", { class: "faint" }, formatDate(text(instance, "ContentDate"))), body, h("p", {}, downloads(() => address))));
  load(instance, address, stop.signal).then((content) => fill(body, content), (error) => {
    if (error.name !== "AbortError") fill(body, h("p", { class: "error", role: "alert" }, error.said ?? t("reportCdaFailed", { reason: problem(error) })));
  });
  return { dispose: () => stop.abort() };
}

async function load(instance, address, signal) {
  const bytes = await bulkData(address, element(instance, "EncapsulatedDocument"), "00420011", signal);
  if (bytes.byteLength > BYTES_MAX) throw Object.assign(new Error("large"), { said: t("reportCdaLarge") });
  // A document of even length has a zero byte at its end that is no part of it (PS3.5 §6.2, OB).
  const xml = new DOMParser().parseFromString(new TextDecoder().decode(bytes).replace(/\0+$/, ""), "application/xml");
  if (xml.querySelector("parsererror")) throw Object.assign(new Error("xml"), { said: t("reportCdaFailed", { reason: t("reportCdaXml") }) });
  return page(xml.documentElement);
}

function page(root) {
  const other = root.querySelector("nonXMLBody > text");
  if (other) return h("p", {}, t("reportCdaOther", { type: other.getAttribute("mediaType") ?? "–" }));
  const title = root.querySelector(":scope > title")?.textContent.trim();
  return [title && h("h3", {}, title), [...root.querySelectorAll("structuredBody section")].map(section)];
}

function section(one) {
  const own = (name) => [...one.children].find((child) => child.localName === name);
  return h("section", {}, own("title") && h("h4", {}, own("title").textContent.trim()), own("text") && narrative(own("text"), h));
}
