// Proves that of two things asked for one after the other the last one is shown, whichever comes first.
import assert from "node:assert/strict";
import { test } from "node:test";
import { EcgView } from "../viewer/ecg/view.js";
import { leavePrior, showPrior } from "../viewer/room/priors.js";
import { StudyPage } from "../viewer/study.js";
import { openPage, promised, settle } from "./page.mjs";

const document = openPage();

// A study page without its room: what is no picture is shown in `pane`.
function pageOf() {
  const page = Object.create(StudyPage.prototype);
  return Object.assign(page, { pane: document.createElement("section"), tabs: document.createElement("div"), study: "1", choosing: new AbortController(), shown: null });
}

const instanceOf = (sopClass) => ({ "00080016": { vr: "UI", Value: [sopClass] }, "00080018": { vr: "UI", Value: ["1.2"] } });

test("a document that took longer is not painted over the one chosen after it", async () => {
  const page = pageOf();
  const gate = promised();
  document.head.append = (link) => gate.promise.then(() => link.dispatchEvent(new Event("load")));
  page.showSet("1.1", { kind: "report", instance: instanceOf("1.2.840.10008.5.1.4.1.1.88.11") }, [], 0);
  await page.showSet("1.1", { kind: "other", instance: instanceOf("1.2.840.10008.5.1.4.1.1.66.4") }, [], 1);
  const shown = page.pane.textContent;
  assert.ok(shown.length > 0);
  gate.resolve();
  await settle();
  assert.equal(page.pane.textContent, shown);
});

function roomOf() {
  const hung = [];
  const answers = new Map();
  globalThis.fetch = (path) => { const one = promised(); answers.set(/studies\/([^/]+)/.exec(path)[1], one); return one.promise; };
  const answer = (study) => answers.get(study).resolve(Response.json({ version: 1, study: { StudyInstanceUID: study }, series: [] }));
  const room = { hung, answer, fail: (study) => answers.get(study).resolve(new Response("", { status: 404 })), stop: new AbortController(), manifest: { study: {} }, sets: [], said: [], say: (sentence) => room.said.push(sentence),
    leaveMpr() {}, setLinked() {}, hangUp: (_, manifest) => hung.push(manifest?.study.StudyInstanceUID ?? null), toolbar: { show() {} } };
  return room;
}

test("of two priors the one chosen last hangs, and a failure of the other is not told", async () => {
  const room = roomOf();
  for (const study of ["2", "3"]) showPrior(room, { StudyInstanceUID: study });
  await settle();
  room.answer("3");
  await settle();
  room.answer("2");
  await settle();
  assert.deepEqual([room.hung, room.priorShown], [["3"], "3"]);
  for (const study of ["4", "5"]) showPrior(room, { StudyInstanceUID: study });
  await settle();
  room.answer("5");
  room.fail("4");
  await settle();
  assert.deepEqual([room.hung, room.said], [["3", "5"], []]);
});

test("a prior that is taken away while it comes does not hang", async () => {
  const room = roomOf();
  showPrior(room, { StudyInstanceUID: "2" });
  await settle();
  leavePrior(room);
  room.answer("2");
  await settle();
  assert.deepEqual([room.hung, room.priorShown], [[null], null]);
});

// An ECG page that draws nothing; `manifests` are what the archive says of each study, or a status.
function ecgOf(manifests) {
  const gates = new Map();
  globalThis.fetch = async (path) => {
    const study = /studies\/([^/]+)/.exec(path)[1];
    await gates.get(study)?.promise;
    const said = manifests[study];
    return typeof said === "number" ? new Response("", { status: said }) : Response.json(said);
  };
  const view = Object.assign(Object.create(EcgView.prototype), { address: ["1", "1.1", "1.2"], stop: new AbortController(), priors: [], prior: null, priorStudy: null, priorError: null, drawn: [], showTools() {}, draw() { this.drawn.push(this.priorStudy); } });
  return { view, hold: (study) => { gates.set(study, promised()); return gates.get(study); } };
}

const ecgStudy = (StudyInstanceUID, StudyDate) => ({ StudyInstanceUID, StudyDate, ModalitiesInStudy: ["ECG"] });

test("a prior without a waveform hides no older one; one that cannot be had says so, and the others can still be chosen", async () => {
  const { view } = ecgOf({ 1: { study: { StudyDate: "20260101" }, priors: [ecgStudy("2", "20250101"), ecgStudy("3", "20240101"), ecgStudy("4", "20230101")] }, 2: { series: [] }, 3: 500, 4: { series: [] } });
  await view.findPriors();
  assert.deepEqual([view.priorStudy, view.prior, view.priorError.status, view.priors.length], ["3", null, 500, 3]);
});

test("of two prior ECGs the one chosen last is shown, and the failure of the other is nobody's", async () => {
  const { view, hold } = ecgOf({ 2: 500, 3: { series: [] } });
  const slow = hold("2");
  const first = view.choosePrior("2");
  await view.choosePrior("3");
  slow.resolve();
  await first;
  assert.deepEqual([view.priorStudy, view.priorError], ["3", null]);
});
