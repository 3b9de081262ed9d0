// What the manifest leaves out because few files have it: palettes (PS3.3 C.7.6.3.1.5), Modality and VOI LUT Sequence (C.11.1, C.11.2),
// overlay planes (C.9.2), regions of ultrasound (C.8.5.5). Read from an instance's metadata when it is first needed.

import { bulkData, instanceMetadata } from "../api.js";

const KEPT_MAX = 400;
const PALETTE = { red: ["00281101", "00281201", "00281221"], green: ["00281102", "00281202", "00281222"], blue: ["00281103", "00281203", "00281223"] };
const FRAMES_OF_GROUPS = { shared: "52009229", perFrame: "52009230" };
const X_RAY_PROJECTIONS = ["1.2.840.10008.5.1.4.1.1.12.1", "1.2.840.10008.5.1.4.1.1.12.2"];
const kept = new Map();

/** What `tablesOf` has found for a frame's instance, `null` while that is not known. */
export function knownTables(frame) {
  const uid = frame.instance.SOPInstanceUID;
  const entry = kept.get(uid);
  if (!entry) return null;
  // What is looked at stays longest.
  kept.delete(uid);
  kept.set(uid, entry);
  return entry.tables;
}

/**
 * `{palette, modality, voi, voiAll, overlays, regions}` of the instance of `frame`, `null` or `[]` for what it has not. A LUT is `{first,
 * entries, bits, explanation, type}`, a palette `{first, bits, red, green, blue}`, an overlay `{columns, rows, left, top, bits, label}`.
 */
export function tablesOf(frame, signal) {
  // A cut through a volume is no instance: there is nothing to ask for.
  if (frame.derived) return Promise.resolve(null);
  const uid = frame.instance.SOPInstanceUID;
  let entry = kept.get(uid);
  if (!entry) {
    entry = { tables: null };
    entry.promise = read(frame.address, signal).then((tables) => (entry.tables = tables));
    // What failed is asked for again next time.
    entry.promise.catch(() => kept.delete(uid));
    kept.set(uid, entry);
    if (kept.size > KEPT_MAX) kept.delete(kept.keys().next().value);
  }
  return entry.promise;
}

async function read(address, signal) {
  const dataset = await instanceMetadata(address, signal);
  if (!dataset) return { palette: null, modality: null, voi: null, voiAll: [], overlays: [], regions: [] };
  const bytes = async (element, path) => new Uint8Array(await bulkData(address, element, path, signal));
  const shared = dataset[FRAMES_OF_GROUPS.shared]?.Value?.[0] ?? {};
  const modalityLut = isForDisplay(dataset) ? dataset["00283000"] : null;
  const [palette, modality, voiAll, overlays] = await Promise.all([paletteOf(dataset, bytes), lutOf(modalityLut, "00283000", bytes),
    lutsOf(dataset, shared, bytes), overlaysOf(dataset, bytes)]);
  return { palette, modality: modality[0] ?? null, voi: voiAll[0] ?? null, voiAll, overlays, regions: regionsOf(dataset) };
}

const one = (dataset, tag) => dataset?.[tag]?.Value?.[0];

/**
 * Whether a Modality LUT Sequence is part of the way to the screen. In X-ray angiography and radiofluoroscopy whose pixels are made to be looked at (or
 * logarithmic) it leads back to what the detector saw, for measuring (PS3.3 C.8.7.1.1.2); windows are stated for the stored pixels.
 */
export function isForDisplay(dataset) {
  return !(X_RAY_PROJECTIONS.includes(one(dataset, "00080016")) && ["LOG", "DISP"].includes(one(dataset, "00281040")));
}

async function lutsOf(dataset, shared, bytes) {
  const own = await lutOf(dataset["00283010"], "00283010", bytes);
  return own.length ? own : lutOf(shared["00289132"]?.Value?.[0]?.["00283010"], "52009229/0/00289132/0/00283010", bytes);
}

// The LUTs of a sequence. LUT Data is US in explicit files where it is short, else OW.
function lutOf(sequence, path, bytes) {
  return Promise.all((sequence?.Value ?? []).map(async (item, at) => {
    const [count, first, bits] = (item["00283002"]?.Value ?? []).map(Number);
    const data = item["00283006"];
    const words = data?.Value ? Uint16Array.from(data.Value) : littleEndian(await bytes(data, `${path}/${at}/00283006`), count || 65_536);
    return { first: signedFirst(first), bits, entries: words.slice(0, count || 65_536), explanation: String(one(item, "00283003") ?? ""), type: String(one(item, "00283004") ?? "") };
  }));
}

