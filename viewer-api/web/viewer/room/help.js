// The keyboard map, opened by `?`.

import { h } from "../dom.js";
import { t } from "../i18n.js";
import { KEYS } from "./keys.js";

const NAMES = { ArrowDown: "↓", ArrowUp: "↑", ArrowLeft: "←", ArrowRight: "→", " ": "space", PageDown: "PageDown", PageUp: "PageUp" };
const MOUSE = [["roomMouseWheel", "roomKeyScroll"], ["roomMouseCtrlWheel", "roomKeyZoom"], ["roomMouseShift", "roomToolPan"], ["roomMouseRight", "roomToolZoom"], ["roomMouseDouble", "roomKeyEnlarge"], ["roomMouseCard", "roomKeyPut"]];
const TOUCH = [["roomTouchOne", "roomTouchTool"], ["roomTouchPinch", "roomKeyZoom"], ["roomTouchTwo", "roomToolWindow"], ["roomTouchHold", "roomKeyPut"]];

/** Shows the map over the page; closed by Escape, by its button or by a press beside it. */
export function showHelp(room) {
  const close = h("button", { type: "button", class: "primary", on: { click: () => dialog.close() } }, t("close"));
  const keys = KEYS.map(([list, word]) => row(list.map((key) => h("kbd", {}, NAMES[key] ?? key)), t(word)));
  const extra = room.moreTools.filter((tool) => tool.letter).map((tool) => row([h("kbd", {}, tool.letter)], tool.title));
  const pointers = (list) => list.map(([what, word]) => row([t(what)], t(word)));
  const dialog = h("dialog", { class: "room-help", "aria-label": t("roomHelp"), on: { click: (event) => event.target === dialog && dialog.close(), close: () => dialog.remove() } },
    h("h2", {}, t("roomHelp")), h("div", { class: "room-help-columns" }, h("dl", {}, keys, extra), h("div", {}, h("h3", {}, t("roomMouse")), h("dl", {}, pointers(MOUSE)), h("h3", {}, t("roomTouch")), h("dl", {}, pointers(TOUCH)))), close);
  document.body.append(dialog);
  dialog.showModal();
}

function row(what, words) {
  return [h("dt", {}, what), h("dd", {}, words)];
}
