// Why a picture cannot be shown, in a sentence.

import { t } from "../i18n.js";
import { problem } from "../problem.js";

/** The sentence for an error of a frame. */
export function reasonOf(error) {
  if (error.name === "DecodeError") return t("reasonCode", { detail: error.message });
  if (error.name === "PaletteError") return t("reasonNoPalette");
  if (error.status === 0) return t("reasonNetwork");
  if (error.status === 404) return t("reasonNoFrame");
  if (error.status === undefined || [403, 410, 429, 503].includes(error.status)) return problem(error);
  return error.message ? t("reasonServer", { status: error.status, detail: error.message }) : t("reasonNotImage", { status: error.status });
}
