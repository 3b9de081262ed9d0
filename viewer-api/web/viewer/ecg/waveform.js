// Waveform Sequence (PS3.3 C.10.9) to numbers: values in millivolts, missing samples as NaN. No DOM.

import { code, element, items, number, numbers, text, values } from "../dicom.js";
import { leadOf } from "./leads.js";

/** Samples of all channels of a group; about six hours of twelve leads at 250 Hz. */
const SAMPLES_MAX = 64 * 1024 * 1024;
const CHANNELS_MAX = 256;
const ANNOTATIONS_MAX = 10_000;

/** Bytes a sample and how to read it, by Waveform Sample Interpretation (C.10.9.1.5). MB and AB (µ-law, A-law) are sound. */
const READERS = {
  SB: [1, (view, at) => view.getInt8(at)], UB: [1, (view, at) => view.getUint8(at)],
  SS: [2, (view, at) => view.getInt16(at, true)], US: [2, (view, at) => view.getUint16(at, true)],
  SL: [4, (view, at) => view.getInt32(at, true)], UL: [4, (view, at) => view.getUint32(at, true)],
};

/** Millivolts in one unit of Channel Sensitivity (UCUM). */
const MILLIVOLTS = { uV: 1e-3, "µV": 1e-3, mV: 1, V: 1e3, nV: 1e-6 };

/** A waveform that cannot be drawn, with the i18n key of the reason and its parts. */
export class WaveformError extends Error {
  constructor(key, parts = {}) {
    super(key);
    this.key = key;
    this.parts = parts;
  }
}

/** The head of each multiplex group: counts, rate, channels with their scale; no samples. */
export function groupHeads(dataset) {
  return items(dataset, "WaveformSequence").map((item, index) => ({
    index, item,
    label: text(item, "MultiplexGroupLabel"),
    derived: text(item, "WaveformOriginality") === "DERIVED",
    offset_s: (number(item, "MultiplexGroupTimeOffset") ?? 0) / 1000,
    samples: number(item, "NumberOfWaveformSamples") ?? 0,
    rate: number(item, "SamplingFrequency") ?? 0,
    bits: number(item, "WaveformBitsAllocated") ?? 16,
    interpretation: text(item, "WaveformSampleInterpretation") || "SS",
    channels: items(item, "ChannelDefinitionSequence").map(channelHead),
  }));
}

function channelHead(item, index) {
  const unit = code(item, "ChannelSensitivityUnitsSequence")?.value ?? "";
  const sensitivity = number(item, "ChannelSensitivity");
  return {
    index, lead: leadOf(code(item, "ChannelSourceSequence"), text(item, "ChannelLabel")), unit, sensitivity,
    correction: number(item, "ChannelSensitivityCorrectionFactor") ?? 1, baseline: number(item, "ChannelBaseline") ?? 0,
    // Without a sensitivity, or in a unit that is no voltage, there is no mV scale.
    inMillivolts: sensitivity !== null && Object.hasOwn(MILLIVOLTS, unit),
    skew_s: (number(item, "ChannelTimeSkew") ?? 0), skew_samples: number(item, "ChannelSampleSkew") ?? 0,
    filter: { low: number(item, "FilterLowFrequency"), high: number(item, "FilterHighFrequency"), notch: number(item, "NotchFilterFrequency") },
  };
}

/**
 * The value of one stored sample: stored × Sensitivity × Correction Factor + Baseline in the sensitivity's units (C.10.9.1.4.2), in mV
 * where the unit is a voltage; as stored where no sensitivity is given.
 */
export function scaled(stored, channel) {
  if (channel.sensitivity === null) return stored;
  return (stored * channel.sensitivity * channel.correction + channel.baseline) * (MILLIVOLTS[channel.unit] ?? 1);
}

