// What was dropped or chosen, as a flat list of files: folders are walked, ZIPs opened. DICOMDIR media need nothing of their own: their
// files are found by the walk. Names are those the command line gives: the folder's own name first, `x.zip/member` within a ZIP.

import { kindOf } from "./kind.js";
import { ZipError, entries, looksLikeZip, read } from "./zip.js";

/** Files of one sending at the most. */
export const FILES_MAX = 200_000;

/** What was dropped: to be called while the event lasts, since browsers take it away afterwards. */
export function dropped(transfer) {
  const items = [...(transfer.items ?? [])].filter(({ kind }) => kind === "file");
  const found = items.map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile());
  return found.length ? found.filter(Boolean) : [...transfer.files];
}

/**
 * Walks `roots` (of `dropped`, or Files) and answers `{files, leftOut, unread}`. A file is `{name, bytes, open() → Promise<Blob>}`; `leftOut`
 * are files of other kinds with a `key` that says which; `unread` are those that cannot be read.
 */
export async function gather(roots, { onProgress = () => {}, signal } = {}) {
  const found = { files: [], leftOut: [], unread: [], bytes: 0, tooMany: false };
  for await (const { name, file, error } of walk(roots)) {
    signal?.throwIfAborted();
    if (error) found.unread.push({ name, why: error });
    else await take(found, name, file);
    if (found.files.length + found.leftOut.length > FILES_MAX) {
      found.tooMany = true;
      break;
    }
    onProgress(found);
  }
  found.files.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  return found;
}

async function* walk(roots) {
  for (const root of roots) {
    if (root instanceof Blob) yield { name: (root.webkitRelativePath || root.name).normalize("NFC"), file: root };
    else yield* walkEntry(root, "");
  }
}

async function* walkEntry(entry, folder) {
  const name = `${folder}${entry.name}`.normalize("NFC");
  if (entry.isFile) {
    try {
      yield { name, file: await new Promise((resolve, reject) => entry.file(resolve, reject)) };
    } catch {
      yield { name, error: { key: "uploadFileGone" } };
    }
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    // A folder answers a hundred entries at a time, and none at its end.
    let some;
    try {
      some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    } catch {
      yield { name, error: { key: "uploadFileGone" } };
      return;
    }
    if (!some.length) return;
    for (const one of some) yield* walkEntry(one, `${name}/`);
  }
}

async function take(found, name, file) {
  try {
    if (await looksLikeZip(file)) await takeZip(found, name, file);
    else await takeFile(found, name, file);
  } catch (error) {
    found.unread.push({ name, why: whyOf(error) });
  }
}

async function takeFile(found, name, file) {
  const key = await kindOf(file, name);
  const one = { name, bytes: file.size, open: async () => file };
  if (key) {
    found.leftOut.push({ ...one, key });
    return;
  }
  found.files.push(one);
  found.bytes += one.bytes;
}

async function takeZip(found, name, zip) {
  for (const entry of await entries(zip)) {
    if (found.files.length > FILES_MAX) return;
    const member = `${name}/${entry.name}`;
    const one = { name: member, bytes: entry.bytes, open: () => read(zip, entry) };
    // What a member is shows only when it is unpacked; its name says enough of what is plainly something else.
    const key = entry.bytes === 0 ? "uploadNotEmpty" : kindByName(entry.name);
    if (key) found.leftOut.push({ ...one, key });
    else {
      found.files.push(one);
      found.bytes += one.bytes;
    }
  }
}

function kindByName(name) {
  if (/(^|\/)(__MACOSX\/|\.DS_Store$|Thumbs\.db$|desktop\.ini$|autorun\.inf$)/i.test(name)) return "uploadNotSystem";
  if (/\.(exe|dll|msi|bat|cmd|com|jar|class|so|dylib|sh)$/i.test(name)) return "uploadNotProgram";
  if (/\.(txt|htm|html|css|js|xml|json|csv|md|rtf|docx?|xlsx?|ini|inf|log)$/i.test(name)) return "uploadNotText";
  if (/\.(png|jpe?g|gif|bmp|tiff?|ico|mp4|avi|mov|wmv|mpe?g)$/i.test(name)) return "uploadNotPicture";
  if (/\.pdf$/i.test(name)) return "uploadNotPdf";
  return /\.zip$/i.test(name) ? "uploadNotZip" : "";
}

/** What a failure to read is, as the key of a sentence with what fills it. */
export function whyOf(error) {
  return error instanceof ZipError ? { key: error.key, parts: error.parts } : { key: "uploadFileGone" };
}
