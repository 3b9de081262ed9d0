// The study list: one field to search by, a table that draws only the rows in sight, and the keyboard all the way. What is searched
// for goes by POST: it is in no address, and nowhere in the browser's storage.

import { mayUpload, searchList } from "../api.js";
import { debounce, fill, h, select, styleSheet } from "../dom.js";
import { addWords, t } from "../i18n.js";
import { problemBox } from "../problem.js";
import { groups, parse, without } from "./query.js";
import { COLUMNS, addressOf, count, emptyRow, studyRow } from "./row.js";
import { sawUpTo, seenBefore } from "./seen.js";
import { DRAWN_ROWS_MAX, Pages, inSight } from "./window.js";
import { WORDS } from "./words.js";

addWords(WORDS);
const TYPING_MS = 180;
const SCROLL_MS = 60;
/** Rows drawn beyond either edge. */
const BEYOND = 10;
/** While the page is looked at again after so long, it asks what has come in. */
const ASK_AGAIN_MS = 30_000;
const MODALITIES = ["CT", "MR", "DX", "CR", "MG", "RF", "XA", "US", "PT", "NM", "ES", "OP", "ECG", "SR", "DOC", "OT"];
const KINDS = { name: "listKindName", id: "listKindId", accession: "listKindAccession", centre: "listKindCentre", birth: "listKindBirth", study: "listKindStudy", day: "listKindDay", modality: "listKindModality" };

// Kept while the page lives, so that coming back from a study finds the list as it was left.
const kept = { text: "", onlyNew: false, sort: "study_date", descending: true, chosen: 0, top: 0 };

/** Shows the list in `main`. Answers `{dispose}`. */
export async function showList(main, place) {
  await styleSheet(new URL("./list.css", import.meta.url));
  fill(place, h("span", { class: "crumb" }, t("studies")));
  const list = new StudyList(main);
  list.search({ keep: true });
  return list;
}

/** The list: its form, its table, its foot. */
export class StudyList {
  constructor(main) {
    this.stop = new AbortController();
    this.before = seenBefore();
    this.pages = null;
    this.shown = { first: 0, last: -1 };
    this.rows = new Map();
    fill(main, h("div", { class: "list" }, this.searchForm(), this.tableBox(), this.foot()));
    const signal = this.stop.signal;
    document.addEventListener("keydown", (event) => this.onPageKey(event), { signal });
    document.addEventListener("visibilitychange", () => this.askWhatCame(), { signal });
    addEventListener("tsunagu:linked", () => this.problem && this.search({ keep: true }), { signal });
    this.watchSize();
    this.offerUpload();
    this.countNew();
  }

  dispose() {
    kept.top = this.box.scrollTop;
    this.stop.abort();
    this.sizes.disconnect();
    this.pages?.dispose();
  }

  searchForm() {
    const later = debounce(() => this.search({}), TYPING_MS);
    this.words = h("input", { type: "search", class: "words", value: kept.text, placeholder: t("listHint"), "aria-label": t("listSearch"), autocomplete: "off", autocapitalize: "none", spellcheck: "false", enterkeyhint: "search",
      on: { input: (event) => { kept.text = event.target.value; if (!event.isComposing) later(); }, compositionend: (event) => { kept.text = event.target.value; later(); } } });
    this.chips = h("ul", { class: "chips", "aria-label": t("listUnderstood") });
    const quick = (key) => h("button", { type: "button", on: { click: () => this.add(t(key)) } }, t(key));
    this.onlyNew = h("button", { type: "button", "aria-pressed": String(kept.onlyNew), on: { click: () => this.toggleNew() } }, t("listOnlyNew"));
    this.modality = select(t("listModality"), [["", t("listAny")], ...MODALITIES.map((code) => [code, code])], "", (code) => this.chooseModality(code));
    this.tools = h("div", { class: "group" }, quick("listToday"), quick("listYesterday"), quick("listWeek"), this.modality, this.onlyNew, h("button", { type: "button", on: { click: () => this.clear() } }, t("listClear")));
    return h("form", { class: "search", role: "search", on: { submit: (event) => this.onSubmit(event) } }, this.words, this.tools, this.chips);
  }

