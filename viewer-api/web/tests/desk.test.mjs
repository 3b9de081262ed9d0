// Proves that what a desk calls saved is what the archive has: of marks that were sent and only of those, on every study that was shown, also while more is drawn.
import assert from "node:assert/strict";
import { test } from "node:test";
import { addWords, setLanguage, t } from "../viewer/i18n.js";
import { parseManifest } from "../viewer/image/manifest.js";
import { deskOf } from "../viewer/tools/desk.js";
import { documentOf, savedDocuments } from "../viewer/tools/saved.js";
import { saveAll } from "../viewer/tools/saving.js";
import { WORDS } from "../viewer/tools/words.js";
import { openPage, promised, settle } from "./page.mjs";

openPage();
addWords(WORDS);
setLanguage("en");

function studyOf(uid, series = []) {
  const instances = { SOPInstanceUID: { each: [`${uid}.1.1`, `${uid}.1.2`] }, InstanceNumber: { each: [1, 2] }, SOPClassUID: { all: "1.2.840.10008.5.1.4.1.1.2" }, Rows: { all: 64 }, Columns: { all: 64 }, PixelSpacing: { all: [1, 1] }, PhotometricInterpretation: { all: "MONOCHROME2" } };
  return parseManifest({ version: 1, study: { StudyInstanceUID: uid }, series: [{ SeriesInstanceUID: `${uid}.1`, Modality: "CT", count: 2, instances }, ...series] });
}

const cellOf = (manifest, prior = false) => ({ manifest, prior, view: { frame: manifest.series[0].frames[0], frames: manifest.series[0].frames, addLayer() {}, repaint() {} } });

function roomOf(manifest) {
  const said = [];
  return Object.assign(new EventTarget(), { manifest, said, cells: [cellOf(manifest)], sets: manifest.series, priorSets: null, active: null, store: { get: () => null, whole: async () => null }, say: (sentence) => said.push(sentence) });
}

function hang(room, prior) {
  room.cells = [cellOf(room.manifest), cellOf(prior, true)];
  room.priorSets = prior.series;
  room.dispatchEvent(new Event("layout"));
}

function leavePrior(room) {
  room.cells = [cellOf(room.manifest)];
  room.priorSets = null;
  room.dispatchEvent(new Event("layout"));
}

// An archive that stores what is sent to it, when `ready` lets it.
function archive({ ready = null, status = () => 200, metadata = () => [] } = {}) {
  const stored = [];
  globalThis.fetch = async (path, { method, body } = {}) => {
    const code = status(path);
    if (method !== "POST") return code === 200 ? Response.json(metadata(path)) : new Response("", { status: code });
    await ready;
    for (const object of JSON.parse(body.split("\r\n")[3])) stored.push({ path, object });
    return Response.json({});
  };
  return stored;
}

const of = (stored, sopClass) => stored.filter(({ object }) => object["00080016"].Value[0] === sopClass).map(({ object }) => object);
const SR = "1.2.840.10008.5.1.4.1.1.88.33";
const groupsIn = (report) => report["0040A730"].Value.at(-1)["0040A730"]?.Value?.length ?? 0;
const line = (to) => [[1, 1], [to, 1]];

test("what is drawn while the archive stores is not saved yet, and neither is what was moved meanwhile", async () => {
  const gate = promised();
  const stored = archive({ ready: gate.promise });
  const room = roomOf(studyOf("1.1"));
  const desk = deskOf(room);
  const [frame] = room.manifest.series[0].frames;
  const first = desk.book.add("length", frame, line(11));
  desk.keys.toggle(frame);
  const saving = saveAll(desk, { person: "" });
  await settle();
  desk.book.add("length", frame, line(21));
  desk.keys.toggle(room.manifest.series[0].frames[1]);
  gate.resolve();
  await saving;
  assert.deepEqual([groupsIn(of(stored, SR)[0]), desk.book.dirty, desk.keys.dirty], [1, true, true]);
  await saveAll(desk, { person: "" });
  assert.deepEqual([groupsIn(of(stored, SR)[1]), desk.dirty], [2, false]);
  desk.book.move(first.id, line(31));
  assert.equal(desk.dirty, true);
});

