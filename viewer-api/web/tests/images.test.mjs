// Proves what a manifest says of frames, where an image lies on the screen, how samples become grey, and which frame is asked for first.
import assert from "node:assert/strict";
import { test } from "node:test";
import { displaySets, unshownName } from "../viewer/display.js";
import { after, fitScale, imageToSamplesMap, imageToScreenMap, inverted, levelFor, pixelAspect, spacingOf, through } from "../viewer/image/geometry.js";
import { parseManifest } from "../viewer/image/manifest.js";
import { endOf, firstLevel, neighbours, plan, RANK } from "../viewer/image/queue.js";
import { qualityOf, sourcesOf } from "../viewer/image/sources.js";
import { pixels } from "../viewer/image/software.js";
import { brightness, draggedWindow, foundWindow, greyOf, isInverse, shadingOf, statedWindows, windowOf } from "../viewer/image/voi.js";
import { sceneUnder } from "../viewer/tools/magnifier.js";

// One series of as many instances as there are rows, described by columns.
function seriesOf(rows, more = {}, series = {}) {
  const keys = new Set(rows.flatMap(Object.keys));
  const instances = { Rows: { all: 4 }, Columns: { all: 4 }, SOPInstanceUID: { each: rows.map((_, at) => `1.2.${at}`) }, ...more };
  for (const key of keys) instances[key] = { each: rows.map((row) => row[key] ?? null) };
  const json = { version: 1, study: { StudyInstanceUID: "1.2" }, series: [{ SeriesInstanceUID: "1.2.3", Modality: "CT", count: rows.length, frames_url: "/s/{SOPInstanceUID}/frames/{frame}?rep={representation}", instances, ...series }] };
  return parseManifest(json).series[0];
}
const frameOf = (row, series) => seriesOf([row], {}, series).frames[0];
const numbersOf = (rows) => seriesOf(rows).frames.map((frame) => frame.value("InstanceNumber"));
const slice = (InstanceNumber, z, ImageOrientationPatient = [1, 0, 0, 0, 1, 0]) => ({ InstanceNumber, ImagePositionPatient: [0, 0, z], ImageOrientationPatient });

test("a version that is not known is refused", () => assert.throws(() => parseManifest({ version: 2, study: {}, series: [] }), /version 2/));

test("slices go by place where all are parallel, in the acquisition's direction; else by number", () => {
  assert.deepEqual(numbersOf([slice(1, 30), slice(2, 20), slice(3, 10)]), [1, 2, 3]);
  assert.deepEqual(numbersOf([slice(9, 3), slice(11, 1), slice(10, 2)]), [9, 10, 11]);
  assert.deepEqual(numbersOf([slice(1, 1), slice(2, 9), slice(3, 5)]), [1, 3, 2]);
  assert.deepEqual(numbersOf([slice(2, 5), slice(1, 9, [0, 1, 0, 0, 0, -1])]), [1, 2]);
  assert.deepEqual(numbersOf([slice(2, 5), slice(1, 5)]), [1, 2]);
});

test("a frame's own values come before those its instance shares; a row without a value has none", () => {
  const own = { NumberOfFrames: 2, WindowCenter: [1], WindowWidth: [10], PerFrame: { WindowCenter: { each: [null, [2]] } } };
  const { frames } = seriesOf([own, { SliceThickness: 3 }]);
  assert.deepEqual(frames.map((frame) => frame.key), ["1.2.0/1", "1.2.0/2", "1.2.1/1"]);
  assert.deepEqual(frames.map((frame) => statedWindows(frame)[0]?.center), [1, 2, undefined]);
  assert.deepEqual(frames.map((frame) => frame.numeric("SliceThickness")), [null, null, 3]);
});

