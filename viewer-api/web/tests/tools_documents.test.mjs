// Proves that what is saved is built as PS3.3 and PS3.16 ask for, and that reading it back gives what was drawn. Programs of others judge the
// same objects in tests/browser/tools.mjs.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ellipseIn } from "../viewer/tools/geometry.js";
import { srgbProfile } from "../viewer/tools/icc.js";
import { keyObjectSelection } from "../viewer/tools/key_objects.js";
import { MarkBook } from "../viewer/tools/marks.js";
import { linesOf, measure } from "../viewer/tools/measure.js";
import { measurementReport } from "../viewer/tools/measurement_report.js";
import { dataset, decimal, momentOf } from "../viewer/tools/model.js";
import { presentationState } from "../viewer/tools/presentation_state.js";
import { documentOf } from "../viewer/tools/saved.js";
import { isAbout } from "../viewer/tools/saved_state.js";
import { newUid } from "../viewer/tools/uid.js";

const SOURCE = {
  patient: { PatientID: "0000417", IssuerOfPatientID: "north", PatientName: { Alphabetic: "Yamada^Tarou", Ideographic: "山田^太郎" }, PatientBirthDate: "19700101", PatientSex: "M" },
  study: { StudyInstanceUID: "1.2.392.1", StudyDate: "20270115" },
};
const CT = { study: "1.2.392.1", series: "1.2.392.1.1", instance: "1.2.392.1.1.1", sopClass: "1.2.840.10008.5.1.4.1.1.2", modality: "CT" };
const MM = { row: 0.5, column: 0.5, unit: "mm" };
const HU = { label: "HU", ucum: ["[hnsf'U]", "Hounsfield unit"] };
const STATISTICS = { mean: -800.25, deviation: 12.5, least: -1000, greatest: 40 };
const OPTIONS = { series: "2.25.1", instance: "2.25.2", person: "", language: "ja", description: "計測", now: new Date(2027, 0, 15, 9, 5, 7) };

function mark(kind, points, statistics = null, more = {}) {
  const made = { id: `2.25.${kind.length}${points.length}`, label: `${kind} 1`, kind, points, text: "", reference: CT, scale: MM, ...more };
  return { ...made, values: measure(made, MM, statistics, HU) };
}
const MARKS = [mark("length", [[1, 2], [31, 42]]), mark("angle", [[4, 0], [0, 0], [0, 4]]), mark("cobb", [[1, 2], [31, 2], [1, 50], [31, 80]]),
  mark("ellipse", ellipseIn([0, 0], [10, 20]), STATISTICS, { text: "石灰化" }), mark("probe", [[5, 5]], { value: 40 })];
const report = (options = {}) => measurementReport(SOURCE, MARKS, { ...OPTIONS, ...options });

const one = (object, tag) => object?.[tag]?.Value?.[0];
const content = (item) => item["0040A730"]?.Value ?? [];
const concept = (item) => one(one(item, "0040A043"), "00080100");
const meaning = (item) => one(one(item, "0040A043"), "00080104");
const relation = (item) => one(item, "0040A010");
const type = (item) => one(item, "0040A040");

test("TID 1500: title, template, language, observer, procedure, image library, measurements", () => {
  const root = report();
  assert.deepEqual([concept(root), one(one(root, "0040A504"), "0040DB00"), one(one(root, "0040A504"), "00080105")], ["126000", "1500", "DCMR"]);
  const parts = content(root).map((item) => `${relation(item)} ${type(item)} ${concept(item)}`);
  assert.deepEqual(parts, ["HAS CONCEPT MOD CODE 121049", "HAS OBS CONTEXT CODE 121005", "HAS OBS CONTEXT UIDREF 121012", "HAS OBS CONTEXT TEXT 121013",
    "HAS OBS CONTEXT TEXT 121014", "HAS CONCEPT MOD CODE 121058", "CONTAINS CONTAINER 111028", "CONTAINS CONTAINER 126010"]);
  const person = content(report({ person: "Sato^Hanako" })).find((item) => concept(item) === "121008");
  assert.deepEqual(one(person, "0040A123"), { Alphabetic: "Sato^Hanako" });
});

