// How images were shown and what was drawn on them: Grayscale Softcopy Presentation State (PS3.3 A.33.1), and its colour variant (A.33.2)
// for images in colour.

import { referenceOf } from "./content.js";
import { srgbProfile } from "./icc.js";
import { MEASURING } from "./measure.js";
import { bySeries, commonOf, dataset, momentOf } from "./model.js";

/** Grayscale, and Color Softcopy Presentation State Storage. */
export const GSPS = "1.2.840.10008.5.1.4.1.1.11.1";
export const CSPS = "1.2.840.10008.5.1.4.1.1.11.2";

/** What a report says as well, and what only the state does. */
export const LAYERS = ["MEASUREMENTS", "NOTES"];
// Yellow in CIELab as PS3.3 C.10.7.1.1 scales it: L* 0 to 100 and a*, b* -128 to 127 over 0 to 65535.
const YELLOW_CIELAB = [61000, 30200, 56000];
const TEXT_CHARACTERS_MAX = 1024;

/**
 * The state as DICOM JSON. `images` are all of one series and one modality transformation: `{reference: {series, instance, sopClass, frame},
 * columns, rows, spacing: {row, column}|null, aspect: [row, column], marks: [{kind, points, label}], window: {center, width, function}|null, lut|null}`.
 * `display` is `{rotation, flipped, inverted, monochrome1, rescale: {slope, intercept, type}, modalityLut|null, colour}`; LUTs are those of tables.js of image/.
 */
export function presentationState(source, images, display, { series, instance, instanceNumber, person, description, now }) {
  const moment = momentOf(now);
  const colour = display.colour;
  return dataset({
    ...commonOf(source, { sopClass: colour ? CSPS : GSPS, modality: "PR", series, description, number: 9903, instanceNumber, now }),
    SOPInstanceUID: instance, ContentLabel: "READING", ContentDescription: description, ContentCreatorName: person || null,
    PresentationCreationDate: moment.date, PresentationCreationTime: moment.time,
    ReferencedSeriesSequence: bySeries(images.map((image) => image.reference), "ReferencedImageSequence"),
    DisplayedAreaSelectionSequence: images.map((image) => displayedArea(image)),
    GraphicAnnotationSequence: some(images.flatMap(annotations)),
    GraphicLayerSequence: some(LAYERS.filter((name) => images.some((image) => image.marks.some((mark) => layerOf(mark) === name))).map(layer)),
    Laterality: null, ImageRotation: display.rotation, ImageHorizontalFlip: display.flipped ? "Y" : "N",
    ...(colour ? { ICCProfile: { base64: base64(srgbProfile()) } } : grey(images, display)),
  });
}

// Modality LUT, VOI LUT and Presentation LUT: of grey images only. What the state leaves out counts as identity, so the rescale is said again.
function grey(images, { rescale, modalityLut, inverted, monochrome1 }) {
  const transformed = rescale.slope !== 1 || rescale.intercept !== 0 || rescale.type;
  return {
    ...(modalityLut ? { ModalityLUTSequence: [lutItem(modalityLut, { ModalityLUTType: modalityLut.type || "US" })] } : transformed ? { RescaleIntercept: rescale.intercept, RescaleSlope: rescale.slope, RescaleType: rescale.type || "US" } : {}),
    SoftcopyVOILUTSequence: some(images.filter((image) => image.window || image.lut).map((image) => dataset({ ReferencedImageSequence: [referenceOf(image.reference)], ...voiOf(image) }))),
    // The shape maps to P-Values, whatever the photometric interpretation (PS3.3 C.11.6.1.2): MONOCHROME1 as it is meant is INVERSE.
    PresentationLUTShape: Boolean(inverted) !== Boolean(monochrome1) ? "INVERSE" : "IDENTITY",
  };
}

function voiOf({ window, lut }) {
  if (lut) return { VOILUTSequence: [lutItem(lut)] };
  return { WindowCenter: window.center, WindowWidth: window.width, VOILUTFunction: window.function && window.function !== "LINEAR" ? window.function : undefined };
}

