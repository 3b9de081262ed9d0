// The dialog of a sending: what is to be sent, how far it is, what went wrong, and at the end the receipt.

import { fill, h, select } from "../dom.js";
import { t } from "../i18n.js";
import { dropped, gather, whyOf } from "./gather.js";
import { CLOCK, Sending } from "./queue.js";
import { programmeName, programmes, receiptView, saveReceipt, saveRecord } from "./receipt.js";
import * as transport from "./transport.js";

/** Lines of a list that are drawn. */
const LINES_MAX = 200;
const BATCH = /^[A-Za-z0-9._-]{1,64}$/;

/** Opens the dialog; `roots` are entries or Files that were dropped, `[]` for none yet. */
export function openPanel({ roots, onSent }) {
  const panel = new Panel(onSent);
  document.body.append(panel.dialog);
  panel.dialog.showModal();
  if (roots.length) panel.take(roots);
  return panel;
}

class Panel {
  constructor(onSent) {
    Object.assign(this, { onSent, found: null, sending: null, also: false });
    this.stop = new AbortController();
    this.programme = programmes[0];
    this.batch = `web-${new Date().toISOString().slice(0, 10).replaceAll("-", "")}-${[...crypto.getRandomValues(new Uint8Array(6))].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
    this.body = h("div", { class: "upload-body" });
    this.feet = h("div", { class: "upload-feet" });
    this.said = h("p", { class: "upload-said", role: "status" });
    this.dialog = h("dialog", { class: "upload", "aria-labelledby": "upload-title", on: {
      // Escape does not stop what is being sent; asked twice, browsers close without asking.
      cancel: (event) => this.isOpen() && event.preventDefault(),
      close: () => this.end(),
      dragover: (event) => { event.preventDefault(); }, drop: (event) => this.onDrop(event),
    } }, h("h2", { id: "upload-title" }, t("uploadTitle")), this.said, this.body, this.feet);
    this.askForFiles();
  }

  onDrop(event) {
    event.preventDefault();
    event.stopPropagation();
    const roots = dropped(event.dataTransfer);
    if (!this.sending && roots.length) this.take(roots);
  }

  askForFiles() {
    const chooser = (label, attributes) => {
      const input = h("input", { type: "file", multiple: true, class: "chooser", "aria-label": t(label), ...attributes, on: { change: () => input.files.length && this.take([...input.files]) } });
      return h("label", { class: "button" }, t(label), input);
    };
    fill(this.body, h("p", {}, t("uploadWhat")), h("div", { class: "group" }, chooser("uploadChooseFolder", { webkitdirectory: true }), chooser("uploadChooseFiles", {})));
    fill(this.feet, this.button("uploadCancel", () => this.close()));
  }

  button(key, act, props = {}) {
    return h("button", { type: "button", ...props, on: { click: act } }, t(key));
  }

  async take(roots) {
    fill(this.feet, this.button("uploadCancel", () => this.close()));
    let told = 0;
    const tell = (found) => {
      if (performance.now() - told < 200) return;
      told = performance.now();
      this.said.textContent = t("uploadGathering", { files: found.files.length.toLocaleString(), bytes: size(found.bytes) });
    };
    try {
      this.found = await gather(roots, { onProgress: tell, signal: this.stop.signal });
    } catch {
      return;
    }
    this.showFound();
  }

  toSend() {
    return this.also ? [...this.found.files, ...this.found.leftOut] : this.found.files;
  }

  showFound() {
    const { leftOut, unread, tooMany } = this.found;
    const files = this.toSend();
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    this.said.textContent = tooMany ? t("uploadTooMany", { n: files.length.toLocaleString() }) : files.length ? t("uploadReady", { files: files.length.toLocaleString(), bytes: size(bytes) }) : t("uploadNothing");
    const batch = h("input", { type: "text", value: this.batch, "aria-label": t("uploadBatch"), spellcheck: "false", autocomplete: "off", title: t("uploadBatchHow"), on: { input: () => { this.batch = batch.value.trim(); begin.disabled = !BATCH.test(this.batch); } } });
    const also = h("input", { type: "checkbox", on: { change: () => { this.also = also.checked; this.showFound(); } } });
    also.checked = this.also;
    const begin = this.button("uploadStart", () => this.begin(), { class: "primary", disabled: !files.length || tooMany });
    fill(this.body,
      h("div", { class: "upload-form" }, select(t("uploadProgramme"), programmes.map((code) => [code, programmeName(code)]), this.programme, (code) => { this.programme = code; }), h("label", { class: "field" }, h("span", {}, t("uploadBatch")), batch)),
      h("p", { class: "faint" }, t("uploadBatchHow")),
      leftOut.length ? h("div", {}, h("label", { class: "check" }, also, t("uploadAlsoOthers")), this.list(t("uploadLeftOut", { n: leftOut.length.toLocaleString() }), leftOut.map(({ name, key }) => [name, t(key)]))) : "",
      unread.length ? this.list(t("uploadUnread", { n: unread.length }), unread.map(({ name, why }) => [name, said(why)]), true) : "");
    fill(this.feet, begin, this.button("uploadCancel", () => this.close()));
    begin.focus();
  }

  list(title, lines, open = false) {
    return h("details", { class: "upload-list", open }, h("summary", {}, title), h("ul", {}, lines.slice(0, LINES_MAX).map(([name, why, next]) => h("li", {}, h("span", {}, name), h("span", { class: "faint" }, [why, next].filter(Boolean).join(" ")))),
      lines.length > LINES_MAX ? h("li", { class: "faint" }, t("uploadMore", { n: (lines.length - LINES_MAX).toLocaleString() })) : ""));
  }

  begin() {
    this.hasher = new Hasher();
    this.sending = new Sending({ files: this.toSend(), batch: this.batch, programme: this.programme, transport, clock: CLOCK, whyUnread: whyOf, digest: (blob) => this.hasher.digest(blob) });
    const signal = this.stop.signal;
    this.bar = h("div", { class: "upload-bar", role: "progressbar", "aria-label": t("uploadProgress"), "aria-valuemin": "0", "aria-valuemax": "100" }, h("div", { class: "done" }), h("div", { class: "on-the-way" }));
    this.line = h("p", { class: "number" });
    this.speed = h("p", { class: "number faint" });
    this.counts = h("dl", { class: "upload-counts" });
    this.problems = h("div", {});
    fill(this.body, h("p", { class: "faint" }, `${t("uploadBatch")} ${this.batch}`), this.bar, this.line, this.speed, this.counts, this.problems);
    // Drawn with the screen, not with each event: thousands may come in a second.
    let due = 0;
    this.sending.addEventListener("change", () => { due ||= requestAnimationFrame(() => { due = 0; this.draw(); }); });
    addEventListener("online", () => this.sending.hurry(), { signal });
    addEventListener("beforeunload", (event) => this.isOpen() && event.preventDefault(), { signal });
    this.sending.start();
    this.draw();
  }

  isOpen() {
    return this.sending && !["done", "ready", "failed"].includes(this.sending.state);
  }

  draw() {
    const { sending } = this;
    const of = Math.max(1, sending.total_bytes);
    this.bar.firstChild.style.width = `${(100 * sending.done_bytes) / of}%`;
    this.bar.lastChild.style.width = `${(100 * Math.min(sending.under_way, of - sending.done_bytes)) / of}%`;
    this.bar.setAttribute("aria-valuenow", String(Math.floor((100 * sending.done_bytes) / of)));
    const under_way = sending.under_way ? `　${t("uploadUnderWay", { bytes: size(sending.under_way) })}` : "";
    this.line.textContent = t("uploadAcknowledged", { done: sending.done.toLocaleString(), total: sending.files.length.toLocaleString(), bytes: size(sending.done_bytes), allBytes: size(sending.total_bytes) }) + under_way;
    const { rate } = sending;
    this.speed.textContent = sending.state === "sending" && rate ? t("uploadRate", { rate: ((rate * 8) / 1e6).toFixed(1), left: duration((sending.total_bytes - sending.done_bytes) / rate) }) : "";
    this.drawCounts();
    this.drawProblems();
    this.drawState();
  }

  drawCounts() {
    const { counts } = this.sending;
    const rows = [["uploadStored", counts.stored + counts.variant], ["uploadAlreadyHeld", counts["already-held"]], ["uploadQuarantined", counts.quarantined], ["uploadFailed", counts.failed]];
    fill(this.counts, rows.map(([key, n]) => h("div", { class: "fact" }, h("dt", {}, t(key)), h("dd", { class: "number" }, t("uploadCount", { n: n.toLocaleString() })))));
  }

  drawProblems() {
    const { problems, counts } = this.sending;
    if (problems.length === this.shownProblems) return;
    this.shownProblems = problems.length;
    const open = this.problems.querySelector("details")?.open ?? false;
    const title = `${t("uploadQuarantined")} ${counts.quarantined} ・ ${t("uploadFailed")} ${counts.failed}`;
    fill(this.problems, problems.length ? this.list(title, problems.map((one) => [one.name, said(one), one.next]), open) : "");
  }

  drawState() {
    const { sending } = this;
    const { state, next_s, why } = sending;
    if (`${state}${next_s}${why}` === this.shownState) return;
    this.shownState = `${state}${next_s}${why}`;
    const sentences = { sending: t("uploadSending"), paused: t("uploadPaused"), broken: t("uploadBroken", { s: next_s }), busy: t("uploadBusy", { s: next_s }), "signed-out": t("uploadSignedOut"), finishing: t("uploadFinishing"), failed: t("uploadRefused", { why }), done: t("uploadDone") };
    this.said.textContent = sentences[state] ?? "";
    this.said.classList.toggle("error", ["broken", "signed-out", "failed"].includes(state));
    if (state === "done") return this.showReceipt();
    const goes = ["sending", "broken", "busy"].includes(state);
    const again = goes ? this.button("uploadPause", () => sending.pause()) : this.button("uploadResume", () => sending.start(), { class: "primary" });
    fill(this.feet, state === "finishing" ? "" : again, this.button("uploadClose", () => this.close()));
    if (!this.dialog.contains(document.activeElement)) again.focus();
    return undefined;
  }

  showReceipt() {
    const { sending } = this;
    fill(this.body, receiptView(sending.receipt, sending.counts.failed), this.problemsLeft());
    const close = this.button("uploadClose", () => this.close(), { class: "primary" });
    fill(this.feet, this.button("uploadPrint", () => print()), this.button("uploadSaveReceipt", () => saveReceipt(sending.batch)), this.button("uploadSaveList", () => saveRecord(sending, this.also ? [] : this.found.leftOut)), close);
    close.focus();
    this.hasher.dispose();
    this.onSent();
  }

  // What is quarantined is on the receipt already.
  problemsLeft() {
    const failed = this.sending.problems.filter(({ kind }) => kind === "failed");
    const unread = this.found.unread.map(({ name, why }) => [name, said(why)]);
    return [failed.length ? this.list(`${t("uploadFailed")} ${this.sending.counts.failed}`, failed.map((one) => [one.name, said(one), one.next]), true) : "", unread.length ? this.list(t("uploadUnread", { n: unread.length }), unread, true) : "",
      !this.also && this.found.leftOut.length ? this.list(t("uploadLeftOut", { n: this.found.leftOut.length.toLocaleString() }), this.found.leftOut.map(({ name, key }) => [name, t(key)])) : ""];
  }

  close() {
    this.dialog.close();
  }

  end() {
    this.sending?.pause();
    this.stop.abort();
    this.hasher?.dispose();
    this.dialog.remove();
    if (this.sending && this.sending.state !== "done" && this.sending.done) this.onSent();
  }
}

// One worker digests files beside the page.
class Hasher {
  constructor() {
    this.worker = new Worker(new URL("./hash.worker.js", import.meta.url), { type: "module" });
    this.asked = new Map();
    this.next = 0;
    this.worker.addEventListener("message", ({ data: { id, sha256 } }) => this.answer(id, sha256));
    this.worker.addEventListener("error", () => { for (const id of [...this.asked.keys()]) this.answer(id, ""); this.worker = null; });
  }

  answer(id, sha256) {
    this.asked.get(id)?.(sha256);
    this.asked.delete(id);
  }

  digest(blob) {
    if (!this.worker) return Promise.resolve("");
    const id = this.next++;
    return new Promise((resolve) => {
      this.asked.set(id, resolve);
      this.worker.postMessage({ id, blob });
    });
  }

  dispose() {
    this.worker?.terminate();
    this.worker = null;
    for (const id of [...this.asked.keys()]) this.answer(id, "");
  }
}

function said(why) {
  return why.key ? t(why.key, why.parts ?? {}) : why.text ?? "";
}

/** Bytes as people say them, decimal as networks and disks are sold. */
export function size(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let at = 0;
  while (bytes >= 1000 && at < units.length - 1) [bytes, at] = [bytes / 1000, at + 1];
  return `${at && bytes < 100 ? bytes.toFixed(1) : Math.round(bytes)} ${units[at]}`;
}

function duration(seconds) {
  if (seconds < 90) return t("uploadSeconds", { n: Math.max(1, Math.round(seconds)) });
  return seconds < 5400 ? t("uploadMinutes", { n: Math.round(seconds / 60) }) : t("uploadHours", { n: (seconds / 3600).toFixed(1) });
}
