// What a pixel is in millimetres, and where it is not known, why not: measurements say so instead of guessing.
//
// A scale is `{row, column, unit: "mm"|"px", kind: "patient"|"detector"|"calibrated"|null, reason}`; `reason` is the key of a sentence where
// there is no spacing, or of a reservation about the one there is.

const PIXELS = { row: 1, column: 1, unit: "px", kind: null };
const ULTRASOUND = ["US", "IVUS"];
/** Region Spatial Format (0018,6012) 1: two dimensions of the patient. A spectrum or a motion picture has time on one axis. */
const FLAT = 1;

/** The scale of a frame at these points. `regions` of ultrasound as tables.js of image/ gives them, `undefined` while they are not known. */
export function scaleAt(spacing, modality, regions, points) {
  if (ULTRASOUND.includes(modality) && regions === undefined) return { ...PIXELS, reason: "toolsScaleLoading" };
  if (regions?.length) return inRegion(regions, points);
  if (spacing) return { row: spacing.row, column: spacing.column, unit: "mm", kind: spacing.kind, reason: spacing.kind === "detector" ? "toolsScaleDetector" : null };
  return { ...PIXELS, reason: ULTRASOUND.includes(modality) ? "toolsScaleNoRegion" : "toolsScaleUnknown" };
}

// PS3.3 C.8.5.5: all points in one region in which both directions are lengths. The last pixel's far corner belongs to it.
function inRegion(regions, points) {
  const around = regions.filter(({ left, top, right, bottom }) => points.every(([x, y]) => x >= left && x <= right + 1 && y >= top && y <= bottom + 1));
  const region = around.find(({ spacing, format }) => spacing?.row > 0 && spacing.column > 0 && format === FLAT);
  if (region) return { row: region.spacing.row, column: region.spacing.column, unit: "mm", kind: "calibrated", reason: null };
  return { ...PIXELS, reason: around.length ? "toolsScaleOtherAxes" : "toolsScaleOutside" };
}