test("instances without pixels are no frames", () => {
  const series = seriesOf([{ Rows: 0 }, { Rows: 4 }]);
  assert.deepEqual([series.instances.length, series.frames.length], [2, 1]);
  const instance = (uid, sopClass, more) => ({ "00080016": { vr: "UI", Value: [`1.2.840.10008.5.1.4.1.1.${sopClass}`] }, "00080018": { vr: "UI", Value: [uid] }, ...more });
  const size = { "00280010": { vr: "US", Value: [4] }, "00280011": { vr: "US", Value: [4] } };
  const metadata = [instance("1", "88.33"), instance("2", "1", size), instance("3", "1", size)];
  // The last one says how large it is, and the archive found no pixels in it.
  assert.deepEqual(displaySets(metadata, new Set(["1", "3"])).map(({ kind, instance }) => [kind, unshownName(instance)]), [["report", "kindOther"], ["other", "imageWithoutPixels"]]);
});

test("an image without pixels is said to be one; another object is named", () => {
  const name = (sopClass) => unshownName({ "00080016": { vr: "UI", Value: [`1.2.840.10008.5.1.4.1.1.${sopClass}`] } });
  for (const image of ["1", "1.2", "1.2.1", "2", "2.1", "3.1", "4", "4.1", "4.3", "6.1", "7", "7.4", "12.1", "13.1.3", "14.1", "20", "30", "77.1.6", "128", "128.1", "130", "481.1"]) assert.equal(name(image), "imageWithoutPixels", image);
  for (const [other, key] of [["4.2", "kindOther"], ["11.1", "presentationOver"], ["66.1", "kindRegistration"], ["66.4", "kindSegmentation"], ["481.2", "kindRadiotherapy"], ["481.10", "kindRadiotherapy"], ["9.4.1", "kindWaveform"], ["131", "kindOther"], ["200.1", "kindOther"]]) assert.equal(name(other), key, other);
});

test("millimetres say where they are measured", () => {
  const check = (row, Modality, expected) => assert.deepEqual(spacingOf(frameOf(row, { Modality })), expected);
  check({ PixelSpacing: [0.7, 0.6] }, "CT", { row: 0.7, column: 0.6, kind: "patient" });
  check({ ImagerPixelSpacing: [0.1, 0.1] }, "MG", { row: 0.1, column: 0.1, kind: "detector" });
  check({ ImagerPixelSpacing: [0.1, 0.1], PixelSpacing: [0.1, 0.1] }, "DX", { row: 0.1, column: 0.1, kind: "detector" });
  check({ ImagerPixelSpacing: [0.1, 0.1], PixelSpacing: [0.08, 0.08] }, "DX", { row: 0.08, column: 0.08, kind: "calibrated" });
  check({ PixelSpacing: [0, 1] }, "MR", null);
  check({}, "OP", null);
  assert.equal(pixelAspect(frameOf({ PixelAspectRatio: [2, 1] })), 2);
});

test("an image is rotated, then flipped, about its middle, and back again", () => {
  const matrix = { columns: 100, rows: 50, aspect: 2 };
  const size = { width: 400, height: 300 };
  const place = (state, at) => through(imageToScreenMap(matrix, size, { scale: 2, panX: 10, panY: -20, rotation: 0, flipped: false, ...state }), at).map(Math.round);
  assert.deepEqual(place({}, [50, 25]), [210, 130]);
  assert.deepEqual(place({}, [0, 0]), [110, 30]);
  assert.deepEqual(place({ rotation: 90 }, [0, 0]), [310, 30]);
  assert.deepEqual(place({ rotation: 90, flipped: true }, [0, 0]), [110, 30]);
  assert.deepEqual(place({ flipped: true }, [0, 0]), [310, 30]);
  assert.equal(fitScale(matrix, size, 0), 3);
  assert.equal(fitScale({ ...matrix, rows: 25 }, size, 90), 3);
  for (const rotation of [0, 90, 180, 270, -90]) {
    for (const flipped of [false, true]) {
      const map = imageToScreenMap(matrix, size, { scale: 1.7, panX: 3, panY: 4, rotation, flipped });
      const back = through(after(inverted(map), map), [12.25, 40.5]);
      assert.ok(Math.abs(back[0] - 12.25) < 1e-9 && Math.abs(back[1] - 40.5) < 1e-9, `${rotation} ${flipped}`);
    }
  }
});

