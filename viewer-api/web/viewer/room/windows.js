// Choosing a window for the active view of a room, by the key of a choice or by its place in the list.

import { windowChoices } from "./presets.js";

/** Shows the window `key` of `windowChoices`, `"auto"` for one found in the pixels, `"manual"` to go on from what is shown. */
export function chooseWindow(room, key) {
  const { view } = room.active ?? {};
  if (!view?.frame || view.frame.isColour) return;
  const choice = windowChoices(view.frame, view.statedVois).find((one) => one.key === key);
  if (key === "auto") view.setVoi(view.findVoi());
  else if (choice) view.setVoi(choice.voi);
  else if (view.shownVoi) view.setVoi(view.shownVoi);
  room.toolbar.show();
}

/** Shows the further window at place `at`: those of the file come first, then the usual ones. */
export function chooseUsualWindow(room, at) {
  const { view } = room.active ?? {};
  const choice = view?.frame && !view.frame.isColour && windowChoices(view.frame, view.statedVois)[at + 1];
  if (choice) chooseWindow(room, choice.key);
}

/** The key of the window a view shows. */
export function windowKey(view, choices) {
  if (!view.voi) return "file";
  const same = choices.find(({ voi }) => voi && (voi === view.voi || (!voi.entries && voi.center === view.voi.center && voi.width === view.voi.width)));
  return same?.key ?? "manual";
}
