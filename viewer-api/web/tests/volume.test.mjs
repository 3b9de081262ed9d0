// Proves that a volume is cut anew only where it may be, and that a cut shows what lies there: against a volume whose samples are a known function of place.
import assert from "node:assert/strict";
import { test } from "node:test";
import { planVolume, volumeBytesMax } from "../viewer/volume/budget.js";
import { ORIENTATIONS, stackOf } from "../viewer/volume/planes.js";
import { fitsVolume, regularity } from "../viewer/volume/regular.js";
import { Volume } from "../viewer/volume/volume.js";

const AXIAL = [1, 0, 0, 0, 1, 0];

function frame(values) {
  const instance = { Rows: 12, Columns: 16, PixelSpacing: [2, 1], ImageOrientationPatient: AXIAL, FrameOfReferenceUID: "1.2", SamplesPerPixel: 1, ...values };
  return { series: { Modality: "CT", frames: [] }, instance, number: 1, value: (keyword) => instance[keyword] ?? null };
}

const slices = (count, place, more = () => ({})) => Array.from({ length: count }, (_, at) => frame({ ImagePositionPatient: place(at), ...more(at) }));
const straight = (at) => [-5, 3, 10 + at * 2.5];

test("evenly placed parallel slices are a volume, in whatever order they come", () => {
  const frames = slices(10, straight);
  const found = regularity([...frames].reverse());
  assert.equal(found.ok, true);
  assert.deepEqual(found.order, frames);
  assert.deepEqual([found.geometry.origin, found.geometry.spacing, found.geometry.size], [[-5, 3, 10], [1, 2, 2.5], [16, 12, 10]]);
});

const refused = (frames) => { const { ok, reason, parts } = regularity(frames); assert.equal(ok, false); return [reason, parts]; };

test("each thing that forbids it is named", () => {
  assert.equal(refused(slices(7, straight))[0], "volumeFew");
  assert.equal(refused(slices(10, straight, () => ({ SamplesPerPixel: 3 })))[0], "volumeColour");
  assert.equal(refused(slices(10, straight, () => ({ BitsStored: 32 })))[0], "volumeSamples");
  assert.equal(refused(slices(10, straight, (at) => ({ BitsStored: 16, PixelRepresentation: at > 5 ? 1 : 0 })))[0], "volumeSamples");
  assert.equal(refused(slices(10, (at) => (at === 4 ? null : straight(at))))[0], "volumeUnplaced");
  assert.equal(refused(slices(10, straight, () => ({ FrameOfReferenceUID: null })))[0], "volumeNoFrameOfReference");
  assert.equal(refused(slices(10, straight, (at) => (at > 5 ? { FrameOfReferenceUID: "1.3" } : {})))[0], "volumeFramesOfReference");
  assert.equal(refused(slices(10, straight, (at) => (at > 5 ? { Rows: 14 } : {})))[0], "volumeMatrix");
  assert.equal(refused(slices(10, straight, (at) => (at > 5 ? { PixelSpacing: [2, 1.1] } : {})))[0], "volumeSpacing");
  assert.equal(refused(slices(10, straight, (at) => (at > 5 ? { ImageOrientationPatient: [0, 1, 0, 1, 0, 0] } : {})))[0], "volumeOrientation");
  assert.equal(refused(slices(10, straight, (at) => ({ RescaleSlope: at + 1 })))[0], "volumeRescale");
  assert.deepEqual(refused(slices(10, (at) => straight(Math.floor(at / 2)))), ["volumeSamePlace", { n: 5 }]);
  assert.deepEqual(refused(slices(10, (at) => straight(at > 6 ? at + 1 : at))), ["volumeGap", { n: 1, mm: 5, step: 2.5 }]);
  assert.deepEqual(refused(slices(10, (at) => [-5, 3, at * 2.5 + (at === 5 ? 0.3 : 0)])), ["volumeUneven", { least: 2.2, most: 2.8 }]);
  assert.equal(refused(slices(10, (at) => [-5, 3, at * 30]))[0], "volumeThick");
});

test("samples that would wrap in 16 bits stand in no volume", () => {
  const form = { signed: true };
  assert.deepEqual([{ bits: 16, signed: true }, { bits: 17, signed: true }, { bits: 12, signed: false }].map((picture) => fitsVolume(picture, form)), [true, false, false]);
});

test("a gantry tilt is refused with its degrees, half a degree is not", () => {
  const tilted = (degrees) => slices(10, (at) => [-5, 3 + at * 2.5 * Math.tan((degrees * Math.PI) / 180), at * 2.5]);
  const [reason, { degrees }] = refused(tilted(15));
  assert.deepEqual([reason, Math.round(degrees)], ["volumeTilt", 15]);
  assert.equal(regularity(tilted(0.5)).ok, true);
});

// A volume whose samples are a linear function of place: trilinear interpolation must give it back everywhere.
const VALUE = ([x, y, z]) => 100 + 8 * x - 6 * y + 4 * z;

function filled(frames, options) {
  const { order, geometry } = regularity(frames);
  const volume = new Volume(geometry, { signed: true, ...options });
  order.forEach((one, at) => {
    const [x0, y0, z0] = one.value("ImagePositionPatient");
    const [rx, ry, rz, cx, cy, cz] = one.value("ImageOrientationPatient");
    const [rowSpacing, columnSpacing] = one.value("PixelSpacing");
    volume.put(at, Int16Array.from({ length: 12 * 16 }, (_, n) => {
      const [across, down] = [(n % 16) * columnSpacing, Math.floor(n / 16) * rowSpacing];
      return Math.round(VALUE([x0 + rx * across + cx * down, y0 + ry * across + cy * down, z0 + rz * across + cz * down]));
    }));
  });
  return { volume, like: frames[0] };
}

