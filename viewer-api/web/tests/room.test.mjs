// Proves the geometry and the order of a reading room: where planes meet, which slices go together, how images hang, which windows are offered.
import assert from "node:assert/strict";
import { test } from "node:test";
import { breastMask, commonScale } from "../viewer/room/breast.js";
import { frameRate, keptRate, loopOf } from "../viewer/room/cine.js";
import { addWords, setLanguage } from "../viewer/i18n.js";
import { parseManifest } from "../viewer/image/manifest.js";
import { edgeLetters, studyMark } from "../viewer/room/corners.js";
import { clipLine, localiserLine, planeOf, toImage, toPatient } from "../viewer/room/geometry.js";
import { bestPrior, breastSide, breastSlots, breastTurn, hang, matching, startIndex } from "../viewer/room/hanging.js";
import { followedIndex } from "../viewer/room/linked.js";
import { windowChoices } from "../viewer/room/presets.js";
import { Room } from "../viewer/room/room.js";
import { setsOf } from "../viewer/room/sets.js";
import { WORDS } from "../viewer/room/words.js";

const AXIAL = [1, 0, 0, 0, 1, 0];
const SAGITTAL = [0, 1, 0, 0, 0, -1];

function frame(values, series = { Modality: "CT" }) {
  const instance = { Rows: 100, Columns: 200, PixelSpacing: [1, 1], FrameOfReferenceUID: "1.2", ...values };
  return { series, instance, number: 1, row: 0, key: JSON.stringify(values), value: (keyword) => instance[keyword] ?? null };
}

function seriesOf(values, frames) {
  const series = { frames: [], ...values };
  series.frames = frames.map((one) => frame(one, series));
  return series;
}

const close = (actual, expected) => expected.forEach((value, at) => assert.ok(Math.abs(actual[at] - value) < 1e-6, `${JSON.stringify(actual)} is not ${JSON.stringify(expected)}`));

test("image coordinates and patient coordinates go into each other; half a pixel is Image Position", () => {
  const plane = planeOf(frame({ ImagePositionPatient: [-10, 5, 7], ImageOrientationPatient: SAGITTAL, PixelSpacing: [2, 0.5] }));
  close(toPatient(plane, [0.5, 0.5]), [-10, 5, 7]);
  // Ten columns on are 5 mm to the back, ten rows down 20 mm to the feet.
  close(toPatient(plane, [10.5, 10.5]), [-10, 10, -13]);
  close(toImage(plane, toPatient(plane, [3.25, 88])), [3.25, 88]);
});

test("a segmentation hangs by no rule, and is shown to who chose it first", () => {
  const [segmentation, slices] = [{ Modality: "SEG" }, { Modality: "CT" }].map((values) => seriesOf(values, [{ InstanceNumber: 1 }]));
  const room = Object.assign(Object.create(Room.prototype), { hung: [], put: [], loadExtras() {}, hangUp({ places }) { this.hung.push(places[0]?.frames ?? null); }, putSet(set) { this.put.push(set); } });
  room.sets = [segmentation, slices];
  for (const first of [null, slices, segmentation]) room.open(first);
  room.sets = [segmentation];
  room.open(segmentation);
  assert.deepEqual(room.hung, [slices.frames, slices.frames, slices.frames, null]);
  assert.deepEqual(room.put, [segmentation, segmentation]);
});

test("a frame without place, spacing or orthogonal directions has no plane", () => {
  assert.equal(planeOf(frame({ ImageOrientationPatient: AXIAL })), null);
  assert.equal(planeOf(frame({ ImagePositionPatient: [0, 0, 0], ImageOrientationPatient: AXIAL, PixelSpacing: null })), null);
  assert.equal(planeOf(frame({ ImagePositionPatient: [0, 0, 0], ImageOrientationPatient: [1, 0, 0, 1, 0, 0] })), null);
});

