// The windows a reader may choose for a frame: what the file states, and what is usual for its modality. No DOM.

import { numbersOf } from "./geometry.js";

/** Usual windows in the modality's units, by the key of their name; the digit of the keyboard is the place in the list. */
const BY_MODALITY = {
  CT: [["roomLung", -600, 1500], ["roomMediastinum", 40, 400], ["roomBone", 400, 2000], ["roomBrain", 40, 80], ["roomLiver", 60, 160], ["roomAngio", 250, 700]],
};

/**
 * `[{key, label | name, voi}]`: `voi` is `{center, width, function}`, or `null` for what the file says. `name` is a key of a word; `label` is the
 * file's own explanation (Window Center & Width Explanation, PS3.3 C.11.2.1.2). The first is always the file's (or, where it states none, found).
 */
export function windowChoices(frame) {
  const centers = numbersOf(frame.value("WindowCenter"));
  const widths = numbersOf(frame.value("WindowWidth"));
  const names = [frame.value("WindowCenterWidthExplanation") ?? []].flat();
  const shape = frame.value("VOILUTFunction") ?? "LINEAR";
  const choices = [{ key: "file", name: centers.length ? "roomFile" : "roomAuto", voi: null }];
  for (let at = 1; at < Math.min(centers.length, widths.length); at++) {
    const [center, width] = [centers[at], widths[at]];
    if (width > 0) choices.push({ key: `file${at}`, label: String(names[at] ?? "").trim() || `W ${width} C ${center}`, voi: { center, width, function: shape } });
  }
  // Usual CT windows are in Hounsfield units: without a rescale to them they would say nothing.
  const hounsfield = frame.series?.Modality !== "CT" || !["US"].includes(frame.value("RescaleType"));
  for (const [name, center, width] of (hounsfield && BY_MODALITY[frame.series?.Modality]) || []) choices.push({ key: name, name, voi: { center, width, function: "LINEAR" } });
  return choices;
}

/** A window that holds nearly all of the samples: from the 1st to the 99th percentile of modality values. `null` for no samples. */
export function autoWindow(samples, { slope = 1, intercept = 0, padding = null } = {}) {
  const step = Math.max(1, Math.floor(samples.length / AUTO_SAMPLES_MAX));
  const picked = [];
  for (let at = 0; at < samples.length; at += step) if (samples[at] !== padding) picked.push(samples[at]);
  if (!picked.length) return null;
  picked.sort((a, b) => a - b);
  const part = (share) => picked[Math.min(picked.length - 1, Math.floor(share * picked.length))] * slope + intercept;
  const [low, high] = [part(0.01), part(0.99)].sort((a, b) => a - b);
  return { center: tidy((low + high) / 2), width: Math.max(1, tidy(high - low)), function: "LINEAR" };
}

const AUTO_SAMPLES_MAX = 40_000;

/** The window after a drag of `dx`, `dy` CSS pixels: x width, y centre, in steps of the width where the drag began. */
export function draggedWindow(start, dx, dy) {
  const step = Math.max(start.width, 1) / 400;
  return { ...start, center: tidy(start.center + dy * step), width: Math.max(1, tidy(start.width + dx * step)) };
}

function tidy(value) {
  return Math.abs(value) >= 20 ? Math.round(value) : Math.round(value * 100) / 100;
}
