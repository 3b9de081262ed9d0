// The receipt of a batch as it stands on the server: the same facts, in the same words, as `tsunagu push` ends with.

import { h } from "../dom.js";
import { t } from "../i18n.js";
import { receiptPage } from "./transport.js";

const PROGRAMMES = { dock: "uploadDock", occupational: "uploadOccupational", school: "uploadSchool", cancer: "uploadCancer", specific: "uploadSpecific" };

/** Name of a programme (`PROGRAMMES` of ingest/src/stow). */
export function programmeName(code) {
  return PROGRAMMES[code] ? t(PROGRAMMES[code]) : code;
}

/** Codes of the programmes, in the order they are offered. */
export const programmes = Object.keys(PROGRAMMES);

/** The receipt as an element. `failed` is how many files never got there. */
export function receiptView(receipt, failed) {
  const { batch } = receipt;
  const missing = Math.max(0, (batch.expected ?? receipt.sent) - receipt.sent);
  const quarantined = receipt.quarantined.length;
  const good = !missing && !quarantined && !failed;
  const verdict = missing ? t("uploadMissing", { n: missing }) : failed ? t("uploadNotAll") : quarantined ? t("uploadSeeQuarantine") : t("uploadAllStored");
  const row = (label, value, name) => h("div", { class: "fact" }, h("dt", {}, label), h("dd", { class: "number", dataset: { fact: name } }, String(value)));
  return h("section", { class: "receipt", "aria-label": t("uploadReceipt") },
    h("h3", {}, `${t("uploadReceipt")}　${batch.id}`),
    h("p", { class: good ? "verdict good" : "verdict bad" }, verdict),
    h("dl", {}, row(t("uploadReceiptCentre"), batch.centre, "centre"), row(t("uploadProgramme"), programmeName(batch.programme), "programme"), row(t("uploadReceiptOpened"), batch.opened_at.slice(0, 19).replace("T", " "), "opened"),
      batch.expected === null || batch.expected === undefined ? "" : row(t("uploadReceiptExpected"), batch.expected, "expected"),
      row(t("uploadReceiptSent"), receipt.sent, "sent"), row(t("uploadStored"), receipt.stored, "stored"), row(t("uploadAlreadyHeld"), receipt.already_held, "already_held"),
      row(t("uploadQuarantined"), quarantined, "quarantined"), receipt.variants.length ? row(t("uploadReceiptVariants"), receipt.variants.length, "variants") : ""),
    quarantined ? quarantineTable(receipt.quarantined) : "");
}

/** Rows of a table that are drawn; of more, the number. */
const ROWS_MAX = 500;

function quarantineTable(list) {
  return h("div", { class: "wide" }, h("table", { class: "problems" }, h("caption", {}, t("uploadQuarantined")),
    h("thead", {}, h("tr", {}, ["uploadFile", "uploadReason", "uploadNext"].map((key) => h("th", { scope: "col" }, t(key))))),
    h("tbody", {}, list.slice(0, ROWS_MAX).map((one) => h("tr", {}, h("td", {}, one.file), h("td", {}, one.reason), h("td", {}, one.next_step))))),
  list.length > ROWS_MAX ? h("p", {}, t("uploadMore", { n: list.length - ROWS_MAX })) : "");
}

/** Saves the page that the command line writes with `--receipt`, as the server makes it. */
export async function saveReceipt(batch) {
  save(await receiptPage(batch), `receipt-${batch}.html`);
}

/** Saves what became of every file, with its SHA-256 (RFC 4180; the mark lets spreadsheets see that it is UTF-8). */
export function saveRecord(sending, leftOut) {
  const cell = (value) => {
    const text = String(value);
    // A spreadsheet takes what begins so for a formula.
    const plain = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
    return /[",\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
  };
  const rows = [["file", "bytes", "sha256", "outcome"], ...sending.files.map((file, at) => [file.name, file.bytes, file.sha256 ?? "", sending.outcomes[at] ?? "waiting"]), ...leftOut.map(({ name, bytes }) => [name, bytes, "", "left out"])];
  save(new Blob(["\ufeff", ...rows.map((row) => `${row.map(cell).join(",")}\r\n`)], { type: "text/csv" }), `sent-${sending.batch}.csv`);
}

function save(blob, name) {
  const url = URL.createObjectURL(blob);
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
