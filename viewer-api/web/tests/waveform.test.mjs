// Proves that what is drawn is what was recorded: scale, interleave, sign, missing values, place on the paper, computed leads.
import assert from "node:assert/strict";
import { test } from "node:test";
import { TWELVE, computedLeads, leadOf, rowsOf } from "../viewer/ecg/leads.js";
import { annotations, decodeGroup, groupHeads, paddingOf, scaled, sharedFilter } from "../viewer/ecg/waveform.js";

const value = (vr, ...list) => ({ vr, Value: list });
const codeItem = (codeValue, meaning = "") => value("SQ", { "00080100": value("SH", codeValue), "00080102": value("SH", "SCPECG"), "00080104": value("LO", meaning) });

function channel(lead, { sensitivity = "2.5", correction = "1", baseline = "0", unit = "uV" } = {}) {
  return { "003A0208": codeItem(lead), "003A0210": value("DS", sensitivity), "003A0211": codeItem(unit), "003A0212": value("DS", correction), "003A0213": value("DS", baseline) };
}

function head(channels, samples, more = {}) {
  const item = { "003A0004": value("CS", "ORIGINAL"), "003A0005": value("US", channels.length), "003A0010": value("UL", samples), "003A001A": value("DS", "500"),
    "003A0200": value("SQ", ...channels), "54001004": value("US", 16), "54001006": value("CS", "SS"), ...more };
  return groupHeads({ "54000100": value("SQ", item) })[0];
}

test("value = stored × sensitivity × correction + baseline, in mV", () => {
  const check = (settings, stored, expected) => assert.ok(Math.abs(scaled(stored, head([channel("2:1", settings)], 1).channels[0]) - expected) < 1e-9);
  check({}, 400, 1);
  check({ correction: "2", baseline: "100" }, -400, -1.9);
  check({ sensitivity: "0.001", unit: "mV" }, 1000, 1);
  check({ sensitivity: "1", baseline: "-5", unit: "mV" }, 5, 0);
});

test("samples are interleaved, little endian and signed", () => {
  const [one, two] = decodeGroup(head([channel("2:1"), channel("2:2")], 2), new Int16Array([400, -400, 800, -32768]).buffer);
  assert.deepEqual([...one.values], [1, 2]);
  assert.deepEqual([...two.values].map((mv) => Math.round(mv * 100) / 100), [-1, -81.92]);
  assert.deepEqual([one.lead, two.lead], ["I", "II"]);
});

test("the padding value is missing, not a number to draw", () => {
  const padded = head([channel("2:1")], 3, { "5400100A": { vr: "OW", InlineBinary: "AIA=" } });
  const padding = paddingOf(padded, (text) => new Uint8Array(Buffer.from(text, "base64")).buffer);
  assert.equal(padding, -32768);
  const [lead] = decodeGroup(padded, new Int16Array([400, -32768, 400]).buffer, padding);
  assert.deepEqual([lead.values[0], Number.isNaN(lead.values[1]), lead.missing], [1, true, true]);
});

test("wrong heads are refused with a reason, never drawn in part", () => {
  const check = (more, bytes, key) => assert.throws(() => decodeGroup(head([channel("2:1")], 4, more), new ArrayBuffer(bytes)), { key });
  check({}, 7, "ecgErrorLength");
  check({ "54001006": value("CS", "MB") }, 8, "ecgErrorFormat");
  check({ "54001004": value("US", 8) }, 8, "ecgErrorFormat");
  check({ "003A001A": value("DS", "0") }, 8, "ecgErrorRate");
  check({ "003A0010": value("UL", 0) }, 8, "ecgErrorEmpty");
  check({ "003A0010": value("UL", 4294967295) }, 8, "ecgErrorSize");
});

test("a channel without sensitivity has no mV scale", () => {
  const bare = head([{ "003A0208": codeItem("2:1") }], 1);
  assert.equal(bare.channels[0].inMillivolts, false);
  assert.equal(decodeGroup(bare, new Int16Array([77]).buffer)[0].values[0], 77);
});

test("leads are known by SCP-ECG code, MDC code, meaning and label", () => {
  const check = (codeValue, meaning, label, expected) => assert.equal(leadOf(codeValue || meaning ? { value: codeValue, meaning } : null, label), expected);
  check("5.6.3-9-1", "", "", "I");
  check("2:64", "", "", "aVF");
  check("2:111", "", "", "III");
  check("2:51", "", "X", "X");
  check("99", "Lead aVR", "", "aVR");
  check("99", "Lead I (Einthoven)", "", "I");
  check("", "", "LEAD V4R", "V4R");
  check("", "", "Resp", "Resp");
});

function lead(name, list, more = {}) {
  return { lead: name, values: Float32Array.from(list), rate: 500, start_s: 0, inMillivolts: true, ...more };
}

test("missing limb leads are computed from I and II, present ones are not", () => {
  const computed = computedLeads([lead("I", [1]), lead("II", [3]), lead("aVF", [9])]);
  assert.deepEqual(computed.map((one) => [one.lead, one.values[0], one.computed]), [["III", 2, true], ["aVR", -2, true], ["aVL", -0.5, true]]);
  assert.deepEqual(computedLeads([lead("I", [1]), lead("II", [3], { start_s: 2.5 })]), []);
});

test("3×4 hangs four columns of 2.5 s and a rhythm strip; sets recorded in turn come from their own time", () => {
  const channels = TWELVE.map((name) => lead(name, new Array(5000).fill(0)));
  const rows = rowsOf("3x4", channels, { rhythm: "V1" });
  assert.deepEqual(rows.map((row) => row.map((part) => part.channel.lead).join(" ")), ["I aVR V1 V4", "II aVL V2 V5", "III aVF V3 V6", "V1"]);
  assert.deepEqual(rows[0].map((part) => part.from_s), [0, 2.5, 5, 7.5]);
  assert.equal(rows[3][0].seconds, 10);
  const late = TWELVE.map((name) => lead(name, new Array(1250).fill(0), { start_s: name === "I" ? 7.5 : 0 }));
  assert.equal(rowsOf("3x4", late)[0][0].from_s, 7.5);
  assert.equal(rowsOf("12x1", channels).length, 12);
  assert.equal(rowsOf("6x2", channels)[5].map((part) => part.channel.lead).join(" "), "aVF V6");
});

test("annotations are sorted into statements, measurements and points; filters that differ are said to differ", () => {
  const dataset = { "0040B020": value("SQ", { "00700006": value("ST", "sinus rhythm") },
    { "0040A043": codeItem("5.13.5-11", "QT Interval"), "0040A30A": value("DS", "368"), "004008EA": codeItem("ms") },
    { "0040A043": codeItem("5.10.3-1", "P Onset"), "0040A0B0": value("US", 1, 0), "0040A130": value("CS", "POINT"), "0040A132": value("UL", 299) }) };
  const found = annotations(dataset);
  assert.deepEqual(found.statements, ["sinus rhythm"]);
  assert.deepEqual(found.measurements, [{ name: "QT Interval", value: 368, unit: "ms", code: "5.13.5-11" }]);
  assert.deepEqual(found.points, [{ name: "P Onset", group: 0, channel: 0, sample: 299 }]);
  const filter = (low) => ({ filter: { low, high: 150, notch: null } });
  assert.deepEqual(sharedFilter([filter(0.05), filter(0.05)]), { low: 0.05, high: 150, notch: null });
  assert.equal(sharedFilter([filter(0.05), filter(0.5)]), "mixed");
});
