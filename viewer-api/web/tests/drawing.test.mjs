// Proves that a mark that is half drawn goes with its tool, with Escape, and stays on its frame.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Gestures } from "../viewer/image/gestures.js";
import { drawingTool } from "../viewer/tools/drawing.js";
import { TOOLS, open } from "../viewer/tools/registry.js";
import { deskOf } from "../viewer/tools/desk.js";
import { openPage } from "./page.mjs";

const document = openPage();
const CLICK = { pointerType: "mouse" };

// A view without pixels: screen and image coordinates are the same.
function viewOf() {
  const canvas = document.createElement("canvas");
  const frames = ["1.2/1", "1.3/1"].map((key) => ({ key, columns: 512, rows: 512, series: { Modality: "CT" }, instance: {}, value: () => undefined, numbers: () => [], numeric: () => null }));
  const view = { canvas, frames, frame: frames[0], index: 0, scale: 1, imageToScreen: (point) => point, screenToImage: (point) => point, repaint() {}, activate() {}, addLayer() {}, modalityValue: () => null };
  view.gestures = new Gestures(canvas, view);
  return view;
}

const at = (x, y) => ({ x, y, column: x, row: y });
const click = (tool, view, place) => { tool.down(place, CLICK, view); tool.up(place, CLICK, view); };
const sketches = () => { const seen = []; return { seen, desk: { book: { of: () => [], select() {}, settle() {}, selected: null }, sketch: (view, mark) => seen.push(mark), pointAt() {}, draw: (...mark) => seen.push(mark) } }; };

test("another tool, or none, takes away what was half drawn from click to click", () => {
  const view = viewOf();
  const { seen, desk } = sketches();
  const tool = drawingTool(desk, "length");
  view.gestures.setTool(0, tool);
  click(tool, view, at(10, 10));
  tool.hover(at(50, 50), CLICK, view);
  assert.deepEqual([seen.at(-1).points, tool.isHalfDone], [[[10, 10], [50, 50]], true]);
  view.gestures.setTool(0, null);
  assert.deepEqual([seen.at(-1), tool.isHalfDone], [null, false]);
});

test("what was begun on one frame is not ended on another", () => {
  const view = viewOf();
  const { seen, desk } = sketches();
  const tool = drawingTool(desk, "length");
  click(tool, view, at(10, 10));
  view.frame = view.frames[1];
  click(tool, view, at(80, 80));
  assert.deepEqual([tool.isHalfDone, tool.frame.key, seen.some((one) => Array.isArray(one))], [true, "1.3/1", false]);
});

test("Escape gives it up, and is left to others where there is nothing to give up", () => {
  globalThis.fetch = async () => Response.json([]);
  const view = viewOf();
  const room = Object.assign(new EventTarget(), { cells: [{ view, manifest: null, prior: false }], active: { view }, sets: [], grid: { isConnected: true, offsetParent: {} }, manifest: { study: { StudyInstanceUID: "1" }, series: [] }, say() {} });
  const stop = new AbortController();
  open(room, stop.signal);
  const press = () => {
    const event = Object.assign(new Event("keydown", { cancelable: true }), { key: "Escape" });
    document.dispatchEvent(event);
    return event.defaultPrevented;
  };
  const tool = TOOLS.find(({ key }) => key === "length").make(room, view);
  view.gestures.setTool(0, tool);
  assert.equal(press(), false);
  click(tool, view, at(10, 10));
  assert.deepEqual([press(), tool.isHalfDone], [true, false]);
  // Painted only on its own frame.
  click(tool, view, at(10, 10));
  tool.hover(at(50, 50), CLICK, view);
  const painted = () => { let strokes = 0; const context = new Proxy({}, { get: (_, name) => (name === "stroke" ? () => strokes++ : name === "canvas" ? { clientWidth: 9, clientHeight: 9 } : name === "measureText" ? () => ({ width: 1 }) : () => {}), set: () => true }); deskOf(room).paint(context, view); return strokes > 0; };
  assert.equal(painted(), true);
  view.frame = view.frames[1];
  assert.equal(painted(), false);
  stop.abort();
});
