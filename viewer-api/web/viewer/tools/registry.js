// What the reading room's toolbar offers of this part. TOOLS are for the left button; ACTIONS are done at once.

import { addWords, t } from "../i18n.js";
import { deskOf } from "./desk.js";
import { drawingTool } from "./drawing.js";
import { magnifierTool } from "./magnifier.js";
import { WORDS } from "./words.js";

addWords(WORDS);

const drawing = (kind) => (room) => drawingTool(deskOf(room), kind);

/** Of the left button: `{key, title, icon(), letter, make(room, view)}`; `letter` is what chooses it. */
export const TOOLS = [
  offered("length", () => t("toolsLength"), "L", "M2.500 15.500l13-13 M1 13l4 4 M13 1l4 4", { make: drawing("length") }),
  offered("angle", () => t("toolsAngle"), "A", "M15 3L3 14.500h13 M10.500 7.300a7 7 0 0 1 2 7.200", { make: drawing("angle") }),
  offered("cobb", () => t("toolsCobb"), "C", "M3 3.500l12-1.500 M3 14l12 2.500 M9 2.800v12.500", { make: drawing("cobb") }),
  offered("ellipse", () => t("toolsEllipse"), "E", "M9 4c4.200 0 7.500 2.200 7.500 5s-3.300 5-7.500 5-7.500-2.200-7.500-5S4.800 4 9 4z", { make: drawing("ellipse") }),
  offered("probe", () => t("toolsProbe"), "P", "M9 1.500v5.500 M9 11v5.500 M1.500 9h5.500 M11 9h5.500", { make: drawing("probe") }),
  offered("arrow", () => t("toolsArrow"), "W", "M2.500 15.500l12-12 M8 3h7v7", { make: drawing("arrow") }),
  offered("note", () => t("toolsText"), "T", "M3 3.500h12 M9 3.500v12 M6.500 15.500h5", { make: drawing("text") }),
  offered("magnifier", () => t("toolsMagnifier"), "M", "M7.500 2.500a5 5 0 1 0 .01 0z M11.300 11.300l4.700 4.700", { make: () => magnifierTool() }),
];

/** Done at once: `{key, title, icon(), letter, run(room)}`. */
export const ACTIONS = [
  offered("marks", () => t("toolsPanel"), "V", "M2 4h2 M6.500 4h9.500 M2 9h2 M6.500 9h9.500 M2 14h2 M6.500 14h9.500", { run: async (room) => (await import("./panel.js")).togglePanel(deskOf(room)) }),
  offered("keyImage", () => t("toolsKeyImage"), "B", "M9 1.800l2.200 4.800 5.200.6-3.900 3.500 1.100 5.200L9 13.300l-4.600 2.600 1.100-5.200-3.900-3.500 5.200-.6z", { run: toggleKeyImage }),
  offered("header", () => t("toolsHeader"), "H", "M3 2h12v14H3z M5.500 5.500h2 M9.500 5.500h3 M5.500 9h2 M9.500 9h3 M5.500 12.500h2 M9.500 12.500h3", { run: async (room) => (await import("../header/header.js")).openHeader(room) }),
  offered("export", () => t("toolsExport"), "X", "M9 2v9 M5.500 7.500L9 11l3.500-3.500 M2.500 12v4h13v-4", { run: async (room) => (await import("../export/export.js")).openExport(room) }),
];

/** Begins to annotate in a room, until `signal`: shows what the archive holds, listens to the keyboard. */
export function open(room, signal) {
  const desk = deskOf(room);
  signal.addEventListener("abort", () => desk.dispose(), { once: true });
  listenToKeys(room, signal);
}

// `title` is asked for when it is shown: the language may change. `shape` is the path of a drawing 18 by 18.
function offered(key, name, letter, shape, what) {
  return { key, letter: `Shift+${letter}`, get title() { return `${name()}（Shift+${letter}）`; }, icon: () => icon(shape), ...what };
}

function icon(shape) {
  const make = (name, attributes) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [attribute, value] of Object.entries(attributes)) element.setAttribute(attribute, value);
    return element;
  };
  const svg = make("svg", { viewBox: "0 0 18 18", class: "icon", "aria-hidden": "true" });
  svg.append(make("path", { d: shape }));
  return svg;
}

function toggleKeyImage(room) {
  const { frame } = room.active?.view ?? {};
  if (!frame || frame.derived) return room.say(t("toolsNoKeyHere"));
  room.say(t(deskOf(room).keys.toggle(frame) ? "toolsKeyOn" : "toolsKeyOff"));
}

// Shift and a letter, Delete, Backspace, Ctrl+Z, Alt and arrows.
function listenToKeys(room, signal) {
  document.addEventListener("keydown", (event) => {
    if (!room.grid.isConnected || room.grid.offsetParent === null || event.target.closest?.("dialog, input, textarea, select, [contenteditable], [data-keys]")) return;
    const action = keyAction(room, event);
    if (!action) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    action();
  }, { signal, capture: true });
}

function keyAction(room, event) {
  const { book } = deskOf(room);
  const selected = book.get(book.selected);
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") return () => book.undo();
  if (event.ctrlKey || event.metaKey) return null;
  if (event.key === "Escape") {
    const half = room.cells.find(({ view }) => view?.gestures.tools[0].isHalfDone);
    return half ? () => half.view.gestures.giveUp() : null;
  }
  if (event.altKey) return selected && nudges[event.key] ? () => nudge(book, selected, nudges[event.key]) : null;
  if (selected && (event.key === "Delete" || event.key === "Backspace")) return () => book.remove(selected.id);
  if (!event.shiftKey || event.key.length !== 1) return null;
  const chosen = ({ letter }) => letter === `Shift+${event.key.toUpperCase()}`;
  const tool = TOOLS.find(chosen);
  const action = ACTIONS.find(chosen);
  return tool ? () => room.chooseTool(tool.key) : action ? () => action.run(room) : null;
}

const nudges = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

// By one pixel of the image.
function nudge(book, mark, [dx, dy]) {
  book.move(mark.id, mark.points.map(([x, y]) => [x + dx, y + dy]));
  book.settle();
}
