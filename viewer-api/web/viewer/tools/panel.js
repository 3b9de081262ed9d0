// The list beside the images: measurements, key images, what the archive holds, and saving.

import { fill, h, styleSheet } from "../dom.js";
import { t } from "../i18n.js";
import { problem } from "../problem.js";
import { askText } from "./text.js";

const KINDS = { length: "toolsLength", angle: "toolsAngle", cobb: "toolsCobb", ellipse: "toolsEllipse", probe: "toolsProbe", arrow: "toolsArrow", text: "toolsText", outline: "toolsOutline" };
const DOCUMENTS = { report: "toolsDocumentReport", state: "toolsDocumentState", keys: "toolsDocumentKeys" };

/** Opens the list, or closes it. */
export async function togglePanel(desk) {
  if (desk.panel) return desk.panel.remove();
  await styleSheet(new URL("./tools.css", import.meta.url));
  desk.panel = new Panel(desk);
}

class Panel {
  constructor(desk) {
    this.desk = desk;
    this.stop = new AbortController();
    this.body = h("div", { class: "tools-lists" });
    this.message = h("p", { role: "status", class: "tools-message" });
    this.person = h("input", { type: "text", maxlength: 64, autocomplete: "off", "aria-label": t("toolsPerson"), value: desk.person ?? "" });
    this.button = h("button", { type: "button", class: "primary", dataset: { action: "save-marks" }, on: { click: () => this.save() } }, t("toolsSave"));
    this.element = h("aside", { class: "tools-panel", "aria-label": t("toolsPanel"), dataset: { keys: "" }, on: { keydown: (event) => this.onKey(event) } },
      h("header", {}, h("h2", {}, t("toolsPanel")), h("button", { type: "button", "aria-label": t("close"), on: { click: () => this.remove() } }, "×")),
      this.body, h("footer", {}, h("label", { class: "field" }, h("span", {}, t("toolsPerson")), this.person), this.button, this.message));
    desk.room.grid.parentElement.append(this.element);
    desk.addEventListener("change", () => this.show(), { signal: this.stop.signal });
    this.proposePerson();
    this.show();
    this.element.querySelector("header button").focus();
  }

  remove() {
    this.stop.abort();
    this.element.remove();
    this.desk.panel = null;
  }

  // The name of the credential stands until the reader writes another; it is kept nowhere but on this page.
  async proposePerson() {
    if (this.person.value) return;
    const answer = await fetch("/session", { credentials: "same-origin", signal: this.stop.signal }).catch(() => null);
    const { name = "" } = answer?.ok ? await answer.json().catch(() => ({})) : {};
    this.person.value ||= name.slice(0, 64);
  }

  onKey(event) {
    if (event.key === "Escape") this.remove();
  }

  show() {
    const { desk } = this;
    const marks = desk.book.all;
    const focused = document.activeElement?.closest?.("[data-focus]")?.dataset.focus;
    fill(this.body, this.group(t("toolsMeasurements"), marks.map((mark) => this.mark(mark)), t("toolsNone")),
      this.group(t("toolsKeys"), desk.keys.all.map((frame) => this.key(frame)), t("toolsNoKeys")),
      this.group(t("toolsSaved"), desk.documents.map((one) => this.document(one)), t(desk.unread.size ? "toolsUnread" : "toolsNoSaved"),
        desk.unread.size > 0 && h("button", { type: "button", dataset: { focus: "again" }, on: { click: () => desk.readAgain() } }, t("retry"))));
    if (focused) [...this.body.querySelectorAll("[data-focus]")].find((one) => one.dataset.focus === focused)?.focus();
    const allowed = desk.room.manifest.offers.annotate !== false;
    this.button.disabled = desk.saving || !desk.dirty || !allowed;
    if (!allowed) fill(this.message, t("toolsNotAllowed"));
  }

  group(title, rows, none, more = null) {
    return h("section", {}, h("h3", {}, title), rows.length ? h("ul", {}, rows) : h("p", { class: "faint" }, none), more);
  }

