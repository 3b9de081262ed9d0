// The keyboard of the reading room: one table, read by the keys themselves and by the page that explains them.

import { togglePrior } from "./priors.js";
import { chooseUsualWindow, chooseWindow } from "./windows.js";

/** What each key does: `[keys, word, action name]`; keys as `KeyboardEvent.key` has them, with "Shift+" before where it is held. */
export const KEYS = [
  [["ArrowDown", "ArrowUp"], "roomKeyScroll"], [["Home", "End"], "roomKeyEnds"], [["PageDown", "PageUp"], "roomKeySeries"], [["ArrowRight", "ArrowLeft"], "roomKeyView"],
  [[" "], "roomKeyCine"], [["1", "2", "3", "4", "5", "6"], "roomKeyPreset"], [["0"], "roomKeyFileWindow"], [["9"], "roomKeyAutoWindow"],
  [["i"], "roomInvert"], [["+", "-"], "roomKeyZoom"], [["f"], "fit"], [["a"], "oneToOne"], [["[", "]"], "roomKeyTurn"], [["h"], "roomFlip"], [["r"], "reset"],
  [["w", "s", "d", "z"], "roomKeyTools"], [["o"], "overlay"], [["e", "Enter"], "roomKeyEnlarge"], [["l"], "roomKeyLayout"],
  [["k"], "roomLink"], [["x"], "roomLocaliser"], [["p"], "roomKeyPrior"], [["m"], "roomMpr"], [["?"], "roomHelp"],
];

const LAYOUT_ORDER = ["1x1", "1x2", "2x1", "2x2"];

/** What key `key` does in `room`; `null` where it does nothing. */
export function actionOf(key, room) {
  const { view } = room.active ?? {};
  const digit = /^[1-6]$/.exec(key)?.[0];
  if (digit) return () => chooseUsualWindow(room, Number(digit) - 1);
  return {
    "?": () => room.help(), l: () => room.setLayout(LAYOUT_ORDER[(LAYOUT_ORDER.indexOf(room.layout) + 1) % LAYOUT_ORDER.length]),
    ArrowRight: () => room.step(1), ArrowLeft: () => room.step(-1), PageDown: () => room.nextSet(1), PageUp: () => room.nextSet(-1),
    e: () => room.enlarge(), Enter: () => room.enlarge(), k: () => room.setLinked(!room.linked), x: () => room.setLocalisers(!room.localisers), p: () => togglePrior(room), m: () => room.toggleMpr(),
    o: () => room.toggleText(), w: () => room.chooseTool("window"), s: () => room.chooseTool("scroll"), d: () => room.chooseTool("pan"), z: () => room.chooseTool("zoom"),
    ...(view && {
      ArrowDown: () => room.scroll(1), ArrowUp: () => room.scroll(-1), Home: () => room.scroll(-Infinity), End: () => room.scroll(Infinity), " ": () => room.toggleCine(),
      i: () => room.invert(), "+": () => room.zoom(1.25), ";": () => room.zoom(1.25), "-": () => room.zoom(0.8), f: () => room.fit(), a: () => view.oneToOne(),
      "[": () => view.rotate(-90), "]": () => view.rotate(90), h: () => view.flip(), r: () => room.reset(), 0: () => chooseWindow(room, "file"), 9: () => chooseWindow(room, "auto"),
    }),
  }[key] ?? null;
}

/** Whether a key that went down on `target` is meant for it: a field being filled in, a button being pressed, an open dialogue. */
export function belongsElsewhere(event) {
  const { target, key } = event;
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return true;
  if (target.closest?.("dialog, input:not([type=range]), textarea, [contenteditable], [data-keys]")) return true;
  if (target.closest?.("select")) return /^(Arrow|Home|End|Page|Enter|.$)/.test(key) && key !== "?";
  return [" ", "Enter"].includes(key) && Boolean(target.closest?.("button, a, summary, [role=button]"));
}
