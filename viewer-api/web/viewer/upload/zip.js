// Reading a ZIP (PKWARE APPNOTE 6.3.10) out of a Blob, entry by entry: its central directory first, then only what is asked for. Sizes
// are those of the directory, never of a local header; what grows out of proportion is stopped while it grows.

/** A ZIP of more entries is refused. */
export const ENTRIES_MAX = 200_000;
/** Bytes of a central directory at the most. */
export const DIRECTORY_BYTES_MAX = 64 << 20;
/** A compressed entry is unpacked into a Blob of the browser's, up to this size; a stored one is a part of the file itself. */
export const UNPACKED_BYTES_MAX = 512 << 20;
/** An entry may grow by any factor up to this size: blank images do, honestly. */
const EXPANSION_FREE_BYTES = 64 << 20;
/** Beyond that size no image grows more than this many times. */
const EXPANSION_MAX = 200;
const PIECE_BYTES = 4 << 20;

/** What is wrong with a ZIP or an entry: `key` is that of a sentence, `parts` fill it. */
export class ZipError extends Error {
  constructor(key, parts = {}) {
    super(`${key} ${JSON.stringify(parts)}`);
    this.key = key;
    this.parts = parts;
  }
}

const damaged = (why) => new ZipError("uploadZipDamaged", { why });

/** Whether a file begins as a ZIP does (APPNOTE 4.3.7; an empty one 4.3.16). */
export async function looksLikeZip(blob) {
  if (blob.size < 22) return false;
  const head = new DataView(await blob.slice(0, 4).arrayBuffer()).getUint32(0, true);
  return head === 0x04034b50 || head === 0x06054b50;
}

/** The entries of a ZIP that are files: `{name, bytes, compressed_bytes, method, encrypted, crc, offset}`. */
export async function entries(blob) {
  const { offset, bytes, count } = await directory(blob);
  if (count > ENTRIES_MAX) throw damaged(`${count} entries`);
  if (bytes > DIRECTORY_BYTES_MAX || offset + bytes > blob.size) throw damaged("its directory lies outside of it");
  const view = new DataView(await blob.slice(offset, offset + bytes).arrayBuffer());
  const out = [];
  for (let at = 0, seen = 0; seen < count; seen++) {
    const { entry, next } = entryAt(view, at);
    if (entry.offset + 30 > blob.size || entry.compressed_bytes > blob.size) throw damaged("an entry lies outside of it");
    if (!entry.name.endsWith("/")) out.push(entry);
    at = next;
  }
  return apart(out, offset);
}

// Entries that share bytes are how a small ZIP claims to hold petabytes.
function apart(list, end) {
  const sorted = [...list].sort((a, b) => a.offset - b.offset);
  for (let at = 0; at < sorted.length; at++) {
    const until = at + 1 < sorted.length ? sorted[at + 1].offset : end;
    if (sorted[at].offset + 30 + sorted[at].compressed_bytes > until) throw damaged("entries overlap");
  }
  return list;
}

async function directory(blob) {
  const tail = Math.min(blob.size, 22 + 0xffff + 20);
  const start = blob.size - tail;
  const view = new DataView(await blob.slice(start).arrayBuffer());
  for (let at = view.byteLength - 22; at >= 0; at--) {
    if (view.getUint32(at, true) !== 0x06054b50 || at + 22 + view.getUint16(at + 20, true) > view.byteLength) continue;
    if (view.getUint16(at + 4, true) !== view.getUint16(at + 6, true)) throw damaged("it is one of several parts");
    const small = { count: view.getUint16(at + 10, true), bytes: view.getUint32(at + 12, true), offset: view.getUint32(at + 16, true) };
    const isLarge = small.count === 0xffff || small.bytes === 0xffffffff || small.offset === 0xffffffff;
    return isLarge ? large(blob, view, at, start) ?? small : small;
  }
  throw damaged("it has no end");
}

// ZIP64 (APPNOTE 4.3.14, 4.3.15).
async function large(blob, view, at, start) {
  if (at < 20 || view.getUint32(at - 20, true) !== 0x07064b50) throw damaged("its ZIP64 record is missing");
  const place = whole(view, at - 12);
  if (place + 56 > start + at) throw damaged("its ZIP64 record lies outside of it");
  const record = new DataView(await blob.slice(place, place + 56).arrayBuffer());
  if (record.getUint32(0, true) !== 0x06064b50) throw damaged("its ZIP64 record is no record");
  return { count: whole(record, 32), bytes: whole(record, 40), offset: whole(record, 48) };
}

function whole(view, at) {
  const value = view.getBigUint64(at, true);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw damaged("a number in it is too large");
  return Number(value);
}

const FLAG_ENCRYPTED = 0x0001;
const FLAG_UTF8 = 0x0800;

