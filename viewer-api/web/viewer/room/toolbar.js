// The row above the views, and the rail of tools beside them, which is as wide before its tools are here as after. It shows the state of the active view; it holds none itself.

import { formatDate } from "../dicom.js";
import { fill, h, select } from "../dom.js";
import { downloads } from "../downloads.js";
import { t } from "../i18n.js";
import { frameRate } from "./cine.js";
import { LAYOUTS, hasPictures } from "./hanging.js";
import { icon } from "./icons.js";
import { windowChoices } from "./presets.js";
import { leavePrior, showPrior } from "./priors.js";
import { chooseWindow, windowKey } from "./windows.js";

export class Toolbar {
  constructor(room) {
    this.room = room;
    this.element = h("div", { class: "tools", role: "toolbar", "aria-label": t("toolbar") });
    this.rail = h("div", { class: "rail", role: "toolbar", "aria-label": t("roomTools"), "aria-orientation": "vertical" });
    this.tools = h("span", { class: "group", role: "radiogroup", "aria-label": t("tool") });
    this.extras = h("span", { class: "group" });
    this.presets = select(t("preset"), [["file", t("roomFile")]], "file", (value) => chooseWindow(room, value));
    this.layouts = select(t("roomLayout"), [["", t("roomHung")], ...Object.keys(LAYOUTS).map((key) => [key, key.replace("x", "×")])], "1x1", (value) => (value ? room.setLayout(value) : room.hangAgain()));
    this.layouts.classList.add("no-mpr");
    this.rate = h("input", { type: "number", min: 1, max: 60, value: 15, "aria-label": t("frameRate"), title: t("frameRate"), class: "rate", on: { change: () => room.setRate(this.rate.value) } });
    this.playButton = this.button("play", "play", () => room.toggleCine());
    this.cine = h("span", { class: "group cine no-mpr" }, this.playButton, this.rate);
    this.invert = this.button("invert", "roomInvert", () => room.invert(), true);
    this.text = this.button("text", "overlay", () => room.toggleText(), true);
    this.link = this.button("link", "roomLink", () => room.setLinked(!room.linked), true);
    this.localisers = this.button("localiser", "roomLocaliser", () => room.setLocalisers(!room.localisers), true);
    this.mpr = this.button("mpr", "roomMpr", () => room.toggleMpr(), true);
    this.prior = this.priorBox();
    this.mprBox = h("span", { class: "group" });
    this.save = h("span", { class: "group" });
    this.build();
  }

  // The priors that may be hung beside this study, by date; the first entry takes them away again.
  priorBox() {
    const { room } = this;
    const list = room.manifest.priors.filter(hasPictures).map(({ StudyInstanceUID, StudyDate, ModalitiesInStudy, StudyDescription, later }) =>
      [StudyInstanceUID, [later ? t("roomLaterMark", { date: formatDate(StudyDate) }) : formatDate(StudyDate) || t("noDate"), [ModalitiesInStudy ?? []].flat().join(" "), StudyDescription].filter(Boolean).join("  ")]);
    const box = select(t("roomPrior"), [["", t("roomPriorNone", { n: list.length })], ...list], "", (uid) => (uid ? showPrior(room, room.manifest.priors.find(({ StudyInstanceUID }) => StudyInstanceUID === uid)) : leavePrior(room)));
    box.classList.add("priors");
    box.hidden = !list.length;
    return box;
  }

  /** A button with a drawing; its name is for the pointer that rests on it and for screen readers. `toggles`: it is on or off. */
  button(drawing, name, action, toggles = false) {
    return h("button", { type: "button", class: "tool", title: t(name), "aria-label": t(name), "aria-pressed": toggles ? "false" : null, on: { click: action } }, icon(drawing));
  }

  build() {
    const { room } = this;
    fill(this.rail, this.tools, this.extras);
    fill(this.element, this.presets,
      h("span", { class: "group" }, this.invert, this.button("turnLeft", "roomTurnLeft", () => room.active?.view?.rotate(-90)), this.button("turnRight", "roomTurnRight", () => room.active?.view?.rotate(90)),
        this.button("flip", "roomFlip", () => room.active?.view?.flip())),
      h("span", { class: "group" }, this.button("fit", "fit", () => room.fit()), h("button", { type: "button", class: "tool", title: t("oneToOne"), on: { click: () => room.active?.view?.oneToOne() } }, "1:1"),
        this.button("reset", "reset", () => room.reset()), this.text),
      this.cine, this.layouts, h("span", { class: "group no-mpr" }, this.link, this.localisers), this.mpr, this.mprBox, this.prior,
      h("span", { class: "grow" }), this.save, this.button("help", "roomHelp", () => room.help()));
  }

