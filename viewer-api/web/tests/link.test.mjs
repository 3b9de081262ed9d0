// Proves when a link is called slow: by the bytes of all transfers over the time in which there was one, and not by what waits or is cached.
import assert from "node:assert/strict";
import { test } from "node:test";
import { SLOW_MBIT_S, Speed, WINDOW_MS } from "../viewer/link/speed.js";

function speedOf(...transfers) {
  const speed = new Speed();
  for (const [start_ms, end_ms, bytes] of transfers) speed.add({ start_ms, end_ms, bytes });
  return speed;
}

test("the rate is of the bytes over the time in which something came", () => {
  assert.equal(speedOf([0, 2000, 250_000]).rate(2000), 1);
  // Two at once share the line: they are twice the bytes in the same time.
  assert.equal(speedOf([0, 2000, 250_000], [0, 2000, 250_000]).rate(2000), 2);
  // The pause between them is no slowness.
  assert.equal(speedOf([0, 1000, 250_000], [9000, 10_000, 250_000]).rate(10_000), 2);
  assert.equal(speedOf([0, 2000, 250_000], [1000, 1500, 250_000]).rate(2000), 2);
});

test("little says nothing, and what is long ago neither", () => {
  assert.equal(speedOf([0, 5000, 1000]).rate(5000), null);
  assert.equal(speedOf([0, 10, 500_000]).rate(10), null);
  assert.equal(speedOf([0, 2000, 250_000]).rate(2000 + WINDOW_MS), null);
  assert.equal(new Speed().judge(0).slow, false);
});

test("what was called slow is taken back only when it is clearly faster", () => {
  const bytesAt = (mbit_s) => (mbit_s * 1e6) / 8 * 2;
  const speed = speedOf([0, 2000, bytesAt(SLOW_MBIT_S * 0.9)]);
  assert.equal(speed.judge(2000).slow, true);
  speed.add({ start_ms: 30_000, end_ms: 32_000, bytes: bytesAt(SLOW_MBIT_S * 1.2) });
  assert.equal(speed.judge(32_000).slow, true);
  speed.add({ start_ms: 60_000, end_ms: 62_000, bytes: bytesAt(SLOW_MBIT_S * 1.6) });
  assert.equal(speed.judge(62_000).slow, false);
  speed.add({ start_ms: 90_000, end_ms: 92_000, bytes: bytesAt(SLOW_MBIT_S * 1.2) });
  assert.equal(speed.judge(92_000).slow, false);
});

test("what has come of a frame that is still under way counts, and once only when it has ended", () => {
  const speed = new Speed();
  const request = { url: "/f", asked_ms: 10, begun_ms: 100 };
  for (let end_ms = 600; end_ms <= 10_100; end_ms += 500) speed.came({ ...request, end_ms, bytes: 50_000 });
  assert.equal(speed.judge(10_100).slow, true);
  assert.ok(Math.abs(speed.rate(10_100) - 0.8) < 0.01, `${speed.rate(10_100)}`);
  assert.ok(speed.transfers.length < 8);
  speed.ended({ url: "/f", asked_ms: 9, end_ms: 10_090 }, { start_ms: 100, end_ms: 10_100, bytes: 1_000_000 });
  assert.deepEqual([speed.transfers.length, speed.rate(10_100)], [1, 0.8]);
});

test("what came out of a cache is taken back; another request for the same frame stays", () => {
  const speed = new Speed();
  speed.came({ url: "/f", asked_ms: 10, begun_ms: 20, end_ms: 2020, bytes: 250_000 });
  speed.came({ url: "/f", asked_ms: 5000, begun_ms: 5000, end_ms: 5010, bytes: 9_000_000 });
  speed.ended({ url: "/f", asked_ms: 4999, end_ms: 5011 }, null);
  assert.equal(speed.rate(6000), 1);
});

test("what is kept is bounded", () => {
  const speed = new Speed();
  for (let at = 0; at < 5000; at++) speed.add({ start_ms: at, end_ms: at + 1, bytes: 1 });
  assert.ok(speed.transfers.length <= 500);
});
