// The manifest of a study (docs/manifest.md) as things: series, instances, frames. No DOM.
//
//   const {patient, study, series, priors} = await loadManifest(uid, signal);
//   series[0].frames[0].value("ImagePositionPatient")        // asks PerFrame first, then the instance
//
// An instance is an object of PS3.6 keywords → values; arrays only where an attribute may have several values.

import { studyManifest } from "../api.js";

/** A stack is cut here; more frames than this are not one scroll bar any more. */
export const FRAMES_MAX = 20_000;
const VERSION = 1;

/** Asks for the manifest of `study` and reads it. Throws an `ApiError`, or an `Error` where the page does not know this version. */
export async function loadManifest(study, signal) {
  return parseManifest(await studyManifest(study, signal));
}

/**
 * `{patient, study, offers, series, priors, renditions}` of a manifest's JSON; `renditions` are of all series, each with its `series`. `priors` are all other
 * studies of the person, those after this one `later`.
 */
export function parseManifest(json) {
  if (json.version !== VERSION) throw new Error(`manifest version ${json.version}`);
  const series = json.series.map((one) => new Series(json.study.StudyInstanceUID, one));
  return { patient: json.patient ?? {}, study: json.study, offers: json.offers ?? {}, series, priors: (json.priors ?? []).map((one) => ({ ...one, later: isLater(one, json.study) })), renditions: series.flatMap((one) => one.renditions) };
}

/** Whether one study was made after another; `false` where a date is missing, or nothing but the precision of the times differs. */
export function isLater({ StudyDate: date = "", StudyTime: time = "" }, { StudyDate: otherDate = "", StudyTime: otherTime = "" }) {
  if (!date || !otherDate || date !== otherDate) return Boolean(date && otherDate) && date > otherDate;
  const digits = Math.min(time.length, otherTime.length);
  return time.slice(0, digits) > otherTime.slice(0, digits);
}

/** One series: its attributes by keyword, `instances` by InstanceNumber, and `frames` in the order in which a reader scrolls them. */
export class Series {
  constructor(study, { instances, renditions = [], ...attributes }) {
    Object.assign(this, attributes);
    this.StudyInstanceUID = study;
    this.instances = rowsOf(instances, attributes.count);
    this.renditions = renditions.map((columns) => renditionOf(this, columns));
    this.frames = [];
    for (const instance of inOrder(this.instances.filter(holdsPixels))) {
      const count = Math.max(1, Number(instance.NumberOfFrames) || 1);
      for (let number = 1; number <= count && this.frames.length < FRAMES_MAX; number++) this.frames.push(new Frame(this, instance, number));
    }
  }
}

/** One frame. `number` counts from 1 within the instance, as in PS3.18 §10.4.1.1.6; `row` is the instance's place in the manifest. */
export class Frame {
  #own;

  constructor(series, instance, number) {
    Object.assign(this, { series, instance, number, row: instance.row });
    this.key = `${instance.SOPInstanceUID}/${number}`;
  }

  /** The value of an attribute: what this frame says by itself (PS3.3 C.7.6.16), else what its instance says; `undefined` if neither. */
  value(keyword) {
    if (this.instance.PerFrame) {
      const own = cell(this.instance.PerFrame[keyword], this.number - 1);
      if (own !== null && own !== undefined) return own;
    }
    return this.instance[keyword];
  }

  /** The value as a number, or `null`. */
  numeric(keyword) {
    const value = this.value(keyword);
    const first = Number(Array.isArray(value) ? value[0] : value ?? NaN);
    return Number.isFinite(first) ? first : null;
  }

  /** The value as numbers, `[]` where there are none, or one of them is none. */
  numbers(keyword) {
    const value = this.value(keyword);
    const list = (Array.isArray(value) ? value : [value ?? NaN]).map(Number);
    return list.every(Number.isFinite) ? list : [];
  }

  get columns() {
    return Number(this.instance.Columns);
  }

  get rows() {
    return Number(this.instance.Rows);
  }

  /** `[study, series, instance]`, as `pathOf` of api.js takes them. */
  get address() {
    return [this.series.StudyInstanceUID, this.series.SeriesInstanceUID, this.instance.SOPInstanceUID];
  }

  /** How the frame is held: `{transferSyntax, bytes, ends, url}`; `ends` of resolution levels, lowest first, `null` where there are none. */
  get held() {
    const { instance, number } = this;
    const url = instance.representation && this.series.frames_url?.replace("{SOPInstanceUID}", encodeURIComponent(instance.SOPInstanceUID))
      .replace("{frame}", number).replace("{representation}", instance.representation);
    return { transferSyntax: instance.transfer_syntax ?? "", bytes: instance.frame_bytes?.[number - 1] ?? 0, ends: instance.resolution_ends?.[number - 1] ?? null, url: url ?? null };
  }

  /** Whether the samples are colours, which take no window (PS3.3 C.11.2.1.2). */
  get isColour() {
    return Number(this.instance.SamplesPerPixel ?? 1) > 1 || this.instance.PhotometricInterpretation === "PALETTE COLOR";
  }
}

// One value of a column: `{"all": …}` is the same for every row.
function cell(column, row) {
  if (!column) return undefined;
  return Object.hasOwn(column, "all") ? column.all : column.each?.[row];
}

function rowsOf(columns, count) {
  return Array.from({ length: count }, (_, row) => {
    const instance = { row };
    for (const [keyword, column] of Object.entries(columns)) {
      const value = cell(column, row);
      if (value !== null && value !== undefined) instance[keyword] = value;
    }
    return instance;
  });
}

function renditionOf(series, { kind, profile, ...columns }) {
  const of = columns.instance;
  const count = of?.each?.length ?? (of ? 1 : 0);
  return { kind, profile, series, rows: rowsOf(columns, count) };
}

function holdsPixels({ Rows, Columns }) {
  return Number(Rows) > 0 && Number(Columns) > 0;
}

/** Instances along the slice normal where every one is parallel and placed, else by InstanceNumber. */
export function inOrder(instances) {
  const byNumber = (a, b) => (a.InstanceNumber ?? Infinity) - (b.InstanceNumber ?? Infinity) || 0;
  const sorted = [...instances].sort(byNumber);
  const placed = sorted.map((instance) => ({ instance, normal: normalOf(instance.ImageOrientationPatient), place: placeOf(instance) }));
  const first = placed[0]?.normal;
  const parallel = placed.length > 1 && placed.every(({ normal, place }) => place !== null && dot(normal, first) > 0.999);
  if (!parallel || new Set(placed.map(({ place }) => place.toFixed(2))).size !== placed.length) return sorted;
  placed.sort((a, b) => a.place - b.place);
  // The acquisition's own direction is kept: head first stays head first.
  if (byNumber(placed[0].instance, placed.at(-1).instance) > 0) placed.reverse();
  return placed.map(({ instance }) => instance);
}

/** The unit normal of an ImageOrientationPatient (PS3.3 C.7.6.2.1.1), or `null`. */
export function normalOf(at) {
  if (at?.length !== 6) return null;
  const cross = [at[1] * at[5] - at[2] * at[4], at[2] * at[3] - at[0] * at[5], at[0] * at[4] - at[1] * at[3]];
  const length = Math.hypot(...cross);
  return length > 0.5 ? cross.map((part) => part / length) : null;
}

function placeOf({ ImageOrientationPatient, ImagePositionPatient }) {
  const normal = normalOf(ImageOrientationPatient);
  return normal && ImagePositionPatient?.length === 3 ? dot(normal, ImagePositionPatient) : null;
}

function dot(a, b) {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}
