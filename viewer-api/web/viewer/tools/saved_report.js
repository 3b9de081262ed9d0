// Measurements of a stored report as marks over the image: any TID 1500 document, ours or another's. The values are the document's own.

import { code, items, numbers, text } from "../dicom.js";
import { CODES } from "./content.js";
import { unitText } from "./units.js";

const GROUP = "125007";
const TRACKING_IDENTIFIER = "112039";
const TRACKING_UID = "112040";
const COMMENT = "121106";
const COBB = "285285000";
const KEYS = Object.fromEntries(["length", "angle", "cobb", "area", "mean", "deviation", "least", "greatest"].map((key) => [CODES[key][0], key]));
for (const one of [CODES.attenuation, CODES.mrSignal, CODES.pixelValue]) KEYS[one[0]] = "value";
/** Groups of one document that are drawn; a segmentation's report may hold thousands. */
const GROUPS_MAX = 500;
const DEPTH_MAX = 12;

/**
 * The marks of a report, `{marks: [{id, kind, key, points, text, label, said}], complete}`; `key` names the frame as `instance/frame`, `said` are the document's
 * values. `complete` where each measurement group became one mark: nothing was left out, or put together of parts.
 */
export function marksOfReport(dataset) {
  const groups = [];
  collect(dataset, groups, 0);
  const marks = groups.slice(0, GROUPS_MAX).map(marksOfGroup);
  return { marks: marks.flat(), complete: groups.length === marks.length && marks.every(({ length }) => length === 1) };
}

const concept = (item) => code(item, "ConceptNameCodeSequence")?.value ?? "";
const children = (item) => items(item, "ContentSequence");

function collect(item, groups, depth) {
  if (depth > DEPTH_MAX) return;
  for (const child of children(item)) {
    if (text(child, "ValueType") !== "CONTAINER") continue;
    if (concept(child) === GROUP) groups.push(child);
    else collect(child, groups, depth + 1);
  }
}

function marksOfGroup(group, at) {
  const parts = children(group);
  const say = (name) => text(parts.find((one) => concept(one) === name), "TextValue");
  const values = parts.filter((one) => text(one, "ValueType") === "NUM");
  const regions = parts.filter(isRegion).map((region) => ({ region, values, from: null }));
  const inferred = values.flatMap((value) => regionsOf(value).map((region) => ({ region, values: [value], from: value })));
  const tracking = text(parts.find((one) => concept(one) === TRACKING_UID), "UID") || `group ${at}`;
  const common = { label: say(TRACKING_IDENTIFIER), text: say(COMMENT) };
  return joined([...regions, ...inferred]).map((one, index) => markOf(one, { ...common, id: index ? `${tracking}/${index}` : tracking })).filter(Boolean);
}

function isRegion(item) {
  return text(item, "ValueType") === "SCOORD";
}

function regionsOf(item) {
  return children(item).filter(isRegion);
}

// Several values of one region are one mark with several values; the two lines of one Cobb angle are one mark too.
function joined(found) {
  const marks = new Map();
  for (const { region, values, from } of found) {
    const pair = from && concept(from) === COBB;
    const key = pair ? from : `${text(region, "GraphicType")} ${numbers(region, "GraphicData").join(" ")} ${keyOf(region)}`;
    const mark = marks.get(key) ?? { regions: [], values: new Set(), cobb: pair };
    mark.regions.push(region);
    for (const value of values) mark.values.add(value);
    marks.set(key, mark);
  }
  return [...marks.values()];
}

function markOf({ regions, values, cobb }, common) {
  const key = keyOf(regions[0]);
  const type = text(regions[0], "GraphicType");
  const points = (cobb ? regions : regions.slice(0, 1)).flatMap((region) => pairs(numbers(region, "GraphicData")));
  const found = [...values].map(valueOf).filter(Boolean);
  const kind = cobb && points.length === 4 ? "cobb" : { POINT: "probe", ELLIPSE: "ellipse" }[type] ?? lineKind(points, found);
  if (!key || !points.length || (kind === "ellipse" && points.length !== 4)) return null;
  return { ...common, kind: type === "CIRCLE" ? "ellipse" : kind, key, points: type === "CIRCLE" ? circle(points) : points, said: found };
}

// The frame of the first image a region was selected from.
function keyOf(region) {
  const image = children(region).find((one) => text(one, "ValueType") === "IMAGE");
  const target = items(image, "ReferencedSOPSequence")[0];
  const instance = text(target, "ReferencedSOPInstanceUID");
  return instance && `${instance}/${numbers(target, "ReferencedFrameNumber")[0] ?? 1}`;
}

/** Numbers in twos. */
export function pairs(list) {
  return Array.from({ length: Math.floor(list.length / 2) }, (_, at) => [list[2 * at], list[2 * at + 1]]);
}

/** A circle of its centre and a point of its edge (PS3.3 C.18.6.1.1) as the ends of two axes. */
export function circle([[x, y], edge]) {
  const radius = Math.hypot(edge[0] - x, edge[1] - y);
  return [[x - radius, y], [x + radius, y], [x, y - radius], [x, y + radius]];
}

// A line of two points that says its length, or of three that says its angle, is what our own tools draw.
function lineKind(points, values) {
  const is = (key) => values.length === 1 && values[0].key === key;
  return points.length === 2 && is("length") ? "length" : points.length === 3 && is("angle") ? "angle" : "outline";
}

// `{key, name, value, unit: {label}}`; `key` as in measure.js where the concept is one of ours, else `null`.
function valueOf(item) {
  const measured = items(item, "MeasuredValueSequence")[0];
  const value = Number(text(measured, "NumericValue"));
  if (!measured || text(measured, "NumericValue") === "" || !Number.isFinite(value)) return null;
  const derivation = children(item).find((one) => concept(one) === CODES.derivation[0]);
  const name = code(derivation, "ConceptCodeSequence") ?? code(item, "ConceptNameCodeSequence");
  return { key: KEYS[name?.value] ?? null, name: name?.meaning ?? "", value, unit: { label: unitText(code(measured, "MeasurementUnitsCodeSequence")) } };
}
