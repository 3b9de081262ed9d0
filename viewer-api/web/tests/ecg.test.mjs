// Proves the ECG page's arithmetic: every sample on its millimetre and no peak lost, filters without delay, calipers, QTc.
import assert from "node:assert/strict";
import { test } from "node:test";
import { CHOICES, OFF, applyFilters, filtered, possible, section, shownChannel } from "../viewer/ecg/filters.js";
import { cellAt, layOut, samplesOf, timeAt, xOf, yOf } from "../viewer/ecg/geometry.js";
import { alignment_s, sheetRows, underRows } from "../viewer/ecg/hang.js";
import { CABRERA, TWELVE, firstLayout, rowsOf } from "../viewer/ecg/leads.js";
import { between, correctedQt, march, nearestSample, statedQt } from "../viewer/ecg/measure.js";
import { tracePath } from "../viewer/ecg/paper.js";

const lead = (name, list, more = {}) => ({ lead: name, values: Float32Array.from(list), rate: 500, start_s: 0, inMillivolts: true, ...more });
const recorded = (rows, scale) => layOut(rows, scale).cells;

function path(cell, scale) {
  const drawn = [];
  tracePath({ moveTo: (x, y) => drawn.push(["move", x, y]), lineTo: (x, y) => drawn.push(["line", x, y]) }, cell, scale);
  return drawn;
}

// A generator of the same numbers each time.
function noise(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32 - 0.5;
  };
}

test("each sample lands on its millimetre, and a missing one lifts the pen", () => {
  const [cell] = recorded([[{ channel: lead("I", [0, 1, NaN, -0.5, 0], { rate: 4 }), from_s: 0, seconds: 1 }]], { speed: 25, gain: 10 });
  // 4 px/mm: 100 px a second, 40 px a millivolt; the trace begins 14 mm from the left, its middle is 18 mm from the top.
  assert.deepEqual(path(cell, { mm: 4, speed: 25 }), [["move", 56, 72], ["line", 81, 32], ["move", 131, 92], ["line", 156, 72]]);
});

test("where samples are denser than pixels every one is within the drawn line, and what is drawn are samples", () => {
  const random = noise(7);
  const values = Array.from({ length: 40_000 }, (_, at) => Math.sin(at / 160) + random() * 0.2 + (at % 997 === 0 ? 2 : 0));
  const channel = lead("II", values, { rate: 4000 });
  const scale = { mm: 3.78, speed: 12.5 };
  const [cell] = recorded([[{ channel, from_s: 0, seconds: 10 }]], { speed: 12.5, gain: 10 });
  const drawn = path(cell, scale);
  assert.ok(drawn.length < values.length * 0.1, `${drawn.length} points`);
  const exact = new Map(values.map((_, at) => [`${xOf(cell, at, 12.5) * 3.78}`, yOf(cell, channel.values[at]) * 3.78]));
  for (const [, x, y] of drawn) assert.equal(exact.get(`${x}`), y);
  // By halves of a pixel: what is drawn of each reaches as high and as low as its samples.
  const half = (x) => Math.floor(x * 2);
  const reach = new Map();
  for (const [, x, y] of drawn) {
    const [low, high] = reach.get(half(x)) ?? [Infinity, -Infinity];
    reach.set(half(x), [Math.min(low, y), Math.max(high, y)]);
  }
  values.forEach((_, at) => {
    const [low, high] = reach.get(half(xOf(cell, at, 12.5) * 3.78));
    const y = yOf(cell, channel.values[at]) * 3.78;
    assert.ok(y >= low && y <= high, `sample ${at}`);
  });
});

test("a wave higher than the first row or deeper than the last is on the paper", () => {
  for (const gain of [5, 10, 20]) {
    const high = lead("V4", [0, 3.2, 0]);
    const deep = lead("V2", [0, -2.9, 0]);
    const sheet = layOut([[{ channel: high, from_s: 0, seconds: 1 }], [{ channel: deep, from_s: 0, seconds: 1 }]], { speed: 25, gain });
    assert.ok(yOf(sheet.cells[0], 3.2) >= 0 && yOf(sheet.cells[1], -2.9) <= sheet.height_mm, `${gain} mm/mV`);
  }
});

test("a gap in a dense trace stays a gap", () => {
  const values = Array.from({ length: 4000 }, (_, at) => (at >= 1000 && at < 1400 ? NaN : 0));
  const [cell] = recorded([[{ channel: lead("II", values, { rate: 1000 }), from_s: 0, seconds: 4 }]], { speed: 25, gain: 10 });
  const moves = path(cell, { mm: 1, speed: 25 }).filter(([kind]) => kind === "move");
  assert.equal(moves.length, 2);
  assert.ok(Math.abs(moves[1][1] - xOf(cell, 1400, 25)) < 1e-9);
});

