// Proves that MPR stays with the study it was made of: a prior is marked as one in the cuts, and comes back as one.
import assert from "node:assert/strict";
import { test } from "node:test";
import { leavePrior } from "../viewer/room/priors.js";
import { Room } from "../viewer/room/room.js";
import { Mpr } from "../viewer/volume/mpr.js";
import { openPage } from "./page.mjs";

openPage();
const geometry = { origin: [0, 0, 0], axes: [[1, 0, 0], [0, 1, 0], [0, 0, 1]], spacing: [1, 1, 1], size: [4, 4, 4] };
const [current, before] = [{ study: { StudyDate: "20260101" } }, { study: { StudyDate: "20200101" } }];

function mprOf(room, { manifest, prior }) {
  const frame = { value: () => undefined };
  return new Mpr(room, { manifest, prior, set: null, view: { frames: [frame], index: 0, frame, voi: null, shownVoi: null, inverted: false } }, { volume: {}, geometry, bits: 12, signed: false });
}

test("the cuts of a prior are a prior's, with its study", () => {
  const shown = [];
  const cell = { show: (what) => shown.push(what), view: { setVoi() {}, setInverted() {} } };
  mprOf({}, { manifest: before, prior: true }).showStack(cell, "axial", []);
  mprOf({}, { manifest: current, prior: false }).showStack(cell, "axial", []);
  assert.deepEqual(shown.map(({ manifest, prior }) => [manifest, prior]), [[before, true], [current, false]]);
});

test("leaving MPR puts the prior's images back as the prior's", () => {
  const put = [];
  const cell = { clear() {} };
  const room = { cells: [cell], manifest: current, setGrid() {}, activate() {}, put: (...what) => put.push(what) };
  room.mpr = Object.assign(mprOf(room, { manifest: before, prior: true }), { dispose() {} });
  Room.prototype.leaveMpr.call(room, { restore: true });
  assert.deepEqual(put.map(([where, , manifest]) => [where, manifest]), [[cell, before]]);
});

test("a prior that is taken away takes MPR along", () => {
  const room = { mpr: {}, sets: [], leaveMpr() { this.mpr = null; }, hangUp() { assert.equal(this.mpr, null); }, toolbar: { show() {} } };
  leavePrior(room);
  assert.equal(room.mpr, null);
});
