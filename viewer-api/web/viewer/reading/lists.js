// The worklists: what waits to be read, to be read a second time, to be decided. By keyboard all the way.

import { fill, h, select } from "../dom.js";
import { t } from "../i18n.js";
import { problem, problemBox } from "../problem.js";
import { askToSignIn, createWorklist, worklists } from "./service.js";

const COLUMNS = ["readingName", "readingModality", "readingTotal", "readingUnread", "readingSecond", "readingAdjudication", "readingMine", "readingGo"];

/** The page of worklists in `main`. */
export class Lists {
  constructor(main) {
    this.stop = new AbortController();
    this.body = h("tbody", { on: { keydown: (event) => this.onKey(event) } });
    this.status = h("p", { class: "reading-count", role: "status" });
    fill(main, h("div", { class: "reading-lists" }, h("div", { class: "reading-box" },
      h("table", { class: "reading-table" }, h("thead", {}, h("tr", {}, COLUMNS.map((key) => h("th", { scope: "col" }, t(key))))), this.body), this.maker()),
    h("div", { class: "reading-foot" }, this.status, h("span", { class: "faint small" }, t("readingListKeys")))));
    this.load();
  }

  dispose() {
    this.stop.abort();
  }

  async load() {
    this.status.textContent = t("loading");
    try {
      this.show(await worklists(this.stop.signal));
    } catch (error) {
      if (this.stop.signal.aborted) return;
      this.status.textContent = "";
      if (error.status === 401) return void askToSignIn();
      fill(this.body, h("tr", { class: "none" }, h("td", { colspan: COLUMNS.length }, error.status === 404 ? h("p", { class: "quiet" }, t("readingAbsent")) : problemBox(error, () => this.load()))));
    }
  }

  show(lists) {
    this.rows = lists.map((list, at) => this.row(list, at));
    fill(this.body, lists.length ? this.rows : h("tr", { class: "none" }, h("td", { colspan: COLUMNS.length }, t("readingNoLists"))));
    this.status.textContent = lists.length ? t("readingListCount", { n: lists.length }) : "";
    this.rows[0]?.focus();
  }

  row(list, at) {
    const number = (value) => h("td", {}, h("span", { class: "number" }, value ?? 0));
    const address = `#/reading/${encodeURIComponent(list.id)}`;
    const toRead = (list.unread ?? 0) + (list.awaiting_second ?? 0) + (list.held ?? 0);
    return h("tr", { tabindex: at ? "-1" : "0", dataset: { address } }, h("th", { scope: "row" }, h("a", { class: "name", href: address }, list.name)),
      h("td", {}, h("span", { class: "reading-modality" }, list.modality)), number(list.total), number(list.unread), number(list.awaiting_second), number(list.awaiting_adjudication), number(list.mine),
      h("td", {}, h("span", { class: "group" }, h("a", { class: toRead ? "button primary" : "button", href: address }, t("readingRead")),
        list.awaiting_adjudication > 0 && h("a", { class: "button", href: `${address}/adjudication` }, t("readingDecide")))));
  }

  onKey(event) {
    const row = event.target.closest("tr[data-address]");
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!row || event.target.closest("a")) return;
    if (step) (step > 0 ? row.nextElementSibling : row.previousElementSibling)?.focus();
    else if (event.key === "Enter") location.hash = row.dataset.address;
    else return;
    event.preventDefault();
  }

  // Making a worklist is an administrator's; the server says so to anybody else.
  maker() {
    const field = (key, type, extra = {}) => h("label", { class: "field" }, h("span", {}, t(key)), h("input", { type, name: key, ...extra }));
    const message = h("p", { class: "error", role: "alert" });
    let double = "device-abnormal";
    const form = h("form", { on: { submit: async (event) => {
      event.preventDefault();
      const of = (name) => form.elements[name].value;
      const day = (name) => of(name).replaceAll("-", "") || undefined;
      try {
        await createWorklist({ name: of("readingName"), modality: "ECG", from: day("readingFrom"), to: day("readingTo"), double });
        message.textContent = "";
        this.load();
      } catch (error) {
        message.textContent = error.status === 400 && error.message ? error.message : problem(error);
      }
    } } }, field("readingName", "text", { required: true, maxlength: 200, autocomplete: "off" }), field("readingFrom", "date"), field("readingTo", "date"),
    select(t("readingDouble"), [["device-abnormal", t("readingDoubleAbnormal")], ["all", t("readingDoubleAll")], ["none", t("readingDoubleNone")]], double, (value) => { double = value; }),
    h("button", { type: "submit" }, t("readingMake")), message);
    return h("details", { class: "reading-make" }, h("summary", {}, t("readingMakeTitle")), form);
  }
}
