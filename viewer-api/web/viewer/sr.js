// A structured report as text people read: the content tree walked once (PS3.3 C.17.3), headings for containers.

import { code, formatDate, formatTime, items, lines, numbers, personName, text, values } from "./dicom.js";
import { fill, h } from "./dom.js";
import { downloads } from "./downloads.js";
import { language, t } from "./i18n.js";

const ITEMS_MAX = 4000;
const DEPTH_MAX = 40;
const REFERENCES = ["IMAGE", "COMPOSITE", "WAVEFORM"];

/** The tree as `{name, value, children}`, cut at `ITEMS_MAX` items and `DEPTH_MAX` levels; `cut` says whether anything is missing. No DOM. */
export function reportTree(dataset) {
  const budget = { left: ITEMS_MAX, cut: false };
  const root = node(dataset, budget, 0);
  return { ...root, cut: budget.cut };
}

function node(item, budget, depth) {
  budget.left--;
  const tree = { name: code(item, "ConceptNameCodeSequence")?.meaning ?? "", container: text(item, "ValueType") === "CONTAINER", reference: REFERENCES.includes(text(item, "ValueType")), value: itemValue(item), children: [] };
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
  const value = items(item, "MeasuredValueSequence")[0];
  const unit = code(value, "MeasurementUnitsCodeSequence");
  // UCUM "1" is a pure number; curly braces hold an annotation such as {ratio}.
  const name = unit && unit.value !== "1" && !unit.value.startsWith("{") ? unit.value || unit.meaning : "";
  return [text(value, "NumericValue"), name].filter(Boolean).join(" ");
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

/** Shows the report in `place`. Returns `{dispose}`. */
export function showReport(place, { instance, address }) {
  const tree = reportTree(instance);
  const when = [formatDate(text(instance, "ContentDate")), formatTime(text(instance, "ContentTime"))].filter(Boolean).join(" ");
  fill(place, h("article", { class: "page report" }, h("h2", {}, tree.name || text(instance, "SeriesDescription") || t("reportTitle")),
    h("p", { class: "faint" }, [when, stateOf(instance)].filter(Boolean).join("　")),
    tree.children.length ? section(tree.children, 3) : h("p", {}, t("reportEmpty")),
    tree.cut ? h("p", { class: "error" }, t("reportCut", { n: ITEMS_MAX })) : "",
    h("p", {}, downloads(() => address))));
  return { dispose() {} };
}

function stateOf(instance) {
  const complete = { COMPLETE: "reportComplete", PARTIAL: "reportPartial" }[text(instance, "CompletionFlag")];
  const verified = { VERIFIED: "reportVerified", UNVERIFIED: "reportUnverified" }[text(instance, "VerificationFlag")];
  return [complete, verified].filter(Boolean).map((key) => t(key)).join(" / ");
}

// Containers become sections with headings, everything else a line of name and value, with what qualifies it indented below.
function section(children, level) {
  const parts = [];
  let list = null;
  for (const child of gathered(children)) {
    if (child.container) {
      list = null;
      const heading = child.name && h(`h${Math.min(6, level)}`, {}, child.name);
      parts.push(h("section", {}, heading, child.children.length ? section(child.children, level + 1) : ""));
    } else {
      if (!list) parts.push(list = h("dl", {}));
      list.append(h("div", { class: "line" }, h("dt", {}, child.name || "–"), h("dd", {}, child.value || "–", child.children.length ? section(child.children, level + 1) : "")));
    }
  }
  return parts;
}

// An image library names hundreds of images one by one: unnamed references in a row become one line with their number.
function gathered(children) {
  const parts = [];
  for (const child of children) {
    const plain = child.reference && !child.name && !child.children.length;
    const last = parts.at(-1);
    if (plain && last?.references) last.references++;
    else parts.push(plain ? { ...child, name: t("reportImageRef"), references: 1 } : child);
  }
  return parts.map((part) => (part.references > 1 ? { ...part, value: t("reportImageRefs", { n: part.references }) } : part));
}
