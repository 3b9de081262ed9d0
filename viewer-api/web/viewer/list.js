// The study list: search as you type, a page at a time, by keyboard all the way.

import { searchKeys, searchStudies } from "./api.js";
import { debounce, fill, h, select } from "./dom.js";
import { ageAt, formatDate, formatTime, personName, text, values } from "./dicom.js";
import { language, t } from "./i18n.js";
import { problemBox } from "./problem.js";

const PAGE_ROWS = 50;
const TYPING_MS = 250;
const MODALITIES = ["CT", "MR", "DX", "CR", "MG", "RF", "XA", "US", "PT", "NM", "ES", "OP", "ECG", "SR", "DOC", "OT"];
const EMPTY = { words: "", from: "", to: "", modality: "", accession: "" };

// Kept while the page lives, so that coming back from a study finds the list as it was left. Not in the address, not stored.
const kept = { search: { ...EMPTY }, offset: 0, chosen: 0 };

/** Shows the list in `main`. Returns `{dispose}`. */
export function showList(main, place) {
  const list = new StudyList(main);
  fill(place, h("span", { class: "crumb" }, t("studies")));
  list.load();
  return list;
}

class StudyList {
  constructor(main) {
    this.stop = new AbortController();
    this.fetching = null;
    this.rows = [];
    this.body = h("tbody", { on: { keydown: (event) => this.onRowKey(event) } });
    this.status = h("p", { class: "list-status", role: "status" });
    this.before = h("button", { type: "button", on: { click: () => this.turn(-PAGE_ROWS) } }, t("previousPage", { n: PAGE_ROWS }));
    this.after = h("button", { type: "button", on: { click: () => this.turn(PAGE_ROWS) } }, t("nextPage", { n: PAGE_ROWS }));
    fill(main, h("div", { class: "list" }, this.searchForm(),
      h("div", { class: "table-box" }, this.table()),
      h("div", { class: "list-foot" }, this.status, h("span", { class: "keys" }, t("keysList")), this.before, this.after)));
    document.addEventListener("keydown", (event) => this.onPageKey(event), { signal: this.stop.signal });
  }

  dispose() {
    this.stop.abort();
    this.fetching?.abort();
  }

  searchForm() {
    const later = debounce(() => this.search(), TYPING_MS);
    const input = (key, type, label, extra = {}) => h("label", { class: "field" }, h("span", {}, label), h("input", {
      type, value: kept.search[key], autocomplete: "off", spellcheck: "false", ...extra,
      on: { input: (event) => { kept.search[key] = event.target.value; if (!event.isComposing) later(); }, compositionend: later },
    }));
    this.words = input("words", "search", t("searchWords"), { placeholder: t("searchHint"), class: "words" });
    const modality = select(t("searchModality"), [["", t("searchAny")], ...MODALITIES.map((name) => [name, name])], kept.search.modality,
      (value) => { kept.search.modality = value; this.search(); });
    return h("form", { class: "search", role: "search", on: { submit: (event) => this.onSubmit(event) } }, this.words,
      input("from", "date", t("searchFrom")), input("to", "date", t("searchTo")), modality,
      input("accession", "text", t("searchAccession"), { size: "12" }),
      h("button", { type: "button", on: { click: () => this.clear() } }, t("searchClear")));
  }

  table() {
    const heads = ["columnName", "columnId", "columnBirth", "columnSex", "columnDate", "columnModality", "columnDescription", "columnAccession", "columnCounts"];
    return h("table", { class: "studies" }, h("thead", {}, h("tr", {}, heads.map((key) => h("th", { scope: "col" }, t(key))))), this.body);
  }

  onSubmit(event) {
    event.preventDefault();
    this.search();
    this.focusRow(0);
  }

  search() {
    if (this.stop.signal.aborted) return;
    kept.offset = 0;
    kept.chosen = 0;
    this.load();
  }

  clear() {
    Object.assign(kept.search, EMPTY);
    const form = this.words.closest("form");
    for (const box of form.querySelectorAll("input, select")) box.value = "";
    this.search();
  }

  turn(rows) {
    kept.offset = Math.max(0, kept.offset + rows);
    kept.chosen = 0;
    this.load().then(() => this.focusRow(0));
  }

