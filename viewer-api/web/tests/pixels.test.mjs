// Proves that native pixels become samples, that a download survives a link that breaks, and that decode jobs go by rank and outlive a worker.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Received, download } from "../viewer/image/download.js";
import { halved, nativeSamples, rgbOfYbr } from "../viewer/image/samples.js";
import { isForDisplay, unfolded } from "../viewer/image/tables.js";
import { Workers } from "../viewer/image/workers.js";

const shape = { columns: 2, rows: 2, components: 1, allocated: 16, stored: 12, highBit: 11, signed: false, planar: false, subsampled: false, ybr: false };
const samplesOf = (bytes, more) => [...nativeSamples(Uint8Array.from(bytes), { ...shape, ...more }).samples];

test("bits that are no part of a sample are taken off, and signs stretched", () => {
  assert.deepEqual(samplesOf([0xff, 0xff, 0x34, 0x12, 0, 0x80, 1, 0]), [0xfff, 0x234, 0, 1]);
  assert.deepEqual(samplesOf([0xff, 0x0f, 0x34, 0x02, 0, 0x08, 1, 0], { signed: true }), [-1, 0x234, -2048, 1]);
  assert.deepEqual(samplesOf([0xf0, 0xff, 0, 0, 0x10, 0, 0, 0], { highBit: 15 }), [0xfff, 0, 1, 0]);
  assert.deepEqual(samplesOf([0b1010], { allocated: 1, stored: 1, highBit: 0 }), [0, 1, 0, 1]);
  assert.throws(() => samplesOf([1, 2, 3]), /3 of 8 bytes/);
  assert.throws(() => samplesOf(new Array(64).fill(0), { allocated: 24 }), /24 bits/);
});

test("colours come pixel by pixel, whatever the planes", () => {
  const colour = { columns: 2, rows: 1, components: 3, allocated: 8, stored: 8, highBit: 7 };
  assert.deepEqual(samplesOf([1, 2, 3, 4, 5, 6], { ...colour, planar: true }), [1, 3, 5, 2, 4, 6]);
  assert.deepEqual(samplesOf([10, 20, 128, 128], { ...colour, subsampled: true }), [10, 128, 128, 20, 128, 128]);
  const ybr = Uint8Array.of(76, 85, 255, 255, 128, 128);
  rgbOfYbr(ybr);
  assert.deepEqual([...ybr], [254, 0, 0, 255, 255, 255]);
});

test("half a picture is the mean of what it covers, at odd edges too", () => {
  const { width, height, level, samples } = halved({ width: 3, height: 1, level: 0, components: 1, samples: Int16Array.of(-2, 4, 9) });
  assert.deepEqual([width, height, level, [...samples]], [2, 1, 1, [1, 9]]);
});

test("segmented palettes are written out", () => {
  // PS3.3 C.7.9.2: two discrete values, then a line of four to 100.
  assert.deepEqual([...unfolded(Uint16Array.of(0, 2, 5, 20, 1, 4, 100))], [5, 20, 40, 60, 80, 100]);
  assert.deepEqual([...unfolded(Uint16Array.of(1, 60_000, 1))].length, 60_000);
  assert.deepEqual([...unfolded(Uint16Array.of(9, 9, 9))], []);
});

// A server of one frame; `cuts` says after how many bytes each answer breaks off (Infinity: not at all), or which status it has.
function serve(frame, cuts) {
  const asked = [];
  globalThis.fetch = async (url, { headers, signal }) => {
    const [, first, last] = /bytes=(\d+)-(\d*)/.exec(headers.Range ?? "") ?? [null, 0, ""];
    asked.push(headers.Range ?? "all");
    const cut = cuts.shift() ?? Infinity;
    if (cut < 0) return new Response("gone", { status: -cut });
    const body = frame.subarray(Number(first), last === "" ? frame.length : Number(last) + 1);
    let sent = 0;
    const stream = new ReadableStream({
      pull(controller) {
        if (signal.aborted) return controller.error(signal.reason);
        if (sent >= body.length) return controller.close();
        if (sent >= cut) return controller.error(new TypeError("network error"));
        controller.enqueue(body.slice(sent, sent += Math.min(10, body.length - sent)));
      },
    });
    return new Response(stream, { status: headers.Range ? 206 : 200, headers: { "Content-Length": body.length } });
  };
  return asked;
}

