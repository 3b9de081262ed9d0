// The front door of reading: the worklists, or one of them in ECG mode. Loaded when first used.

import { fill, h, styleSheet } from "../dom.js";
import { addWords, t } from "../i18n.js";
import { WORDS as ECG } from "../ecg/words.js";
import { Lists } from "./lists.js";
import { EcgMode } from "./mode.js";
import { WORDS } from "./words.js";

addWords(ECG);
addWords(WORDS);

/** Shows the worklists in `main`, or, with its opaque id, the one to be read; `stage` is "" or "adjudication". Returns `{dispose}`. */
export function showReading(main, place, worklist = "", stage = "") {
  const page = { shown: null, gone: false, dispose() { page.gone = true; page.shown?.dispose(); } };
  const back = worklist ? { href: "#/reading", label: `← ${t("readingLists")}` } : { href: "#/studies", label: `← ${t("back")}` };
  fill(place, h("a", { class: "crumb", href: back.href }, back.label), h("h1", { class: "patient" }, h("span", { class: "who" }, t("readingTitle"))));
  fill(main, h("p", { class: "quiet" }, t("loading")));
  Promise.all([styleSheet(new URL("./reading.css", import.meta.url)), styleSheet(new URL("../ecg/ecg.css", import.meta.url))]).then(() => {
    if (!page.gone) page.shown = worklist ? new EcgMode(main, { worklist, stage }) : new Lists(main);
  });
  return page;
}
