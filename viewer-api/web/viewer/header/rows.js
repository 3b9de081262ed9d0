// A DICOM JSON object (PS3.18 Annex F) as flat rows in the order of its tags, sequences followed by what is in them. No DOM.

import { KEYWORDS } from "./dictionary.js";

/** Rows that are made; a dose report or a segmentation may hold millions of elements. */
export const ROWS_MAX = 50_000;
const DEPTH_MAX = 16;

/** `[{tag, keyword, vr, value, bulk, items, depth, path, searched}]`; `items` the number of a sequence's, else `null`. */
export function rowsOf(dataset) {
  const rows = [];
  add(rows, dataset, 0, "");
  return rows;
}

function add(rows, dataset, depth, above) {
  for (const key of Object.keys(dataset).sort()) {
    if (rows.length >= ROWS_MAX || depth > DEPTH_MAX) return;
    const { vr = "UN", Value = [], BulkDataURI, InlineBinary } = dataset[key];
    const tag = `(${key.slice(0, 4)},${key.slice(4)})`;
    const keyword = KEYWORDS[key] ?? (key.endsWith("0000") ? "GroupLength" : "");
    const value = vr === "SQ" ? "" : Value.map(written).join("\\");
    const path = `${above}${keyword || tag}`;
    rows.push({ tag, keyword, vr, value, bulk: BulkDataURI !== undefined || InlineBinary !== undefined, items: vr === "SQ" ? Value.length : null, depth, path,
      searched: `${path} ${key} ${tag} ${vr} ${value}`.normalize("NFKC").toLowerCase() });
    if (vr === "SQ") Value.forEach((item, at) => item && typeof item === "object" && add(rows, item, depth + 1, `${path}[${at + 1}].`));
  }
}

function written(value) {
  if (value === null || value === undefined) return "";
  if (typeof value !== "object") return String(value);
  // A person's name: its groups as in a file (PS3.5 §6.2.1.1).
  return [value.Alphabetic, value.Ideographic, value.Phonetic].map((group) => group ?? "").join("=").replace(/=+$/, "");
}
