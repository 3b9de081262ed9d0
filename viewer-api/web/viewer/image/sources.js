// How the pixels of a frame are had: as they are held where this page can decode them, else coded anew by the server without loss, else
// drawn by the server. No DOM.

import { pathOf } from "../api.js";

const LITTLE_ENDIAN = ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1"];
const HTJ2K = ["1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203"];
const JPEG_BASELINE = "1.2.840.10008.1.2.4.50";
/** Coded with loss by definition: JPEG of 8 and 12 bits, near-lossless JPEG-LS is named so only by the Data Set. */
const LOSSY = [JPEG_BASELINE, "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.53", "1.2.840.10008.1.2.4.55"];
/** Here YBR_FULL means what the samples are; other codings undo it themselves. Native, RLE, deflated frames, HTJ2K made of them. */
const KEEPS_COLOURS = [...LITTLE_ENDIAN, ...HTJ2K, "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.8.1"];
/** Frames without resolution levels of their own are halved for the screen where they have more samples than this. */
const HALVED_SAMPLES_MIN = 4_000_000;
/** Resolution levels that the server's own coder makes. */
const CODED_LEVELS = 5;

/**
 * The ways to the pixels of `frame`, best first: `[{kind, url, accept, total, ends, levels, job}]`. `total` is 0 where the length is not
 * known before; only what is held (`ranges`) can be asked for in parts. `job` goes to decode-worker.js.
 */
export function sourcesOf(frame) {
  const { transferSyntax, bytes, ends, url } = frame.held;
  const { instance } = frame;
  const photometric = String(instance.PhotometricInterpretation ?? "");
  const ybr = photometric.startsWith("YBR_FULL") && KEEPS_COLOURS.includes(transferSyntax);
  const held = { url, accept: "*/*", total: bytes, ranges: bytes > 0 };
  const ways = [];
  if (url && HTJ2K.includes(transferSyntax)) {
    ways.push({ ...held, kind: "htj2k", ends: ends?.length > 1 ? ends : null, levels: ends?.length ? ends.length - 1 : CODED_LEVELS, job: { kind: "htj2k", ybr } });
  }
  if (url && LITTLE_ENDIAN.includes(transferSyntax) && Number(instance.BitsAllocated) > 1) {
    ways.push({ ...held, kind: "native", ends: null, levels: halvings(frame), job: { kind: "native", shape: shapeOf(frame, ybr) } });
  }
  // A browser takes three components for luminance and chrominance; what is RGB in a JPEG is left to the server.
  if (url && transferSyntax === JPEG_BASELINE && Number(instance.BitsStored) === 8 && photometric !== "RGB") {
    ways.push({ ...held, kind: "browser", ends: null, levels: halvings(frame), job: { kind: "browser", mediaType: "image/jpeg", grey: !frame.isColour || photometric === "PALETTE COLOR" } });
  }
  const path = `${pathOf(...frame.address)}/frames/${frame.number}`;
  const asked = { total: 0, ranges: false, ends: null };
  if (!HTJ2K.includes(transferSyntax)) ways.push({ ...asked, kind: "transcoded", url: path, accept: "image/jphc", levels: CODED_LEVELS, job: { kind: "htj2k", ybr } });
  ways.push({ ...asked, kind: "rendered", url: `${path}/rendered`, accept: "image/png", levels: halvings(frame), job: { kind: "browser", mediaType: "image/png", grey: false } });
  return ways;
}

function halvings(frame) {
  return frame.columns * frame.rows > HALVED_SAMPLES_MIN ? Math.max(0, Math.floor(Math.log2(Math.min(frame.columns, frame.rows) / 64))) : 0;
}

function shapeOf({ instance, columns, rows }, ybr) {
  const stored = Number(instance.BitsStored ?? instance.BitsAllocated);
  return {
    columns, rows, components: Number(instance.SamplesPerPixel ?? 1), allocated: Number(instance.BitsAllocated), stored, highBit: Number(instance.HighBit ?? stored - 1),
    signed: Number(instance.PixelRepresentation) === 1, planar: Number(instance.PlanarConfiguration) === 1, subsampled: instance.PhotometricInterpretation === "YBR_FULL_422", ybr,
  };
}

/** Bytes that the samples of `frame` take at a resolution level. */
export function sampleBytes(frame, level) {
  const { instance } = frame;
  const each = Math.max(1, Number(instance.BitsAllocated ?? 8) / 8) * Number(instance.SamplesPerPixel ?? 1);
  return Math.ceil(frame.columns / 2 ** level) * Math.ceil(frame.rows / 2 ** level) * each;
}

/** What is to be said of the quality of a picture decoded from `source`. */
export function qualityOf(frame, source, { level, reversible = true }) {
  if (source.kind === "rendered") return { kind: "rendered" };
  if (level > 0) return { kind: "preview", denominator: 2 ** level };
  const isLossy = frame.value("LossyImageCompression") === "01" || LOSSY.includes(frame.held.transferSyntax) || !reversible;
  if (!isLossy) return { kind: "lossless" };
  return { kind: "lossy", ratio: lossyRatioOf(frame) };
}

/** By how much a frame was compressed with loss in all, or `null`: one ratio for each time (PS3.3 C.7.6.1.1.5.2). */
export function lossyRatioOf(frame) {
  const ratios = [frame.value("LossyImageCompressionRatio") ?? []].flat().map(Number).filter((ratio) => ratio > 0);
  return ratios.length ? ratios.reduce((product, ratio) => product * ratio, 1) : null;
}