test("from the pointer back to the sample it stands on, in every cell of a sheet", () => {
  const channels = TWELVE.map((name) => lead(name, new Array(5000).fill(0)));
  const sheet = layOut(rowsOf("3x4", channels), { speed: 50, gain: 20 });
  for (const [index, cell] of sheet.cells.entries()) {
    const [first, last] = samplesOf(cell);
    for (const at of [first + 1, Math.round((first + last) / 2), last - 1]) {
      const x_mm = xOf(cell, at, 50);
      assert.equal(nearestSample(cell.channel, timeAt(cell, x_mm + 0.04, 50)), at);
      assert.equal(cellAt(sheet.cells, x_mm, cell.middle_mm + 3, 50), index);
    }
  }
  assert.equal(cellAt([], 5, 5, 25), -1);
});

test("12.5 and 50 mm/s, 5 and 20 mm/mV are what they say", () => {
  for (const speed of [12.5, 25, 50]) for (const gain of [5, 10, 20]) {
    const [cell] = recorded([[{ channel: lead("I", new Array(5001).fill(0)), from_s: 0, seconds: 10 }]], { speed, gain });
    assert.ok(Math.abs(xOf(cell, 500, speed) - xOf(cell, 0, speed) - speed) < 1e-9);
    assert.ok(Math.abs(yOf(cell, 0) - yOf(cell, 1) - gain) < 1e-9);
  }
});

test("Cabrera hangs −aVR turned round; four school leads hang with their heart sound", () => {
  const channels = TWELVE.map((name, at) => lead(name, new Array(5000).fill(at / 10)));
  const rows = rowsOf("cabrera", channels);
  assert.deepEqual(rows.map(([limb]) => limb.channel.lead), CABRERA);
  assert.deepEqual(rows.map(([, chest]) => chest.channel.lead), TWELVE.slice(6));
  assert.ok(Math.abs(rows[2][0].channel.values[0] + 0.3) < 1e-6 && rows[2][0].channel.computed);
  assert.equal(rowsOf("cabrera", channels)[2][0].channel, rows[2][0].channel);
  const school = [lead("V6", [0]), lead("V1", [0]), lead("aVF", [0]), lead("I", [0]), lead("PCG", [0], { inMillivolts: false, rate: 4000 })];
  assert.equal(firstLayout(school), "4x1");
  assert.deepEqual(rowsOf("4x1", school).map(([part]) => part.channel.lead), ["I", "aVF", "V1", "V6", "PCG"]);
  assert.deepEqual([firstLayout(channels), firstLayout(school.slice(0, 2))], ["3x4", "all"]);
});

const sine = (hertz, rate, seconds, phase = 0) => Float32Array.from({ length: rate * seconds }, (_, at) => Math.sin((2 * Math.PI * hertz * at) / rate + phase));
const middle = (values) => values.subarray(Math.floor(values.length * 0.3), Math.floor(values.length * 0.7));
const power = (values) => Math.sqrt(middle(values).reduce((sum, value) => sum + value * value, 0) / middle(values).length);
const gain_dB = (choice, hertz, rate = 500, seconds = 20) => 20 * Math.log10(power(applyFilters(sine(hertz, rate, seconds), rate, { ...OFF, ...choice })) / power(sine(hertz, rate, seconds)));

test("filters are off at first, and each falls by 3 dB at the frequency it names", () => {
  assert.deepEqual([OFF, filtered(OFF)], [{ high: 0, low: 0, notch: 0 }, false]);
  for (const choices of Object.values(CHOICES)) assert.equal(choices[0], 0);
  for (const low of [35, 75, 150]) for (const rate of [500, 1000]) assert.ok(Math.abs(gain_dB({ low }, low, rate) + 3) < 0.6, `${low} Hz at ${rate}: ${gain_dB({ low }, low, rate)}`);
  assert.ok(Math.abs(gain_dB({ high: 0.5 }, 0.5) + 3) < 0.6);
  assert.ok(Math.abs(gain_dB({ high: 0.05 }, 0.05, 250, 200) + 3) < 0.6);
  assert.ok(gain_dB({ low: 35 }, 10) > -0.1 && gain_dB({ high: 0.5 }, 5) > -0.1);
  for (const notch of [50, 60]) assert.ok(gain_dB({ notch }, notch) < -40 && gain_dB({ notch }, 35) > -1);
});

