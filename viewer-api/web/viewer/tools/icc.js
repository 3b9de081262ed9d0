// An ICC profile of sRGB, which a Color Softcopy Presentation State has to hold (PS3.3 C.11.15): version 2, matrix and curves (ICC.1:2001-04).

// The primaries and the white of sRGB adapted to D50 (IEC 61966-2-1 Annex A, Bradford).
const POINTS = { wtpt: [0.9642, 1, 0.8249], rXYZ: [0.4361, 0.2225, 0.0139], gXYZ: [0.3851, 0.7169, 0.0971], bXYZ: [0.1431, 0.0606, 0.7141] };
const HEADER_BYTES = 128;
const CURVE_POINTS = 256;

/** The profile's bytes. */
export function srgbProfile() {
  const curve = curveTag();
  const tags = [["desc", descriptionTag("sRGB")], ["cprt", textTag("No copyright, use freely")], ...Object.entries(POINTS).map(([name, xyz]) => [name, xyzTag(xyz)]),
    ["rTRC", curve], ["gTRC", curve], ["bTRC", curve]];
  return assembled(tags);
}

function assembled(tags) {
  const places = new Map();
  let end = HEADER_BYTES + 4 + 12 * tags.length;
  for (const [, data] of tags) {
    if (places.has(data)) continue;
    places.set(data, end);
    end += Math.ceil(data.length / 4) * 4;
  }
  const bytes = new Uint8Array(end);
  const view = new DataView(bytes.buffer);
  header(bytes, view, end);
  view.setUint32(HEADER_BYTES, tags.length);
  tags.forEach(([name, data], at) => {
    const entry = HEADER_BYTES + 4 + 12 * at;
    put(bytes, entry, name);
    view.setUint32(entry + 4, places.get(data));
    view.setUint32(entry + 8, data.length);
    bytes.set(data, places.get(data));
  });
  return bytes;
}

function header(bytes, view, length) {
  view.setUint32(0, length);
  view.setUint32(8, 0x02100000);
  put(bytes, 12, "mntrRGB XYZ ");
  [2000, 1, 1, 0, 0, 0].forEach((part, at) => view.setUint16(24 + 2 * at, part));
  put(bytes, 36, "acsp");
  POINTS.wtpt.forEach((part, at) => view.setInt32(68 + 4 * at, Math.round(part * 65536)));
}

function tag(type, length) {
  const bytes = new Uint8Array(length);
  put(bytes, 0, type);
  return [bytes, new DataView(bytes.buffer)];
}

function xyzTag(xyz) {
  const [bytes, view] = tag("XYZ ", 20);
  xyz.forEach((part, at) => view.setInt32(8 + 4 * at, Math.round(part * 65536)));
  return bytes;
}

function curveTag() {
  const [bytes, view] = tag("curv", 12 + 2 * CURVE_POINTS);
  view.setUint32(8, CURVE_POINTS);
  for (let at = 0; at < CURVE_POINTS; at++) {
    const encoded = at / (CURVE_POINTS - 1);
    const linear = encoded <= 0.04045 ? encoded / 12.92 : ((encoded + 0.055) / 1.055) ** 2.4;
    view.setUint16(12 + 2 * at, Math.round(linear * 65535));
  }
  return bytes;
}

function textTag(text) {
  const [bytes] = tag("text", 8 + text.length + 1);
  put(bytes, 8, text);
  return bytes;
}

// textDescriptionType: ASCII, then empty Unicode and ScriptCode parts.
function descriptionTag(text) {
  const [bytes, view] = tag("desc", 12 + text.length + 1 + 8 + 70);
  view.setUint32(8, text.length + 1);
  put(bytes, 12, text);
  return bytes;
}

function put(bytes, at, text) {
  for (let index = 0; index < text.length; index++) bytes[at + index] = text.charCodeAt(index);
}
