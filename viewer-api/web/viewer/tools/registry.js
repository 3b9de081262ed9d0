// What the reading room's toolbar offers of this part. TOOLS are for the left button; ACTIONS are done at once.

import { addWords, t } from "../i18n.js";
import { deskOf } from "./desk.js";
import { drawingTool } from "./drawing.js";
import { magnifierTool } from "./magnifier.js";
import { WORDS } from "./words.js";

addWords(WORDS);

export { open } from "./desk.js";

const drawing = (kind) => (room) => drawingTool(deskOf(room), kind);

/** `{key, name, shape, letter, make(room, view)}`: `name` is a key of words, `shape` the path of a drawing 18 by 18, `letter` chooses with Shift. */
export const TOOLS = [
  { key: "length", name: "toolsLength", letter: "L", shape: "M2.500 15.500l13-13 M1 13l4 4 M13 1l4 4", make: drawing("length") },
  { key: "angle", name: "toolsAngle", letter: "A", shape: "M15 3L3 14.500h13 M10.500 7.300a7 7 0 0 1 2 7.200", make: drawing("angle") },
  { key: "cobb", name: "toolsCobb", letter: "C", shape: "M3 3.500l12-1.500 M3 14l12 2.500 M9 2.800v12.500", make: drawing("cobb") },
  { key: "ellipse", name: "toolsEllipse", letter: "E", shape: "M9 4c4.200 0 7.500 2.200 7.500 5s-3.300 5-7.500 5-7.500-2.200-7.500-5S4.800 4 9 4z", make: drawing("ellipse") },
  { key: "probe", name: "toolsProbe", letter: "P", shape: "M9 1.500v5.500 M9 11v5.500 M1.500 9h5.500 M11 9h5.500", make: drawing("probe") },
  { key: "arrow", name: "toolsArrow", letter: "W", shape: "M2.500 15.500l12-12 M8 3h7v7", make: drawing("arrow") },
  { key: "note", name: "toolsText", letter: "T", shape: "M3 3.500h12 M9 3.500v12 M6.500 15.500h5", make: drawing("text") },
  { key: "magnifier", name: "toolsMagnifier", letter: "M", shape: "M7.500 2.500a5 5 0 1 0 .01 0z M11.300 11.300l4.700 4.700", make: () => magnifierTool() },
];

/** `{key, name, shape, letter, run(room)}`. */
export const ACTIONS = [
  { key: "marks", name: "toolsPanel", letter: "V", shape: "M2 4h2 M6.500 4h9.500 M2 9h2 M6.500 9h9.500 M2 14h2 M6.500 14h9.500", run: async (room) => (await import("./panel.js")).togglePanel(deskOf(room)) },
  { key: "keyImage", name: "toolsKeyImage", letter: "B", shape: "M9 1.800l2.200 4.800 5.200.6-3.900 3.500 1.100 5.200L9 13.300l-4.600 2.600 1.100-5.200-3.900-3.500 5.200-.6z", run: toggleKeyImage },
  { key: "header", name: "toolsHeader", letter: "H", shape: "M3 2h12v14H3z M5.500 5.500h2 M9.500 5.500h3 M5.500 9h2 M9.500 9h3 M5.500 12.500h2 M9.500 12.500h3", run: async (room) => (await import("../header/header.js")).openHeader(room) },
  { key: "export", name: "toolsExport", letter: "X", shape: "M9 2v9 M5.500 7.500L9 11l3.500-3.500 M2.500 12v4h13v-4", run: async (room) => (await import("../export/export.js")).openExport(room) },
];

/** Letters that choose with Shift held, for the room's keyboard and its help: letter → `{tool}` or `{action}`. */
export const LETTERS = Object.fromEntries([...TOOLS.map((tool) => [tool.letter, { tool }]), ...ACTIONS.map((action) => [action.letter, { action }])]);

function toggleKeyImage(room) {
  const { frame } = room.active?.view ?? {};
  if (!frame || frame.derived) return room.say(t("toolsNoKeyHere"));
  room.say(t(deskOf(room).keys.toggle(frame) ? "toolsKeyOn" : "toolsKeyOff"));
}

/** Listens to the keyboard for a room until `signal`: Shift and a letter, Delete, Backspace, Ctrl+Z, Alt and arrows. */
export function listenToKeys(room, signal) {
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
  if (event.altKey) return selected && nudges[event.key] ? () => nudge(book, selected, nudges[event.key]) : null;
  if (selected && (event.key === "Delete" || event.key === "Backspace")) return () => book.remove(selected.id);
  if (!event.shiftKey || event.key.length !== 1) return null;
  const found = LETTERS[event.key.toUpperCase()];
  if (found?.tool) return () => room.chooseTool(found.tool.key);
  return found?.action ? () => found.action.run(room) : null;
}

const nudges = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

// By one pixel of the image.
function nudge(book, mark, [dx, dy]) {
  book.move(mark.id, mark.points.map(([x, y]) => [x + dx, y + dy]));
  book.settle();
}