test("an axial slice cuts a sagittal picture in a level line at its height, as far as both reach", () => {
  const sagittal = planeOf(frame({ ImagePositionPatient: [50, 0, 80], ImageOrientationPatient: SAGITTAL, Rows: 100, Columns: 200 }));
  const axial = planeOf(frame({ ImagePositionPatient: [0, 20, 60], ImageOrientationPatient: AXIAL, Rows: 100, Columns: 200 }));
  const [from, to] = localiserLine(sagittal, axial).sort((a, b) => a[0] - b[0]);
  // 20 mm below the first row's centre; the axial picture's edges lie at y = 19.5 and 119.5 mm.
  close(from, [20, 20.5]);
  close(to, [120, 20.5]);
});

test("no line: parallel planes, another Frame of Reference, none stated, a picture that does not reach", () => {
  const sagittal = planeOf(frame({ ImagePositionPatient: [50, 0, 80], ImageOrientationPatient: SAGITTAL }));
  const axial = (values) => planeOf(frame({ ImagePositionPatient: [0, 20, 60], ImageOrientationPatient: AXIAL, ...values }));
  assert.equal(localiserLine(axial({}), axial({ ImagePositionPatient: [0, 0, 10] })), null);
  assert.equal(localiserLine(sagittal, axial({ FrameOfReferenceUID: "1.3" })), null);
  assert.equal(localiserLine({ ...sagittal, frameOfReference: null }, axial({ FrameOfReferenceUID: null })), null);
  assert.equal(localiserLine(sagittal, axial({ ImagePositionPatient: [60, 20, 60] })), null);
  assert.equal(localiserLine(sagittal, axial({ ImagePositionPatient: [0, 20, 200] })), null);
});

test("a line is cut at the edges of the picture", () => {
  assert.deepEqual(clipLine([-10, 5], [30, 5], 20, 10), [[0, 5], [20, 5]]);
  assert.equal(clipLine([-10, 15], [30, 15], 20, 10), null);
});

const stack = (count, step, values = {}) => seriesOf({ Modality: "CT" }, Array.from({ length: count }, (_, at) => ({ ImagePositionPatient: [0, 0, at * step], ImageOrientationPatient: AXIAL, ...values }))).frames;

test("linked views of one Frame of Reference show the same place", () => {
  const [thin, thick] = [stack(100, 1), stack(20, 5)];
  assert.equal(followedIndex({ frames: thin, index: 47, anchor: 0 }, { frames: thick, index: 0, anchor: 0 }), 9);
  assert.equal(followedIndex({ frames: thick, index: 9, anchor: 0 }, { frames: thin, index: 0, anchor: 0 }), 45);
  const sagittal = stack(20, 5, { ImageOrientationPatient: SAGITTAL });
  assert.equal(followedIndex({ frames: thin, index: 47, anchor: 0 }, { frames: sagittal, index: 3, anchor: 0 }), null, "crossing planes do not follow");
});

test("a prior in another Frame of Reference goes as many mm from where it was joined, whichever way it counts", () => {
  const now = stack(100, 1);
  const before = stack(40, 2, { FrameOfReferenceUID: "9.9" });
  assert.equal(followedIndex({ frames: now, index: 60, anchor: 50 }, { frames: before, index: 20, anchor: 20 }), 25);
  const reversed = [...before].reverse();
  assert.equal(followedIndex({ frames: now, index: 60, anchor: 50 }, { frames: reversed, index: 20, anchor: 20 }), 15);
});

test("where nothing is placed, as many images on, or in proportion", () => {
  const plain = (count) => seriesOf({ Modality: "US" }, Array.from({ length: count }, (_, at) => ({ InstanceNumber: at }))).frames;
  assert.equal(followedIndex({ frames: plain(30), index: 12, anchor: 10 }, { frames: plain(30), index: 4, anchor: 5 }), 7);
  assert.equal(followedIndex({ frames: plain(30), index: 29, anchor: 10 }, { frames: plain(30), index: 4, anchor: 20 }), 29);
  assert.equal(followedIndex({ frames: plain(11), index: 5, anchor: 0 }, { frames: plain(101), index: 0, anchor: 0 }), 50);
  assert.equal(followedIndex({ frames: plain(11), index: 5, anchor: 0 }, { frames: plain(1), index: 0, anchor: 0 }), null);
});

