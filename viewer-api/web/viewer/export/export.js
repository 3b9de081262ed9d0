// What a view shows as a PNG file, or on paper. The patient's line is written into the picture only where the reader asks for it.

import { ageAt, formatDate, personName } from "../dicom.js";
import { fill, h, styleSheet } from "../dom.js";
import { addWords, language, t } from "../i18n.js";
import { patientLines, withLines } from "./burn.js";
import { WORDS } from "./words.js";

addWords(WORDS);
const FORGET_MS = 60_000;
const FONT_PIXELS = 15;

/** Opens the dialogue for the active view of a room. */
export async function openExport(room) {
  const { view, manifest } = room.active ?? {};
  if (!view?.picture) return room.say(t("exportNothing"));
  await styleSheet(new URL("./export.css", import.meta.url));
  new Export(view, manifest).open();
}

/** The dialogue for what `view` shows of the study of `manifest`. */
export class Export {
  constructor(view, manifest) {
    Object.assign(this, { view, manifest, url: null, runs: 0 });
    this.overlays = this.box("exportOverlays", true);
    this.patient = this.box("exportPatient", false);
    this.preview = h("img", { alt: t("exportPreview") });
    this.message = h("p", { role: "status", class: "faint" }, t("exportNoPatient"));
    this.buttons = [h("button", { type: "button", class: "primary", dataset: { action: "png" }, on: { click: () => this.save() } }, t("exportSave")),
      h("button", { type: "button", dataset: { action: "print" }, on: { click: () => this.print() } }, t("exportPrint"))];
    this.dialog = h("dialog", { class: "export-dialog", "aria-label": t("exportTitle"), on: { close: () => this.closed() } }, h("h2", {}, t("exportTitle")), h("div", { class: "export-preview" }, this.preview),
      this.overlays.label, this.patient.label, this.message,
      h("div", { class: "group" }, this.buttons,
        h("button", { type: "button", on: { click: () => this.dialog.close() } }, t("close"))));
  }

  box(key, checked) {
    const input = h("input", { type: "checkbox", checked: checked || null, on: { change: () => this.show() } });
    return { input, label: h("label", { class: "export-choice" }, input, t(key)) };
  }

  async open() {
    document.body.append(this.dialog);
    this.dialog.showModal();
    await this.show();
  }

  closed() {
    this.runs++;
    URL.revokeObjectURL(this.url);
    this.dialog.remove();
  }

  // Choices may change while a picture is made, and one with the patient's name takes longer: only what was asked for last is shown, saved or printed.
  async show() {
    const run = ++this.runs;
    for (const button of this.buttons) button.disabled = true;
    const drawn = await this.drawn();
    if (run !== this.runs) return;
    URL.revokeObjectURL(this.url);
    this.blob = drawn;
    this.url = URL.createObjectURL(drawn);
    this.preview.src = this.url;
    for (const button of this.buttons) button.disabled = false;
    await this.preview.decode().catch(() => {});
  }

  async drawn() {
    const patient = this.patient.input.checked;
    fill(this.message, t(patient ? "exportWithPatient" : "exportNoPatient"));
    const blob = await this.view.snapshot({ overlays: this.overlays.input.checked });
    return patient ? withLines(blob, this.lines(), { fontPixels: FONT_PIXELS * (globalThis.devicePixelRatio || 1) }) : blob;
  }

  lines() {
    const { patient, study } = this.manifest;
    const name = personName(patient.PatientName, language());
    return patientLines({ names: [name.primary, ...name.others], id: patient.PatientID, birth: formatDate(patient.PatientBirthDate), age: ageAt(patient.PatientBirthDate, study.StudyDate), sex: patient.PatientSex,
      date: formatDate(study.StudyDate), modality: this.view.frame.series.Modality, description: this.view.frame.series.SeriesDescription });
  }

  // The file's name says nothing of whom it shows.
  save() {
    const { series, instance } = this.view.frame;
    const name = ["image", series.Modality, series.SeriesNumber, instance.InstanceNumber].filter((part) => part !== undefined).join("-");
    const url = URL.createObjectURL(this.blob);
    h("a", { href: url, download: `${name}.png` }).click();
    setTimeout(() => URL.revokeObjectURL(url), FORGET_MS);
    fill(this.message, t("exportSaved"));
  }

  // The style sheet shows this picture alone while the page prints.
  print() {
    const sheet = h("div", { class: "export-sheet" }, h("img", { src: this.url, alt: "" }));
    document.body.append(sheet);
    document.documentElement.classList.add("export-printing");
    addEventListener("afterprint", () => { document.documentElement.classList.remove("export-printing"); sheet.remove(); }, { once: true });
    sheet.firstChild.decode().catch(() => {}).then(() => globalThis.print());
  }
}