  tableBox() {
    const head = COLUMNS.map(([key, sort, style]) => h("th", { scope: "col", class: style, dataset: { sort } },
      h("button", { type: "button", class: "sort", "aria-label": t("listSort", { column: t(key) }), on: { click: () => this.sortBy(sort) } }, t(key), h("span", { class: "arrow", "aria-hidden": "true" }))));
    this.heads = head;
    this.above = h("tr", { class: "space", "aria-hidden": "true" }, h("td", { colspan: COLUMNS.length }));
    this.below = h("tr", { class: "space", "aria-hidden": "true" }, h("td", { colspan: COLUMNS.length }));
    this.body = h("tbody", { on: { keydown: (event) => this.onRowKey(event), click: (event) => this.onRowClick(event), focusin: (event) => this.onRowFocus(event), mouseover: (event) => tellInFull(event.target.closest?.(".cut")) } }, this.above, this.below);
    this.table = h("table", { class: "studies", role: "grid", "aria-label": t("listTable") }, h("thead", {}, h("tr", {}, head)), this.body);
    this.message = h("div", { class: "list-message", hidden: true });
    const settle = debounce(() => { this.wantRows(); this.say(); }, SCROLL_MS);
    this.box = h("div", { class: "table-box", tabindex: "-1", on: { scroll: () => { this.draw(); settle(); } } }, this.table, this.message);
    return this.box;
  }

  foot() {
    this.status = h("p", { class: "list-status number", role: "status" });
    this.arrived = h("button", { type: "button", class: "primary", hidden: true, on: { click: () => this.showArrived() } });
    return h("div", { class: "list-foot" }, this.status, this.arrived, h("span", { class: "keys" }, t("listKeys")));
  }

  // The height of a row is the style sheet's: 34 pixels on a desk, more on a phone. It is measured, since fonts are not ours.
  watchSize() {
    this.sizes = new ResizeObserver(() => {
      this.rowHeight = parseFloat(getComputedStyle(this.table).getPropertyValue("--row-height")) || 34;
      this.draw({ anew: true });
      this.wantRows();
    });
    this.sizes.observe(this.box);
    this.rowHeight = parseFloat(getComputedStyle(this.table).getPropertyValue("--row-height")) || 34;
  }

  async offerUpload() {
    if (!(await mayUpload(this.stop.signal).catch(() => false)) || this.stop.signal.aborted) return;
    const { offerUpload } = await import("../upload/offer.js");
    if (!this.stop.signal.aborted) offerUpload(this.tools, this.box, this.stop.signal, () => this.search({ keep: true }));
  }

  // How many there are is said on the button itself.
  async countNew() {
    if (this.before === null) return;
    const answer = await searchList({ taken_in_after: this.before, limit: 0 }, this.stop.signal).catch(() => null);
    if (answer) this.onlyNew.textContent = t("listNewCount", { n: count(answer.total) });
  }

  onSubmit(event) {
    event.preventDefault();
    this.search({});
    this.focusRow(0);
  }

  /** Searches for what is in the field. With `keep`, the list stays at its place. */
  search({ keep = false }) {
    if (this.stop.signal.aborted) return;
    if (!keep) Object.assign(kept, { chosen: 0, top: 0 });
    const query = parse(kept.text);
    this.showChips(query);
    this.showSort();
    this.pages?.dispose();
    const asked = { terms: groups(query.tokens), sort: kept.sort, descending: kept.descending };
    if (kept.onlyNew && this.before !== null) asked.taken_in_after = this.before;
    let first = true;
    const pages = new Pages((offset, limit, signal) => searchList({ ...asked, offset, limit }, signal), (answer) => {
      if (this.pages !== pages && this.coming !== pages) return;
      // What was shown stays until the first page has come, so that nothing jumps.
      if (first) this.begin(pages, answer);
      first = false;
      this.draw({ anew: true });
    }, (error) => this.failed(error, pages));
    this.coming = pages;
    this.table.setAttribute("aria-busy", "true");
    this.status.textContent = t("loading");
    pages.want(Math.floor(kept.top / this.rowHeight), Math.floor(kept.top / this.rowHeight));
  }

  begin(pages, answer) {
    this.pages = pages;
    this.problem = null;
    this.asked_at = performance.now();
    this.newest = answer.last_sequence;
    sawUpTo(answer.last_sequence);
    if (this.before === null || this.before > answer.last_sequence) this.before = seenBefore();
    this.arrived.hidden = true;
    this.table.removeAttribute("aria-busy");
    this.table.setAttribute("aria-rowcount", String(answer.total + 1));
    this.message.hidden = answer.total > 0;
    if (!answer.total) fill(this.message, h("p", { class: "quiet" }, t("listNone")));
    this.draw({ anew: true });
    this.box.scrollTop = kept.top;
    this.wantRows();
  }

