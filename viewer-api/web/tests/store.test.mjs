// Proves what the store of pixels asks for and shows, in which order: a first useful picture, the screen's resolution, all of it; that a
// study packed anew is asked for again; that what cannot be decoded is had another way; and that it keeps within its bytes.
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseManifest } from "../viewer/image/manifest.js";
import { PixelStore } from "../viewer/image/pixels.js";
import { openPage } from "./page.mjs";

const ENDS = [1000, 20_000, 150_000, 600_000];

function manifest(representation, count = 1, more = {}) {
  const all = (value) => ({ all: value });
  const instances = {
    SOPInstanceUID: { each: Array.from({ length: count }, (_, at) => `1.${at}`) }, InstanceNumber: { each: Array.from({ length: count }, (_, at) => at + 1) }, Rows: all(512), Columns: all(512), SamplesPerPixel: all(1),
    BitsAllocated: all(16), BitsStored: all(12), PhotometricInterpretation: all("MONOCHROME2"), representation: all(representation), transfer_syntax: all("1.2.840.10008.1.2.4.202"), frame_bytes: all([ENDS.at(-1)]), resolution_ends: all([ENDS]), ...more,
  };
  return parseManifest({ version: 1, study: { StudyInstanceUID: "1" }, series: [{ SeriesInstanceUID: "2", Modality: "CT", count, frames_url: "/f/{SOPInstanceUID}/{frame}?rep={representation}", instances }] });
}

// Decodes anything, into samples as many as the level has; refuses what `refuses` names.
function workers(refuses = () => false) {
  const decoded = [];
  return {
    decoded, dispose() {},
    async decode({ kind, level, bytes, prefix }) {
      decoded.push([kind, level, bytes.length, prefix]);
      if (refuses(kind)) throw Object.assign(new (await import("../viewer/image/workers.js")).DecodeError({ message: "damaged", code: 1 }));
      const side = 512 >> level;
      return { columns: 512, rows: 512, width: side, height: side, level, levels: 3, origin: 0.5, components: 1, bits: 12, signed: false, samples: new Uint16Array(side * side), reversible: true };
    },
  };
}

function serve({ status = () => 200, pieces = 50_000 } = {}) {
  const asked = [];
  globalThis.fetch = async (url, { headers }) => {
    asked.push(`${url}${headers.Range ? ` ${headers.Range}` : ""}`);
    if (status(url) !== 200) return new Response("no", { status: status(url) });
    const [, first, last] = /bytes=(\d+)-(\d*)/.exec(headers.Range ?? "") ?? [null, 0, ""];
    const end = last === "" ? ENDS.at(-1) : Number(last) + 1;
    let at = Number(first);
    const body = new ReadableStream({
      async pull(controller) {
        if (at >= end) return controller.close();
        await new Promise((resolve) => setTimeout(resolve));
        const next = Math.min(end, at + pieces);
        controller.enqueue(new Uint8Array(next - at));
        at = next;
      },
    });
    return new Response(body, { status: headers.Range ? 206 : 200, headers: { "Content-Length": end - Number(first) } });
  };
  return asked;
}

test("a first picture, then the screen's, then all of it, from one answer", async () => {
  const asked = serve({ pieces: 10_000 });
  const pool = workers();
  const store = new PixelStore({ workers: pool });
  const [frame] = manifest("a").series[0].frames;
  const seen = [];
  store.addEventListener("picture", ({ picture }) => seen.push([picture.level, store.quality(frame).kind]));
  store.want([frame], { level: 1 });
  await store.whole(frame);
  assert.deepEqual(asked, ["/f/1.0/1?rep=a"]);
  assert.deepEqual(seen, [[2, "preview"], [1, "preview"], [0, "lossless"]]);
  assert.deepEqual(pool.decoded[0], ["htj2k", 2, 20_000, true]);
  assert.deepEqual([store.get(frame).level, store.fit(frame, 1).level, store.fit(frame, 3).level], [0, 1, 2]);
  store.dispose();
});

test("what is near is fetched as far as the screen needs, after what is seen", async () => {
  const asked = serve();
  const store = new PixelStore({ workers: workers() });
  const { frames } = manifest("a", 3).series[0];
  store.want(frames, { level: 1 });
  await store.volume(frames);
  assert.equal(asked[0], "/f/1.0/1?rep=a");
  assert.ok(asked.includes("/f/1.1/1?rep=a bytes=0-149999") || asked.includes("/f/1.1/1?rep=a"), asked.join());
  assert.deepEqual(frames.map((frame) => store.quality(frame).kind), ["lossless", "lossless", "lossless"]);
  store.dispose();
});

test("410: the manifest is asked for again, once, and all frames learn where they are", async () => {
  const asked = serve({ status: (url) => (url.endsWith("rep=a") ? 410 : 200) });
  let renewed = 0;
  const store = new PixelStore({ workers: workers(), renew: async () => { renewed++; return manifest("b", 2); } });
  const { frames } = manifest("a", 2).series[0];
  const pictures = await store.volume(frames);
  assert.deepEqual([renewed, pictures.map(({ level }) => level)], [1, [0, 0]]);
  assert.ok(asked.includes("/f/1.1/1?rep=b"));
  store.dispose();
});

