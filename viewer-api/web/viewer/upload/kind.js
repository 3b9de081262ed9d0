// What a file plainly is, where that is not DICOM: so that the viewers, drivers and leaflets on a patient's CD are not sent with it. What
// is not known here is sent: the server decides (files without a preamble, MFER waveforms).

const starts = (bytes, ...expected) => expected.every((value, at) => value === null || bytes[at] === value);
const word = (bytes, at, text) => [...text].every((letter, index) => bytes[at + index] === letter.charCodeAt(0));

/** The key of a sentence that says what a file is that is not sent; empty for one that is. */
export async function kindOf(blob, name) {
  if (blob.size === 0) return "uploadNotEmpty";
  const bytes = new Uint8Array(await blob.slice(0, 512).arrayBuffer());
  // PS3.10 §7.1: a preamble of 128 bytes, which may be anything, and the prefix.
  if (word(bytes, 128, "DICM")) return "";
  if (/(^|\/)(\.DS_Store|Thumbs\.db|desktop\.ini|autorun\.inf)$/i.test(name) || /(^|\/)__MACOSX\//.test(name)) return "uploadNotSystem";
  if (word(bytes, 0, "%PDF-")) return "uploadNotPdf";
  if (word(bytes, 0, "MZ") || starts(bytes, 0x7f, 0x45, 0x4c, 0x46) || starts(bytes, 0xca, 0xfe, 0xba, 0xbe) || starts(bytes, 0xcf, 0xfa, 0xed, 0xfe) || word(bytes, 0, "#!")) return "uploadNotProgram";
  if (isPicture(bytes)) return "uploadNotPicture";
  if (starts(bytes, 0xd0, 0xcf, 0x11, 0xe0) || word(bytes, 0, "{\\rtf") || isText(bytes)) return "uploadNotText";
  return "";
}

function isPicture(bytes) {
  return starts(bytes, 0x89, 0x50, 0x4e, 0x47) || starts(bytes, 0xff, 0xd8, 0xff) || word(bytes, 0, "GIF8") || (word(bytes, 0, "BM") && bytes[5] === 0 && bytes[6] === 0)
    || word(bytes, 0, "II*\0") || word(bytes, 0, "MM\0*") || word(bytes, 0, "RIFF") || word(bytes, 4, "ftyp") || starts(bytes, 0, 0, 1, 0, null, 0);
}

// Nothing but what is printed, in UTF-8 or Shift_JIS: no control characters. A DICOM file begins with a group number, which has zeros in it.
function isText(bytes) {
  const printed = (byte) => byte >= 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d;
  const hasMark = starts(bytes, 0xff, 0xfe) || starts(bytes, 0xfe, 0xff);
  return hasMark || (bytes.length >= 4 && bytes.every((byte) => printed(byte) && byte !== 0x7f));
}
