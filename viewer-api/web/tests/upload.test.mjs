// Proves that a ZIP is read as it was packed and a hostile one is not, that what is plainly no DICOM is told apart, that digests are those
// of Node, and that a sending is exact whatever the line does.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { test } from "node:test";
import { crc32, deflateRawSync } from "node:zlib";
import { gather } from "../viewer/upload/gather.js";
import { kindOf } from "../viewer/upload/kind.js";
import { location, multipart } from "../viewer/upload/multipart.js";
import { LISTED_MAX, PARALLEL, REQUEST_BYTES_MAX, REQUEST_FILES_MAX, Sending } from "../viewer/upload/queue.js";
import { Sha256 } from "../viewer/upload/sha256.js";
import { SendError } from "../viewer/upload/transport.js";
import { ZipError, entries, looksLikeZip, read } from "../viewer/upload/zip.js";

const crcOf = crc32 ?? ((bytes) => {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? 0xedb88320 ^ (crc >>> 1) : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
});

// A ZIP of `{name, data, deflate, zip64, …}`; `lie` changes what its directory says.
function zipOf(files, { lie = () => {}, comment = "" } = {}) {
  const [bodies, records] = [[], []];
  let offset = 0;
  for (const file of files) {
    const name = typeof file.name === "string" ? Buffer.from(file.name) : file.name;
    const data = Buffer.from(file.data);
    const body = file.deflate ? deflateRawSync(data) : data;
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(file.deflate ? 8 : 0, 8);
    local.writeUInt16LE(name.length, 26);
    const said = { method: file.deflate ? 8 : 0, flags: typeof file.name === "string" ? 0x800 : 0, crc: crcOf(data), compressed: body.length, bytes: data.length, offset, extra: Buffer.alloc(0), ...file.said };
    if (file.zip64) {
      said.extra = Buffer.alloc(28);
      said.extra.writeUInt16LE(1, 0);
      said.extra.writeUInt16LE(24, 2);
      [said.bytes, said.compressed, said.offset].forEach((value, at) => said.extra.writeBigUInt64LE(BigInt(value), 4 + 8 * at));
      said.bytes = said.compressed = said.offset = 0xffffffff;
    }
    const record = Buffer.alloc(46);
    record.writeUInt32LE(0x02014b50, 0);
    record.writeUInt16LE(said.flags, 8);
    record.writeUInt16LE(said.method, 10);
    [said.crc, said.compressed, said.bytes].forEach((value, at) => record.writeUInt32LE(value, 16 + 4 * at));
    record.writeUInt16LE(name.length, 28);
    record.writeUInt16LE(said.extra.length, 30);
    record.writeUInt32LE(said.offset, 42);
    records.push(record, name, said.extra);
    bodies.push(local, name, body);
    offset += 30 + name.length + body.length;
  }
  const directory = Buffer.concat(records);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  const told = { count: files.length, bytes: directory.length, offset };
  lie(told);
  end.writeUInt16LE(told.count, 8);
  end.writeUInt16LE(told.count, 10);
  end.writeUInt32LE(told.bytes, 12);
  end.writeUInt32LE(told.offset, 16);
  end.writeUInt16LE(comment.length, 20);
  return new Blob([...bodies, directory, ...(told.before ?? []), end, comment]);
}

const bytesOf = async (blob) => Buffer.from(await blob.arrayBuffer());
const refuses = (promise, key, why = "") => assert.rejects(promise, (error) => error instanceof ZipError && error.key === key && JSON.stringify(error.parts).includes(why));

test("entries come out as they went in: stored, deflated, in ZIP64, with names in Shift_JIS, behind a comment", async () => {
  const noise = randomBytes(300_000);
  const shiftJis = Buffer.from([0x8e, 0x52, 0x93, 0x63, 0x2f, 0x31]);
  const zip = zipOf([{ name: "a/", data: "" }, { name: "a/one.dcm", data: noise }, { name: "a/two.dcm", data: noise, deflate: true }, { name: "three", data: "x".repeat(9000), deflate: true, zip64: true }, { name: shiftJis, data: "四" }], { comment: "PK\x05\x06 is in the comment" });
  assert.equal(await looksLikeZip(zip), true);
  const found = await entries(zip);
  assert.deepEqual(found.map(({ name }) => name), ["a/one.dcm", "a/two.dcm", "three", "山田/1"]);
  assert.deepEqual(await bytesOf(await read(zip, found[0])), noise);
  assert.deepEqual(await bytesOf(await read(zip, found[1])), noise);
  assert.equal((await bytesOf(await read(zip, found[2]))).length, 9000);
  assert.equal((await bytesOf(await read(zip, found[3]))).toString(), "四");
});