  async load() {
    this.fetching?.abort();
    const fetching = this.fetching = new AbortController();
    this.status.textContent = t("loading");
    try {
      // One row more than is shown tells whether there is a next page.
      const found = await searchStudies(searchKeys(kept.search, { limit: PAGE_ROWS + 1, offset: kept.offset }), fetching.signal);
      if (fetching.signal.aborted) return;
      this.show(found.slice(0, PAGE_ROWS), found.length > PAGE_ROWS);
    } catch (error) {
      if (error.name === "AbortError" || error.status === 401) return;
      this.rows = [];
      this.status.textContent = "";
      fill(this.body, h("tr", { class: "none" }, h("td", { colspan: 9 }, problemBox(error, () => this.load()))));
    }
  }

  show(found, more) {
    this.rows = found.map((study, index) => this.row(study, index));
    fill(this.body, this.rows.length ? this.rows : h("tr", { class: "none" }, h("td", { colspan: 9 }, t("rangeNone"))));
    this.status.textContent = found.length ? t("range", { from: kept.offset + 1, to: kept.offset + found.length }) : "";
    this.before.disabled = kept.offset === 0;
    this.after.disabled = !more;
    kept.chosen = Math.min(kept.chosen, Math.max(0, this.rows.length - 1));
    this.mark(kept.chosen);
  }

  row(study, index) {
    const address = `#/study/${text(study, "StudyInstanceUID")}`;
    const date = text(study, "StudyDate");
    const birth = text(study, "PatientBirthDate");
    const age = ageAt(birth, date);
    const cell = (label, ...children) => h("td", { dataset: { label } }, ...children);
    return h("tr", { tabindex: "-1", dataset: { address }, on: { click: () => open(address), focus: () => this.mark(index) } },
      h("th", { scope: "row" }, nameCell(study, address)),
      cell(t("columnId"), h("span", { class: "number long" }, text(study, "PatientID"))),
      cell(t("columnBirth"), h("span", { class: "number" }, formatDate(birth)), age === null ? "" : h("span", { class: "faint" }, t("years", { n: age }))),
      cell(t("columnSex"), sex(text(study, "PatientSex"))),
      cell(t("columnDate"), h("span", { class: "number" }, formatDate(date) || t("noDate")), h("span", { class: "faint number" }, formatTime(text(study, "StudyTime")))),
      cell(t("columnModality"), values(study, "ModalitiesInStudy").map((name) => h("span", { class: "modality" }, name))),
      cell(t("columnDescription"), text(study, "StudyDescription")),
      cell(t("columnAccession"), h("span", { class: "number long" }, text(study, "AccessionNumber"))),
      cell(t("columnCounts"), h("span", { class: "number" }, `${text(study, "NumberOfStudyRelatedSeries")} / ${text(study, "NumberOfStudyRelatedInstances")}`)));
  }

  // One row at a time can be reached by Tab; the arrows move it (roving tabindex).
  mark(index) {
    kept.chosen = index;
    this.rows.forEach((row, at) => {
      row.tabIndex = at === index ? 0 : -1;
      row.classList.toggle("chosen", at === index);
    });
  }

  focusRow(index) {
    const at = Math.max(0, Math.min(this.rows.length - 1, index));
    this.rows[at]?.focus();
  }

  onRowKey(event) {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -PAGE_ROWS, End: PAGE_ROWS }[event.key];
    if (step) this.focusRow(kept.chosen + step);
    else if (event.key === "Enter" && event.target.dataset.address) open(event.target.dataset.address);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  onPageKey(event) {
    const typing = event.target.matches?.("input, select, textarea");
    if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/" && !typing) this.words.querySelector("input").select();
    else if (event.key === "ArrowDown" && (!typing || event.target.type === "search")) this.focusRow(kept.chosen);
    else if (event.key === "Enter" && event.target === document.body) this.rows[kept.chosen]?.click();
    else return;
    event.preventDefault();
  }
}

function open(address) {
  location.hash = address;
}

function nameCell(study, address) {
  const name = personName(values(study, "PatientName")[0], language());
  return [h("a", { class: "name", href: address, tabindex: "-1" }, name.primary || t("noName")),
    name.others.length ? h("span", { class: "faint" }, name.others.join("　")) : ""];
}

/** Patient's Sex (PS3.3 C.7.1.1) as a word. */
export function sex(value) {
  return ["M", "F", "O"].includes(value) ? t(`sex${value}`) : value;
}
