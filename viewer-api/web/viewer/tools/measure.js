// From a mark to its values. A mark is `{id, kind, key, reference, points, text}`: what was drawn on which frame.

import { angleAt, cobbAngle, distance, ellipseArea } from "./geometry.js";

/** How many points each kind is drawn with. */
export const POINTS = { length: 2, angle: 3, cobb: 4, ellipse: 4, probe: 1, arrow: 2, text: 1 };

/** Kinds that yield numbers; the others are remarks on the picture only. */
export const MEASURING = ["length", "angle", "cobb", "ellipse", "probe"];

const DEGREES = { label: "°", ucum: ["deg", "degree"] };
const UNITS = {
  mm: { length: { label: "mm", ucum: ["mm", "millimeter"] }, area: { label: "mm²", ucum: ["mm2", "square millimeter"] } },
  px: { length: { label: "px", ucum: ["{pixels}", "pixels"] }, area: { label: "px²", ucum: ["{pixels}2", "square pixels"] } },
};

/**
 * The values of a mark: `[{key, value, unit: {label, ucum}}]`. `scale` as of scale.js; `statistics` of an ellipse or `{value}` of a probe, or
 * `null` where the samples are not there or are no numbers; `unit` of modality values.
 */
export function measure(mark, scale, statistics, unit) {
  // What is still being drawn measures nothing.
  if (mark.points.length < POINTS[mark.kind]) return [];
  const of = UNITS[scale.unit];
  switch (mark.kind) {
    case "length": return [{ key: "length", value: distance(...mark.points, scale), unit: of.length }];
    case "angle": return degrees("angle", angleAt(...mark.points, scale));
    case "cobb": return degrees("cobb", cobbAngle(mark.points, scale));
    case "ellipse": return [{ key: "area", value: ellipseArea(mark.points, scale), unit: of.area }, ...spread(statistics, unit)];
    case "probe": return statistics ? [{ key: "value", value: statistics.value, unit }] : [];
    default: return [];
  }
}

function degrees(key, value) {
  return value === null ? [] : [{ key, value, unit: DEGREES }];
}

function spread(statistics, unit) {
  if (!statistics) return [];
  return ["mean", "deviation", "least", "greatest"].map((key) => ({ key, value: statistics[key], unit }));
}

/** The lines of a mark's values: name where it needs one (`names` by key, or the value's own), value, and the unit once a line. */
export function linesOf(kind, values, names) {
  const parts = values.map((value, at) => {
    const again = ["deviation", "least", "greatest"].includes(value.key) && values.some((one, before) => before < at && one.key === "mean" && one.unit.label === value.unit.label);
    const text = again ? written({ ...value, unit: { label: "" } }) : written(value);
    const name = value.key === null ? value.name : names[value.key];
    return name ? `${name} ${text}` : text;
  });
  return kind === "ellipse" && parts.length === 5 ? [parts[0], `${parts[1]}  ${parts[2]}`, `${parts[3]}  ${parts[4]}`] : parts;
}

/** A value as people read it: lengths to a tenth, angles to a tenth, large numbers without decimals; never more than was measured. */
export function written({ key, value, unit }) {
  const digits = key === "length" || key === "angle" || key === "cobb" ? 1 : Math.abs(value) >= 1000 || (key === "area" && Math.abs(value) >= 100) ? 0 : 1;
  const whole = (key === "least" || key === "greatest" || key === "value") && Number.isInteger(value);
  return `${value.toFixed(whole ? 0 : digits)}${unit.label === "°" ? "°" : unit.label ? ` ${unit.label}` : ""}`;
}