// PS3.3 C.11.1.1, C.11.2.1.1: count (0 is 65,536), first value mapped, bits; then the entries, two bytes each. A first value below zero makes all three SS.
function lutItem({ first, entries, bits, explanation }, more = {}) {
  const vr = first < 0 ? "SS" : "US";
  const descriptor = [entries.length % 65_536, first, bits].map((value) => (vr === "SS" && value > 32_767 ? value - 65_536 : value));
  const data = new DataView(new ArrayBuffer(2 * entries.length));
  entries.forEach((entry, at) => data.setUint16(2 * at, entry, true));
  return { "00283002": { vr, Value: descriptor }, ...dataset({ LUTExplanation: explanation || undefined, ...more }), "00283006": { vr: "OW", InlineBinary: base64(new Uint8Array(data.buffer)) } };
}

// All of the image. Corners are pixels counted from 1, of the image before it is turned (PS3.3 C.10.4).
function displayedArea({ reference, columns, rows, spacing, aspect }) {
  return dataset({
    ReferencedImageSequence: [referenceOf(reference)], DisplayedAreaTopLeftHandCorner: [1, 1], DisplayedAreaBottomRightHandCorner: [columns, rows],
    PresentationSizeMode: "SCALE TO FIT", PresentationPixelSpacing: spacing ? [spacing.row, spacing.column] : undefined,
    PresentationPixelAspectRatio: spacing ? undefined : aspect ?? [1, 1],
  });
}

function layerOf({ kind }) {
  return MEASURING.includes(kind) ? LAYERS[0] : LAYERS[1];
}

function annotations({ reference, marks }) {
  return LAYERS.map((name) => [name, marks.filter((mark) => layerOf(mark) === name)]).filter(([, list]) => list.length).map(([name, list]) => dataset({
    ReferencedImageSequence: [referenceOf(reference)], GraphicLayer: name,
    TextObjectSequence: some(list.filter((mark) => mark.label).map(textObject)), GraphicObjectSequence: some(list.flatMap(graphics)),
  }));
}

function textObject({ kind, points, label }) {
  const at = kind === "text" ? points[0] : points.at(-1);
  return dataset({
    AnchorPointAnnotationUnits: "PIXEL", UnformattedTextValue: label.slice(0, TEXT_CHARACTERS_MAX).replaceAll("\n", "\r\n"), AnchorPoint: at.map(Math.fround), AnchorPointVisibility: "N",
  });
}

function graphics({ kind, points }) {
  switch (kind) {
    case "length": case "angle": return [graphic("POLYLINE", points)];
    case "cobb": return [graphic("POLYLINE", points.slice(0, 2)), graphic("POLYLINE", points.slice(2))];
    case "ellipse": return [graphic("ELLIPSE", points)];
    case "probe": return [graphic("POINT", points)];
    case "arrow": return [graphic("POLYLINE", [points[0], points[1]]), graphic("POLYLINE", arrowHead(points))];
    default: return [];
  }
}

function graphic(type, points) {
  return dataset({
    GraphicAnnotationUnits: "PIXEL", GraphicDimensions: 2, NumberOfGraphicPoints: points.length, GraphicData: points.flat().map(Math.fround), GraphicType: type,
    GraphicFilled: type === "ELLIPSE" ? "N" : undefined,
  });
}

/** The head of an arrow that points at the last of two points, as a line of three. */
export function arrowHead([from, to], share = 0.25) {
  const [dx, dy] = [(from[0] - to[0]) * share, (from[1] - to[1]) * share];
  const turn = (angle) => [to[0] + dx * Math.cos(angle) - dy * Math.sin(angle), to[1] + dx * Math.sin(angle) + dy * Math.cos(angle)];
  return [turn(0.5), to, turn(-0.5)];
}

function layer(name, at) {
  return dataset({ GraphicLayer: name, GraphicLayerOrder: at + 1, GraphicLayerRecommendedDisplayCIELabValue: YELLOW_CIELAB });
}

function some(list) {
  return list.length ? list : undefined;
}

function base64(bytes) {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}