function entryAt(view, at) {
  if (at + 46 > view.byteLength || view.getUint32(at, true) !== 0x02014b50) throw damaged("its directory breaks off");
  const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((field) => view.getUint16(at + field, true));
  const next = at + 46 + nameBytes + extraBytes + commentBytes;
  if (next > view.byteLength) throw damaged("its directory breaks off");
  const flags = view.getUint16(at + 8, true);
  const entry = {
    name: nameOf(new Uint8Array(view.buffer, at + 46, nameBytes), flags),
    method: view.getUint16(at + 10, true), encrypted: (flags & FLAG_ENCRYPTED) !== 0, crc: view.getUint32(at + 16, true),
    compressed_bytes: view.getUint32(at + 20, true), bytes: view.getUint32(at + 24, true), offset: view.getUint32(at + 42, true),
  };
  widen(entry, view, at + 46 + nameBytes, extraBytes);
  return { entry, next };
}

// The ZIP64 extra field holds those of the numbers that did not fit, in this order (APPNOTE 4.5.3).
function widen(entry, view, at, length) {
  for (let end = at + length; at + 4 <= end;) {
    const [id, size] = [view.getUint16(at, true), view.getUint16(at + 2, true)];
    if (id === 0x0001) {
      let field = at + 4;
      for (const key of ["bytes", "compressed_bytes", "offset"]) {
        if (entry[key] !== 0xffffffff) continue;
        if (field + 8 > Math.min(end, at + 4 + size)) throw damaged("a ZIP64 field is too short");
        entry[key] = whole(view, field);
        field += 8;
      }
    }
    at += 4 + size;
  }
}

// Names without the flag are of the maker's code page: in Japan Shift_JIS, where they are not UTF-8 all the same.
function nameOf(bytes, flags) {
  const read = (encoding, fatal) => new TextDecoder(encoding, { fatal }).decode(bytes);
  let name;
  try {
    name = read("utf-8", true);
  } catch {
    name = flags & FLAG_UTF8 ? read("utf-8", false) : read("shift_jis", false);
  }
  // No name leads out of the ZIP; names are only words on a receipt here, but they are shown.
  return name.replaceAll("\\", "/").split("/").filter((part) => part !== ".." && part !== ".").join("/").replace(/^\/+/, "");
}

/** The bytes of an entry as a Blob; what is stored is a part of the ZIP, what is deflated is unpacked. */
export async function read(blob, entry) {
  if (entry.encrypted) throw new ZipError("uploadZipEncrypted");
  const local = new DataView(await blob.slice(entry.offset, entry.offset + 30).arrayBuffer());
  if (local.byteLength < 30 || local.getUint32(0, true) !== 0x04034b50) throw damaged("an entry does not begin where it should");
  const begin = entry.offset + 30 + local.getUint16(26, true) + local.getUint16(28, true);
  if (begin + entry.compressed_bytes > blob.size) throw damaged("an entry breaks off");
  const body = blob.slice(begin, begin + entry.compressed_bytes);
  if (entry.method === 0) {
    if (entry.bytes !== entry.compressed_bytes) throw damaged("the sizes of a stored entry differ");
    return body;
  }
  if (entry.method !== 8) throw new ZipError("uploadZipMethod", { n: entry.method });
  if (entry.bytes > UNPACKED_BYTES_MAX) throw new ZipError("uploadZipTooLarge");
  return inflate(body, entry);
}

async function inflate(body, entry) {
  const pieces = [];
  let [held, held_bytes, bytes, crc] = [[], 0, 0, 0xffffffff];
  const reader = body.stream().pipeThrough(new DecompressionStream("deflate-raw")).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      bytes += value.length;
      if (bytes > entry.bytes || bytes > UNPACKED_BYTES_MAX || (bytes > EXPANSION_FREE_BYTES && bytes / EXPANSION_MAX > entry.compressed_bytes)) throw new ZipError("uploadZipBomb");
      crc = crc32(value, crc);
      held.push(value);
      held_bytes += value.length;
      // A Blob of its own every few megabytes: the browser moves them to the disk where memory is short.
      if (held_bytes >= PIECE_BYTES) {
        pieces.push(new Blob(held));
        [held, held_bytes] = [[], 0];
      }
    }
  } catch (error) {
    await reader.cancel().catch(() => {});
    throw error instanceof ZipError ? error : damaged("an entry does not unpack");
  }
  if (bytes !== entry.bytes || (crc ^ 0xffffffff) >>> 0 !== entry.crc) throw new ZipError("uploadZipChecksum");
  return new Blob([...pieces, ...held]);
}

const CRC = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n;
});

function crc32(bytes, crc) {
  for (let at = 0; at < bytes.length; at++) crc = CRC[(crc ^ bytes[at]) & 0xff] ^ (crc >>> 8);
  return crc;
}