test("what cannot be decoded is drawn by the server, and says so; what cannot be had at all says why", async () => {
  serve();
  const [frame] = manifest("a").series[0].frames;
  const store = new PixelStore({ workers: workers((kind) => kind === "htj2k") });
  assert.deepEqual((await store.whole(frame)).quality, { kind: "rendered" });
  store.dispose();
  const none = new PixelStore({ workers: workers((kind) => kind === "htj2k") });
  serve({ status: (url) => (url.includes("rendered") ? 406 : 200) });
  await assert.rejects(none.whole(frame), { name: "DecodeError", message: "damaged" });
  assert.equal(none.errorOf(frame).message, "damaged");
  none.dispose();
});

test("a form that one frame of an instance cannot be had in is not asked for again", async () => {
  const asked = serve({ status: () => 406 });
  const store = new PixelStore({ workers: workers() });
  const { frames } = manifest("a", 1, { NumberOfFrames: { all: 30 }, transfer_syntax: { all: "1.2.840.10008.1.2.4.111" } }).series[0];
  await assert.rejects(store.whole(frames[0]), { status: 406 });
  store.want(frames, { level: 0 });
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(asked.length, 2, asked.join(" "));
  assert.ok(frames.every((frame) => store.errorOf(frame)?.status === 406));
  store.dispose();
});

test("a frame that failed for want of a link goes on by itself when it is back, from the bytes that were here", async () => {
  openPage();
  const asked = serve({ pieces: 10_000 });
  const whole = globalThis.fetch;
  let cut = true;
  globalThis.fetch = async (url, options) => {
    if (cut && asked.length) throw new TypeError("no link");
    const response = await whole(url, options);
    if (!cut) return response;
    const reader = response.body.getReader();
    let left = 3;
    return new Response(new ReadableStream({ async pull(to) { if (left-- > 0) to.enqueue((await reader.read()).value); else to.error(new TypeError("cut")); } }), { status: response.status });
  };
  const store = new PixelStore({ workers: workers() });
  const { frames } = manifest("a", 2).series[0];
  store.want(frames.slice(0, 1), { level: 0 });
  for (let wake = 0; wake < 40 && !store.errorOf(frames[0]); wake++) { await new Promise((resolve) => setTimeout(resolve, 5)); dispatchEvent(new Event("online")); }
  assert.equal(store.errorOf(frames[0])?.status ?? store.errorOf(frames[0])?.name, 0);
  cut = false;
  const before = asked.length;
  dispatchEvent(new Event("tsunagu:linked"));
  assert.equal(store.errorOf(frames[0]), null);
  await store.whole(frames[0]);
  assert.deepEqual([before, asked.slice(before)], [1, ["/f/1.0/1?rep=a bytes=30000-"]]);
  store.dispose();
});

test("trying again begins with the best way, without the bytes of another; what the server means stays refused when the link is back", async () => {
  openPage();
  let isHeldBroken = true;
  serve({ status: (url) => (url.includes("rep=") ? (isHeldBroken ? 500 : 200) : 404) });
  const store = new PixelStore({ workers: workers() });
  const [frame] = manifest("a").series[0].frames;
  await assert.rejects(store.whole(frame), { status: 500 });
  dispatchEvent(new Event("tsunagu:linked"));
  assert.equal(store.errorOf(frame)?.status, 500);
  isHeldBroken = false;
  store.forgive();
  assert.deepEqual((await store.whole(frame)).quality, { kind: "lossless" });
  store.dispose();
});

test("each piece of a frame is told as it comes", async () => {
  openPage();
  serve({ pieces: 100_000 });
  const told = [];
  const listening = new AbortController();
  addEventListener("tsunagu:bytes", ({ detail }) => told.push([detail.url, detail.bytes]), { signal: listening.signal });
  const store = new PixelStore({ workers: workers() });
  const [frame] = manifest("a").series[0].frames;
  await store.whole(frame);
  listening.abort();
  store.dispose();
  assert.deepEqual(told, Array(6).fill(["/f/1.0/1?rep=a", 100_000]));
});

test("a frame too large to be read into memory fails alone", async () => {
  serve();
  const store = new PixelStore({ workers: workers() });
  const { frames } = manifest("a", 2, { frame_bytes: { each: [[2 ** 31], [ENDS.at(-1)]] } }).series[0];
  await assert.rejects(store.whole(frames[0]), /a frame of/);
  assert.equal((await store.whole(frames[1])).level, 0);
  store.dispose();
});

test("five hundred slices stay within the bytes", async () => {
  serve({ pieces: 600_000 });
  const store = new PixelStore({ workers: workers() });
  const { frames } = manifest("a", 500).series[0];
  for (let at = 0; at < 500; at += 4) {
    store.want(frames.slice(at, at + 4), { level: 0, seen: 4 });
    await store.volume(frames.slice(at, at + 4));
  }
  const { codestreams, samples } = store.bytes;
  assert.ok(codestreams > 50e6 && codestreams <= 112 * 2 ** 20, `${codestreams} bytes of codestreams`);
  assert.ok(samples > 100e6 && samples <= 160 * 2 ** 20, `${samples} bytes of samples`);
  assert.equal(store.get(frames[499]).level, 0);
  store.dispose();
});