  failed(error, pages) {
    if (error.status === 401 || (this.coming !== pages && this.pages !== pages)) return;
    this.problem = error;
    this.table.removeAttribute("aria-busy");
    // Rows of another search must not stand under these conditions.
    this.pages?.dispose();
    this.pages = null;
    this.rows.clear();
    this.above.firstChild.style.height = this.below.firstChild.style.height = "0";
    fill(this.body, this.above, this.below);
    this.status.textContent = "";
    this.message.hidden = false;
    fill(this.message, problemBox(error, () => this.search({ keep: true })));
  }

  get total() {
    return Math.min(this.pages?.total ?? 0, DRAWN_ROWS_MAX);
  }

  wantRows() {
    if (!this.pages || !this.total) return;
    const { first, last } = this.sight();
    this.pages.want(first, last);
  }

  sight() {
    return inSight({ top: this.box.scrollTop, height: this.box.clientHeight, rowHeight: this.rowHeight, total: this.total, beyond: BEYOND });
  }

  /** Draws the rows in sight. Rows that are there already stay, with their focus. */
  draw({ anew = false } = {}) {
    if (!this.pages) return;
    const { first, last } = this.total ? this.sight() : { first: 0, last: -1 };
    if (!anew && first === this.shown.first && last === this.shown.last) return;
    const focused = this.body.contains(document.activeElement);
    const rows = new Map();
    for (let index = first; index <= last; index++) {
      const study = this.pages.row(index);
      const old = this.rows.get(index);
      rows.set(index, old && old.study === study && !anew ? old : { study, row: study ? studyRow(study, index, this.before) : emptyRow(index) });
    }
    this.rows = rows;
    this.shown = { first, last };
    this.above.firstChild.style.height = `${first * this.rowHeight}px`;
    this.below.firstChild.style.height = `${Math.max(0, this.total - 1 - last) * this.rowHeight}px`;
    fill(this.body, this.above, [...rows.values()].map(({ row }) => row), this.below);
    this.mark();
    if (focused) (this.rows.get(kept.chosen)?.row ?? this.box).focus({ preventScroll: true });
    // Reading where things lie makes the browser lay them out: not while it scrolls.
    if (anew) this.say();
  }

  say() {
    if (!this.total) {
      this.status.textContent = "";
      return;
    }
    const from = Math.min(this.total, Math.floor(this.box.scrollTop / this.rowHeight) + 1);
    const head = this.table.tHead.offsetHeight;
    const to = Math.min(this.total, Math.max(from, Math.floor((this.box.scrollTop + this.box.clientHeight - head) / this.rowHeight)));
    const complete = this.pages.answer.complete && this.pages.total <= DRAWN_ROWS_MAX;
    const said = t(complete ? "listRange" : "listRangeCut", { from: count(from), to: count(to), total: count(this.total) });
    if (this.status.textContent !== said) this.status.textContent = said;
  }

  // One row at a time can be reached by Tab; the arrows move it (roving tabindex).
  mark() {
    kept.chosen = Math.max(0, Math.min(kept.chosen, this.total - 1));
    for (const [index, { row }] of this.rows) {
      if (!row.dataset.address) continue;
      row.tabIndex = index === kept.chosen ? 0 : -1;
      row.classList.toggle("chosen", index === kept.chosen);
    }
  }

  focusRow(index) {
    if (!this.total) return;
    kept.chosen = Math.max(0, Math.min(this.total - 1, index));
    const head = this.table.tHead.offsetHeight;
    const top = kept.chosen * this.rowHeight;
    const height = this.box.clientHeight - head;
    if (top < this.box.scrollTop) this.box.scrollTop = top;
    else if (top + this.rowHeight > this.box.scrollTop + height) this.box.scrollTop = top + this.rowHeight - height;
    this.draw();
    this.mark();
    (this.rows.get(kept.chosen)?.row ?? this.box).focus({ preventScroll: true });
    this.wantRows();
  }

  onRowFocus(event) {
    const index = Number(event.target.closest?.("tr[data-address]")?.dataset.index ?? NaN);
    if (Number.isNaN(index) || index === kept.chosen) return;
    kept.chosen = index;
    this.mark();
  }