test("samples of a reduced wavelet picture lie on the even samples of the full one, those of a mean in the middle", () => {
  const wavelet = imageToSamplesMap({ columns: 8, rows: 8, width: 2, height: 2, level: 2, origin: 0.5 });
  assert.deepEqual([through(wavelet, [0.5, 0.5]), through(wavelet, [4.5, 4.5])], [[0.5, 0.5], [1.5, 1.5]]);
  const mean = imageToSamplesMap({ columns: 8, rows: 8, width: 2, height: 2, level: 2 });
  assert.deepEqual(through(mean, [2, 6]), [0.5, 1.5]);
});

test("the level that is fetched is no coarser than the screen", () => {
  assert.deepEqual([0.15, 0.5, 0.51, 1, 3].map((scale) => levelFor(scale, 5)), [2, 1, 0, 0, 0]);
  assert.equal(levelFor(0.15, 5, 1.25), 3);
  assert.equal(levelFor(0.001, 2), 2);
});

// PS3.3 C.11.2.1.2.1: its own table of examples, for an output of 0 to 255.
test("LINEAR is the standard's", () => {
  const grey = (window, value) => Math.round(255 * brightness(window, value));
  for (const value of [0, 1, 100, 2048, 4000, 4095]) assert.equal(grey({ center: 2048, width: 4096 }, value), Math.round((value / 4095) * 255));
  assert.deepEqual([0, 1].map((value) => grey({ center: 1, width: 1 }, value)), [0, 255]);
  assert.deepEqual([-1, 0, 1].map((value) => grey({ center: 0, width: 100 }, value - 50)), [0, 0, 3]);
});

test("LINEAR_EXACT and SIGMOID are the standard's", () => {
  const at = (kind, value) => brightness({ center: 40, width: 400, function: kind }, value);
  assert.deepEqual([-160, 40, 240].map((value) => at("LINEAR_EXACT", value)), [0, 0.5, 1]);
  assert.equal(at("SIGMOID", 40), 0.5);
  assert.ok(Math.abs(at("SIGMOID", 140) - 1 / (1 + Math.exp(-1))) < 1e-12);
});

const grey8 = { components: 1, bits: 8, signed: false, quality: { kind: "lossless" } };

test("MONOCHROME1 is inverted once, whatever else says so, and padding stays black", () => {
  assert.equal(isInverse(frameOf({ PhotometricInterpretation: "MONOCHROME1", PresentationLUTShape: "INVERSE" })), true);
  const frame = frameOf({ PhotometricInterpretation: "MONOCHROME1", WindowCenter: [128], WindowWidth: [256], PixelPaddingValue: 7, PixelPaddingRangeLimit: 9 });
  const greys = (inverted_) => [0, 8, 255].map((value) => greyOf(shadingOf(frame, { voi: null, inverted: inverted_, picture: grey8 }), value));
  assert.deepEqual([greys(false), greys(true)], [[255, 0, 0], [0, 0, 255]]);
});

test("tables stand in for slope and window, and end at their ends", () => {
  const frame = frameOf({ PhotometricInterpretation: "MONOCHROME2", BitsStored: 8 });
  const modality = { first: 10, bits: 16, entries: Uint16Array.of(100, 200, 300) };
  const voi = { first: 100, bits: 8, entries: Uint16Array.from({ length: 201 }, (_, at) => Math.min(255, at)) };
  const shading = shadingOf(frame, { voi: null, tables: { modality, voi }, picture: grey8 });
  assert.deepEqual([0, 10, 11, 12, 200].map((value) => greyOf(shading, value)), [0, 0, 100, 200, 200]);
  const windowed = shadingOf(frame, { voi: { center: 200, width: 200, function: "LINEAR_EXACT" }, tables: { modality }, picture: grey8 });
  assert.deepEqual([0, 11, 12].map((value) => greyOf(windowed, value)), [0, 128, 255]);
});