const VIEWS = [["R", "MLO", ["P", "FL"]], ["L", "MLO", ["A", "FR"]], ["L", "CC", ["A", "R"]], ["R", "CC", ["P", "L"]]];
const breast = ([ImageLaterality, ViewPosition, PatientOrientation], more = {}) => ({ ImageLaterality, ViewPosition, PatientOrientation, SOPClassUID: "1.2.840.10008.5.1.4.1.1.1.2", ...more });

test("mammograms hang right before left, craniocaudal above oblique, whatever their order in the file", () => {
  const study = [seriesOf({ Modality: "MG" }, VIEWS.slice(0, 2).map((one) => breast(one))), seriesOf({ Modality: "MG" }, VIEWS.slice(2).map((one) => breast(one)))];
  const names = (places) => places.map((place) => place && `${place.frames[0].value("ImageLaterality")}${place.frames[0].value("ViewPosition")}`);
  const alone = hang(study);
  assert.deepEqual([alone.rows, alone.columns, names(alone.places)], [2, 2, ["RCC", "LCC", "RMLO", "LMLO"]]);
  const prior = [seriesOf({ Modality: "MG" }, [VIEWS[3], VIEWS[0]].map((one) => breast(one)))];
  const both = hang(study, prior);
  assert.deepEqual([both.rows, both.columns, names(both.places)], [2, 4, ["RCC", "LCC", "RMLO", "LMLO", "RCC", null, "RMLO", null]]);
});

test("each place says whose it is: where the prior has nothing to hang, nothing is marked as one", () => {
  const whose = ({ places }) => places.map((place) => place && place.prior);
  const study = [seriesOf({ Modality: "MG" }, VIEWS.map((one) => breast(one)))];
  assert.deepEqual(whose(hang(study, [seriesOf({ Modality: "MG" }, [breast(VIEWS[0])])])), [false, false, false, false]);
  assert.deepEqual(whose(hang(study, [seriesOf({ Modality: "MG" }, [VIEWS[3], VIEWS[0]].map((one) => breast(one)))])), [false, false, false, false, true, null, true, null]);
  const chest = [seriesOf({ Modality: "CR" }, [{}])];
  assert.deepEqual(whose(hang(chest, [seriesOf({ Modality: "DX" }, [{}])])), [false, true]);
  assert.deepEqual(whose(hang(chest, study)), [false, null]);
});

test("a raw mammogram gives way to the one for presentation", () => {
  const raw = seriesOf({ Modality: "MG" }, [breast(VIEWS[3], { SOPClassUID: "1.2.840.10008.5.1.4.1.1.1.2.1" }), breast(VIEWS[3]), breast(VIEWS[2])]);
  const { slots, others } = breastSlots([raw]);
  assert.deepEqual([slots[0].length, slots[0][0] === raw.frames[1], others.length], [1, true, 0]);
});

test("the side of a breast: by Image Laterality, by the series, by Patient Orientation; unknown stays unknown", () => {
  assert.equal(breastSide(frame({ ImageLaterality: "L" })), "L");
  assert.equal(breastSide(frame({}, { Modality: "MG", Laterality: "R" })), "R");
  assert.equal(breastSide(frame({ PatientOrientation: ["P", "L"] })), "R");
  assert.equal(breastSide(frame({ PatientOrientation: ["A", "FR"] })), "L");
  assert.equal(breastSide(frame({})), null);
});

test("a mammogram is turned until the chest wall is in the middle and lateral or head is up", () => {
  for (const view of VIEWS) assert.deepEqual(breastTurn(frame(breast(view))), { mirror: false, upsideDown: false }, view.join());
  assert.deepEqual(breastTurn(frame(breast(["R", "CC", ["A", "L"]]))), { mirror: true, upsideDown: false });
  assert.deepEqual(breastTurn(frame(breast(["R", "CC", ["P", "R"]]))), { mirror: false, upsideDown: true });
  assert.deepEqual(breastTurn(frame(breast(["L", "MLO", ["A", "HL"]]))), { mirror: false, upsideDown: true });
  assert.deepEqual(breastTurn(frame(breast(["L", "MLO", []]))), { mirror: false, upsideDown: false });
});