/** Pads a `Waveform Padding Value` element to the number it stands for, or `null` where there is none. */
export function paddingOf(head, toBytes) {
  const padding = element(head.item, "WaveformPaddingValue");
  if (!padding) return null;
  if (padding.InlineBinary !== undefined) {
    const [size, read] = READERS[head.interpretation] ?? [0];
    const bytes = toBytes(padding.InlineBinary);
    return size && bytes.byteLength >= size ? read(new DataView(bytes), 0) : null;
  }
  return number(head.item, "WaveformPaddingValue");
}

/**
 * Samples of a group, channel by channel: `data` is sample-interleaved, C1S1 C2S1 … (C.10.9.1.7), little endian.
 *
 * Throws a `WaveformError` if the bytes do not hold what the head says; nothing is returned in part.
 */
export function decodeGroup(head, data, padding = null) {
  const [size, read] = READERS[head.interpretation] ?? [];
  if (!read || head.bits !== size * 8) throw new WaveformError("ecgErrorFormat", { format: `${head.interpretation}/${head.bits}` });
  const channels = head.channels.length;
  if (!channels || !head.samples || channels > CHANNELS_MAX) throw new WaveformError("ecgErrorEmpty");
  if (!(head.rate > 0)) throw new WaveformError("ecgErrorRate");
  if (head.samples * channels > SAMPLES_MAX) throw new WaveformError("ecgErrorSize", { n: head.samples * channels });
  const expected = head.samples * channels * size;
  if (data.byteLength < expected) throw new WaveformError("ecgErrorLength", { expected, actual: data.byteLength });
  const view = new DataView(data);
  return head.channels.map((channel) => {
    const series = new Float32Array(head.samples);
    for (let sample = 0, at = channel.index * size; sample < head.samples; sample++, at += channels * size) {
      const stored = read(view, at);
      series[sample] = stored === padding ? NaN : scaled(stored, channel);
    }
    return { ...channel, group: head.index, values: series, rate: head.rate, start_s: head.offset_s + channel.skew_s + channel.skew_samples / head.rate, missing: padding !== null && series.some(Number.isNaN) };
  });
}

/** The filters all channels share, as `{low, high, notch}`; `null` if nothing is stated, `"mixed"` if they differ. */
export function sharedFilter(channels) {
  const stated = [...new Set(channels.map(({ filter }) => JSON.stringify(filter)))];
  if (stated.length > 1) return "mixed";
  const filter = channels[0]?.filter;
  return filter && (filter.low !== null || filter.high !== null || filter.notch) ? filter : null;
}

/**
 * Annotations (PS3.3 C.10.10): `statements` of the device, `measurements` `{name, value, unit, code}`, and fiducial `points`
 * `{name, group, channel, sample}`: `group` from 0, `channel` from 1 with 0 for all of the group, `sample` from 1 as in the file.
 */
export function annotations(dataset) {
  const found = { statements: [], measurements: [], points: [] };
  for (const item of items(dataset, "WaveformAnnotationSequence").slice(0, ANNOTATIONS_MAX)) {
    const statement = text(item, "UnformattedTextValue");
    const name = code(item, "ConceptNameCodeSequence");
    const value = number(item, "NumericValue");
    if (statement) found.statements.push(statement);
    else if (name && value !== null) found.measurements.push({ name: name.meaning || name.value, value, unit: code(item, "MeasurementUnitsCodeSequence")?.value ?? "", code: name.value });
    else if (values(item, "ReferencedSamplePositions").length) found.points.push(...pointsOf(item, name));
    else if (name) found.statements.push([name.meaning, code(item, "ConceptCodeSequence")?.meaning].filter(Boolean).join(": "));
  }
  return found;
}

// Referenced Waveform Channels are pairs of group and channel, both from 1 (C.10.10.1.1).
function pointsOf(item, name) {
  const pairs = numbers(item, "ReferencedWaveformChannels");
  const points = [];
  for (let at = 0; at + 1 < pairs.length; at += 2) {
    for (const sample of numbers(item, "ReferencedSamplePositions")) points.push({ name: name?.meaning ?? "", group: pairs[at] - 1, channel: pairs[at + 1], sample });
  }
  return points;
}
