// A stored presentation state as this page shows it: graphics and texts of each frame, the window of each, how it was turned.

import { items, number, numbers, text } from "../dicom.js";
import { ellipseOutline } from "./geometry.js";
import { circle, pairs } from "./saved_report.js";

const GRAPHICS_MAX = 2000;

/**
 * `{label, description, annotations: [{layer, keys, graphics: [{points, display}], texts: [{at, display, lines}]}], windows: [{keys, voi}], rotation,
 * flipped, inverse}`. `keys` name frames as `instance/frame`, or instances as `instance/` for all of their frames; `null` is every image.
 */
export function stateOf(dataset) {
  return {
    label: text(dataset, "ContentLabel"), description: text(dataset, "ContentDescription"),
    annotations: items(dataset, "GraphicAnnotationSequence").map(annotationOf),
    windows: items(dataset, "SoftcopyVOILUTSequence").map((item) => ({ keys: keysOf(item), voi: windowOf(item) })).filter(({ voi }) => voi),
    rotation: number(dataset, "ImageRotation") ?? 0, flipped: text(dataset, "ImageHorizontalFlip") === "Y",
    inverse: text(dataset, "PresentationLUTShape") === "INVERSE",
  };
}

/** Whether what says `keys` is about a frame. */
export function isAbout(keys, frame) {
  return keys === null || keys.has(frame.key) || keys.has(`${frame.instance.SOPInstanceUID}/`);
}

function keysOf(item) {
  const images = items(item, "ReferencedImageSequence");
  if (!images.length) return null;
  return new Set(images.flatMap((image) => {
    const uid = text(image, "ReferencedSOPInstanceUID");
    const frames = numbers(image, "ReferencedFrameNumber");
    return frames.length ? frames.map((frame) => `${uid}/${frame}`) : [`${uid}/`];
  }));
}

function windowOf(item) {
  const [center, width] = [number(item, "WindowCenter"), number(item, "WindowWidth")];
  return center !== null && width > 0 ? { center, width, function: text(item, "VOILUTFunction") || "LINEAR" } : null;
}

function annotationOf(item) {
  return {
    layer: text(item, "GraphicLayer"), keys: keysOf(item), graphics: items(item, "GraphicObjectSequence").slice(0, GRAPHICS_MAX).map(graphicOf).filter(Boolean),
    texts: items(item, "TextObjectSequence").slice(0, GRAPHICS_MAX).map(textOf).filter(Boolean),
  };
}

// PS3.3 C.10.5.1.2; an interpolated line is drawn through its points straight.
function graphicOf(item) {
  const points = pairs(numbers(item, "GraphicData"));
  const display = text(item, "GraphicAnnotationUnits") === "DISPLAY";
  if (!points.length) return null;
  switch (text(item, "GraphicType")) {
    case "POINT": return { display, points: [], spot: points[0] };
    case "CIRCLE": return points.length > 1 ? { display, points: closed(ellipseOutline(circle(points))) } : null;
    case "ELLIPSE": return points.length === 4 ? { display, points: closed(ellipseOutline(points)) } : null;
    default: return { display, points };
  }
}

function closed(points) {
  return [...points, points[0]];
}

function textOf(item) {
  const anchor = numbers(item, "AnchorPoint");
  const corner = numbers(item, "BoundingBoxTopLeftHandCorner");
  const at = anchor.length === 2 ? anchor : corner;
  const units = text(item, anchor.length === 2 ? "AnchorPointAnnotationUnits" : "BoundingBoxAnnotationUnits");
  return at.length === 2 ? { at, display: units === "DISPLAY", lines: text(item, "UnformattedTextValue").split(/\r?\n/).slice(0, 20) } : null;
}