const pointOf = (plane, column, row) => plane.origin.map((part, axis) => part + plane.row[axis] * plane.spacing.column * column + plane.column[axis] * plane.spacing.row * row);
const inside = (volume, point) => volume.voxelOf(point).every((at, axis) => at >= 0 && at <= volume.size[axis] - 1);

function checkCuts({ volume, like }, tolerance) {
  for (const orientation of Object.keys(ORIENTATIONS)) {
    const frames = stackOf(volume, orientation, like);
    const { plane } = frames[Math.floor(frames.length / 2)];
    const samples = volume.cut(plane);
    let compared = 0;
    for (let row = 0; row < plane.rows; row++) {
      for (let column = 0; column < plane.columns; column++) {
        const point = pointOf(plane, column, row);
        if (!inside(volume, point)) continue;
        compared++;
        const shown = samples[row * plane.columns + column];
        assert.ok(Math.abs(shown - VALUE(point)) <= tolerance, `${orientation} ${column},${row}: ${shown}, not ${VALUE(point)}`);
      }
    }
    assert.ok(compared > 40, `${orientation}: only ${compared} samples lie inside`);
  }
}

test("axial, sagittal and coronal cuts show the value at each place", () => checkCuts(filled(slices(10, straight)), 1));

test("so do cuts through a volume acquired obliquely", () => {
  const [c, s] = [Math.cos(0.4), Math.sin(0.4)];
  const oblique = slices(10, (at) => [-5 + at * 2.5 * s, 3, 10 + at * 2.5 * c], () => ({ ImageOrientationPatient: [c, 0, -s, 0, 1, 0] }));
  checkCuts(filled(oblique), 2);
});

test("averaged to a half, a volume keeps its values and its place", () => checkCuts(filled(slices(10, straight), { reduction: 2 }), 1));

test("cuts cover the volume, with square pixels, in the directions readers expect", () => {
  const { volume, like } = filled(slices(10, straight));
  const sagittal = stackOf(volume, "sagittal", like);
  // 16 columns of 1 mm; rows of 1 mm over 10 slices of 2.5 mm; columns of 1 mm over 12 rows of 2 mm.
  assert.deepEqual([sagittal.length, sagittal[0].value("Rows"), sagittal[0].value("Columns")], [16, 25, 24]);
  // The first cut is the leftmost, its first sample the front corner at the head: half a pixel inside the volume's edge.
  assert.deepEqual(sagittal[0].value("ImagePositionPatient").map((mm) => Math.round(mm * 100) / 100), [10, 2.5, 33.25]);
  const axial = stackOf(volume, "axial", like);
  assert.deepEqual([axial.length, axial[0].value("Rows"), axial[0].value("Columns")], [10, 24, 16]);
  assert.deepEqual(axial[0].value("ImageType"), ["DERIVED", "SECONDARY", "MPR"]);
});

test("a cut of one series has another key than the same cut of another", () => {
  const { volume, like } = filled(slices(10, straight));
  const keys = ["1.2", "1.3"].map((SeriesInstanceUID) => stackOf(volume, "axial", { ...like, series: { ...like.series, SeriesInstanceUID } }).map(({ key }) => key));
  assert.equal(new Set(keys.flat()).size, 20);
});

test("outside the volume stands its least sample", () => {
  const { volume } = filled(slices(10, straight));
  const plane = { origin: [-500, 0, 0], row: [1, 0, 0], column: [0, 1, 0], normal: [0, 0, 1], spacing: { row: 1, column: 1 }, rows: 2, columns: 2 };
  assert.deepEqual([...volume.cut(plane)], Array(4).fill(Math.min(...volume.samples)));
  assert.equal(volume.valueAt([-1, 0, 0]), null);
});

test("a thick slab: the mean of a linear function is its middle, the maximum is a bright voxel within it", () => {
  const { volume, like } = filled(slices(10, straight));
  const frames = stackOf(volume, "axial", like);
  const { plane } = frames[5];
  const at = 7 * plane.columns + 8;
  const middle = volume.cut(plane)[at];
  assert.ok(Math.abs(volume.cut(plane, { mm: 5, kind: "mean" })[at] - middle) <= 1);
  const [i, j, k] = volume.voxelOf(pointOf(plane, 8, 7)).map(Math.round);
  volume.samples[(k + 1) * 12 * 16 + j * 16 + i] = 9000;
  assert.ok(volume.cut(plane, { mm: 5, kind: "max" })[at] > 4000);
  assert.ok(volume.cut(plane)[at] < 1000);
});

test("a volume that is too large is averaged, and refused where that does not help", () => {
  const chest = [512, 512, 300];
  assert.deepEqual(planVolume(chest, volumeBytesMax(8)), { reduction: 1, bytes: 157_286_400 });
  assert.deepEqual(planVolume(chest, volumeBytesMax(4)), { reduction: 2, bytes: 39_321_600 });
  assert.equal(volumeBytesMax(undefined), volumeBytesMax(2));
  assert.equal(planVolume([8192, 8192, 4000], volumeBytesMax(8)), null);
});
