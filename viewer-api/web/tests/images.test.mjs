// Proves the arithmetic around pictures: window levels, order of slices, what is asked for first, how much is kept, what a search sends.
import assert from "node:assert/strict";
import { test } from "node:test";
import { displaySets, edgeLetters, framesOf, inOrder, spacingOf, statedWindow } from "../viewer/display.js";
import { FrameCache, neighbours } from "../viewer/frames.js";
import { applyLevels, draggedWindow, levels } from "../viewer/levels.js";
import { reportTree } from "../viewer/sr.js";

const value = (vr, ...list) => ({ vr, Value: list });
const WIDE = { center: 40, width: 400 };

test("levels without a change are the picture itself", () => {
  assert.deepEqual([...levels(WIDE, WIDE)], Array.from({ length: 256 }, (_, grey) => grey));
  assert.deepEqual([...levels(null, WIDE, { negative: true })], Array.from({ length: 256 }, (_, grey) => 255 - grey));
});

test("a narrower window steepens around its centre, in either photometric interpretation", () => {
  // 400 to 250 units: 1.6 levels a level, around the middle.
  const narrow = levels(WIDE, { center: 40, width: 250 });
  assert.deepEqual([narrow[0], narrow[64], narrow[191], narrow[255]], [0, 26, 229, 255]);
  const inverse = levels(WIDE, { center: 40, width: 250 }, { inverse: true });
  assert.deepEqual([inverse[255 - 64], inverse[255], inverse[0]], [255 - 26, 255, 0]);
  const higher = levels(WIDE, { center: 140, width: 400 });
  assert.deepEqual([higher[0], higher[128], higher[255]], [0, 64, 191]);
});

test("levels change colours and leave alpha", () => {
  const rgba = new Uint8ClampedArray([10, 10, 10, 200]);
  applyLevels(rgba, levels(null, null, { negative: true }));
  assert.deepEqual([...rgba], [245, 245, 245, 200]);
});

test("a drag moves width with x and centre with y, and width never reaches zero", () => {
  assert.deepEqual(draggedWindow(WIDE, 100, -20), { center: 20, width: 500 });
  assert.equal(draggedWindow(WIDE, -9999, 0).width, 1);
});

function slice(number, z, orientation = [1, 0, 0, 0, 1, 0]) {
  return { "00080018": value("UI", `1.${number}`), "00200013": value("IS", number), "00200032": value("DS", 0, 0, z), "00200037": value("DS", ...orientation), "00280010": value("US", 4), "00280011": value("US", 4) };
}
const order = (list) => inOrder(list).map((one) => one["00200013"].Value[0]);

test("slices go by place where all are parallel, in the acquisition's direction; else by number", () => {
  assert.deepEqual(order([slice(3, 10), slice(1, 30), slice(2, 20)]), [1, 2, 3]);
  assert.deepEqual(order([slice(10, 2), slice(11, 1), slice(9, 3)]), [9, 10, 11]);
  assert.deepEqual(order([slice(2, 5), slice(1, 9, [0, 1, 0, 0, 0, -1])]), [1, 2]);
  assert.deepEqual(order([slice(2, 5), slice(1, 5)]), [1, 2]);
});

test("images stand together, everything else by itself, and frames are counted from one", () => {
  const report = { "00080016": value("UI", "1.2.840.10008.5.1.4.1.1.88.33"), "00200013": value("IS", 1) };
  const sets = displaySets([report, { ...slice(1, 0), "00280008": value("IS", "3") }, slice(2, 1)]);
  assert.deepEqual(sets.map((set) => [set.kind, set.instances.length]), [["image", 2], ["report", 1]]);
  assert.deepEqual(framesOf(sets[0].instances).map(({ frame, index }) => [frame, index]), [[1, 0], [2, 1], [3, 2], [1, 3]]);
});

test("a frame's own window and spacing come before the shared ones", () => {
  const voi = (center) => ({ "00289132": value("SQ", { "00281050": value("DS", center), "00281051": value("DS", 10) }) });
  const enhanced = { "52009229": value("SQ", voi(1)), "52009230": value("SQ", {}, voi(2)) };
  assert.deepEqual([statedWindow(enhanced, 1).center, statedWindow(enhanced, 2).center], [1, 2]);
  assert.equal(statedWindow({ "00281050": value("DS", 1), "00281051": value("DS", 0) }, 1), null);
  assert.deepEqual(spacingOf({ "00181164": value("DS", 0.1, 0.2) }, 1), { row: 0.1, column: 0.2, detector: true });
});

test("edge letters follow the orientation", () => {
  assert.deepEqual(edgeLetters(slice(1, 0)), { left: "R", right: "L", top: "A", bottom: "P" });
  assert.deepEqual(edgeLetters({ "00200020": value("CS", "A", "F") }), { left: "P", right: "A", top: "H", bottom: "F" });
  assert.deepEqual(edgeLetters({}), { left: "", right: "", top: "", bottom: "" });
});

test("neighbours come nearest first, more ahead than behind, inside the stack", () => {
  assert.deepEqual(neighbours(5, 100, 1, 7), [5, 6, 7, 4, 8, 9, 3]);
  assert.deepEqual(neighbours(0, 3, -1, 9), [0, 1]);
  assert.deepEqual(neighbours(0, 1, 1, 9), [0]);
});

test("the cache stays within its bytes, closes what it lets go and keeps the frame on screen", () => {
  const closed = [];
  const picture = (name) => ({ bitmap: { width: 10, height: 10, close: () => closed.push(name) } });
  const cache = new FrameCache(1000);
  for (const index of [0, 1, 2]) cache.put(index, picture(index), 0);
  assert.deepEqual([closed, [...cache.held.keys()], cache.bytes], [[1], [0, 2], 800]);
  cache.clear();
  assert.equal(cache.bytes, 0);
});

test("a report of ten thousand items or endless depth is cut and says so", () => {
  let deep = { "0040A040": value("CS", "CONTAINER") };
  for (let level = 0; level < 100; level++) deep = { "0040A040": value("CS", "CONTAINER"), "0040A730": value("SQ", deep) };
  assert.equal(reportTree(deep).cut, true);
  const wide = { "0040A730": value("SQ", ...Array.from({ length: 10000 }, () => ({ "0040A040": value("CS", "TEXT"), "0040A160": value("UT", "x") }))) };
  const tree = reportTree(wide);
  assert.deepEqual([tree.cut, tree.children.length < 5000, tree.children[0].value], [true, true, "x"]);
});