test("TID 1501: each group has its tracking identifier and UID, its values, its points selected from the image", () => {
  const groups = content(content(report()).at(-1));
  assert.equal(groups.length, 5);
  for (const [at, group] of groups.entries()) {
    assert.deepEqual([concept(group), type(group), one(group, "0040A050")], ["125007", "CONTAINER", "SEPARATE"]);
    assert.deepEqual(content(group).slice(0, 2).map((item) => `${relation(item)} ${type(item)} ${concept(item)}`), ["HAS OBS CONTEXT TEXT 112039", "HAS OBS CONTEXT UIDREF 112040"]);
    assert.equal(one(content(group)[1], "0040A124"), MARKS[at].id);
  }
  const length = content(groups[0])[2];
  assert.deepEqual([relation(length), type(length), concept(length)], ["CONTAINS", "NUM", "410668003"]);
  const measured = one(length, "0040A300");
  assert.deepEqual([one(measured, "0040A30A"), one(one(measured, "004008EA"), "00080100"), one(one(measured, "004008EA"), "00080102")], [25, "mm", "UCUM"]);
  const [region] = content(length);
  assert.deepEqual([relation(region), type(region), one(region, "00700023"), region["00700022"].Value], ["INFERRED FROM", "SCOORD", "POLYLINE", [1, 2, 31, 42]]);
  const [image] = content(region);
  assert.deepEqual([relation(image), type(image), one(one(image, "00081199"), "00081155")], ["SELECTED FROM", "IMAGE", CT.instance]);
  assert.equal(one(one(image, "00081199"), "00081160"), undefined, "a single frame is not named (PS3.3 C.17.2.1)");
});

test("TID 1410: an ellipse is one region, major axis first, with area and derived values", () => {
  const group = content(content(report()).at(-1))[3];
  const [, , region, area, mean] = content(group);
  assert.deepEqual([relation(region), concept(region), one(region, "00700023")], ["CONTAINS", "111030", "ELLIPSE"]);
  assert.deepEqual(region["00700022"].Value, [5, 0, 5, 20, 0, 10, 10, 10]);
  assert.equal(concept(area), "42798000");
  assert.deepEqual([concept(mean), concept(content(mean)[0]), one(one(content(mean)[0], "0040A168"), "00080100")], ["112031", "121401", "373098007"]);
  assert.equal(content(area).length, 0, "the region stands for all values of the group");
  assert.deepEqual([concept(content(group).at(-1)), one(content(group).at(-1), "0040A160")], ["121106", "石灰化"]);
});

test("every image that is referred to is evidence, once, and a predecessor is named", () => {
  const evidence = one(report(), "0040A375");
  const series = one(evidence, "00081115");
  assert.deepEqual([one(evidence, "0020000D"), one(series, "0020000E"), series["00081199"].Value.length], [SOURCE.study.StudyInstanceUID, CT.series, 1]);
  const before = report({ predecessors: [{ series: "2.25.7", instance: "2.25.8", sopClass: "1.2.840.10008.5.1.4.1.1.88.33" }] });
  assert.deepEqual(documentOf(before).replaces, ["2.25.8"]);
});

test("the person is the study's, with the issuer the archive knows", () => {
  const root = report();
  assert.deepEqual([one(root, "00100020"), one(root, "00100021"), one(root, "00100010").Ideographic, one(root, "00080005")], ["0000417", "north", "山田^太郎", "ISO_IR 192"]);
  assert.deepEqual([root["00080050"], root["0040A372"]], [{ vr: "SH" }, { vr: "SQ" }], "Type 2 attributes are there and empty");
});

test("a report read back gives the marks that were drawn", () => {
  const { kind, marks } = documentOf(report());
  assert.equal(kind, "report");
  assert.deepEqual(marks.map((found) => [found.kind, found.key]), MARKS.map((drawn) => [drawn.kind, `${CT.instance}/1`]));
  assert.deepEqual(marks.map((found) => found.id), MARKS.map((drawn) => drawn.id), "the tracking UID is kept");
  for (const [at, found] of marks.entries()) assert.deepEqual(found.said.map(({ key, value }) => [key, value]), MARKS[at].values.map(({ key, value }) => [key, Number(value.toPrecision(6))]));
  assert.deepEqual([marks[3].text, linesOf("length", marks[0].said, {})], ["石灰化", ["25.0 mm"]]);
});

