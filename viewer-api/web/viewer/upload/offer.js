// The button and the place to drop files on, for who may send. What does the sending comes when it is first used.

import { h, styleSheet } from "../dom.js";
import { addWords, t } from "../i18n.js";
import { WORDS } from "./words.js";

addWords(WORDS);

/** Puts the button into `tools` and makes the page take what is dropped, until `signal`; `onSent` is called after each sending. */
export function offerUpload(tools, box, signal, onSent) {
  styleSheet(new URL("./upload.css", import.meta.url));
  const open = async (roots) => {
    const { openPanel } = await import("./panel.js");
    openPanel({ roots, onSent });
  };
  tools.append(h("button", { type: "button", class: "primary", on: { click: () => open([]) } }, t("uploadButton")));
  const veil = h("div", { class: "drop-veil", hidden: true }, h("p", {}, t("uploadDropHere")));
  box.parentElement.append(veil);
  const hasFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  const over = (event) => {
    if (!hasFiles(event) || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    veil.hidden = false;
  };
  document.addEventListener("dragenter", over, { signal });
  document.addEventListener("dragover", over, { signal });
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) veil.hidden = true; }, { signal });
  document.addEventListener("drop", async (event) => {
    veil.hidden = true;
    if (!hasFiles(event) || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    // The folders have to be asked for before anything is waited for.
    const { items, files } = event.dataTransfer;
    const entries = [...items].filter(({ kind }) => kind === "file").map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile()).filter(Boolean);
    await open(entries.length ? entries : [...files]);
  }, { signal });
}