test("a window is found without padding and with the rescale of the file", () => {
  const samples = Int16Array.from({ length: 1000 }, (_, at) => (at < 100 ? -2000 : at));
  const found = foundWindow({ samples, bits: 16 }, { slope: 2, intercept: -1000 }, [-2000, -2000]);
  assert.ok(Math.abs(found.center - 99) < 10 && Math.abs(found.width - 1784) < 20, JSON.stringify(found));
});

test("a drag moves width with x and centre with y, and width never reaches zero", () => {
  const wide = { center: 40, width: 400 };
  assert.deepEqual(draggedWindow(wide, 100, -20), { center: 20, width: 500, function: "LINEAR" });
  assert.equal(draggedWindow(wide, -9999, 0).width, 1);
  assert.ok(draggedWindow({ center: 0.001, width: 0.01 }, 10, 0).width > 0.01);
});

test("a drag over a LUT goes on from the window that spans what it maps", () => {
  const lut = { first: -100, bits: 8, entries: new Uint16Array(400) };
  const spanning = windowOf(lut);
  assert.deepEqual([-100, 299].map((value) => brightness(spanning, value)), [0, 1]);
  assert.deepEqual(draggedWindow(lut, 100, 20), { center: 120, width: 500, function: "LINEAR" });
});

test("the magnifier shades as the view does: VOI LUT, padding, inversion, colours", () => {
  const under = (row, tables, picture) => {
    const frame = frameOf(row);
    const shading = shadingOf(frame, { voi: null, tables, picture });
    const view = { picture, scene: () => ({ picture, shading }), screenToImage: ([x, y]) => [x / 100, y / 100] };
    const scene = sceneUnder(view, [150, 50], 2);
    const all = pixels(scene);
    const at = (x) => 4 * ((scene.height / 2) * scene.width + scene.width / 2 + x);
    // The glass shows two CSS pixels as four: 20 of its pixels are 0.1 samples.
    return [-119, 0, 119].map((x) => [...all.slice(at(x), at(x) + 3)].join());
  };
  const picture = (samples, more) => ({ ...grey8, level: 0, columns: 3, rows: 1, width: 3, height: 1, samples, ...more });
  const lut = { first: 0, bits: 8, entries: Uint16Array.of(10, 20, 30) };
  assert.deepEqual(under({ PhotometricInterpretation: "MONOCHROME2" }, { voi: lut }, picture(Uint8Array.of(0, 1, 2))), ["10,10,10", "20,20,20", "30,30,30"]);
  assert.deepEqual(under({ PhotometricInterpretation: "MONOCHROME2", PresentationLUTShape: "INVERSE", PixelPaddingValue: 0 }, { voi: lut }, picture(Uint8Array.of(0, 1, 2))), ["0,0,0", "235,235,235", "225,225,225"]);
  assert.deepEqual(under({ PhotometricInterpretation: "RGB", SamplesPerPixel: 3 }, null, picture(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9), { components: 3 })), ["1,2,3", "4,5,6", "7,8,9"]);
});

test("neighbours come nearest first, more ahead than behind, then the rest, inside the stack", () => {
  const frames = Array.from({ length: 100 }, (_, at) => at);
  assert.deepEqual(neighbours(frames, 5, 1, 7), [5, 6, 7, 4, 8, 9, 3]);
  assert.deepEqual(neighbours([0, 1, 2], 0, -1, 9), [0, 1, 2]);
  assert.deepEqual(neighbours([0], 0, 1, 9), [0]);
  assert.deepEqual(neighbours(frames, 40, -1, 400).toSorted((a, b) => a - b), frames);
});

