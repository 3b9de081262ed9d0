// The Reading API over HTTP: worklists, claims, verdicts, codes. JSON, this server only.

import { ApiError, findStudy } from "../api.js";

const ROOT = "/reading";
const TIMEOUT_MS = 15_000;

const ask = (path, body, signal) => askAt(`${ROOT}${path}`, body, signal);

async function askAt(address, body, signal) {
  const given = body === undefined ? { method: "GET" } : { method: "POST", headers: { "Content-Type": "application/json", Accept: "application/json" }, body: JSON.stringify(body) };
  // A link that says nothing is as broken as one that refuses.
  const limit = AbortSignal.timeout(TIMEOUT_MS);
  let response;
  try {
    response = await fetch(address, { credentials: "same-origin", ...given, signal: signal ? AbortSignal.any([signal, limit]) : limit });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, String(error.message ?? error));
  }
  const told = await response.json().catch(() => null);
  if (!response.ok) throw new ApiError(response.status, String(told?.message ?? told?.error ?? told?.detail ?? "").slice(0, 400));
  // Something between that answers 200 with a page of its own has saved nothing.
  if (told === null) throw new ApiError(0, "the answer is not JSON");
  return told;
}

const part = encodeURIComponent;

/** Who is signed in, `{name, centre}`. Unlike `session` of api.js it never leads away from what is being read. */
export const whoIsSignedIn = (signal) => askAt("/session", undefined, signal);

/** The worklists there are, with their counts. */
export const worklists = async (signal) => (await ask("/worklists", undefined, signal)).worklists ?? [];

/** Makes a worklist (administrators). */
export const createWorklist = (worklist) => ask("/worklists", worklist);

/** Claims up to `count` items; `held` are those the page has already. Answers `{items, remaining}`. */
export const claim = (worklist, { count, stage, held }, signal) => ask(`/worklists/${part(worklist)}/claim`, { count, held, ...(stage ? { stage } : {}) }, signal);

/** Gives an item back unread. */
export const release = (item) => ask(`/items/${part(item)}/release`, {});

/** Sends verdicts; answers `{saved: [id], refused: [{id, reason, sentence}]}` once they are on the disk there. */
export const sendVerdicts = (verdicts) => ask("/verdicts", { verdicts });

/** Takes a verdict back; its item is the reader's again. */
export const undoVerdict = (id) => ask(`/verdicts/${part(id)}/undo`, {});

/** The table of findings, `{edition, codes: [{code, ja, en, group, urgent}]}`. */
export const findingCodes = (signal) => ask("/codes", undefined, signal);

/** Leads to the sign-in page: a question to the read side is refused, and the page knows what to do then. */
export const askToSignIn = () => findStudy("0").catch(() => {});