  /** The tools of the left button: our own with a drawing, those of other parts with a word. */
  showTools(tools) {
    fill(this.tools, tools.map((tool) => {
      const title = tool.title ?? tool.label ?? t(tool.name);
      return h("button", { type: "button", role: "radio", class: tool.label ? null : "tool", title, "aria-label": title, dataset: { tool: tool.key }, "aria-checked": "false",
        on: { click: () => this.room.chooseTool(tool.key) } }, tool.label ?? tool.icon?.() ?? icon(tool.key));
    }));
    this.show();
  }

  /** What MPR has to be set, or nothing. */
  showMpr(controls) {
    fill(this.mprBox, controls);
    this.showTools(this.room.tools);
  }

  /** Actions of other parts: `[{key, title, icon(), run(room)}]`. */
  showActions(actions) {
    fill(this.extras, actions.map(({ key, title, icon: drawn, run }) => h("button", { type: "button", class: "tool", title, "aria-label": title, dataset: { action: key }, on: { click: () => run(this.room) } }, drawn())));
  }

  /** Brings every button to the state of the room and its active view. */
  show() {
    const { room } = this;
    const { view } = room.active ?? {};
    for (const button of this.tools.children) button.setAttribute("aria-checked", String(button.dataset.tool === room.tool));
    const pressed = [[this.invert, view?.inverted], [this.text, room.text], [this.link, room.linked], [this.localisers, room.localisers], [this.mpr, room.mpr]];
    for (const [button, on] of pressed) button.setAttribute("aria-pressed", String(Boolean(on)));
    this.layouts.querySelector("select").value = room.layout ?? "";
    this.prior.querySelector("select").value = room.priorShown ?? "";
    this.element.classList.toggle("in-mpr", Boolean(room.mpr));
    this.link.disabled = room.cells.length < 2;
    this.localisers.disabled = room.cells.length < 2;
    this.showWindows(view);
    this.showCine(view);
    this.showSave(view);
  }

  showWindows(view) {
    const frame = view?.frame;
    this.presets.hidden = !frame || frame.isColour;
    if (!frame || frame.isColour) return;
    const choices = windowChoices(frame, view.statedVois);
    const list = [...choices.map(({ key, label, name }) => [key, label ?? t(name)]), ...(choices[0].name === "roomAuto" ? [] : [["auto", t("roomAuto")]]), ["manual", t("presetManual")]];
    const box = this.presets.querySelector("select");
    const keys = list.map(([key, label]) => `${key}=${label}`).join("|");
    if (box.dataset.keys !== keys) {
      box.dataset.keys = keys;
      fill(box, list.map(([key, label]) => h("option", { value: key }, label)));
    }
    box.value = windowKey(view, choices);
  }

  showCine(view) {
    const plays = view?.frames?.length > 1;
    this.cine.classList.toggle("off", !plays);
    const { playing } = this.room.cine;
    if (this.playButton.dataset.playing !== String(playing)) {
      this.playButton.dataset.playing = String(playing);
      this.playButton.title = t(playing ? "pause" : "play");
      this.playButton.setAttribute("aria-label", t(playing ? "pause" : "play"));
      fill(this.playButton, icon(playing ? "pause" : "play"));
    }
    for (const part of [this.playButton, this.rate]) part.disabled = !plays;
    if (plays && this.instance !== view.frame.instance && document.activeElement !== this.rate) this.rate.value = frameRate(view.frame);
    this.instance = view?.frame?.instance;
  }

  showSave(view) {
    const frame = view?.frame;
    const key = frame && !frame.derived && this.room.manifest.offers.download !== false ? frame.series.SeriesInstanceUID : "";
    if (this.save.dataset.key === key) return;
    this.save.dataset.key = key;
    fill(this.save, key && h("details", { class: "menu" }, h("summary", { class: "button" }, t("roomSave")), h("div", { class: "menu-box" }, downloads(() => this.room.active?.view?.frame?.address))));
  }
}
