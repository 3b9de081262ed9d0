// What the instances of a series are shown as that are no images: each waveform, report or document by itself. No DOM.

import { items, number, text } from "./dicom.js";

const SOP = "1.2.840.10008.5.1.4.1.1.";
const AUDIO = [`${SOP}9.4.1`, `${SOP}9.4.2`];
// Image Storage (PS3.4 Table B.5-1): of these an instance without Rows and Columns has lost its pixels; MR Spectroscopy (4.2) never had any.
const IMAGES = new RegExp(`^${SOP.replaceAll(".", "\\.")}(?:1|2|3|4(?!\\.2$)|6|7|12|13|14|20|30|77\\.1|128|130|481\\.1)(?:\\.|$)`);
const UNSHOWN = [
  [`${SOP}11.`, "presentationOver"], [`${SOP}66.1`, "kindRegistration"], [`${SOP}66.3`, "kindRegistration"], [`${SOP}67`, "kindRegistration"],
  [`${SOP}66.`, "kindSegmentation"], [`${SOP}481.`, "kindRadiotherapy"], [`${SOP}9.`, "kindWaveform"],
];

/** `"image"`, `"ecg"`, `"report"`, `"pdf"`, `"cda"` or `"other"`, from SOP Class and content. */
export function kindOf(instance) {
  const sopClass = text(instance, "SOPClassUID");
  if (items(instance, "WaveformSequence").length && !AUDIO.includes(sopClass)) return "ecg";
  if (sopClass.startsWith(`${SOP}88.`)) return "report";
  if (sopClass === `${SOP}104.1` || text(instance, "MIMETypeOfEncapsulatedDocument") === "application/pdf") return "pdf";
  if (sopClass === `${SOP}104.2`) return "cda";
  if (number(instance, "Rows") && number(instance, "Columns")) return "image";
  return "other";
}

/** The i18n key of the name of a kind of object this page cannot show; `"presentationOver"` and `"imageWithoutPixels"` are sentences of their own. */
export function unshownName(instance) {
  const sopClass = text(instance, "SOPClassUID");
  if (IMAGES.test(sopClass)) return "imageWithoutPixels";
  return UNSHOWN.find(([prefix]) => sopClass.startsWith(prefix))?.[1] ?? "kindOther";
}

/**
 * The instances of `metadata` that the manifest lists without pixels (`rest`: their SOP Instance UIDs), each by itself, by InstanceNumber: `[{kind, instance}]`.
 * One that says Rows and Columns all the same is an image without its pixels, and told as such.
 */
export function displaySets(metadata, rest) {
  const byNumber = (a, b) => (number(a, "InstanceNumber") ?? Infinity) - (number(b, "InstanceNumber") ?? Infinity) || 0;
  const kindOfRest = (instance) => { const kind = kindOf(instance); return kind === "image" ? "other" : kind; };
  return metadata.filter((instance) => rest.has(text(instance, "SOPInstanceUID"))).map((instance) => ({ kind: kindOfRest(instance), instance })).sort((a, b) => byNumber(a.instance, b.instance));
}
