// Proves that a view asks for what the manifest leaves out of each instance it shows, and asks again where that failed.
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseManifest } from "../viewer/image/manifest.js";
import { ImageView } from "../viewer/image/view.js";
import { openPage, settle } from "./page.mjs";

const document = openPage();
const LUT = { "00283010": { Value: [{ "00283002": { Value: [2, 0, 8] }, "00283006": { Value: [0, 255] } }] } };

function viewOf(uid, Modality, { PhotometricInterpretation = "MONOCHROME2" } = {}) {
  const all = (value) => ({ all: value });
  const instances = { SOPInstanceUID: { each: [1, 2, 3].map((n) => `${uid}.${n}`) }, InstanceNumber: { each: [1, 2, 3] }, Rows: all(4), Columns: all(4), BitsStored: all(8), PhotometricInterpretation: all(PhotometricInterpretation) };
  const { frames } = parseManifest({ version: 1, study: { StudyInstanceUID: uid }, series: [{ SeriesInstanceUID: `${uid}.0`, Modality, count: 3, instances }] }).series[0];
  const picture = (frame) => ({ frame, level: 0, components: 1, bits: 8, signed: false, columns: 4, rows: 4, width: 4, height: 4, samples: new Uint8Array(16), quality: { kind: "lossless" } });
  const store = Object.assign(new EventTarget(), { want() {}, get: picture, fit: picture, quality: () => null, errorOf: () => null, levelsOf: () => 0, forgive() {} });
  const renderer = Object.assign(new EventTarget(), { surface: {}, draw() {} });
  const view = new ImageView(document.createElement("div"), { store, renderer });
  view.show(frames, 0);
  const look = async (index) => {
    view.go(index);
    store.dispatchEvent(Object.assign(new Event("picture"), { frame: frames[index], picture: picture(frames[index]) }));
    await settle();
  };
  return { view, look };
}

function serve(answer) {
  const asked = [];
  globalThis.fetch = async (path) => {
    const instance = /instances\/([^/]+)\/metadata/.exec(path)[1];
    asked.push(instance);
    const said = answer(instance);
    return said ? Response.json([said]) : new Response("", { status: 503 });
  };
  return asked;
}

test("the second image of a series may have a LUT that the first has not; slices of a volume are asked for once", async () => {
  const asked = serve((instance) => (instance.endsWith(".2") ? LUT : {}));
  const mg = viewOf("1.1", "MG");
  for (const index of [0, 1, 0, 1]) await mg.look(index);
  assert.deepEqual([asked.splice(0), mg.view.shownVoi.entries.length], [["1.1.1", "1.1.2"], 2]);
  const ct = viewOf("1.2", "CT");
  for (const index of [0, 1, 2]) await ct.look(index);
  assert.deepEqual(asked, ["1.2.1"]);
});

test("what could not be read is asked for again while it is shown, not at every picture", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  let isBusy = true;
  const asked = serve(() => (isBusy ? null : LUT));
  const { view, look } = viewOf("2.1", "CT");
  await look(0);
  await look(0);
  assert.equal(asked.length, 1);
  isBusy = false;
  context.mock.timers.tick(5000);
  await settle();
  assert.deepEqual([asked.length, view.shownVoi.entries.length], [2, 2]);
  view.dispose();
});

test("pixels that stand for colours are not drawn without these, and it is said why", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  let said = null;
  serve(() => said);
  const { view, look } = viewOf("3.1", "US", { PhotometricInterpretation: "PALETTE COLOR" });
  await look(0);
  assert.deepEqual([view.lacksPalette, view.scene(), view.error.status], [true, null, 503]);
  said = {};
  view.retry();
  await settle();
  assert.deepEqual([view.lacksPalette, view.scene(), view.error.name], [true, null, "PaletteError"]);
  view.dispose();
});
