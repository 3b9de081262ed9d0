// The windows a reader may choose for a frame: what the file states, and what is usual for its modality. No DOM.

/** Usual windows in the modality's units, by the key of their name; the digit of the keyboard is the place in the list. */
const BY_MODALITY = {
  CT: [["roomLung", -600, 1500], ["roomMediastinum", 40, 400], ["roomBone", 400, 2000], ["roomBrain", 40, 80], ["roomLiver", 60, 160], ["roomAngio", 250, 700]],
};

/**
 * `[{key, label | name, voi}]`: `voi` as an ImageView takes it, or `null` for what the file says. `name` is a key of a word; `label` is the file's own
 * explanation (Window Center & Width Explanation, LUT Explanation, PS3.3 C.11.2.1). The first is always the file's, or where it states none, found.
 * `stated` are all windows and LUTs of the file.
 */
export function windowChoices(frame, stated) {
  const choices = [{ key: "file", name: stated.length ? "roomFile" : "roomAuto", voi: null }];
  stated.slice(1).forEach((voi, at) => {
    const words = String(voi.explanation ?? "").trim();
    choices.push({ key: `file${at + 1}`, label: words || (voi.entries ? `LUT ${at + 2}` : `W ${voi.width}  C ${voi.center}`), voi });
  });
  // Usual CT windows are in Hounsfield units: values that are rescaled to something else (PS3.3 C.11.1.1.2) would make nonsense of them.
  const isHounsfield = [undefined, null, "HU"].includes(frame.value("RescaleType"));
  for (const [name, center, width] of (isHounsfield && BY_MODALITY[frame.series?.Modality]) || []) choices.push({ key: name, name, voi: { center, width, function: "LINEAR" } });
  return choices;
}