test("two projections hang side by side; a volume opens in its middle beside the alike series of its prior", () => {
  const chest = seriesOf({ Modality: "DX" }, [{ ViewPosition: "PA" }, { ViewPosition: "LL" }]);
  const pair = hang([chest]);
  assert.deepEqual([pair.rows, pair.columns, pair.places.map(({ frames }) => frames.length)], [1, 2, [1, 1]]);
  const lung = seriesOf({ Modality: "CT", SeriesDescription: "Lung" }, stack(11, 1).map(({ instance }) => instance));
  const old = [seriesOf({ Modality: "CT", SeriesDescription: "Bone" }, stack(11, 1).map(({ instance }) => instance)), seriesOf({ Modality: "CT", SeriesDescription: "Lung" }, stack(7, 2).map(({ instance }) => instance))];
  const both = hang([lung], old);
  assert.deepEqual([both.places[0].index, both.places[1].frames === old[1].frames, both.places[1].index], [5, true, 3]);
  assert.equal(matching(lung, [chest]), null);
  assert.equal(startIndex(chest.frames), 0);
  assert.equal(hang([seriesOf({ Modality: "SR" }, [{}])]).places[0], null);
});

test("the newest prior of the same kind is the one to compare with; CR and DX are the same kind", () => {
  const priors = [{ ModalitiesInStudy: ["US"] }, { ModalitiesInStudy: ["CR"] }, { ModalitiesInStudy: "DX" }];
  assert.equal(bestPrior("DX", priors), priors[1]);
  assert.equal(bestPrior("CT", priors), null);
});

test("a study after the one that is read is no prior: it is told apart, and not hung by itself", () => {
  const other = (StudyDate, StudyTime) => ({ StudyDate, StudyTime, ModalitiesInStudy: ["CT"] });
  const rows = [other("20260103"), other("20260102", "1200"), other("20260102", "101500.25"), other("20260102", "1015"), other("20260102", "090000"), other("20250101"), other(undefined)];
  const { priors } = parseManifest({ version: 1, study: { StudyInstanceUID: "1", StudyDate: "20260102", StudyTime: "101500" }, series: [], priors: rows });
  assert.deepEqual(priors.map(({ later }) => later), [true, true, false, false, false, false, false]);
  assert.equal(bestPrior("CT", priors), priors[2]);
  assert.equal(bestPrior("CT", priors.slice(0, 2)), null);
  setLanguage("en");
  addWords(WORDS);
  assert.deepEqual([priors[0], priors[5], {}].map((study) => studyMark(study, { StudyDate: "20260102" })), ["Later 2026-01-03", "Prior 2025-01-01", "Prior (no date)"]);
});

test("windows: the file's own, its further ones by their names, usual ones for CT in Hounsfield units", () => {
  const stated = [{ center: 40, width: 400 }, { center: -600, width: 1500, explanation: "LUNG" }, { entries: [0], explanation: "" }];
  const keys = (values, series, list = stated) => windowChoices(frame(values, series), list).map(({ key, label }) => label ?? key);
  assert.deepEqual(keys({}).slice(0, 5), ["file", "LUNG", "LUT 3", "roomLung", "roomMediastinum"]);
  assert.deepEqual(keys({ RescaleType: "US" }), ["file", "LUNG", "LUT 3"]);
  assert.deepEqual(keys({}, { Modality: "MR" }, stated.slice(0, 1)), ["file"]);
  assert.equal(windowChoices(frame({}, { Modality: "MR" }), [])[0].name, "roomAuto");
});

test("edge letters turn with the picture: clockwise first, then mirrored", () => {
  const axial = frame({ ImageOrientationPatient: AXIAL });
  assert.deepEqual(edgeLetters(axial, 0, false), { top: "A", right: "L", bottom: "P", left: "R" });
  assert.deepEqual(edgeLetters(axial, 90, false), { top: "R", right: "A", bottom: "L", left: "P" });
  assert.deepEqual(edgeLetters(axial, 90, true), { top: "R", right: "P", bottom: "L", left: "A" });
  assert.deepEqual(edgeLetters(frame({ PatientOrientation: ["P", "FL"] }), 0, false), { top: "HR", right: "P", bottom: "FL", left: "A" });
  assert.deepEqual(edgeLetters(frame({}), 180, true), { top: "", right: "", bottom: "", left: "" });
});

