// What is said about an ECG besides the verdict: findings by typing, free text, urgent. Safe with an input method: a key that belongs to a
// composition (W3C UI Events §3.8) is never a command.

import { fill, h } from "../dom.js";
import { language, t } from "../i18n.js";
import { findCodes } from "./codes.js";

const TEXT_CHARS_MAX = 2000;
const FINDINGS_MAX = 32;

/** Whether a key event belongs to an input method. */
export const composing = (event) => event.isComposing || event.keyCode === 229;

/** The form; `leave()` is called when the reader is done typing. */
export class VerdictForm {
  constructor({ leave }) {
    Object.assign(this, { leave, codes: [], chosen: [], urgent: false, found: [], at: 0 });
    this.field = h("input", { type: "text", role: "combobox", "aria-expanded": "false", "aria-controls": "reading-codes", "aria-autocomplete": "list", "aria-label": t("readingFindings"), "aria-keyshortcuts": "F",
      autocomplete: "off", spellcheck: "false", placeholder: t("readingFindingsHint"), on: { input: () => this.look(), keydown: (event) => this.onFieldKey(event), blur: () => this.close() } });
    this.options = h("ul", { class: "reading-codes", id: "reading-codes", role: "listbox", "aria-label": t("readingFindings"), hidden: true });
    this.chips = h("ul", { class: "reading-chips" });
    this.note = h("textarea", { rows: 3, maxlength: TEXT_CHARS_MAX, "aria-label": t("readingText"), "aria-keyshortcuts": "N", placeholder: t("readingTextHint"), autocomplete: "off", on: { keydown: (event) => this.onNoteKey(event) } });
    this.flag = h("button", { type: "button", class: "reading-urgent", "aria-pressed": "false", "aria-keyshortcuts": "U", on: { click: () => { this.setUrgent(!this.urgent); this.leave(); } } }, t("readingUrgent"));
    this.element = h("section", { class: "reading-form", "aria-label": t("readingForm") }, h("label", {}, h("span", {}, t("readingFindings"), h("kbd", {}, "F")), this.field), this.options, this.chips,
      h("label", {}, h("span", {}, t("readingText"), h("kbd", {}, "N")), this.note), h("p", {}, this.flag, h("kbd", {}, "U")));
  }

  /** Shows `{findings, text, urgent}`, by default nothing. */
  reset({ findings = [], text = "", urgent = false } = {}) {
    this.chosen = [...findings];
    this.note.value = text;
    this.field.value = "";
    this.close();
    this.setUrgent(urgent);
    this.showChips();
  }

  /** What is said now. Text still being composed is taken as it stands. */
  get said() {
    return { findings: [...this.chosen], text: this.note.value.trim(), urgent: this.urgent };
  }

  setUrgent(urgent) {
    this.urgent = urgent;
    this.flag.setAttribute("aria-pressed", String(urgent));
  }

  showChips() {
    if (!this.chosen.length && !this.chips.childElementCount) return;
    fill(this.chips, this.chosen.map((code) => h("li", {}, h("span", { class: "number" }, code), ` ${this.wordOf(code)}`,
      h("button", { type: "button", "aria-label": t("readingRemove", { code }), on: { click: () => this.remove(code) } }, "×"))));
  }

  wordOf(code) {
    return this.codes.find((one) => one.code === code)?.[language()] ?? "";
  }

  remove(code) {
    this.chosen = this.chosen.filter((one) => one !== code);
    this.showChips();
    this.leave();
  }

  look() {
    this.found = findCodes(this.codes, this.field.value, this.chosen);
    this.at = 0;
    this.showOptions();
  }

  showOptions() {
    this.options.hidden = !this.found.length;
    this.field.setAttribute("aria-expanded", String(this.found.length > 0));
    fill(this.options, this.found.map((one, at) => h("li", { role: "option", id: `reading-code-${at}`, "aria-selected": String(at === this.at), on: { pointerdown: (event) => { event.preventDefault(); this.add(one.code); } } },
      h("span", { class: "number" }, one.code), ` ${one[language()]}`, one.urgent && h("strong", { class: "error" }, ` ${t("readingUrgent")}`))));
    if (this.found.length) this.field.setAttribute("aria-activedescendant", `reading-code-${this.at}`);
    else this.field.removeAttribute("aria-activedescendant");
  }

  close() {
    this.found = [];
    this.showOptions();
  }

  add(code) {
    if (this.chosen.length < FINDINGS_MAX) this.chosen.push(code);
    this.field.value = "";
    this.close();
    this.showChips();
  }

  onFieldKey(event) {
    if (composing(event)) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && this.found.length) {
      this.at = (this.at + step + this.found.length) % this.found.length;
      this.showOptions();
    } else if (event.key === "Enter" && this.found.length) this.add(this.found[this.at].code);
    else if (event.key === "Escape" || (event.key === "Enter" && !this.field.value)) this.leave();
    else if (event.key === "Backspace" && !this.field.value && this.chosen.length) {
      this.chosen.pop();
      this.showChips();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  onNoteKey(event) {
    if (composing(event)) return;
    if (event.key === "Escape" || (event.key === "Enter" && (event.ctrlKey || event.metaKey))) {
      this.leave();
      event.preventDefault();
      event.stopPropagation();
    }
  }
}
