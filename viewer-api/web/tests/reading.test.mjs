// Proves that no verdict is lost or counted twice: through reloads, cuts before and after the server has saved, refusals, and undo.
import assert from "node:assert/strict";
import { test } from "node:test";
import { findCodes } from "../viewer/reading/codes.js";
import { AHEAD, Feed } from "../viewer/reading/feed.js";
import { guard } from "../viewer/reading/guard.js";
import { EcgMode } from "../viewer/reading/mode.js";
import { Pace } from "../viewer/reading/pace.js";
import { VerdictQueue, readerOf, uuid } from "../viewer/reading/queue.js";
import { MemoryStore } from "../viewer/reading/store.js";
import { openPage, promised } from "./page.mjs";

const failure = (status, message = "") => Object.assign(new Error(message), { status });
const verdict = (n, more = {}) => ({ id: uuid(), item: `item-${n}`, stage: "first", verdict: "normal", findings: [], text: "", took_ms: 1, ...more });
const settle = async () => { for (let at = 0; at < 60; at++) await new Promise((resolve) => setImmediate(resolve)); };

// A server that keeps each id once, and can cut the link before or after it has saved.
class Server {
  constructor() {
    Object.assign(this, { saved: [], undone: [], requests: 0, cut: null, refuse: () => null });
  }

  async send(verdicts) {
    this.requests++;
    if (this.cut === "before") throw failure(0);
    const told = { saved: [], refused: [] };
    for (const one of verdicts) {
      const why = this.refuse(one);
      if (why) told.refused.push({ id: one.id, ...why });
      else {
        if (!this.saved.some(({ id }) => id === one.id)) this.saved.push(one);
        told.saved.push(one.id);
      }
    }
    if (this.cut === "after") throw failure(0);
    return told;
  }

  async undo(id) {
    if (this.cut) throw failure(0);
    if (!this.saved.some((one) => one.id === id)) throw failure(404);
    this.undone.push(id);
  }
}

// A store that outlives the page, as the disk does.
function disk() {
  return Object.assign(new MemoryStore(), { durable: true });
}

function page(server, store, reader = "a") {
  const timers = [];
  const queue = new VerdictQueue({ store, reader, send: (list) => server.send(list), undo: (id) => server.undo(id), later: (action) => { timers.push(action); return timers.length; } });
  return { queue, tick: async () => { for (const action of timers.splice(0)) action(); await settle(); } };
}