test("TID 2010: images in the order of their choice, frames where there are several", () => {
  const root = keyObjectSelection(SOURCE, [CT, { ...CT, instance: "1.2.9", sopClass: "1.2.840.10008.5.1.4.1.1.3.1", frame: 3 }], { ...OPTIONS, remark: "" });
  assert.deepEqual([concept(root), one(one(root, "0040A504"), "0040DB00"), meaning(root)], ["113000", "2010", "Of Interest"]);
  assert.deepEqual(documentOf(root).keys, [`${CT.instance}/1`, "1.2.9/3"]);
  assert.equal(one(root, "0040A491"), undefined, "no Completion Flag in a Key Object Document");
});

const IMAGE = { reference: CT, columns: 512, rows: 256, spacing: { row: 0.5, column: 0.4 }, window: { center: -600, width: 1500, function: "LINEAR" } };
const DISPLAY = { rotation: 90, flipped: true, inverted: false, monochrome1: false, colour: false, rescale: { slope: 1, intercept: -1024, type: "HU" } };

test("GSPS: area, layers, graphics, window, rescale, turn", () => {
  const marks = [{ ...MARKS[0], label: "25.0 mm" }, { kind: "arrow", points: [[0, 0], [10, 10]], label: "" }, { kind: "text", points: [[9, 8]], label: "ここ\n要注意" }];
  const state = presentationState(SOURCE, [{ ...IMAGE, marks }], DISPLAY, OPTIONS);
  const area = one(state, "0070005A");
  assert.deepEqual([area["00700052"].Value, area["00700053"].Value, area["00700101"].Value], [[1, 1], [512, 256], [0.5, 0.4]]);
  assert.deepEqual(state["00700060"].Value.map((layer) => one(layer, "00700002")), ["MEASUREMENTS", "NOTES"]);
  assert.deepEqual(state["00700001"].Value.map((item) => one(item, "00700002")), ["MEASUREMENTS", "NOTES"]);
  assert.deepEqual([one(state, "00281052"), one(state, "00281053"), one(state, "00281054"), one(state, "20500020")], [-1024, 1, "HU", "IDENTITY"]);
  assert.deepEqual([one(state, "00700042"), one(state, "00700041")], [90, "Y"]);
  const graphic = one(one(state, "00700001"), "00700009");
  assert.deepEqual([one(graphic, "00700005"), one(graphic, "00700023"), one(graphic, "00700021"), graphic["00700022"].Value], ["PIXEL", "POLYLINE", 2, [1, 2, 31, 42]]);
  assert.equal(one(one(state["00700001"].Value[1], "00700008"), "00700006"), "ここ\r\n要注意");
  const read = documentOf(state).state;
  assert.deepEqual([read.rotation, read.flipped, read.inverse, read.windows[0].voi], [90, true, false, { center: -600, width: 1500, function: "LINEAR" }]);
  const frame = { key: `${CT.instance}/1`, instance: { SOPInstanceUID: CT.instance } };
  assert.ok(isAbout(read.annotations[0].keys, frame) && !isAbout(read.annotations[0].keys, { key: "1.9/1", instance: { SOPInstanceUID: "1.9" } }));
  assert.deepEqual(read.annotations[0].graphics[0].points, [[1, 2], [31, 42]]);
});

test("MONOCHROME1 as it is meant is INVERSE, and inverted it is IDENTITY", () => {
  const shape = (change) => one(presentationState(SOURCE, [{ ...IMAGE, marks: [] }], { ...DISPLAY, ...change }, OPTIONS), "20500020");
  assert.deepEqual([shape({ monochrome1: true }), shape({ monochrome1: true, inverted: true }), shape({ inverted: true })], ["INVERSE", "IDENTITY", "INVERSE"]);
});

test("GSPS: a VOI LUT and a Modality LUT are said again as they are, and no rescale beside the latter", () => {
  const lut = { first: -3, bits: 12, entries: Uint16Array.of(0, 100, 4095), explanation: "NORMAL", type: "OD" };
  const state = presentationState(SOURCE, [{ ...IMAGE, window: null, lut, marks: [] }], { ...DISPLAY, modalityLut: { ...lut, first: 0, entries: new Uint16Array(65_536) } }, OPTIONS);
  const voi = one(one(state, "00283110"), "00283010");
  assert.deepEqual([voi["00283002"], one(voi, "00283003"), [...Buffer.from(voi["00283006"].InlineBinary, "base64")]], [{ vr: "SS", Value: [3, -3, 12] }, "NORMAL", [0, 0, 100, 0, 255, 15]]);
  const modality = one(state, "00283000");
  assert.deepEqual([modality["00283002"], one(modality, "00283004"), state["00281053"], one(state, "00283110")["00281050"]], [{ vr: "US", Value: [0, 0, 12] }, "OD", undefined, undefined]);
  assert.deepEqual(Object.keys(voi), Object.keys(voi).sort());
});