test("a directory in ZIP64 is found by its locator", async () => {
  const zip = zipOf([{ name: "one", data: "1" }], { lie: (told) => {
    const [record, locator] = [Buffer.alloc(56), Buffer.alloc(20)];
    record.writeUInt32LE(0x06064b50, 0);
    [[32, 1], [40, told.bytes], [48, told.offset]].forEach(([at, value]) => record.writeBigUInt64LE(BigInt(value), at));
    locator.writeUInt32LE(0x07064b50, 0);
    locator.writeBigUInt64LE(BigInt(told.offset + told.bytes), 8);
    told.before = [record, locator];
    Object.assign(told, { count: 0xffff, bytes: 0xffffffff, offset: 0xffffffff });
  } });
  assert.deepEqual((await entries(zip)).map(({ name }) => name), ["one"]);
});

test("a name never leads out of the ZIP", async () => {
  const found = await entries(zipOf([{ name: "../../etc/passwd", data: "1" }, { name: "..\\..\\x", data: "2" }, { name: "/a/./b", data: "3" }]));
  assert.deepEqual(found.map(({ name }) => name), ["etc/passwd", "x", "a/b"]);
});

test("a hostile ZIP is refused, and says why", async () => {
  await refuses(entries(new Blob([randomBytes(5000)])), "uploadZipDamaged", "no end");
  await refuses(entries(zipOf([{ name: "a", data: "1" }], { lie: (told) => { told.count = 9; } })), "uploadZipDamaged", "breaks off");
  await refuses(entries(zipOf([{ name: "a", data: "1" }], { lie: (told) => { told.offset = 4_000_000; } })), "uploadZipDamaged", "outside");
  await refuses(entries(zipOf([{ name: "a", data: "1" }], { lie: (told) => { told.count = 0xffff; } })), "uploadZipDamaged", "ZIP64");
  await refuses(entries(zipOf([{ name: "a", data: "1", said: { offset: 9_999_999 } }])), "uploadZipDamaged", "outside");
  const shared = zipOf([{ name: "a", data: "x".repeat(500) }, { name: "b", data: "y", said: { offset: 0, compressed: 500, bytes: 500 } }]);
  await refuses(entries(shared), "uploadZipDamaged", "overlap");
  const one = async (said, file = {}) => {
    const zip = zipOf([{ name: "a", data: "x".repeat(5000), deflate: true, ...file, said }]);
    return read(zip, (await entries(zip))[0]);
  };
  await refuses(one({ flags: 0x801 }), "uploadZipEncrypted");
  await refuses(one({ method: 99 }), "uploadZipMethod");
  await refuses(one({ bytes: 0x7fffffff }), "uploadZipTooLarge");
  await refuses(one({ bytes: 10 }), "uploadZipBomb");
  await refuses(one({ crc: 1 }), "uploadZipChecksum");
  await refuses(one({ bytes: 6000 }), "uploadZipChecksum");
  await refuses(one({ method: 8 }, { deflate: false }), "uploadZipDamaged", "unpack");
  await refuses(one({ method: 0 }), "uploadZipDamaged", "differ");
});

test("what grows beyond all proportion is stopped while it grows", async () => {
  const zip = zipOf([{ name: "bomb", data: Buffer.alloc(80 << 20), deflate: true }]);
  assert.ok(zip.size < 200_000);
  await refuses(read(zip, (await entries(zip))[0]), "uploadZipBomb");
});