test("marks on a prior that does not hang any more are saved with its study; a study with nothing new is left alone", async () => {
  const stored = archive();
  const room = roomOf(studyOf("2.1"));
  const desk = deskOf(room);
  const prior = studyOf("2.2");
  hang(room, prior);
  desk.book.add("length", prior.series[0].frames[0], line(11));
  leavePrior(room);
  assert.equal(desk.dirty, true);
  assert.ok(await saveAll(desk, { person: "" }) > 0);
  assert.deepEqual([...new Set(stored.map(({ path }) => path))], ["/dicom-web/studies/2.2"]);
  assert.equal(desk.dirty, false);
});

test("what is drawn on an MPR cut cannot be saved: that is said once, and nothing pretends to wait for it", async () => {
  archive();
  const room = roomOf(studyOf("3.1"));
  const desk = deskOf(room);
  const cut = Object.assign(Object.create(room.manifest.series[0].frames[0]), { derived: true, key: "cut" });
  await desk.draw("length", cut, line(11));
  await desk.draw("length", cut, line(21));
  assert.deepEqual(room.said, [t("toolsNotSavable")]);
  assert.deepEqual([desk.book.drafts.length, desk.dirty], [2, false]);
  assert.equal(await saveAll(desk, { person: "" }), 0);
  // After MPR was left there is nowhere to take the samples of a cut from: nothing is asked for.
  room.store.whole = () => assert.fail("asked for a cut");
  assert.deepEqual(desk.valuesOf(desk.book.add("ellipse", cut, [[1, 5], [9, 5], [5, 1], [5, 9]])).values.map(({ key }) => key), ["area"]);
});

test("an image whose grey levels are tables is saved with its tables; where they cannot be read, nothing is saved", async () => {
  const lut = (type) => ({ Value: [{ "00283002": { Value: [3, 0, 8] }, "00283004": { Value: [type] }, "00283006": { Value: [1, 2, 3] } }] });
  const metadata = (path) => [path.endsWith("5.1.1.1/metadata") ? { "00283000": lut("OD"), "00283010": lut("") } : { "00283010": lut("") }];
  const study = studyOf("5.1");
  study.series[0].Modality = "DX";
  const room = roomOf(study);
  room.active = { view: { ...room.cells[0].view, voi: null, shownVoi: { center: 1, width: 2 } } };
  const desk = deskOf(room);
  for (const frame of study.series[0].frames) desk.book.add("length", frame, line(11));
  archive({ status: (path) => (path.includes("metadata") ? 503 : 200) });
  await assert.rejects(saveAll(desk, { person: "" }), { status: 503 });
  assert.equal(desk.dirty, true);
  const stored = archive({ metadata });
  await saveAll(desk, { person: "" });
  // Images of different modality transformations are in states of their own (PS3.3 A.33.1).
  const states = of(stored, "1.2.840.10008.5.1.4.1.1.11.1");
  assert.deepEqual(states.map((state) => [Boolean(state["00283000"]), state["00283110"].Value[0]["00283010"].Value[0]["00283002"].Value]), [[true, [3, 0, 8]], [false, [3, 0, 8]]]);
});

test("a report is edited only where nothing of it would be lost: it is ours, all of it is drawn, on images that are here", async () => {
  const stored = archive();
  const room = roomOf(studyOf("6.1"));
  const desk = deskOf(room);
  const [frame, other] = room.manifest.series[0].frames;
  desk.book.add("length", frame, line(11));
  desk.book.add("angle", other, [[1, 1], [5, 5], [9, 1]]);
  await saveAll(desk, { person: "" });
  const [report] = of(stored, SR);
  const again = (change) => { const object = structuredClone(report); change?.(object); return documentOf(object); };
  assert.equal(desk.canContinue(again()), true);
  assert.equal(desk.canContinue(again((object) => { object["00080070"].Value = ["Other"]; })), false);
  const groups = (object) => object["0040A730"].Value.at(-1)["0040A730"].Value;
  assert.equal(desk.canContinue(again((object) => groups(object).push({ ...groups(object)[0], "0040A730": { Value: [] } }))), false, "a group that is not drawn");
  room.sets = [{ frames: [frame] }];
  assert.equal(desk.canContinue(again()), false, "an image that is not here");
  assert.equal(desk.canContinue(desk.documents.find(({ kind }) => kind === "report")), false, "what was saved a moment ago is drafted still");
});