test("what is on the screen goes first, each frame once, near ones within their bytes", () => {
  const named = (key) => ({ key });
  const [a, b, c, d] = ["a", "b", "c", "d"].map(named);
  const steps = plan([{ frames: [a, c], level: 1 }, { frames: [b, c, d], level: 0 }], { cost: () => 10, weight: () => 10, samples_max: 30, bytes_max: 100 });
  assert.deepEqual(steps.map(({ frame, level, decode }) => `${frame.key}${level}${decode ? "" : "-"}`), ["a1", "b0", "a0", "c1", "d0-", "c0-"]);
  assert.ok(steps.every(({ rank }, at) => !at || rank >= steps[at - 1].rank) && steps[2].rank === RANK.seenWhole);
  const cut = plan([{ frames: [a, b, c, d], level: 0 }], { cost: () => 10, weight: () => 10, samples_max: 30, bytes_max: 20 });
  assert.deepEqual(cut.map(({ frame }) => frame.key), ["a", "b"]);
});

test("the first picture is the finest within a few kilobytes, never finer than wanted", () => {
  const ends = [3194, 7711, 23729, 83642, 326506, 1330561, 5284194];
  assert.deepEqual([firstLevel(ends, 1), firstLevel(ends, 4), firstLevel(null, 2)], [3, 4, 2]);
  assert.equal(firstLevel([30_000, 181_022], 0), 1);
  assert.equal(firstLevel([1000, 20_000], 0), 0);
  assert.deepEqual([endOf(ends, 0), endOf(ends, 6), endOf(ends, 9), endOf(null, 0)], [5284194, 3194, 3194, 0]);
});

const held = (transfer_syntax, more = {}) => frameOf({ transfer_syntax, representation: "ab", frame_bytes: [9], BitsAllocated: 16, BitsStored: 12, PhotometricInterpretation: "MONOCHROME2", ...more });

test("what the page decodes is asked for as held, anything else coded anew, and drawn by the server last", () => {
  const kinds = (frame) => sourcesOf(frame).map(({ kind }) => kind);
  assert.deepEqual(kinds(held("1.2.840.10008.1.2.4.202", { resolution_ends: [[1, 9]] })), ["htj2k", "rendered"]);
  assert.deepEqual(kinds(held("1.2.840.10008.1.2.1")), ["native", "transcoded", "rendered"]);
  assert.deepEqual(kinds(held("1.2.840.10008.1.2.4.70")), ["transcoded", "rendered"]);
  assert.deepEqual(kinds(held("1.2.840.10008.1.2.4.50", { BitsStored: 8 })), ["browser", "transcoded", "rendered"]);
  assert.deepEqual(kinds(held("1.2.840.10008.1.2.4.50", { BitsStored: 8, PhotometricInterpretation: "RGB" })), ["transcoded", "rendered"]);
  assert.equal(sourcesOf(held("1.2.840.10008.1.2.1"))[0].url, "/s/1.2.0/frames/1?rep=ab");
});

test("quality is never said better than it is", () => {
  const of = (frame, level = 0) => qualityOf(frame, sourcesOf(frame)[0], { level, reversible: true });
  const htj2k = "1.2.840.10008.1.2.4.202";
  assert.deepEqual(of(held(htj2k)), { kind: "lossless" });
  assert.deepEqual(of(held(htj2k), 2), { kind: "preview", denominator: 4 });
  assert.deepEqual(of(held(htj2k, { LossyImageCompression: "01", LossyImageCompressionRatio: [12] })), { kind: "lossy", ratio: 12 });
  assert.deepEqual(of(held("1.2.840.10008.1.2.4.50", { BitsStored: 8 })), { kind: "lossy", ratio: null });
  const frame = held("1.2.840.10008.1.2.4.203");
  assert.deepEqual(qualityOf(frame, sourcesOf(frame)[0], { level: 0, reversible: false }), { kind: "lossy", ratio: null });
  assert.deepEqual(qualityOf(frame, sourcesOf(frame).at(-1), { level: 0 }), { kind: "rendered" });
});