test("every ZIP cut short or with a byte changed gives its bytes or an error, and nothing else", async () => {
  const good = await bytesOf(zipOf([{ name: "a", data: "x".repeat(400), deflate: true }, { name: "b", data: "hello", zip64: true }]));
  for (let round = 0; round < 400; round++) {
    const bad = Buffer.from(good.subarray(0, round < 100 ? good.length - round : good.length));
    if (round >= 100) bad[(round * 7919) % bad.length] ^= 1 << round % 8;
    const zip = new Blob([bad]);
    try {
      for (const entry of await entries(zip)) assert.ok((await read(zip, entry)).size <= 1 << 20);
    } catch (error) {
      assert.ok(error instanceof ZipError, `${round}: ${error.stack}`);
    }
  }
});

test("what is plainly something else is told apart; what is not known is sent", async () => {
  const check = async (data, expected, name = "x") => assert.equal(await kindOf(new Blob([data]), name), expected, `${name} ${String(data).slice(0, 10)}`);
  await check(Buffer.concat([Buffer.from("MZ"), Buffer.alloc(126), Buffer.from("DICM")]), "");
  await check("", "uploadNotEmpty");
  await check("%PDF-1.7\n%\xe2", "uploadNotPdf");
  await check(Buffer.from([0x4d, 0x5a, 0x90, 0, 3]), "uploadNotProgram");
  await check(Buffer.from([0x89, 0x50, 0x4e, 0x47, 13, 10]), "uploadNotPicture");
  await check("こんにちは、説明書です", "uploadNotText");
  await check(Buffer.from([0, 0, 0, 1]), "uploadNotSystem", "CD/Thumbs.db");
  // Implicit VR without a preamble (PS3.10 does not allow it, and it is common); MFER.
  await check(Buffer.from([8, 0, 0, 0, 4, 0, 0, 0, 0x44, 1, 0, 0]), "");
  await check(Buffer.concat([Buffer.from([0x40, 0x20]), Buffer.from("MFR Standard 12 leads ECG"), Buffer.from([1, 1, 0])]), "");
});

test("folders and ZIPs become one list with the names of the command line", async () => {
  const dicom = Buffer.concat([Buffer.alloc(128), Buffer.from("DICM")]);
  const file = (path, data) => Object.assign(new File([data], path.split("/").at(-1)), { webkitRelativePath: path });
  const zip = await bytesOf(zipOf([{ name: "in/1", data: dicom, deflate: true }, { name: "in/readme.txt", data: "hello" }]));
  const found = await gather([file("cd/DICOMDIR", dicom), file("cd/A/1", dicom), file("cd/autorun.inf", "[autorun]"), file("cd/x.zip", zip), file("cd/bad.zip", Buffer.concat([Buffer.from("PK\x03\x04"), Buffer.alloc(40)]))]);
  assert.deepEqual(found.files.map(({ name, bytes }) => [name, bytes]), [["cd/A/1", 132], ["cd/DICOMDIR", 132], ["cd/x.zip/in/1", 132]]);
  assert.deepEqual(found.leftOut.map(({ name, key }) => [name, key]), [["cd/autorun.inf", "uploadNotSystem"], ["cd/x.zip/in/readme.txt", "uploadNotText"]]);
  assert.deepEqual(found.unread.map(({ name, why }) => [name, why.key]), [["cd/bad.zip", "uploadZipDamaged"]]);
  assert.deepEqual(await bytesOf(await found.files[2].open()), dicom);
});

test("folders are walked a hundred entries at a time, and one that cannot be read is named", async () => {
  const leaf = (name) => ({ isFile: true, name, file: (resolve) => resolve(new File([Buffer.concat([Buffer.alloc(128), Buffer.from("DICM")])], name)) });
  const folder = (name, list) => ({ isFile: false, name, createReader: () => { let left = [...list]; return { readEntries: (resolve) => { resolve(left.slice(0, 100)); left = left.slice(100); } }; } });
  const broken = { isFile: false, name: "gone", createReader: () => ({ readEntries: (_, reject) => reject(new Error("x")) }) };
  const found = await gather([folder("top", [...Array.from({ length: 250 }, (_, at) => leaf(`f${at}`)), folder("sub", [leaf("g")]), broken])]);
  assert.equal(found.files.length, 251);
  assert.ok(found.files.some(({ name }) => name === "top/sub/g"));
  assert.deepEqual(found.unread.map(({ name }) => name), ["top/gone"]);
});

