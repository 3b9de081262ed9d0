// What went wrong, in one sentence a person can act on.

import { h } from "./dom.js";
import { t } from "./i18n.js";

/** The sentence for an error of `api.js` or of this page. */
export function problem(error) {
  if (error?.status === undefined) return t("errorPage", { detail: error?.message ?? error });
  if (error.status === 0) return t("errorOffline");
  if (error.status === 403) return t("errorRefused");
  if (error.status === 404 || error.status === 410) return t("errorMissing");
  if (error.status === 429 || error.status === 503) return t("errorBusy");
  return t("errorServer", { status: error.status, detail: error.message });
}

/** The sentence as a box with a button that tries again. */
export function problemBox(error, again) {
  return h("div", { class: "problem", role: "alert" }, h("p", {}, problem(error)),
    again && h("button", { type: "button", on: { click: again } }, t("retry")));
}
