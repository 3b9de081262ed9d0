// Proves that a report is read within bounds.
import assert from "node:assert/strict";
import { test } from "node:test";
import { reportTree } from "../viewer/sr.js";

const value = (vr, ...list) => ({ vr, Value: list });

test("a report of ten thousand items or endless depth is cut and says so", () => {
  let deep = { "0040A040": value("CS", "CONTAINER") };
  for (let level = 0; level < 100; level++) deep = { "0040A040": value("CS", "CONTAINER"), "0040A730": value("SQ", deep) };
  assert.equal(reportTree(deep).cut, true);
  const wide = { "0040A730": value("SQ", ...Array.from({ length: 10000 }, () => ({ "0040A040": value("CS", "TEXT"), "0040A160": value("UT", "x") }))) };
  const tree = reportTree(wide);
  assert.deepEqual([tree.cut, tree.children.length < 5000, tree.children[0].value], [true, true, "x"]);
});