test("digests are those of Node, however the bytes come", () => {
  for (const length of [0, 1, 55, 56, 63, 64, 65, 119, 120, 1000, 70_001]) {
    const bytes = randomBytes(length);
    const digest = new Sha256();
    for (let at = 0; at < length; at += 37) digest.update(bytes.subarray(at, at + 37));
    assert.equal(digest.hex(), createHash("sha256").update(bytes).digest("hex"), String(length));
  }
});

test("a body is what the server's parser reads: names escaped, lengths told, closed at the end", async () => {
  const { type, body } = multipart([{ name: "検査/あ (1).dcm", blob: new Blob(["abc"]) }, { name: "b", blob: new Blob([]) }], "B");
  assert.equal(type, 'multipart/related; type="application/dicom"; boundary=B');
  assert.equal((await bytesOf(body)).toString(), "--B\r\nContent-Type: application/dicom\r\nContent-Length: 3\r\nContent-Location: %E6%A4%9C%E6%9F%BB/%E3%81%82%20%281%29.dcm\r\n\r\nabc\r\n--B\r\nContent-Type: application/dicom\r\nContent-Length: 0\r\nContent-Location: b\r\n\r\n\r\n--B--\r\n");
  assert.equal(location("a%b\r\n"), "a%25b%0D%0A");
});

// A server in memory: it keeps what it answered for, however often it comes; `trouble(n)` may break the n-th request before or after.
function server(trouble = () => {}) {
  const held = new Map();
  let [requests, together, most] = [0, 0, 0];
  const transport = {
    opened: [],
    async openBatch(batch) { transport.opened.push(batch); },
    async store(batch, files, { onSent, signal }) {
      const n = requests++;
      most = Math.max(most, ++together);
      try {
        await new Promise(setImmediate);
        onSent(1);
        signal.throwIfAborted();
        const before = trouble(n, files);
        if (before instanceof Error) throw before;
        const parts = files.map(({ name }) => {
          if (typeof before === "function") {
            const part = before(name);
            if (part) return part;
          }
          held.set(name, (held.get(name) ?? 0) + 1);
          return { outcome: "stored", reason: "", next_step: "" };
        });
        // The answer is lost on its way: the server has the files all the same.
        if (before === "lost") throw new SendError(0, "");
        return { parts, again_ms: null };
      } finally {
        together--;
      }
    },
    async receipt(id) { return { batch: { id, expected: 0 }, sent: held.size, stored: held.size, already_held: 0, variants: [], quarantined: [] }; },
  };
  return { transport, held, requests: () => requests, most: () => most };
}

const fakeClock = () => ({ waited: [], at: 0, now() { return this.at++; }, async wait(ms, signal) { this.waited.push(ms); await new Promise(setImmediate); signal?.throwIfAborted(); } });
const some = (count, bytes = 10) => Array.from({ length: count }, (_, at) => ({ name: `f${at}`, bytes, open: async () => new Blob([Buffer.alloc(Math.min(bytes, 10))]) }));
const sendingOf = (files, transport, clock = fakeClock()) => new Sending({ files, batch: "b", programme: "dock", transport, clock, whyUnread: () => ({ key: "uploadFileGone" }), digest: async () => "d" });

test("every file is answered for once, in bounded requests, and the receipt ends it", async () => {
  const one = server();
  const sending = sendingOf(some(500), one.transport);
  await sending.start();
  assert.equal(sending.state, "done");
  assert.deepEqual([one.held.size, sending.counts.stored, sending.done_bytes, sending.under_way], [500, 500, 5000, 0]);
  assert.ok([...one.held.values()].every((times) => times === 1));
  assert.equal(one.requests(), Math.ceil(500 / REQUEST_FILES_MAX));
  assert.ok(one.most() <= PARALLEL);
  assert.deepEqual(one.transport.opened, [{ id: "b", programme: "dock", expected: 500 }]);
  assert.equal(sending.files[7].sha256, "d");
  const large = sendingOf(some(9, REQUEST_BYTES_MAX / 2 + 1), server().transport);
  assert.equal(large.group().length, 1, "no request is larger than its bound where it has several files");
});