test("the state of colour images has a profile and no grey levels", () => {
  const state = presentationState(SOURCE, [{ ...IMAGE, spacing: null, aspect: [1, 1], window: null, marks: [] }], { ...DISPLAY, colour: true }, OPTIONS);
  assert.equal(one(state, "00080016"), "1.2.840.10008.5.1.4.1.1.11.2");
  assert.deepEqual([state["20500020"], state["00283110"], one(state, "0070005A")["00700102"].Value], [undefined, undefined, [1, 1]]);
  const profile = Buffer.from(state["00282000"].InlineBinary, "base64");
  assert.deepEqual([profile.readUInt32BE(0), profile.toString("latin1", 36, 40), profile.length % 2], [profile.length, "acsp", 0]);
  const tags = Array.from({ length: profile.readUInt32BE(128) }, (_, at) => profile.toString("latin1", 132 + 12 * at, 136 + 12 * at));
  assert.deepEqual(tags, ["desc", "cprt", "wtpt", "rXYZ", "gXYZ", "bXYZ", "rTRC", "gTRC", "bTRC"]);
  assert.equal(srgbProfile().length, profile.length);
});

test("DICOM JSON: tags in order, sixteen characters of a decimal string, empty Type 2, no unknown keyword", () => {
  assert.deepEqual(Object.keys(dataset({ StudyID: "1", SOPClassUID: "1.2", PatientID: null })), ["00080016", "00100020", "00200010"]);
  for (const value of [Math.PI, -1 / 3, 1e-9 / 7, 123456789.123456789, -98765432109876.54, 0]) {
    assert.ok(String(decimal(value)).length <= 16 && Math.abs(decimal(value) - value) <= Math.abs(value) * 1e-8, `${value} ${decimal(value)}`);
  }
  assert.throws(() => dataset({ Nonsense: 1 }));
  assert.throws(() => decimal(NaN));
  assert.match(momentOf(OPTIONS.now).date + momentOf(OPTIONS.now).time + momentOf(OPTIONS.now).offset, /^20270115090507[+-]\d{4}$/);
});

test("UIDs are UUIDs under 2.25, each a new one", () => {
  const made = new Set(Array.from({ length: 100 }, newUid));
  assert.equal(made.size, 100);
  for (const uid of made) {
    assert.match(uid, /^2\.25\.[1-9]\d{0,38}$/);
    assert.equal((BigInt(uid.slice(5)) >> 76n) & 0xfn, 4n, "version 4");
  }
});

test("marks: undo, deleting, what is saved, what belongs to a document", () => {
  const book = new MarkBook();
  const frame = { key: "1.2/1", number: 1, series: { StudyInstanceUID: "1", SeriesInstanceUID: "1.1", Modality: "CT" }, instance: { SOPInstanceUID: "1.2", SOPClassUID: "1.3" } };
  assert.equal(book.dirty, false);
  const mark = book.add("length", frame, [[0, 0], [1, 1]]);
  assert.equal(book.add("length", frame, [[0, 0]]), null, "too few points");
  book.move(mark.id, [[0, 0], [2, 2]]);
  book.move(mark.id, [[0, 0], [3, 3]]);
  book.settle();
  assert.deepEqual([book.get(mark.id).points[1], book.dirty], [[3, 3], true]);
  book.undo();
  assert.deepEqual(book.get(mark.id).points[1], [1, 1], "one drag is one step");
  book.saved("1", book.drafts);
  assert.equal(book.dirty, false);
  assert.ok(book.remove(mark.id) && book.dirty && book.of("1.2/1").length === 0);
  book.undo();
  assert.equal(book.dirty, false);
  book.show({ id: "x", kind: "length", key: "1.2/1", points: [], saved: "2.25.9" });
  assert.deepEqual([book.remove("x"), book.drafts.length, book.of("1.2/1").length], [false, 1, 2]);
  book.hide("2.25.9");
  assert.equal(book.of("1.2/1").length, 1);
});
