// The read side over HTTP (DICOMweb, PS3.18), same origin only. The session cookie is the browser's business.

const ROOT = "/dicom-web";

/** An answer that is no success: `status` (0 = no connection), and the server's own sentence where it gave one. */
export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

let signInNeeded = () => {};

/** `handler` is called whenever the server answers 401. */
export function onSignInNeeded(handler) {
  signInNeeded = handler;
}

async function request(path, accept, signal, init = { headers: { Accept: accept } }) {
  let response;
  try {
    response = await (early(path, init, signal) ?? fetch(path, { ...init, credentials: "same-origin", signal }));
  } catch (error) {
    if (error.name === "AbortError") throw error;
    dispatchEvent(new Event("tsunagu:broke"));
    throw new ApiError(0, String(error.message ?? error));
  }
  if (response.status === 401) signInNeeded();
  if (!response.ok) throw new ApiError(response.status, await sentence(response));
  return response;
}

// What boot.js asked for before there were modules: the manifest, and the first bytes of a frame. More bytes than asked for do no harm.
function early(path, { method, headers }, signal) {
  const fromBegin = !method && (headers?.Range ?? "bytes=0-").startsWith("bytes=0-");
  const begun = fromBegin ? globalThis.tsunaguEarly?.take(path, signal) : null;
  return begun?.catch((error) => {
    if (signal?.aborted) throw error;
    return fetch(path, { headers, credentials: "same-origin", signal });
  });
}

// At most one line of what the server said; an HTML error page of some proxy is no sentence.
async function sentence(response) {
  const kind = response.headers.get("Content-Type") ?? "";
  if (/html|image|octet/.test(kind)) return "";
  const body = (await response.text().catch(() => "")).slice(0, 2000);
  try {
    const value = JSON.parse(body);
    return String(value.message ?? value.error ?? value.detail ?? "").slice(0, 400);
  } catch {
    return body.split("\n")[0].slice(0, 400);
  }
}

async function json(path, signal) {
  const response = await request(path, "application/dicom+json", signal);
  return response.status === 204 ? [] : response.json();
}

/** Path of a study, of a series, or of an instance: as many UIDs as are given. */
export function pathOf(study, series, instance) {
  let path = `${ROOT}/studies/${encodeURIComponent(study)}`;
  if (series) path += `/series/${encodeURIComponent(series)}`;
  if (instance) path += `/instances/${encodeURIComponent(instance)}`;
  return path;
}

/** QIDO-RS Search for Studies (PS3.18 §10.6). */
export function searchStudies(query, signal) {
  return json(`${ROOT}/studies?${new URLSearchParams(query)}`, signal);
}

/** WADO-RS: metadata of all instances of a series (PS3.18 §10.4). */
export function seriesMetadata(study, series, signal) {
  return json(`${pathOf(study, series)}/metadata`, signal);
}

/** The manifest of a study (docs/manifest.md), as it stands. */
export async function studyManifest(study, signal) {
  return (await request(`${pathOf(study)}/manifest`, "application/json", signal)).json();
}

/** The answer to a request for bytes from `first` on, up to `last` (all where it is `null`); its body is for the caller to read as it comes. */
export function openBytes(path, { accept = "*/*", first = 0, last = null }, signal) {
  const range = first > 0 || last !== null ? { Range: `bytes=${first}-${last ?? ""}` } : {};
  return request(path, accept, signal, { headers: { Accept: accept, ...range } });
}

/** WADO-RS: metadata of one instance (PS3.18 §10.4). */
export async function instanceMetadata(address, signal) {
  return (await json(`${pathOf(...address)}/metadata`, signal))[0] ?? null;
}

/** QIDO-RS for one study row, `null` if it is not here. */
export async function findStudy(study, signal) {
  const rows = await searchStudies({ StudyInstanceUID: study, includefield: "all", limit: 1 }, signal);
  return rows.find((row) => row["0020000D"]?.Value?.[0] === study) ?? null;
}

/** Bulk data as an ArrayBuffer. `element` is a DICOM JSON element; `path` says where it hangs, e.g. `54000100/0/54001010`. */
export async function bulkData(address, element, path, signal) {
  if (element?.InlineBinary !== undefined) return fromBase64(element.InlineBinary);
  const response = await request(bulkPath(address, element, path), "application/octet-stream", signal);
  return response.arrayBuffer();
}

// A Bulk Data URI may be absolute, rooted or relative to the instance (PS3.18 §F.2.7). Only this server is ever asked.
function bulkPath(address, element, path) {
  const own = `${pathOf(...address)}/bulkdata/${path}`;
  if (!element?.BulkDataURI) return own;
  const url = new URL(element.BulkDataURI, `${location.origin}${pathOf(...address)}/`);
  return url.origin === location.origin ? url.pathname + url.search : own;
}

/** The file as it was received, byte for byte (a permission of its own; 403 without it). */
export async function originalFile(address) {
  return (await request(`${pathOf(...address)}/original`, "application/dicom", undefined)).blob();
}

/** Bytes of a base64 text. */
export function fromBase64(value) {
  const raw = atob(value);
  const bytes = new Uint8Array(raw.length);
  for (let index = 0; index < raw.length; index++) bytes[index] = raw.charCodeAt(index);
  return bytes.buffer;
}

/** Posts a token; `true` when the server set a session. */
export async function signIn(token) {
  const response = await fetch("/session", {
    method: "POST", headers: { "Content-Type": "application/json" }, credentials: "same-origin", body: JSON.stringify({ token }),
  });
  return response.ok;
}

/**
 * The list of studies, by POST: what is searched for is in no address. `asked` is what `POST /search` takes: `{terms, taken_in_after?,
 * sort, descending, limit, offset}`; answers `{studies, total, complete, last_sequence}`.
 */
export async function searchList(asked, signal) {
  const init = { method: "POST", headers: { "Content-Type": "application/json", Accept: "application/json" }, body: JSON.stringify(asked) };
  return (await request("/search", "application/json", signal, init)).json();
}

/** Who is signed in: `{name, centre, permissions}`. */
export async function session(signal) {
  return (await request("/session", "application/json", signal)).json();
}

/** Whether this session may send files in. */
export async function mayUpload(signal) {
  return (await session(signal)).permissions.includes("upload");
}
