// The header of the instance in the active view: every attribute of its metadata, searched by keyword, tag or value. Private ones and nested ones too.

import { rowsOf } from "./rows.js";
import { instanceMetadata } from "../api.js";
import { fill, h, styleSheet } from "../dom.js";
import { addWords, t } from "../i18n.js";
import { problem } from "../problem.js";
import { icon } from "../room/icons.js";
import { WORDS } from "./words.js";

addWords(WORDS);
/** Rows on the page; more are found by searching. */
const ROWS_MAX = 600;
const VALUE_CHARACTERS = 160;

/** Opens the header of what the active view of a room shows. */
export async function openHeader(room) {
  const { frame } = room.active?.view ?? {};
  if (!frame || frame.derived) return room.say(t("headerNothing"));
  await styleSheet(new URL("./header.css", import.meta.url));
  new Header(frame).open();
}

class Header {
  constructor(frame) {
    this.frame = frame;
    this.stop = new AbortController();
    this.words = h("input", { type: "search", class: "header-words", placeholder: t("headerHint"), "aria-label": t("headerHint"), autocomplete: "off", spellcheck: "false", on: { input: () => this.show() } });
    this.count = h("span", { class: "faint", role: "status" });
    this.body = h("tbody", {});
    const close = h("button", { type: "button", on: { click: () => this.dialog.close() } }, t("close"));
    this.dialog = h("dialog", { class: "header-dialog", "aria-label": t("headerTitle"), on: { close: () => this.closed() } },
      h("header", {}, h("h2", {}, t("headerTitle")), this.words, this.count, h("span", { class: "grow" }), close),
      h("div", { class: "header-table", tabindex: "0" }, h("table", {}, h("thead", {}, h("tr", {}, ["headerTag", "headerName", "headerVr", "headerValue"].map((key) => h("th", { scope: "col" }, t(key))))), this.body)));
  }

  async open() {
    document.body.append(this.dialog);
    this.dialog.showModal();
    this.words.focus();
    fill(this.count, t("loading"));
    try {
      this.rows = rowsOf((await instanceMetadata(this.frame.address, this.stop.signal)) ?? {});
      this.show();
    } catch (error) {
      if (error.name !== "AbortError") fill(this.count, h("span", { class: "error", role: "alert" }, problem(error)));
    }
  }

  closed() {
    this.stop.abort();
    this.dialog.remove();
  }

  show() {
    if (!this.rows) return;
    const words = this.words.value.normalize("NFKC").toLowerCase().split(/\s+/).filter(Boolean);
    const found = this.rows.filter((row) => words.every((word) => row.searched.includes(word)));
    fill(this.count, t(found.length > ROWS_MAX ? "headerCut" : "headerCount", { n: found.length, total: this.rows.length, shown: ROWS_MAX }));
    fill(this.body, found.slice(0, ROWS_MAX).map((row) => this.row(row)));
  }

  row({ tag, keyword, vr, value, bulk, depth, items }) {
    const line = h("tr", { class: keyword ? null : "private" }, h("td", { class: "number" }, tag), h("th", { scope: "row" }, keyword || t("headerPrivate")), h("td", {}, vr),
      h("td", {}, bulk ? h("span", { class: "faint" }, t("headerBulk")) : items !== null ? h("span", { class: "faint" }, t("headerItems", { n: items })) : this.value(value)));
    line.firstChild.style.paddingInlineStart = `${8 + 14 * depth}px`;
    return line;
  }

  // A long value is cut; the whole of it can be shown, and copied without being shown.
  value(value) {
    const shown = h("span", { class: "header-value" }, value.slice(0, VALUE_CHARACTERS));
    const copy = h("button", { type: "button", class: "header-copy", title: t("headerCopy"), "aria-label": t("headerCopy"), on: { click: () => this.copy(value) } }, icon("copy"));
    const more = value.length > VALUE_CHARACTERS && h("button", { type: "button", class: "header-more", on: { click: () => { shown.textContent = value; more.remove(); } } }, t("headerMore", { n: value.length }));
    return [shown, more, value && copy];
  }

  async copy(value) {
    try {
      await navigator.clipboard.writeText(value);
      fill(this.count, t("headerCopied"));
    } catch {
      fill(this.count, t("headerNotCopied"));
    }
  }
}

