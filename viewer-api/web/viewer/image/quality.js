// What is said of the pixels on the screen, always: a preview, lossless, lossy.

import { t } from "../i18n.js";

/** The words for a `Picture.quality`; `""` for `null`. */
export function qualityText(quality) {
  if (!quality) return "";
  if (quality.kind === "preview") return t("qualityPreview", { n: quality.denominator });
  if (quality.kind === "lossless") return t("qualityLossless");
  if (quality.kind === "rendered") return t("qualityRendered");
  return quality.ratio ? t("qualityLossyRatio", { ratio: Math.round(quality.ratio * 10) / 10 }) : t("qualityLossy");
}