// First mapped values are US or SS by the pixels; as US a negative one comes large only where a sender was careless.
function signedFirst(first) {
  return Number.isFinite(first) ? first : 0;
}

function littleEndian(raw, count) {
  // Eight bits an entry where there are as many bytes as entries (PS3.3 C.7.6.3.1.6).
  if (raw.length < 2 * count) return Uint16Array.from(raw);
  return new Uint16Array(raw.slice(0, raw.length & ~1).buffer);
}

async function paletteOf(dataset, bytes) {
  if (!dataset[PALETTE.red[0]]) return null;
  const colours = await Promise.all(Object.entries(PALETTE).map(async ([name, [descriptor, plain, segmented]]) => {
    const [count, first, bits] = (dataset[descriptor]?.Value ?? []).map(Number);
    const raw = dataset[plain] ? await bytes(dataset[plain], plain) : null;
    const words = raw ? littleEndian(raw, count || 65_536) : unfolded(littleEndian(await bytes(dataset[segmented], segmented), 1));
    return [name, words.slice(0, count || 65_536), signedFirst(first), bits];
  }));
  // Entries of 16 bits that hold 8 are found in old files; then the largest says so.
  const declared = colours[0][3] ?? 16;
  const largest = Math.max(...colours.map(([, words]) => words.reduce((a, b) => Math.max(a, b), 0)));
  const bits = declared > 8 && largest < 256 ? 8 : declared;
  return { first: colours[0][2], bits, ...Object.fromEntries(colours.map(([name, words]) => [name, words])) };
}

/** A segmented palette written out (PS3.3 C.7.9.2): discrete, linear and indirect segments. */
export function unfolded(words) {
  const out = [];
  const run = (at, segments) => {
    for (let left = segments; left > 0 && at + 1 < words.length && out.length < 65_536; left--) {
      const [opcode, length] = [words[at], words[at + 1]];
      if (opcode === 0) {
        for (let n = 0; n < length; n++) out.push(words[at + 2 + n] ?? 0);
        at += 2 + length;
      } else if (opcode === 1) {
        const [from, to] = [out.at(-1) ?? 0, words[at + 2] ?? 0];
        for (let n = 1; n <= length; n++) out.push(Math.round(from + ((to - from) * n) / length));
        at += 3;
      } else if (opcode === 2 && segments === Infinity) {
        run((words[at + 2] | (words[at + 3] << 16)) >> 1, length);
        at += 4;
      } else return;
    }
  };
  run(0, Infinity);
  return Uint16Array.from(out);
}

// Groups 6000 to 601E; what lies in unused bits of the pixels (retired) has no Overlay Data.
function overlaysOf(dataset, bytes) {
  const groups = Array.from({ length: 16 }, (_, at) => (0x6000 + 2 * at).toString(16).toUpperCase()).filter((group) => dataset[`${group}3000`] && one(dataset, `${group}0010`));
  return Promise.all(groups.map(async (group) => {
    const [rows, columns] = [Number(one(dataset, `${group}0010`)), Number(one(dataset, `${group}0011`))];
    const [top, left] = (dataset[`${group}0050`]?.Value ?? [1, 1]).map(Number);
    const bits = await bytes(dataset[`${group}3000`], `${group}3000`);
    return { rows, columns, left: left - 1, top: top - 1, bits, label: String(one(dataset, `${group}1500`) ?? one(dataset, `${group}0022`) ?? "") };
  }));
}

// PS3.3 C.8.5.5: places of the picture where a pixel is so many centimetres (units 3) either way.
function regionsOf(dataset) {
  return (dataset["00186011"]?.Value ?? []).map((item) => {
    const number = (tag) => Number(one(item, tag));
    const isLength = number("00186024") === 3 && number("00186026") === 3;
    return {
      left: number("00186018"), top: number("0018601A"), right: number("0018601C"), bottom: number("0018601E"), format: number("00186012"),
      spacing: isLength ? { column: Math.abs(number("0018602C")) * 10, row: Math.abs(number("0018602E")) * 10, kind: "calibrated" } : null,
    };
  });
}
