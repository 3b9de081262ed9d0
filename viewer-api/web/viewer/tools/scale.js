// What a pixel is in millimetres, and where it is not known, why not: measurements say so instead of guessing.
//
// A scale is `{row, column, unit: "mm"|"px", kind: "patient"|"detector"|"calibrated"|"ultrasound"|null, reason}`; `reason` is the key of a
// sentence where there is no spacing, or a reservation about the one there is.

import { items, number } from "../dicom.js";

const PIXELS = { row: 1, column: 1, unit: "px", kind: null };
const CENTIMETRES = 3;
const TISSUE = 1;
const MM_A_CM = 10;

/** The scale of a frame from its spacing (`view.spacing`) and, for ultrasound, the calibrated regions of its instance, at these points. */
export function scaleAt(spacing, modality, regions, points) {
  if (spacing) return { row: spacing.row, column: spacing.column, unit: "mm", kind: spacing.kind, reason: spacing.kind === "detector" ? "toolsScaleDetector" : null };
  if (modality !== "US" && modality !== "IVUS") return { ...PIXELS, reason: "toolsScaleUnknown" };
  if (regions === undefined) return { ...PIXELS, reason: "toolsScaleLoading" };
  if (!regions.length) return { ...PIXELS, reason: "toolsScaleNoRegion" };
  const region = regions.find((one) => points.every(([x, y]) => x >= one.left && x <= one.right && y >= one.top && y <= one.bottom));
  if (!region) return { ...PIXELS, reason: "toolsScaleOutside" };
  return { row: region.row, column: region.column, unit: "mm", kind: "ultrasound", reason: null };
}

/**
 * The regions of an ultrasound image in which both directions are lengths (PS3.3 C.8.5.5: Region Spatial Format 2D, Physical Units cm), with
 * millimetres a pixel. A spectrum or a motion picture has time on one axis and is none.
 */
export function regionsOf(dataset) {
  return items(dataset, "SequenceOfUltrasoundRegions").map((item) => ({
    // The maximum is the last pixel, whose far corner belongs to it.
    left: number(item, "RegionLocationMinX0") ?? 0, top: number(item, "RegionLocationMinY0") ?? 0,
    right: (number(item, "RegionLocationMaxX1") ?? -1) + 1, bottom: (number(item, "RegionLocationMaxY1") ?? -1) + 1,
    column: Math.abs(number(item, "PhysicalDeltaX") ?? 0) * MM_A_CM, row: Math.abs(number(item, "PhysicalDeltaY") ?? 0) * MM_A_CM,
    flat: number(item, "RegionSpatialFormat") === TISSUE
      && number(item, "PhysicalUnitsXDirection") === CENTIMETRES && number(item, "PhysicalUnitsYDirection") === CENTIMETRES,
  })).filter((region) => region.flat && region.column > 0 && region.row > 0).map(({ flat, ...region }) => region);
}