  mark(mark) {
    const { desk } = this;
    const reason = mark.said ? null : desk.valuesOf(mark).reason;
    const lines = desk.lines(mark);
    const go = h("button", { type: "button", class: "tools-go", dataset: { focus: `go ${mark.id}` }, on: { click: () => this.goTo(mark.key, mark.id) } },
      h("span", { class: "tools-kind" }, t(KINDS[mark.kind])), h("span", { class: "number" }, lines.length ? lines.map((line) => h("span", {}, line)) : "–"), h("span", { class: "faint number" }, this.place(mark.key, mark.frame)));
    return h("li", { class: mark.id === desk.book.selected ? "selected" : mark.saved ? "saved" : null, title: reason ? t(reason) : null }, go,
      mark.saved ? null : h("span", { class: "group" },
        h("button", { type: "button", dataset: { focus: `text ${mark.id}` }, "aria-label": t("toolsRemark"), title: t("toolsRemark"), on: { click: () => this.remark(mark) } }, "✎"),
        h("button", { type: "button", dataset: { focus: `remove ${mark.id}` }, "aria-label": t("toolsRemove"), title: t("toolsRemove"), on: { click: () => desk.book.remove(mark.id) } }, "×")));
  }

  place(key, drawnOn = null) {
    if (drawnOn?.derived) return t("toolsOnCut");
    const frame = this.desk.frameOf(key);
    return frame ? t("toolsPlace", { series: frame.series.SeriesNumber ?? "–", image: Number(frame.instance.NumberOfFrames) > 1 ? frame.number : frame.instance.InstanceNumber ?? "–" }) : t("toolsElsewhere");
  }

  async remark(mark) {
    const text = await askText(t("toolsAskText"), mark.text);
    if (text) this.desk.book.retext(mark.id, text);
  }

  goTo(key, id = null) {
    if (!this.desk.goTo(key)) return fill(this.message, t(this.desk.book.get(id)?.frame?.derived ? "toolsOnCut" : "toolsElsewhere"));
    if (id) this.desk.book.select(id);
  }

  key(frame) {
    return h("li", {}, h("button", { type: "button", class: "tools-go", dataset: { focus: `key ${frame.key}` }, on: { click: () => this.goTo(frame.key) } }, h("span", { class: "tools-kind" }, "★"), h("span", { class: "number" }, this.place(frame.key))),
      h("button", { type: "button", "aria-label": t("toolsRemove"), title: t("toolsRemove"), on: { click: () => this.desk.keys.toggle(frame) } }, "×"));
  }

  document(one) {
    const box = one.kind === "keys" ? null : h("input", { type: "checkbox", dataset: { focus: `show ${one.reference.instance}` }, on: { change: () => this.desk.toggle(one, box.checked) } });
    if (box) box.checked = one.shown;
    const title = h("span", {}, h("span", { class: "tools-kind" }, t(DOCUMENTS[one.kind])), h("span", {}, one.title), h("span", { class: "faint number" }, one.when));
    const more = this.desk.canContinue(one) ? h("button", { type: "button", on: { click: () => this.desk.continueFrom(one) } }, t("toolsContinue"))
      : one.kind === "state" ? h("button", { type: "button", on: { click: () => this.desk.apply(one) } }, t("toolsApply"))
      : one.kind === "keys" ? h("span", { class: "group" }, one.keys.map((key, at) => h("button", { type: "button", "aria-label": t("toolsKey", { n: at + 1 }), on: { click: () => this.goTo(key) } }, String(at + 1)))) : null;
    return h("li", { class: "tools-document" }, h("label", {}, box, title), more);
  }

  async save() {
    const { desk } = this;
    desk.saving = true;
    desk.person = this.person.value.trim();
    this.show();
    fill(this.message, t("toolsSaving"));
    try {
      const { saveAll } = await import("./saving.js");
      const count = await saveAll(desk, { person: desk.person });
      fill(this.message, t("toolsSavedNow", { n: count }));
    } catch (error) {
      fill(this.message, h("span", { class: "error", role: "alert" }, t("toolsSaveFailed", { reason: error.status === 403 ? t("toolsNotAllowed") : problem(error) })));
    } finally {
      desk.saving = false;
      this.show();
    }
  }
}