test("documents that cannot be read are not called none: it is said, and they are asked for again, once", async () => {
  const SERIES = { SeriesInstanceUID: "7.1.9", Modality: "KO", count: 1, instances: { SOPInstanceUID: { all: "7.1.9.1" } } };
  const keys = { "00080016": { Value: ["1.2.840.10008.5.1.4.1.1.88.59"] }, "00080018": { Value: ["7.1.9.1"] } };
  let asked = 0;
  archive({ status: () => { asked++; return 503; } });
  const room = roomOf(studyOf("7.1", [SERIES]));
  const desk = deskOf(room);
  await settle();
  assert.deepEqual([asked, desk.unread.size, room.said.length], [1, 1, 1]);
  for (const type of ["frame", "layout"]) room.dispatchEvent(new Event(type));
  await settle();
  assert.equal(asked, 1, "not at every image");
  archive({ metadata: () => { asked++; return [keys]; } });
  dispatchEvent(new Event("tsunagu:linked"));
  dispatchEvent(new Event("tsunagu:linked"));
  await settle();
  assert.deepEqual([asked, desk.unread.size, desk.documents.map(({ kind }) => kind)], [2, 0, ["keys"]]);
  archive({ status: () => 404 });
  const gone = deskOf(roomOf(studyOf("7.2", [SERIES])));
  await settle();
  assert.deepEqual([gone.unread.size, gone.documents], [0, []]);
});

test("states of a desk are one series of which the last are shown; what was deleted does not come back", async (context) => {
  context.mock.timers.enable({ apis: ["Date"], now: new Date(2027, 0, 15, 9, 5, 7) });
  const stored = archive();
  const room = roomOf(studyOf("8.1"));
  const desk = deskOf(room);
  const [frame] = room.manifest.series[0].frames;
  const [line1, arrow] = [desk.book.add("length", frame, line(11)), desk.book.add("arrow", frame, line(21))];
  const save = async () => { await saveAll(desk, { person: "" }); context.mock.timers.tick(5000); };
  await save();
  desk.book.move(line1.id, line(31));
  await save();
  const STATE = "1.2.840.10008.5.1.4.1.1.11.1";
  assert.deepEqual([new Set(of(stored, STATE).map((one) => one["0020000E"].Value[0])).size, of(stored, STATE).map((one) => one["00200013"].Value[0])], [1, [1, 2]]);
  const read = async () => {
    const series = stored.map(({ object }, at) => ({ SeriesInstanceUID: `8.1.${at + 5}`, Modality: object["00080060"].Value[0], count: 1, instances: { SOPInstanceUID: { all: object["00080018"].Value[0] } } }));
    archive({ metadata: (path) => [stored[Number(/8\.1\.(\d+)\/metadata/.exec(path)[1]) - 5].object] });
    const documents = await savedDocuments(studyOf("8.1", series));
    return documents.map(({ kind, shown }) => `${kind} ${shown}`);
  };
  assert.deepEqual(await read(), ["report true", "state true", "state false"]);
  const more = archive();
  desk.book.remove(line1.id);
  desk.book.remove(arrow.id);
  assert.equal(desk.dirty, true);
  await save();
  assert.deepEqual([groupsIn(of(more, SR)[0]), of(more, STATE)[0]["00700001"], desk.dirty], [0, undefined, false]);
  stored.push(...more);
  assert.deepEqual(await read(), ["state true", "state false", "state false"]);
});

test("drafts on a prior are there again when it hangs again, in a room opened anew", () => {
  archive();
  const [study, prior] = [studyOf("4.1"), studyOf("4.2")];
  const before = deskOf(roomOf(study));
  hang(before.room, prior);
  before.book.add("length", prior.series[0].frames[0], line(11));
  before.book.add("length", study.series[0].frames[0], line(21));
  before.keys.toggle(prior.series[0].frames[1]);
  before.dispose();
  const again = deskOf(roomOf(study));
  assert.deepEqual([again.book.drafts.length, again.keys.all.length, again.unsaved], [1, 0, true]);
  again.dispose();
  const last = deskOf(roomOf(study));
  hang(last.room, prior);
  assert.deepEqual([last.book.drafts.length, last.keys.all.length], [2, 1]);
});