  onRowClick(event) {
    const row = event.target.closest("tr[data-address]");
    // A link opens by itself, in another tab too where that is asked for.
    if (row && !event.target.closest("a") && !String(getSelection())) this.open(Number(row.dataset.index));
  }

  // Until a search is answered the rows are those of the one before: Enter twice must not open one of them.
  openChosen() {
    if (this.pages && this.pages === this.coming) this.open(kept.chosen);
  }

  open(index) {
    kept.chosen = index;
    const study = this.pages?.row(index);
    if (study) location.hash = addressOf(study);
  }

  onRowKey(event) {
    const page = Math.max(1, Math.floor(this.box.clientHeight / this.rowHeight) - 2);
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity }[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (step) this.focusRow(kept.chosen + step);
    else if (event.key === "Enter") this.openChosen();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  onPageKey(event) {
    const typing = event.target.matches?.("input, select, textarea, dialog *");
    if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/" && !typing) this.words.select();
    else if (event.key === "ArrowDown" && event.target === this.words) this.focusRow(kept.chosen);
    else if (event.key === "ArrowDown" && (event.target === document.body || event.target === this.box)) this.focusRow(kept.chosen);
    else if (event.key === "Enter" && event.target === document.body) this.openChosen();
    else return;
    event.preventDefault();
  }

  showChips(query) {
    const chip = (label, value, remove) => h("li", {}, h("button", { type: "button", class: "chip", "aria-label": t("listRemove", { what: `${label} ${value}` }), on: { click: remove } },
      h("span", { class: "faint" }, label), h("span", {}, value), h("span", { class: "cross", "aria-hidden": "true" }, "×")));
    const tokens = query.tokens.map((token) => chip(t(KINDS[token.kind]), token.label, () => this.setText(without(query, token))));
    if (kept.onlyNew) tokens.push(chip("", t("listKindNew"), () => this.toggleNew()));
    fill(this.chips, tokens);
    const modality = query.tokens.find(({ kind }) => kind === "modality")?.label ?? "";
    this.modality.querySelector("select").value = MODALITIES.includes(modality) ? modality : "";
  }

  setText(text) {
    this.words.value = kept.text = text;
    this.search({});
    this.words.focus();
  }

  add(word) {
    if (parse(kept.text).tokens.some((token) => kept.text.normalize("NFKC").slice(token.from, token.to) === word)) return;
    // A day takes the place of another day.
    const query = parse(kept.text);
    const other = query.tokens.find(({ kind }) => kind === "study");
    this.words.value = kept.text = `${other ? without(query, other) : kept.text} ${word}`.trim();
    this.search({});
  }

  chooseModality(code) {
    const query = parse(kept.text);
    const other = query.tokens.find(({ kind }) => kind === "modality");
    this.words.value = kept.text = `${other ? without(query, other) : kept.text} ${code}`.trim();
    this.search({});
  }

  toggleNew() {
    kept.onlyNew = !kept.onlyNew;
    this.onlyNew.setAttribute("aria-pressed", String(kept.onlyNew));
    this.search({});
  }

  clear() {
    kept.onlyNew = false;
    this.onlyNew.setAttribute("aria-pressed", "false");
    this.words.value = kept.text = "";
    this.search({});
  }

  sortBy(sort) {
    const newestFirst = ["study_date", "received", "instances"].includes(sort);
    kept.descending = kept.sort === sort ? !kept.descending : newestFirst;
    kept.sort = sort;
    this.search({});
  }

  showSort() {
    for (const head of this.heads) {
      if (head.dataset.sort === kept.sort) head.setAttribute("aria-sort", kept.descending ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
  }

  /** When the page is looked at again, says how many studies have come meanwhile. */
  async askWhatCame() {
    if (document.hidden || !this.newest || performance.now() - this.asked_at < ASK_AGAIN_MS) return;
    this.asked_at = performance.now();
    const answer = await searchList({ taken_in_after: this.newest, limit: 0 }, this.stop.signal).catch(() => null);
    if (!answer?.total || this.stop.signal.aborted) return;
    this.arrived.textContent = t("listArrived", { n: count(answer.total) });
    this.arrived.hidden = false;
  }

  showArrived() {
    this.search({});
    this.box.focus();
  }
}

// What is cut off in a narrow column is told in full to who rests on it.
function tellInFull(cell) {
  if (cell && !cell.title && cell.scrollWidth > cell.clientWidth) cell.title = cell.textContent;
}
