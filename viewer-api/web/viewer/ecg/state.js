// What a sheet says about itself, in words: speed, gain, filters of the recording and of the display.

import { t } from "../i18n.js";
import { distortsST, filtered, possible } from "./filters.js";
import { sharedFilter } from "./waveform.js";

/** The filters of the recording, as the file states them. */
export function recordedFilters(channels) {
  const filter = sharedFilter(channels.filter(({ computed, inMillivolts }) => !computed && inMillivolts));
  if (filter === "mixed") return t("ecgFiltersMixed");
  if (!filter) return t("ecgFiltersUnknown");
  const band = filter.low !== null || filter.high !== null ? t("ecgHz", { n: `${filter.low ?? "?"}–${filter.high ?? "?"}` }) : "";
  const notch = filter.notch ? t("ecgNotch", { n: filter.notch }) : "";
  return t("ecgFiltersStored", { filter: [band, notch].filter(Boolean).join(" ") });
}

/** The display filters: "off", or each one that is really applied at this rate, with the warning that belongs to it. */
export function displayFilters(choice, rate) {
  const fits = possible(choice, rate);
  if (!filtered(fits)) return t("ecgFilters");
  const parts = [fits.high && t("ecgFilterHigh", { n: fits.high }), fits.low && t("ecgFilterLow", { n: fits.low }), fits.notch && t("ecgNotch", { n: fits.notch })].filter(Boolean);
  return [t("ecgFiltersOn", { filter: parts.join(" ") }), distortsST(fits) && t("ecgFilterSt")].filter(Boolean).join(" ");
}

/** The line at the foot of the paper. `fitted` is the share of true size, or 0 where size is true. */
export function caption(source, state, { fitted, calibrated }) {
  const scale = calibrated && !fitted ? "" : fitted ? t("ecgCaptionFitted", { n: fitted }) : t("ecgCaptionUncalibrated");
  const rate = source.channels.find(({ inMillivolts }) => inMillivolts)?.rate ?? source.channels[0].rate;
  return [`${state.speed} mm/s`, `${state.gain} mm/mV${scale ? ` ${scale}` : ""}`, displayFilters(state.filters, rate), recordedFilters(source.channels)].join("   ");
}