test("a line that breaks, before or after the server has the files, ends in the same counts under the same batch", async () => {
  for (const kind of ["before", "lost"]) {
    const one = server((n) => (n % 2 === 0 && n < 20 ? (kind === "lost" ? "lost" : new SendError(0, "")) : undefined));
    const clock = fakeClock();
    const states = new Set();
    const sending = sendingOf(some(300), one.transport, clock);
    sending.addEventListener("change", () => states.add(sending.state));
    await sending.start();
    assert.deepEqual([sending.state, one.held.size, sending.counts.stored, sending.counts.failed], ["done", 300, 300, 0], kind);
    assert.ok(states.has("broken"), kind);
    assert.ok(clock.waited.every((ms) => ms >= 500 && ms <= 60_000));
  }
});

test("a busy server is waited for as long as it says; a refusal that stays ends the sending, which can go on", async () => {
  const busy = server((n) => (n === 0 ? new SendError(503, "busy", 7000) : undefined));
  const clock = fakeClock();
  const sending = sendingOf(some(5), busy.transport, clock);
  await sending.start();
  assert.deepEqual([sending.state, clock.waited], ["done", [7000]]);
  let closed = true;
  const out = server(() => (closed ? new SendError(401, "sign in") : undefined));
  const signedOut = sendingOf(some(200), out.transport);
  await signedOut.start();
  assert.deepEqual([signedOut.state, signedOut.done, signedOut.waiting.length], ["signed-out", 0, 200]);
  closed = false;
  await signedOut.start();
  assert.deepEqual([signedOut.state, out.held.size, signedOut.counts.stored], ["done", 200, 200]);
  const refused = sendingOf(some(3), server(() => new SendError(415, "no")).transport);
  await refused.start();
  assert.deepEqual([refused.state, refused.why], ["failed", "no"]);
});

test("paused at any moment and gone on with, nothing is lost and nothing counted twice", async () => {
  for (let at = 0; at < 12; at++) {
    const one = server();
    const sending = sendingOf(some(400), one.transport);
    let changes = 0;
    sending.addEventListener("change", () => { if (sending.state === "sending" && ++changes % 7 === at % 7 && changes < 40) { sending.pause(); assert.equal(sending.state, "paused"); queueMicrotask(() => sending.start()); } });
    sending.start();
    await new Promise((resolve) => sending.addEventListener("change", () => sending.state === "done" && resolve()));
    assert.deepEqual([sending.counts.stored, one.held.size, sending.done_bytes], [400, 400, 4000]);
  }
});

test("what is quarantined, refused for ever, too large or gone is counted and named, and the others go on", async () => {
  const answers = { f1: { outcome: "quarantined", reason: "not-dicom: no", next_step: "leave it" }, f2: { outcome: "refused", reason: "disk", next_step: "" }, f3: { outcome: "too-large", reason: "16 GiB", next_step: "ask" }, f4: { outcome: "already-held", reason: "", next_step: "" } };
  const one = server(() => (name) => answers[name]);
  const files = some(8);
  files[5].open = async () => { throw new Error("gone"); };
  const sending = sendingOf(files, one.transport);
  await sending.start();
  assert.deepEqual([sending.state, sending.counts], ["done", { stored: 3, "already-held": 1, variant: 0, quarantined: 1, failed: 3 }]);
  assert.deepEqual(sending.problems.map(({ name, kind }) => [name, kind]).sort(), [["f1", "quarantined"], ["f2", "failed"], ["f3", "failed"], ["f5", "failed"]]);
  const many = sendingOf(some(LISTED_MAX + 50), server(() => (name) => ({ outcome: "quarantined", reason: name, next_step: "" })).transport);
  await many.start();
  assert.deepEqual([many.counts.quarantined, many.problems.length], [LISTED_MAX + 50, LISTED_MAX], "the list is bounded, the count is not");
});
