// The three verdicts: their keys, their words, and why one was refused.

import { t } from "../i18n.js";
import { problem } from "../problem.js";

/** Key → the word the Reading API has for it. */
export const KEYS = { 1: "normal", 2: "follow-up", 3: "refer" };

/** A verdict in the reader's language. */
export function verdictWord(verdict) {
  return { normal: t("readingNormal"), "follow-up": t("readingFollowUp"), refer: t("readingRefer") }[verdict] ?? verdict;
}

/** Why the server takes nothing at all now, though it can be reached. */
export function refusingSentence(error) {
  const known = { 403: "readingRefusing403", 404: "readingAbsent", 507: "readingRefusing507" }[error.status];
  return known ? t(known) : problem(error);
}

/** Why the server would not take an act, as a sentence; its own where we have none. */
export function refusalSentence({ reason, sentence }) {
  const known = { "not-claimed": "readingRefusedNotClaimed", "read-meanwhile": "readingRefusedMeanwhile", "own-reading": "readingRefusedOwn", settled: "readingRefusedSettled",
    "too-late": "readingRefusedLate", seen: "readingRefusedSeen", "unknown-code": "readingRefusedCode" }[reason];
  return known ? t(known) : t("readingRefusedOther", { reason: sentence || reason });
}