test("ids are UUIDs of version 4 in lower case, without a secure context", () => {
  const made = new Set(Array.from({ length: 1000 }, () => uuid()));
  assert.equal(made.size, 1000);
  for (const id of made) assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

test("verdicts are sent in order and leave when the server says saved", async () => {
  const server = new Server();
  const { queue } = page(server, disk());
  await queue.open();
  const sent = Array.from({ length: 47 }, (_, n) => verdict(n));
  for (const one of sent) await queue.add(one);
  assert.ok(queue.waiting > 0);
  await settle();
  assert.deepEqual(server.saved.map(({ id }) => id), sent.map(({ id }) => id));
  assert.deepEqual([queue.waiting, queue.state, (await queue.store.all()).length], [0, "idle", 0]);
});

test("a link cut after the server saved: sent again, kept once; a reload goes on where it was", async () => {
  const server = new Server();
  const store = disk();
  const first = page(server, store);
  await first.queue.open();
  server.cut = "after";
  const sent = Array.from({ length: 5 }, (_, n) => verdict(n));
  for (const one of sent) await first.queue.add(one);
  await settle();
  assert.deepEqual([first.queue.state, first.queue.waiting], ["cut", 5]);
  server.cut = "before";
  await first.tick();
  const second = page(server, store);
  await second.queue.open();
  await settle();
  assert.deepEqual(second.queue.items, sent.map(({ item }) => item));
  server.cut = null;
  await second.tick();
  assert.deepEqual(server.saved.map(({ id }) => id), sent.map(({ id }) => id));
  assert.deepEqual([second.queue.waiting, (await store.all()).length], [0, 0]);
});

test("600 verdicts through a link that breaks at random, with reloads: each once, in order", async () => {
  let seed = 11;
  const random = () => { seed = (Math.imul(seed, 1103515245) + 12345) >>> 0; return seed / 2 ** 32; };
  const server = new Server();
  const store = disk();
  let now = page(server, store);
  await now.queue.open();
  const sent = [];
  for (let n = 0; n < 600; n++) {
    server.cut = random() < 0.2 ? "before" : random() < 0.2 ? "after" : null;
    const one = verdict(n);
    sent.push(one.id);
    await now.queue.add(one);
    if (random() < 0.5) await now.tick();
    if (n === 200 || n === 430) {
      now = page(server, store);
      await now.queue.open();
    }
  }
  server.cut = null;
  for (let round = 0; round < 5 && now.queue.waiting; round++) await now.tick();
  assert.equal(now.queue.waiting, 0);
  assert.deepEqual(server.saved.map(({ id }) => id), sent);
});

test("a refused verdict stays and is shown, holds nothing up, is tried again after a reload, and can be forgotten", async () => {
  const server = new Server();
  const store = disk();
  server.refuse = ({ item }) => (item === "item-1" ? { reason: "not-claimed", sentence: "never claimed by you" } : null);
  const first = page(server, store);
  await first.queue.open();
  for (let n = 0; n < 3; n++) await first.queue.add(verdict(n));
  await settle();
  assert.deepEqual(server.saved.map(({ item }) => item), ["item-0", "item-2"]);
  assert.deepEqual([first.queue.waiting, first.queue.refused.map(({ refused }) => refused.reason)], [0, ["not-claimed"]]);
  const second = page(server, store);
  await second.queue.open();
  await settle();
  assert.equal(second.queue.refused.length, 1);
  await second.queue.forget(second.queue.refused[0].seq);
  assert.deepEqual([second.queue.refused.length, (await store.all()).length], [0, 0]);
});

test("a body the server cannot take is found one by one; the others arrive", async () => {
  const server = new Server();
  const send = server.send.bind(server);
  server.send = async (list) => {
    if (list.some(({ item }) => item === "item-2")) throw failure(400, "not a verdict");
    return send(list);
  };
  const { queue } = page(server, disk());
  for (let n = 0; n < 6; n++) await queue.keep({ kind: "verdict", ...(({ id, ...rest }) => ({ id, verdict: { id, ...rest } }))(verdict(n)) });
  queue.pump();
  await settle();
  assert.deepEqual(server.saved.map(({ item }) => item), ["item-0", "item-1", "item-3", "item-4", "item-5"]);
  assert.deepEqual(queue.refused.map(({ refused }) => refused.sentence), ["not a verdict"]);
});

test("silence about a verdict is no success", async () => {
  const server = new Server();
  server.send = async () => ({ saved: [], refused: [] });
  const { queue } = page(server, disk());
  await queue.open();
  await queue.add(verdict(1));
  await settle();
  assert.deepEqual([queue.waiting, queue.state], [1, "cut"]);
});

test("401 waits for a sign-in, and nothing is lost by it", async () => {
  const server = new Server();
  const send = server.send.bind(server);
  server.send = async () => { throw failure(401); };
  const { queue } = page(server, disk());
  await queue.open();
  await queue.add(verdict(1));
  await settle();
  assert.deepEqual([queue.state, queue.waiting], ["sign-in", 1]);
  server.send = send;
  queue.wake();
  await settle();
  assert.deepEqual([queue.state, server.saved.length], ["idle", 1]);
});

test("what the server answers is not called a broken link, and is tried again all the same", async () => {
  const server = new Server();
  const send = server.send.bind(server);
  const { queue, tick } = page(server, disk());
  await queue.open();
  for (const [status, state] of [[403, "refusing"], [404, "refusing"], [500, "refusing"], [507, "refusing"], [0, "cut"], [429, "cut"], [502, "cut"], [503, "cut"], [504, "cut"], [401, "sign-in"]]) {
    server.send = async () => { throw failure(status); };
    await queue.add(verdict(status));
    await tick();
    await settle();
    assert.deepEqual([queue.state, queue.error.status], [state, status], `${status}`);
  }
  server.send = send;
  await tick();
  assert.deepEqual([queue.waiting, server.saved.length, queue.state], [0, 10, "idle"]);
});

test("undo: out of the queue if it was never sent, else taken back on the server after it arrived", async () => {
  const server = new Server();
  const { queue, tick } = page(server, disk());
  await queue.open();
  const arrived = verdict(0);
  await queue.add(arrived);
  await settle();
  await queue.undo(arrived.id);
  await settle();
  assert.deepEqual(server.undone, [arrived.id]);
  server.cut = "after";
  const unsure = verdict(1);
  await queue.add(unsure);
  await settle();
  const never = verdict(2);
  await queue.add(never);
  await queue.undo(never.id);
  await queue.undo(unsure.id);
  assert.equal(queue.waiting, 2);
  server.cut = null;
  await tick();
  assert.deepEqual(server.undone, [arrived.id, unsure.id]);
  assert.equal(server.saved.some(({ id }) => id === never.id), false);
  assert.equal(queue.waiting, 0);
});

test("what one reader left is not sent, counted, shown or cleared under another; it goes out when its reader is back", async () => {
  const server = new Server();
  const store = disk();
  const [a, b] = ["a", "b"].map((name) => readerOf({ name, centre: "north" }));
  server.refuse = ({ item }) => (item === "item-1" ? { reason: "not-claimed" } : null);
  const first = page(server, store, a);
  await first.queue.open();
  await first.queue.add(verdict(1));
  await settle();
  server.cut = "before";
  await first.queue.add(verdict(2));
  await settle();
  server.cut = null;
  const second = page(server, store, b);
  await second.queue.open();
  await second.queue.add(verdict(3));
  await settle();
  assert.deepEqual(server.saved.map(({ item }) => item), ["item-3"]);
  assert.deepEqual([second.queue.waiting, second.queue.refused.length, second.queue.items, second.queue.others], [0, 0, [], 2]);
  assert.deepEqual((await store.all()).map(({ refused }) => refused?.reason), ["not-claimed", undefined]);
  const again = page(server, store, a);
  await again.queue.open();
  await settle();
  assert.deepEqual([server.saved.map(({ item }) => item), again.queue.others], [["item-3", "item-2"], 0]);
  assert.notEqual(a, b);
  assert.notEqual(a, readerOf({ name: "a", centre: "south" }));
});

test("a page that goes on after the session ended does not send as whoever signed in then", async () => {
  const server = new Server();
  let signedIn = "b";
  const timers = [];
  const queue = new VerdictQueue({ store: disk(), reader: "a", who: async () => signedIn, send: (list) => server.send(list), undo: (id) => server.undo(id), later: (action) => timers.push(action) });
  await queue.open();
  const send = server.send.bind(server);
  server.send = async () => { throw failure(401); };
  await queue.add(verdict(1));
  await settle();
  server.send = send;
  for (const action of timers.splice(0)) action();
  await settle();
  assert.deepEqual([server.saved.length, queue.state, queue.waiting], [0, "sign-in", 1]);
  signedIn = "a";
  queue.wake();
  await settle();
  assert.deepEqual([server.saved.length, queue.state], [1, "idle"]);
});

test("what is taken back is not sent while the disk still writes that it is gone; where the disk fails it is there again", async () => {
  const server = new Server();
  const store = disk();
  const { queue, tick } = page(server, store);
  await queue.open();
  server.cut = "before";
  await queue.add(verdict(0));
  await settle();
  const undone = verdict(1);
  await queue.add(undone);
  const removed = promised();
  const remove = store.remove.bind(store);
  store.remove = () => removed.promise;
  const undoing = queue.undo(undone.id);
  server.cut = null;
  store.remove = remove;
  await tick();
  assert.deepEqual(server.saved.map(({ item }) => item), ["item-0"]);
  removed.resolve();
  await undoing;
  assert.equal(queue.waiting, 0);
  server.cut = "before";
  await queue.add(verdict(2));
  await settle();
  const kept = verdict(3);
  await queue.add(kept);
  store.remove = async () => { throw new Error("disk"); };
  await assert.rejects(queue.undo(kept.id), /disk/);
  store.remove = remove;
  server.cut = null;
  await tick();
  assert.deepEqual(server.saved.map(({ item }) => item), ["item-0", "item-2", "item-3"]);
});

test("where nothing can be kept, a verdict counts as saved only when the server has it", async () => {
  const server = new Server();
  server.cut = "before";
  const { queue, tick } = page(server, new MemoryStore());
  await queue.open();
  let saved = false;
  queue.add(verdict(1)).then(() => { saved = true; });
  await settle();
  assert.equal(saved, false);
  server.cut = null;
  await tick();
  assert.equal(saved, true);
});

test("what the queue keeps are opaque ids, codes and the reader's words", async () => {
  const server = new Server();
  server.cut = "before";
  const store = disk();
  const { queue } = page(server, store);
  await queue.open();
  await queue.add(verdict(1, { text: "要再検" }));
  const [record] = await store.all();
  assert.deepEqual(Object.keys(record).sort(), ["id", "kind", "reader", "seq", "verdict"]);
  assert.deepEqual(Object.keys(record.verdict).sort(), ["findings", "id", "item", "stage", "text", "took_ms", "verdict"]);
});

test("leaving ECG mode does not unguard verdicts that only memory holds; once they are sent the page may close", async () => {
  openPage();
  const closes = () => { const event = new Event("beforeunload", { cancelable: true }); dispatchEvent(event); return !event.defaultPrevented; };
  const server = new Server();
  server.cut = "before";
  const { queue, tick } = page(server, new MemoryStore());
  await queue.open();
  const mode = new AbortController();
  guard(queue, mode.signal);
  assert.equal(closes(), true);
  queue.add(verdict(1));
  await settle();
  mode.abort();
  assert.equal(closes(), false);
  server.cut = null;
  await tick();
  assert.equal(closes(), true);
});

test("a page that is left while the queue opens claims nothing", async () => {
  openPage();
  const mode = { page: new AbortController(), place: document.body, status: { show() {} }, findReader: async () => "a" };
  let queue = null;
  Object.defineProperty(mode, "queue", { get: () => queue, set(made) { queue = made; mode.page.abort(); } });
  await EcgMode.prototype.begin.call(mode);
  assert.deepEqual([queue instanceof VerdictQueue, mode.feed], [true, undefined]);
});

const item = (n) => ({ item: `item-${n}`, stage: "first", priors: [] });

function supply(total, { fail = () => null } = {}) {
  let next = 0;
  const asked = [];
  return { asked, claim: async (count, held) => {
    asked.push(held);
    const items = [];
    while (items.length < count && next < total) items.push(item(next++));
    return { items, remaining: total - next };
  }, load: async (one) => {
    const error = fail(one);
    if (error) throw error;
    return { ecg: { bytes: 1000 }, prior: null };
  } };
}

test("the one being read and five beyond it are fetched; each is read once, to the end", async () => {
  const { claim, load } = supply(40);
  const feed = new Feed({ claim, load, busy: () => [], later: () => 0 });
  await feed.refill();
  await settle();
  assert.deepEqual([feed.entries.length, feed.entries.every(({ state }) => state === "ready")], [AHEAD + 1, true]);
  const seen = [];
  while (feed.current) {
    seen.push(feed.current.item.item);
    feed.shift();
    await settle();
  }
  assert.deepEqual(seen, Array.from({ length: 40 }, (_, n) => `item-${n}`));
});

test("an item whose verdict is still on its way is not claimed or shown again", async () => {
  const feed = new Feed({ claim: async () => ({ items: [item(1), item(2)], remaining: 0 }), load: async () => ({ ecg: { bytes: 1 }, prior: null }), busy: () => ["item-1"], later: () => 0 });
  await feed.refill();
  assert.deepEqual(feed.entries.map((entry) => entry.item.item), ["item-2"]);
});

test("a broken link is tried again, what cannot be read is told, and nothing is claimed while thirty verdicts wait", async () => {
  let broken = true;
  const timers = [];
  const { claim, load } = supply(3, { fail: ({ item: name }) => (name === "item-1" ? failure(404) : broken ? failure(0) : null) });
  const feed = new Feed({ claim, load, busy: () => [], later: (action) => timers.push(action) });
  await feed.refill();
  await settle();
  assert.deepEqual(feed.entries.map(({ state }) => state), ["waiting", "failed", "waiting"]);
  broken = false;
  while (timers.length) timers.shift()();
  await settle();
  assert.deepEqual(feed.entries.map(({ state }) => state), ["ready", "failed", "ready"]);
  const full = new Feed({ claim: () => assert.fail("claimed"), load, busy: () => new Array(31).fill("x"), later: () => 0 });
  await full.refill();
});

test("a session that ended while the next are fetched fails none of them", async () => {
  let signedIn = false;
  const timers = [];
  const { claim, load } = supply(2, { fail: () => (signedIn ? null : failure(401)) });
  const feed = new Feed({ claim, load, busy: () => [], later: (action) => timers.push(action) });
  await feed.refill();
  await settle();
  assert.deepEqual(feed.entries.map(({ state }) => state), ["waiting", "waiting"]);
  signedIn = true;
  while (timers.length) timers.shift()();
  await settle();
  assert.deepEqual(feed.entries.map(({ state }) => state), ["ready", "ready"]);
});

test("what was held back by verdicts that wait is claimed when they are confirmed, once", async () => {
  let waiting = 31;
  const { asked, claim, load } = supply(40);
  const feed = new Feed({ claim, load, busy: () => new Array(waiting).fill("x"), later: () => 0 });
  await feed.refill();
  feed.resume();
  assert.equal(asked.length, 0);
  waiting = 30;
  feed.resume();
  feed.resume();
  await settle();
  assert.deepEqual([asked.length, feed.entries.length], [1, AHEAD + 1]);
});

test("findings are found by code, by the beginning of a word in either language, in kana of both kinds", () => {
  const codes = [{ code: "5-3", ja: "WPW症候群", en: "WPW syndrome" }, { code: "3-1", ja: "右脚ブロック", en: "Right bundle branch block" }, { code: "3-10", ja: "左脚ブロック", en: "Left bundle branch block" }];
  const check = (typed, ...expected) => assert.deepEqual(findCodes(codes, typed).map(({ code }) => code), expected);
  check("wpw", "5-3");
  check("ＷＰＷ", "5-3");
  check("3-1", "3-1", "3-10");
  check("bundle", "3-1", "3-10");
  check("ぶろっく", "3-1", "3-10");
  check("左脚", "3-10");
  check("");
  assert.deepEqual(findCodes(codes, "3-1", ["3-1"]).map(({ code }) => code), ["3-10"]);
});

test("time with the page hidden does not count; the rate is that of the last twenty", () => {
  let now = 0;
  const pace = new Pace(() => now);
  assert.equal(pace.perHour, null);
  pace.start();
  now = 5000;
  pace.hide(true);
  now = 90_000;
  pace.hide(false);
  now = 95_000;
  assert.equal(pace.stop(), 10_000);
  assert.equal(pace.perHour, 360);
  pace.takeBack();
  assert.deepEqual([pace.count, pace.perHour], [0, null]);
});
