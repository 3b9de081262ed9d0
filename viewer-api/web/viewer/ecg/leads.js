// The twelve leads and their kin: which code means which lead, which can be computed, in what order they are hung. No DOM.

/** Lead numbers shared by MDC (CID 3001), SCP-ECG and MFER → name. */
const NUMBERS = {
  1: "I", 2: "II", 3: "V1", 4: "V2", 5: "V3", 6: "V4", 7: "V5", 8: "V6", 9: "V7", 11: "V3R", 12: "V4R", 13: "V5R", 14: "V6R", 61: "III", 62: "aVR", 63: "aVL", 64: "aVF", 65: "-aVR", 66: "V8", 67: "V9", 111: "III",
};
const NAMES = [...new Set(Object.values(NUMBERS)), "PCG"];

/** Standard reading order. */
export const TWELVE = ["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"];
/** The limb leads in the order of their angle, aVR turned round (Cabrera). */
export const CABRERA = ["aVL", "I", "-aVR", "II", "aVF", "III"];
/** The reduced set of school heart screening (省略4誘導). */
export const FOUR = ["I", "aVF", "V1", "V6"];

/** The name of a lead from its Channel Source code (`{value, scheme, meaning}` or `null`), else from its label; what is unknown keeps its own text. */
export function leadOf(source, label = "") {
  const number = /^(?:5\.6\.3-9-|2:)(\d+)$/.exec(source?.value ?? "")?.[1];
  return NUMBERS[number] ?? byName(source?.meaning) ?? byName(label) ?? (label || source?.meaning || source?.value || "?");
}

function byName(meaning) {
  const plain = (meaning ?? "").replace(/\(.*\)/, "").replace(/^(ecg\s+)?(lead|channel|augmented|誘導)?[\s:]*/i, "").replace(/[\s_]/g, "").toLowerCase();
  return NAMES.find((name) => name.toLowerCase() === plain);
}

/**
 * The limb leads that are missing, computed from I and II of the same group (Einthoven, Goldberger): III = II − I,
 * aVR = −(I + II) / 2, aVL = I − II / 2, aVF = II − I / 2. Each is marked `computed`.
 */
export function computedLeads(channels) {
  const of = (name) => channels.find(({ lead }) => lead === name);
  const one = of("I");
  const two = of("II");
  if (!one?.inMillivolts || !two?.inMillivolts || one.rate !== two.rate || one.start_s !== two.start_s || one.values.length !== two.values.length) return [];
  const rules = { III: (a, b) => b - a, aVR: (a, b) => -(a + b) / 2, aVL: (a, b) => a - b / 2, aVF: (a, b) => b - a / 2 };
  return Object.entries(rules).filter(([lead]) => !of(lead)).map(([lead, rule]) => ({
    ...one, lead, computed: true, values: one.values.map((value, at) => rule(value, two.values[at])),
  }));
}

/**
 * The rows of a layout, each a list of `{channel, from_s, seconds}` side by side. `channels` are those of a group, `start_s` the time the
 * page begins, `rhythm` the lead of the long strip. A layout that lacks most of its leads becomes one row a channel.
 */
export function rowsOf(layout, channels, { start_s = 0, seconds = 10, rhythm = "II" } = {}) {
  const of = (name) => channels.find(({ lead }) => lead === name);
  const strip = (channel) => [{ channel, from_s: start_s, seconds }];
  if (layout === "all") return channels.map(strip);
  if (layout === "12x1") return TWELVE.map(of).filter(Boolean).map(strip);
  if (layout === "4x1") return [...FOUR.map(of).filter(Boolean), ...channels.filter(isSound)].map(strip);
  if (layout === "cabrera") return cabreraRows(channels, start_s, seconds / 2);
  const columns = layout === "6x2" ? 2 : 4;
  const height = 12 / columns;
  const width = seconds / columns;
  const rows = Array.from({ length: height }, (_, row) => Array.from({ length: columns }, (_, column) => {
    const channel = of(TWELVE[column * height + row]);
    return { channel, from_s: channel ? within(channel, start_s + column * width, width) : 0, seconds: width };
  }));
  const long = layout === "3x4" && (of(rhythm) ?? of("II"));
  return long ? [...rows, strip(long)] : rows;
}

function cabreraRows(channels, start_s, seconds) {
  const of = (name) => channels.find(({ lead }) => lead === name) ?? (name === "-aVR" ? turned(channels.find(({ lead }) => lead === "aVR")) : undefined);
  const part = (name, from_s) => { const channel = of(name); return { channel, from_s: channel ? within(channel, from_s, seconds) : 0, seconds }; };
  return CABRERA.map((name, row) => [part(name, start_s), part(TWELVE[row + 6], start_s + seconds)]);
}

const turnedOf = new WeakMap();

// −aVR of aVR, made once a channel.
function turned(channel) {
  if (!channel) return undefined;
  if (!turnedOf.has(channel)) turnedOf.set(channel, { ...channel, lead: "-aVR", computed: true, values: channel.values.map((value) => -value) });
  return turnedOf.get(channel);
}

// Leads recorded one set after another (PS3.3 A.34.3.4.4) are drawn from their own time where the page's column misses it.
function within(channel, from_s, seconds) {
  const end = channel.start_s + channel.values.length / channel.rate;
  if (from_s < end && from_s + seconds > channel.start_s) return from_s;
  return Math.max(channel.start_s, Math.min(from_s, end - seconds));
}

/** Whether a channel is a heart sound (phonocardiogram), not an ECG lead. */
export function isSound({ lead }) {
  return /^(pcg|heart\s*sound|phono|心音)/i.test(lead);
}

/** Whether the four leads of school screening are here. */
export function hasFour(channels) {
  return FOUR.every((name) => channels.some(({ lead }) => lead === name));
}

/** The layout a set of leads is first hung in. */
export function firstLayout(channels) {
  return hasTwelve(channels) ? "3x4" : hasFour(channels) ? "4x1" : "all";
}

/** Whether enough of the twelve leads are here for a layout of twelve. */
export function hasTwelve(channels) {
  return TWELVE.filter((name) => channels.some(({ lead }) => lead === name)).length >= 10;
}
