// The content tree of a structured report, walked once (PS3.3 C.17.3): names, values, codes, references. No DOM.

import { code, formatDate, formatTime, items, lines, numbers, personName, text, values } from "../dicom.js";
import { addWords, language, t } from "../i18n.js";
import { unitText } from "../tools/units.js";
import { WORDS } from "./words.js";

addWords(WORDS);

/** Items of a report that are shown. */
export const ITEMS_MAX = 4000;
const DEPTH_MAX = 40;
const REFERENCES = ["IMAGE", "COMPOSITE", "WAVEFORM"];

/**
 * The tree as `{name, concept, type, value, code, number: {value, unit, code}|null, key, children}`, cut at `ITEMS_MAX` items and `DEPTH_MAX` levels; `cut` says whether anything is
 * missing. `key` names the frame of an image as `instance/frame`.
 */
export function reportTree(dataset) {
  const budget = { left: ITEMS_MAX, cut: false };
  const root = node(dataset, budget, 0);
  return { ...root, cut: budget.cut };
}

function node(item, budget, depth) {
  budget.left--;
  const type = text(item, "ValueType");
  const concept = code(item, "ConceptNameCodeSequence");
  const tree = {
    name: concept?.meaning ?? "", concept, type, container: type === "CONTAINER", reference: REFERENCES.includes(type), key: keyOf(item, type), value: itemValue(item),
    code: type === "CODE" ? code(item, "ConceptCodeSequence") : null, number: type === "NUM" ? measuredParts(item) : null, children: [],
  };
  for (const child of items(item, "ContentSequence")) {
    if (budget.left <= 0 || depth >= DEPTH_MAX) {
      budget.cut = true;
      break;
    }
    tree.children.push(node(child, budget, depth + 1));
  }
  return tree;
}

/** The value of one content item as text, `""` for a container or an empty item. */
export function itemValue(item) {
  switch (text(item, "ValueType")) {
    case "TEXT": return lines(text(item, "TextValue"));
    case "CODE": return codeText(code(item, "ConceptCodeSequence"));
    case "NUM": return measured(item);
    case "PNAME": return nameText(item);
    case "DATE": return formatDate(text(item, "Date"));
    case "TIME": return formatTime(text(item, "Time"));
    case "DATETIME": return dateTime(text(item, "DateTime"));
    case "UIDREF": return text(item, "UID");
    case "IMAGE": case "COMPOSITE": case "WAVEFORM": return reference(item);
    case "SCOORD": case "SCOORD3D": return t("reportRegion", { type: text(item, "GraphicType"), n: Math.floor(numbers(item, "GraphicData").length / 2) });
    default: return "";
  }
}

function codeText(value) {
  return value ? value.meaning || value.value : "";
}

function measured(item) {
  const { value, unit } = measuredParts(item);
  return [value, unit].filter(Boolean).join(" ");
}

function measuredParts(item) {
  const value = items(item, "MeasuredValueSequence")[0];
  return { value: text(value, "NumericValue"), unit: unitText(code(value, "MeasurementUnitsCodeSequence")), code: code(value, "MeasurementUnitsCodeSequence") };
}

// The frame an IMAGE item names, as `instance/frame`.
function keyOf(item, type) {
  const target = items(item, "ReferencedSOPSequence")[0];
  const uid = text(target, "ReferencedSOPInstanceUID");
  return type === "IMAGE" && uid ? `${uid}/${numbers(target, "ReferencedFrameNumber")[0] ?? 1}` : null;
}

function nameText(item) {
  const name = personName(values(item, "PersonName")[0], language());
  return [name.primary, ...name.others].join("　").trim();
}

function dateTime(value) {
  return [formatDate(value.slice(0, 8)), formatTime(value.slice(8))].filter(Boolean).join(" ");
}

function reference(item) {
  const target = items(item, "ReferencedSOPSequence")[0];
  return `…${text(target, "ReferencedSOPInstanceUID").slice(-16)}`;
}