const frame = Uint8Array.from({ length: 95 }, (_, at) => at);
const source = { url: "/frame", accept: "*/*", total: 95, ranges: true };
const get = (received, more = {}, signal = new AbortController().signal, of = source) => download(of, received, { last: () => 95, arrived() {}, link() {}, ...more }, signal);

test("a download goes on where the link broke, and says that it is broken", async () => {
  const asked = serve(frame, [30, 20, Infinity]);
  const received = new Received(95);
  const said = [];
  await get(received, { link: (state) => { if (said.at(-1) !== state) said.push(state); } });
  assert.deepEqual([[...received.buffer], received.isWhole], [[...frame], true]);
  assert.deepEqual(asked, ["all", "bytes=30-", "bytes=50-"]);
  assert.deepEqual(said, ["ok", "broken", "ok", "broken", "ok"]);
});

test("a first range is just that, and what follows begins behind it", async () => {
  const asked = serve(frame, []);
  const received = new Received(95);
  await get(received, { last: () => 20 });
  assert.deepEqual([received.have, received.isWhole], [20, false]);
  await get(received);
  assert.deepEqual([asked, [...received.buffer]], [["bytes=0-19", "bytes=20-"], [...frame]]);
});

test("410 and 406 are answers, not a broken link", async () => {
  for (const status of [410, 406]) {
    const asked = serve(frame, [-status]);
    await assert.rejects(get(new Received(95)), { status });
    assert.equal(asked.length, 1);
  }
});

test("a busy server is asked again, and a frame of unknown length grows", async () => {
  const asked = serve(frame, [-503, Infinity]);
  const received = new Received(0);
  await get(received, { last: () => 0 }, undefined, { ...source, total: 0, ranges: false });
  assert.deepEqual([asked.length, received.total, received.buffer.length, [...received.buffer]], [2, 95, 95, [...frame]]);
});

test("who stops waiting gets no more", async () => {
  serve(frame, [10]);
  const stop = new AbortController();
  const received = new Received(95);
  const running = get(received, { link: (state) => { if (state === "broken") stop.abort(); } }, stop.signal);
  await assert.rejects(running, { name: "AbortError" });
  assert.equal(received.have, 10);
});

class Fake {
  constructor(list) { this.sent = []; list.push(this); }
  postMessage(message) { if (message.id !== undefined) this.sent.push(message); }
  terminate() { this.ended = true; }
  answer(picture) { const { id } = this.sent.at(-1); this.onmessage({ data: { id, picture } }); }
}

function pool() {
  globalThis.fetch = async () => new Response("", { status: 404 });
  const made = [];
  const workers = new Workers(() => new Fake(made));
  workers.module.catch(() => {});
  workers.most = 1;
  return { workers, made };
}

test("the most wanted job goes first when a worker is free, and what nobody wants any more is given up", async () => {
  const { workers, made } = pool();
  const ranks = { a: 0, b: 5, c: 1, d: 3 };
  const done = Object.keys(ranks).map((name) => workers.decode({ name }, { rank: () => ranks[name] }).then(() => name, (error) => `${name} ${error.name}`));
  ranks.d = Infinity;
  for (let n = 0; n < 3; n++) made[0].answer({});
  assert.deepEqual(made[0].sent.map(({ name }) => name), ["a", "c", "b"]);
  assert.deepEqual(await Promise.all(done), ["a", "b", "c", "d AbortError"]);
});

test("a worker that dies costs its job, and another takes the next", async () => {
  const { workers, made } = pool();
  const first = workers.decode({ name: "a" });
  const second = workers.decode({ name: "b" });
  made[0].onerror({ message: "no memory" });
  await assert.rejects(first, { name: "DecodeError", code: 7 });
  assert.deepEqual([made[0].ended, made.length, made[1].sent[0].name], [true, 2, "b"]);
  made[1].answer({ ok: true });
  assert.deepEqual(await second, { ok: true });
});

test("a Modality LUT of angiography leads back to the detector, not to the screen", () => {
  const of = (uid, relationship) => isForDisplay({ "00080016": { Value: [uid] }, "00281040": relationship ? { Value: [relationship] } : {} });
  assert.deepEqual([of("1.2.840.10008.5.1.4.1.1.12.1", "LOG"), of("1.2.840.10008.5.1.4.1.1.12.2", "DISP")], [false, false]);
  assert.deepEqual([of("1.2.840.10008.5.1.4.1.1.12.1", "LIN"), of("1.2.840.10008.5.1.4.1.1.1", "LOG"), of("1.2.840.10008.5.1.4.1.1.12.1", null)], [true, true, true]);
});
