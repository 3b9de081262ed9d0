// UCUM codes as people write them.

const WRITTEN = { "1": "", "mm2": "mm²", "cm2": "cm²", "mm3": "mm³", "cm3": "cm³", deg: "°", "[hnsf'U]": "HU", "{pixels}": "px", "{pixels}2": "px²", um: "µm", "m/s2": "m/s²", "{BPM}": "/min" };

/** The unit of a code `{value, meaning}`, `""` for a pure number; an annotation in braces says nothing of size. */
export function unitText(unit) {
  if (!unit) return "";
  if (Object.hasOwn(WRITTEN, unit.value)) return WRITTEN[unit.value];
  return unit.value.startsWith("{") ? "" : unit.value || unit.meaning;
}
