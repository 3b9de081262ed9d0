// What is new since the last visit. The archive numbers what it takes in; the browser remembers one such number, which says of nobody
// who they are. A visit is the life of a tab: a page that is loaded again shows the same as new as before.

import { remember, remembered } from "../settings.js";

const KEY = "listSeen";

/** Number of the newest instance there was at the end of the last visit; `null` at the first one. */
export function seenBefore(storage = visit()) {
  const begun = number(storage?.getItem(KEY));
  if (begun !== null) return begun;
  const last = number(remembered(KEY, ""));
  if (last !== null) storage?.setItem(KEY, String(last));
  return last;
}

/** Remembers that everything up to instance `end` of the archive was listed; at the first visit, nothing is new. */
export function sawUpTo(end, storage = visit()) {
  if (number(storage?.getItem(KEY)) === null) storage?.setItem(KEY, String(number(remembered(KEY, "")) ?? end));
  // Another archive, or one that was restored, may count from less: what it says goes.
  if (number(storage?.getItem(KEY)) > end) storage.setItem(KEY, String(end));
  remember(KEY, String(end));
}

/** `"new"` for a study that came since, `"more"` for one of which more has come, else `""`. */
export function newness(study, before) {
  if (before === null || study.last_sequence <= before) return "";
  return study.first_sequence > before ? "new" : "more";
}

function number(text) {
  return /^\d{1,15}$/.test(text ?? "") ? Number(text) : null;
}

function visit() {
  try {
    return sessionStorage;
  } catch {
    return null;
  }
}
