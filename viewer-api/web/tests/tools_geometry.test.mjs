// Proves the arithmetic of measurements: lengths, angles and ellipses in unequal spacings, statistics against sums done by hand, and that a
// measurement is in millimetres only where that is known.
import assert from "node:assert/strict";
import { test } from "node:test";
import { angleAt, cobbAngle, distance, ellipseArea, ellipseIn, ellipseOf, ellipseOutline, ellipseStretched, fromStretch, inEllipse, majorFirst, within } from "../viewer/tools/geometry.js";
import { measure, written } from "../viewer/tools/measure.js";
import { scaleAt } from "../viewer/tools/scale.js";
import { ellipseStatistics, measurable, unitOf, valueAt } from "../viewer/tools/statistics.js";

const near = (actual, expected, within = 1e-9) => assert.ok(Math.abs(actual - expected) <= within, `${actual} is not ${expected}`);
const MM = { row: 0.5, column: 0.25, unit: "mm", kind: "patient", reason: null };

test("a length takes the spacing of each direction", () => {
  near(distance([0, 0], [3, 4]), 5);
  near(distance([10, 10], [26, 16], MM), 5);
});

test("angles are of the patient, not of the pixels", () => {
  near(angleAt([1, 0], [0, 0], [0, 1]), 90);
  near(angleAt([4, 0], [0, 0], [4, 2], MM), 45);
  near(angleAt([1, 0], [0, 0], [-1, 0]), 180);
  assert.equal(angleAt([0, 0], [0, 0], [1, 0]), null);
});

test("Cobb's angle is the same whichever way each line was drawn", () => {
  const lines = [[0, 0], [10, 0], [0, 5], [10, 5 + 10 * Math.tan(Math.PI / 9)]];
  near(cobbAngle(lines), 20);
  near(cobbAngle([lines[1], lines[0], lines[2], lines[3]]), 20);
  near(cobbAngle([lines[0], lines[1], lines[3], lines[2]]), 20);
});

test("an ellipse: axes, area, what is in it, its outline", () => {
  const points = ellipseIn([0, 0], [20, 10]);
  assert.deepEqual(points, [[0, 5], [20, 5], [10, 0], [10, 10]]);
  assert.deepEqual(ellipseIn([10, 20], [0, 0]), [[5, 0], [5, 20], [0, 10], [10, 10]]);
  near(ellipseArea(points), Math.PI * 50);
  near(ellipseArea(points, MM), Math.PI * 50 * 0.125);
  assert.ok(inEllipse(points, [10, 5]) && inEllipse(points, [0, 5]) && !inEllipse(points, [1, 1]));
  for (const [x, y] of ellipseOutline(points)) near(((x - 10) / 10) ** 2 + ((y - 5) / 5) ** 2, 1);
});

test("a stretched axis keeps centre and direction, and the major axis comes first", () => {
  const stretched = ellipseStretched(ellipseIn([0, 0], [20, 10]), 2, [13, -20]);
  assert.deepEqual(ellipseOf(stretched).centre, [10, 5]);
  assert.deepEqual(stretched.slice(2), [[10, -20], [10, 30]]);
  assert.deepEqual(majorFirst(stretched).slice(0, 2), [[10, -20], [10, 30]]);
});

test("distances to lines, and points that stay on the picture", () => {
  near(fromStretch([5, 3], [0, 0], [10, 0]), 3);
  near(fromStretch([13, 4], [0, 0], [10, 0]), 5);
  assert.deepEqual(within([-3, 99], { columns: 10, rows: 20 }), [0, 20]);
});

function frame(values, modality = "CT") {
  return { series: { Modality: modality }, value: (keyword) => values[keyword], numeric: (keyword) => (values[keyword] === undefined ? null : Number([values[keyword]].flat()[0])) };
}
function picture(columns, rows, at, change = {}) {
  const samples = Int16Array.from({ length: columns * rows }, (_, index) => at(index % columns, Math.floor(index / columns)));
  return { columns, rows, width: columns, height: rows, level: 0, components: 1, samples, quality: { kind: "lossless" }, ...change };
}

test("statistics are of modality values of the pixels whose centres lie inside", () => {
  const slice = frame({ RescaleSlope: 2, RescaleIntercept: -1000, PhotometricInterpretation: "MONOCHROME2" });
  // Of 4 by 2 pixels an ellipse of 4 by 2 holds even the corners: (0.5 - 2)²/4 + (0.5 - 1)²/1 = 0.8125.
  const all = ellipseStatistics(slice, picture(4, 2, (x, y) => x + 10 * y), ellipseIn([0, 0], [4, 2]));
  const expected = [0, 1, 2, 3, 10, 11, 12, 13].map((stored) => stored * 2 - 1000);
  assert.equal(all.count, 8);
  near(all.mean, expected.reduce((a, b) => a + b) / 8);
  near(all.deviation, Math.sqrt(expected.reduce((sum, value) => sum + (value - all.mean) ** 2, 0) / 7));
  assert.deepEqual([all.least, all.greatest], [-1000, -974]);
  const inner = ellipseStatistics(slice, picture(4, 4, (x, y) => x + 10 * y), ellipseIn([1, 1], [3, 3]));
  assert.deepEqual([inner.count, inner.least, inner.greatest], [4, 11 * 2 - 1000, 22 * 2 - 1000]);
  assert.equal(ellipseStatistics(slice, picture(4, 4, () => 0), ellipseIn([10, 10], [12, 12])), null);
});

