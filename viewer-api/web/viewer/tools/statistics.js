// What lies under an ellipse or a point, in modality values of full-resolution samples: never of a preview.

import { modalityOf, paddingOf } from "../image/voi.js";
import { ellipseOutline, inEllipse } from "./geometry.js";

/** More pixels than this under one ellipse are not looked at: a large mammogram is 25 million. */
export const PIXELS_MAX = 40_000_000;

/** Whether the samples of a picture are numbers one may average: grey, of every pixel, and not drawn by a server. */
export function measurable(frame, picture) {
  const photometric = String(frame.value("PhotometricInterpretation") ?? "");
  return Boolean(picture) && picture.components === 1 && picture.level === 0 && picture.width === picture.columns && picture.height === picture.rows
    && /^MONOCHROME[12]$/.test(photometric) && (picture.quality.kind === "lossless" || picture.quality.kind === "lossy");
}

/**
 * Count, mean, standard deviation (of a sample, n − 1), least and greatest modality value of the pixels whose centres lie in the ellipse;
 * `null` where there is no such pixel. `valueOf` turns a stored sample into a modality value. Pixels of padding (PS3.3 C.7.5.1.1.2) are counted apart and left out.
 */
export function ellipseStatistics(frame, picture, points, valueOf = (sample) => modalityOf(frame, null, sample)) {
  const outline = ellipseOutline(points, 180);
  const bounds = [outline.map(([x]) => x), outline.map(([, y]) => y)];
  const [left, right] = clip(bounds[0], picture.columns);
  const [top, bottom] = clip(bounds[1], picture.rows);
  if ((right - left + 1) * (bottom - top + 1) > PIXELS_MAX) return null;
  const [low, high] = paddingOf(frame) ?? [Infinity, -Infinity];
  const sum = new Welford();
  let padding = 0;
  for (let row = top; row <= bottom; row++) {
    for (let column = left; column <= right; column++) {
      if (!inEllipse(points, [column + 0.5, row + 0.5])) continue;
      const stored = picture.samples[row * picture.columns + column];
      if (stored >= low && stored <= high) padding++;
      else sum.add(valueOf(stored));
    }
  }
  return sum.count ? { count: sum.count, padding, mean: sum.mean, deviation: sum.deviation, least: sum.least, greatest: sum.greatest } : null;
}

/** The modality value of the pixel a point lies in, or `null` beside the picture. */
export function valueAt(frame, picture, [x, y], valueOf = (sample) => modalityOf(frame, null, sample)) {
  const [column, row] = [Math.floor(x), Math.floor(y)];
  if (column < 0 || row < 0 || column >= picture.columns || row >= picture.rows) return null;
  return valueOf(picture.samples[row * picture.columns + column]);
}

function clip(values, size) {
  return [Math.max(0, Math.floor(Math.min(...values))), Math.min(size - 1, Math.ceil(Math.max(...values)))];
}

function first(value) {
  return Array.isArray(value) ? value[0] : value;
}

// Welford's way: one pass, and no difference of two large sums.
class Welford {
  count = 0;
  mean = 0;
  least = Infinity;
  greatest = -Infinity;
  #squares = 0;

  add(value) {
    this.count++;
    const before = value - this.mean;
    this.mean += before / this.count;
    this.#squares += before * (value - this.mean);
    if (value < this.least) this.least = value;
    if (value > this.greatest) this.greatest = value;
  }

  get deviation() {
    return this.count > 1 ? Math.sqrt(this.#squares / (this.count - 1)) : 0;
  }
}

// UCUM codes of what Rescale Type (0028,1054) and Units (0054,1001) say (PS3.3 C.11.1.1.2, C.8.9.1.1.3).
const UNITS = {
  HU: ["[hnsf'U]", "Hounsfield unit"], BQML: ["Bq/ml", "Becquerels/milliliter"], GML: ["g/ml", "gram per milliliter"], CNTS: ["{counts}", "counts"],
  PCNT: ["%", "percent"], Z_EFF: ["{Z_EFF}", "effective atomic number"], ED: ["10*23/ml", "electron density"], MGML: ["mg/ml", "milligram per milliliter"],
};
const NO_UNITS = ["1", "no units"];

/** The unit of modality values: `{label, ucum: [value, meaning]}`; no label where the file says none. */
export function unitOf(frame) {
  const stated = String(first(frame.value("RescaleType")) ?? "").trim().toUpperCase();
  // Of CT the values are Hounsfield units where nothing else is said (PS3.3 C.8.2.1.1.2), localisers apart.
  const type = stated || (frame.series.Modality === "CT" && ![frame.value("ImageType")].flat().includes("LOCALIZER") ? "HU" : "");
  if (UNITS[type]) return { label: type === "HU" ? "HU" : UNITS[type][0].replace(/[{}]/g, ""), ucum: UNITS[type] };
  return type && type !== "US" ? { label: type, ucum: [`{${type.replace(/[{}\s]/g, "_")}}`, type] } : { label: "", ucum: NO_UNITS };
}
