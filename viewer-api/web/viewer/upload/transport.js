// The three requests of a sending (docs of STOW-RS batches: ingest/src/stow): open the batch, store a group, fetch the receipt. An
// XMLHttpRequest, since fetch does not tell how far a body has gone.

import { multipart } from "./multipart.js";

const ROOT = "/dicom-web";
/** The answer by part, by the names that were given. */
const PARTS = "application/vnd.tsunagu.parts+json";
/** An answer to a whole body takes at most this long: its files are synced by then. */
const ANSWER_MS_MAX = 300_000;

/** Why a request failed: `status` 0 is a broken connection; `again_ms` is when the server wants it again, where it said. */
export class SendError extends Error {
  constructor(status, message, again_ms = null) {
    super(message);
    Object.assign(this, { status, again_ms });
  }

  /** Whether the same request may fare better later. A disk that is full may be given room. */
  get passes() {
    return [0, 408, 429, 500, 502, 503, 504, 507].includes(this.status);
  }
}

/** Opens the batch; opening it again changes nothing. */
export async function openBatch(batch, signal) {
  await ask(`${ROOT}/batches`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(batch), signal });
}

/** The receipt as JSON. */
export async function receipt(id, signal) {
  return (await ask(`${ROOT}/batches/${encodeURIComponent(id)}/receipt`, { headers: { Accept: "application/json" }, signal })).json();
}

/** The receipt as the page that the command line writes, too. */
export async function receiptPage(id) {
  return (await ask(`${ROOT}/batches/${encodeURIComponent(id)}/receipt`, { headers: { Accept: "text/html" } })).blob();
}

async function ask(path, init) {
  let response;
  try {
    response = await fetch(path, { ...init, credentials: "same-origin" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new SendError(0, "");
  }
  if (response.ok) return response;
  throw new SendError(response.status, sentence(await response.text().catch(() => "")), wait(response.headers.get("Retry-After")));
}

/** Stores files `{name, blob}`: answers what became of each, in their order. `onSent` is told how many bytes have gone. */
export function store(batch, files, { onSent, signal }) {
  const { type, body } = multipart(files);
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `${ROOT}/studies`);
    request.setRequestHeader("Content-Type", type);
    request.setRequestHeader("Accept", PARTS);
    request.setRequestHeader("Tsunagu-Batch", batch);
    const stop = () => request.abort();
    signal?.addEventListener("abort", stop);
    let timer = 0;
    const settle = (act) => () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", stop);
      act();
    };
    request.upload.addEventListener("progress", (event) => onSent(Math.min(event.loaded, body.size)));
    request.upload.addEventListener("load", () => { timer = setTimeout(stop, ANSWER_MS_MAX); });
    request.addEventListener("abort", settle(() => reject(signal?.aborted ? new DOMException("", "AbortError") : new SendError(0, ""))));
    request.addEventListener("error", settle(() => reject(new SendError(0, ""))));
    request.addEventListener("load", settle(() => answered(request, files.length, resolve, reject)));
    request.send(body);
  });
}

function answered(request, count, resolve, reject) {
  const fail = (status, why) => reject(new SendError(status, why, wait(request.getResponseHeader("Retry-After"))));
  if (!(request.getResponseHeader("Content-Type") ?? "").startsWith(PARTS)) return fail(request.status, sentence(request.responseText));
  try {
    const { parts } = JSON.parse(request.responseText);
    if (parts.length !== count) return fail(502, `${count} files, ${parts.length} answers`);
    return resolve({ parts, again_ms: wait(request.getResponseHeader("Retry-After")) });
  } catch {
    return fail(502, "");
  }
}

function wait(seconds) {
  return /^\d{1,6}$/.test(seconds ?? "") ? Number(seconds) * 1000 : null;
}

function sentence(body) {
  try {
    return String(JSON.parse(body).error ?? "").slice(0, 400);
  } catch {
    return "";
  }
}