test("clips are sets of their own, stills of a series are one", () => {
  const [a, b, c] = [{ n: 1 }, { n: 2 }, { n: 3 }];
  const of = (...instances) => setsOf({ Modality: "US", instances, renditions: [], frames: instances.flat().map((instance, number) => ({ instance, number })) });
  assert.deepEqual(of([a, b, c, c, c]).map(({ frames, clip }) => [frames.length, clip]), [[2, null], [3, 1]]);
  assert.deepEqual(of([c, c]).map(({ frames, clip }) => [frames.length, clip]), [[2, null]]);
  assert.equal(of([a, b])[0].Modality, "US");
});

test("a cine loops over the frames of one instance, or over a stack where each has one; at the rate the file states", () => {
  const still = seriesOf({ Modality: "US" }, [{ InstanceNumber: 1 }, { InstanceNumber: 2 }]).frames;
  const clip = Array.from({ length: 5 }, (_, at) => ({ ...still[1], instance: { clip: true }, number: at + 1 }));
  clip.forEach((one) => { one.instance = clip[0].instance; });
  assert.deepEqual(loopOf([...still, ...clip], 4), { first: 2, length: 5 });
  assert.deepEqual(loopOf(still, 1), { first: 0, length: 2 });
  assert.deepEqual([{ FrameTime: 40 }, { RecommendedDisplayFrameRate: 30, FrameTime: 40 }, {}, { FrameTime: 2 }].map((values) => frameRate(frame(values))), [25, 30, 15, 60]);
  assert.deepEqual(["12.6", "0", "-4", "900", "x"].map(keptRate), [13, 15, 1, 60, 15]);
});

// A right breast of 60 by 100 samples against the right edge, in noise, with a bright marker in the air.
function mammogram({ inverse = false, wall = "right" } = {}) {
  const [width, height] = [100, 140];
  const samples = new Uint16Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const across = wall === "right" ? width - 1 - x : x;
      const inside = (across / 60) ** 2 + ((y - 70) / 50) ** 2 < 1;
      const marker = across > 85 && across < 92 && y > 8 && y < 16;
      const value = (inside ? 900 + 5 * across : marker ? 4000 : 20) + ((x * 7 + y * 13) % 5);
      samples[y * width + x] = inverse ? 4095 - value : value;
    }
  }
  return { samples, width, height, components: 1 };
}

test("the mask holds air and no breast, leaves a marker seen, and knows how far the breast reaches", () => {
  for (const wall of ["left", "right"]) for (const inverse of [false, true]) {
    const { air, box, width } = breastMask(mammogram({ inverse, wall }), wall);
    const at = (across, y) => air[y * width + (wall === "right" ? width - 1 - across : across)];
    assert.deepEqual([at(10, 70), at(55, 70), at(61, 70), at(90, 100), at(88, 12), at(2, 5)], [0, 0, 0, 1, 0, 1], `${wall} ${inverse}`);
    const depth = wall === "left" ? box.right : 1 - box.left;
    assert.ok(Math.abs(depth - 0.6) < 0.03 && Math.abs(box.top - 20 / 140) < 0.02 && Math.abs(box.bottom - 120 / 140) < 0.02, JSON.stringify(box));
  }
});

test("nothing is masked where there is no air to be told from tissue", () => {
  const even = { samples: new Uint16Array(64 * 64).fill(500), width: 64, height: 64, components: 1 };
  assert.equal(breastMask(even, "left"), null);
  const full = { ...even, samples: Uint16Array.from({ length: 64 * 64 }, (_, at) => (at * 7919) % 4096) };
  assert.equal(breastMask(full, "left"), null);
  assert.equal(breastMask(mammogram(), null), null);
});

test("the common scale is the largest at which every breast fits its view", () => {
  assert.equal(commonScale([{ width: 300, height: 400, box: { depth: 100, height: 200 } }, { width: 300, height: 400, box: { depth: 60, height: 250 } }]), 1.6);
});