test("padding is left out and counted", () => {
  const padded = frame({ PixelPaddingValue: -2000, PhotometricInterpretation: "MONOCHROME2" });
  const found = ellipseStatistics(padded, picture(4, 4, (x) => (x < 2 ? -2000 : 7)), ellipseIn([1, 1], [3, 3]));
  assert.deepEqual([found.count, found.padding, found.mean, found.deviation], [2, 2, 7, 0]);
});

test("a preview, a colour image and a rendered picture are not measured", () => {
  const slice = frame({ PhotometricInterpretation: "MONOCHROME2" });
  assert.ok(measurable(slice, picture(4, 4, () => 0)));
  assert.ok(!measurable(slice, picture(4, 4, () => 0, { level: 1, width: 2, height: 2 })));
  assert.ok(!measurable(slice, picture(4, 4, () => 0, { quality: { kind: "rendered" } })));
  assert.ok(!measurable(slice, picture(4, 4, () => 0, { components: 3 })));
  assert.ok(!measurable(frame({ PhotometricInterpretation: "PALETTE COLOR" }), picture(4, 4, () => 0)));
});

test("a probe reads the pixel it lies in", () => {
  const slice = frame({ RescaleSlope: 1, RescaleIntercept: -1024 });
  const grid = picture(4, 3, (x, y) => x + 10 * y);
  assert.equal(valueAt(slice, grid, [2.99, 1.01]), 12 - 1024);
  assert.equal(valueAt(slice, grid, [4, 1]), null);
});

test("units: Hounsfield of CT, what the file says, or none", () => {
  assert.equal(unitOf(frame({})).label, "HU");
  assert.equal(unitOf(frame({ ImageType: ["ORIGINAL", "PRIMARY", "LOCALIZER"] })).label, "");
  assert.deepEqual(unitOf(frame({ RescaleType: "BQML" }, "PT")).ucum, ["Bq/ml", "Becquerels/milliliter"]);
  assert.equal(unitOf(frame({ RescaleType: "US" }, "MR")).label, "");
});

test("millimetres only where they are known, and else the reason", () => {
  assert.deepEqual(scaleAt({ row: 1, column: 2, kind: "patient" }, "CT", [], []), { row: 1, column: 2, unit: "mm", kind: "patient", reason: null });
  assert.equal(scaleAt({ row: 1, column: 2, kind: "detector" }, "MG", [], []).reason, "toolsScaleDetector");
  assert.deepEqual(scaleAt(null, "OT", [], []), { row: 1, column: 1, unit: "px", kind: null, reason: "toolsScaleUnknown" });
});

test("ultrasound is measured inside one calibrated region, and a spectrum is not one", () => {
  const tissue = { left: 10, top: 20, right: 109, bottom: 219, format: 1, spacing: { row: 0.2, column: 0.1, kind: "calibrated" } };
  const spectrum = { left: 200, top: 20, right: 299, bottom: 219, format: 3, spacing: null };
  const at = (...points) => scaleAt(null, "US", [tissue, spectrum], points);
  const scale = at([10, 20], [110, 220]);
  assert.deepEqual([scale.unit, scale.row, scale.column, scale.reason], ["mm", 0.2, 0.1, null]);
  assert.equal(at([10, 20], [111, 220]).reason, "toolsScaleOutside");
  assert.deepEqual([at([210, 30]).reason, at([210, 30]).unit], ["toolsScaleOtherAxes", "px"]);
  assert.equal(scaleAt(null, "US", [], [[1, 1]]).reason, "toolsScaleNoRegion");
  assert.equal(scaleAt({ row: 1, column: 1, kind: "patient" }, "US", undefined, [[1, 1]]).reason, "toolsScaleLoading");
  assert.equal(scaleAt({ row: 1, column: 1, kind: "patient" }, "US", [], [[1, 1]]).unit, "mm");
});

test("what each kind measures, and how it is written", () => {
  const HU = { label: "HU", ucum: ["[hnsf'U]", "Hounsfield unit"] };
  const text = (mark, statistics) => measure(mark, MM, statistics, HU).map(written);
  assert.deepEqual(text({ kind: "length", points: [[0, 0], [16, 6]] }), ["5.0 mm"]);
  assert.deepEqual(text({ kind: "angle", points: [[4, 0], [0, 0], [4, 2]] }), ["45.0°"]);
  const values = { mean: -800.25, deviation: 12.04, least: -1024, greatest: 3071 };
  assert.deepEqual(text({ kind: "ellipse", points: ellipseIn([0, 0], [20, 10]) }, values), ["19.6 mm²", "-800.3 HU", "12.0 HU", "-1024 HU", "3071 HU"]);
  assert.deepEqual(text({ kind: "ellipse", points: ellipseIn([0, 0], [20, 10]) }, null), ["19.6 mm²"]);
  assert.deepEqual(text({ kind: "probe", points: [[1, 1]] }, { value: 40 }), ["40 HU"]);
  assert.deepEqual(text({ kind: "cobb", points: [[1, 1], [2, 2], [3, 3]] }), [], "still being drawn");
  assert.deepEqual(text({ kind: "arrow", points: [[1, 1], [2, 2]] }), []);
});
