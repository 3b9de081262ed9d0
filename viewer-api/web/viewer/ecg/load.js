// An ECG from the archive, whole: its metadata, the samples of each group, what the device wrote. And the ECGs before it.

import { bulkData, fromBase64, pathOf } from "../api.js";
import { element } from "../dicom.js";
import { t } from "../i18n.js";
import { isLater } from "../image/manifest.js";
import { problem } from "../problem.js";
import { computedLeads } from "./leads.js";
import { WaveformError, annotations, decodeGroup, groupHeads, paddingOf } from "./waveform.js";

const PRIORS_ASKED_MAX = 6;

/**
 * The ECG at `address` (`[study, series, instance]`) as `{address, instance, sources, annotations, skipped, bytes}`: `sources` are
 * `{key, label, channels, derived}`, first what was recorded; `skipped` are sentences about groups that cannot be read.
 * `instance` spares asking for metadata that is here already. Throws what the API threw; a group that cannot be read does not.
 */
export async function loadEcg(address, signal, instance = null) {
  const dataset = instance && element(instance, "WaveformSequence") ? instance : (await metadata(address, signal))[0] ?? {};
  const groups = [];
  const skipped = [];
  for (const head of groupHeads(dataset)) {
    try {
      const data = await bulkData(address, element(head.item, "WaveformData"), `54000100/${head.index}/54001010`, signal);
      groups.push({ head, channels: decodeGroup(head, data, paddingOf(head, fromBase64)) });
    } catch (error) {
      if (!(error instanceof WaveformError) && error.status !== 404) throw error;
      skipped.push(error instanceof WaveformError ? t(error.key, error.parts) : problem(error));
    }
  }
  const sources = sourcesOf(groups);
  const bytes = sources.reduce((sum, source) => sum + source.channels.reduce((all, { values }) => all + values.byteLength, 0), 0);
  return { address, instance: dataset, sources, annotations: annotations(dataset), skipped, bytes };
}

async function dicomJson(path, signal) {
  const response = await fetch(path, { headers: { Accept: "application/dicom+json, application/json" }, credentials: "same-origin", signal });
  if (!response.ok) throw Object.assign(new Error(`${response.status}`), { status: response.status });
  return response.status === 204 ? [] : response.json();
}

const metadata = (address, signal) => dicomJson(`${pathOf(...address)}/metadata`, signal);

// All recorded groups make one source (their offsets tell them apart); each derived one, a median beat, is its own.
function sourcesOf(groups) {
  const recorded = groups.filter(({ head }) => !head.derived).flatMap(({ channels }) => channels);
  const sources = recorded.length ? [{ key: "recorded", label: t("ecgRecorded"), channels: [...recorded, ...computedLeads(recorded)], derived: false }] : [];
  for (const { head, channels } of groups) {
    if (!head.derived) continue;
    const label = /median/i.test(head.label) ? t("ecgMedian") : head.label || t("ecgUnlabelled", { n: head.index + 1 });
    sources.push({ key: String(head.index), label, channels: [...channels, ...computedLeads(channels)], derived: true });
  }
  return sources;
}

/** When the last channel ends, in seconds from the beginning. */
export function durationOf(channels) {
  return Math.max(0, ...channels.map(({ start_s, values, rate }) => start_s + values.length / rate));
}

/** The person's earlier ECGs, newest first, as `{study, date, time}`: of the manifest's priors those that hold one and are not later. */
export async function earlierEcgs(study, signal) {
  const manifest = await dicomJson(`${pathOf(study)}/manifest`, signal);
  return (manifest.priors ?? []).filter((one) => [one.ModalitiesInStudy ?? []].flat().includes("ECG") && !isLater(one, manifest.study) && one.StudyInstanceUID !== study)
    .slice(0, PRIORS_ASKED_MAX).map((one) => ({ study: one.StudyInstanceUID, date: one.StudyDate ?? "", time: one.StudyTime ?? "" }));
}

/** The first ECG of a study, loaded; `null` where it holds none that can be drawn. */
export async function loadEcgOf(study, signal) {
  const manifest = await dicomJson(`${pathOf(study)}/manifest`, signal);
  const series = (manifest.series ?? []).find(({ Modality, count }) => Modality === "ECG" && count > 0);
  const column = series?.instances?.SOPInstanceUID;
  const instance = column?.all ?? column?.each?.[0];
  if (!instance) return null;
  const ecg = await loadEcg([study, series.SeriesInstanceUID, instance], signal);
  return ecg.sources.length ? ecg : null;
}