test("filters move no wave in time, leave a level where it is, and keep gaps", () => {
  const bump = Float32Array.from({ length: 2000 }, (_, at) => Math.exp(-(((at - 1000) / 12) ** 2)));
  for (const choice of [{ low: 35 }, { high: 0.5 }, { notch: 50 }]) {
    const result = applyFilters(bump, 500, { ...OFF, ...choice });
    assert.equal(result.indexOf(Math.max(...result)), 1000);
    for (let by = 1; by < 200; by++) assert.ok(Math.abs(result[1000 - by] - result[1000 + by]) < 1e-4);
  }
  const level = applyFilters(new Float32Array(1000).fill(0.7), 500, { ...OFF, low: 35, notch: 50 });
  assert.ok(level.every((value) => Math.abs(value - 0.7) < 1e-5));
  const gap = applyFilters(Float32Array.from([1, 1, NaN, NaN, 2, 2, 2]), 500, { ...OFF, low: 35 });
  assert.deepEqual([...gap].map((value) => (Number.isNaN(value) ? "gap" : Math.round(value))), [1, 1, "gap", "gap", 2, 2, 2]);
});

test("a filter beyond half the rate is not applied and not said to be; stored samples are never touched", () => {
  assert.deepEqual(possible({ high: 0.5, low: 150, notch: 60 }, 200), { high: 0.5, low: 0, notch: 60 });
  const channel = lead("II", sine(10, 500, 4));
  const before = Float32Array.from(channel.values);
  const shown = shownChannel(channel, { ...OFF, low: 35 });
  assert.notEqual(shown.values, channel.values);
  assert.deepEqual(channel.values, before);
  assert.equal(shownChannel(channel, OFF), channel);
  assert.equal(shownChannel(channel, { ...OFF, low: 35 }), shown);
  assert.ok(Math.abs(section("low", 35, 500).b.reduce((a, b) => a + b) / section("low", 35, 500).a.reduce((a, b) => a + b) - 1) < 1e-9);
});

test("QTc of QT 368 ms and RR 982 ms by four formulas", () => {
  const qtc = correctedQt(368, 982);
  assert.deepEqual(qtc.map(({ key, ms }) => [key, ms.toFixed(1)]), [["QTcB", "371.4"], ["QTcF", "370.2"], ["QTcFram", "370.8"], ["QTcH", "369.9"]]);
  assert.deepEqual([correctedQt(368, 0), correctedQt(null, 982)], [[], []]);
  assert.deepEqual(statedQt([{ code: "5.13.5-11", unit: "ms", value: 368 }, { code: "5.10.2.1-3", unit: "ms", value: 982 }]), { qt_ms: 368, rr_ms: 982 });
  assert.deepEqual(statedQt([{ code: "5.13.5-11", unit: "s", value: 0.368 }]), { qt_ms: null, rr_ms: null });
});

test("calipers read between samples: time, rate, millivolts; they march out at their distance", () => {
  const channel = lead("II", [0, 0.25, NaN, -0.5], { rate: 500 });
  assert.deepEqual(between(channel, 0, 3), { ms: 6, bpm: 10_000, difference: -0.5 });
  assert.deepEqual(between(channel, 3, 3), { ms: 0, bpm: null, difference: 0 });
  assert.equal(between(channel, 1, 2).difference, null);
  assert.ok(Math.abs(between({ rate: 999.5, values: [] }, 0, 800).ms - 800.4002) < 1e-3);
  assert.deepEqual(march(400, 800, 0, 2000), [0, 1200, 1600, 2000]);
  assert.deepEqual(march(800, 400, 100, 1500), [1200]);
  assert.deepEqual(march(5, 6, 0, 1e9), []);
  assert.equal(nearestSample(channel, -3), 0);
});

test("a prior is laid with its QRS on the current one, in the same cells", () => {
  const beats = (first_s) => lead("II", Float32Array.from({ length: 5000 }, (_, at) => ((at / 500 - first_s + 10) % 0.9 < 0.02 ? 1 : 0)));
  const source = (channel) => ({ channels: [channel], derived: false });
  const shift = alignment_s(source(beats(0.5)), source(beats(0.3)));
  assert.ok(Math.abs(shift - 0.2) <= 0.009, `${shift}`);
  const state = { layout: "all", start_s: 0, rhythm: "II", filters: OFF };
  const rows = sheetRows(source(beats(0.5)), state);
  const under = underRows(rows, source(beats(0.3)), state, shift);
  assert.equal(under[0][0].channel.start_s, shift);
  assert.equal(underRows(rows, source(lead("V1", [0])), state, 0)[0][0].channel, undefined);
});

test("two recordings on one paper have their zero at the same height, however high their waves", () => {
  const cellsOf = (first, second) => layOut([[{ channel: lead("V4", [0, first]), from_s: 0, seconds: 1 }]], { speed: 25, gain: 10 }, [[{ channel: lead("V4", [0, second]), from_s: 0, seconds: 1 }]]);
  assert.equal(cellsOf(3, 0.5).cells[0].middle_mm, cellsOf(0.5, 3).cells[0].middle_mm);
  assert.equal(cellsOf(3, -3).height_mm, cellsOf(-3, 3).height_mm);
});
