// Reading DICOM JSON (PS3.18 Annex F) without a DOM: values by PS3.6 keyword, names, dates, ages.

/** PS3.6 keyword → tag, for the attributes this page reads. */
export const TAG = {
  SOPClassUID: "00080016", SOPInstanceUID: "00080018", StudyDate: "00080020", SeriesDate: "00080021",
  ContentDate: "00080023", StudyTime: "00080030", ContentTime: "00080033", AccessionNumber: "00080050", Modality: "00080060",
  ModalitiesInStudy: "00080061", InstitutionName: "00080080", ReferringPhysicianName: "00080090",
  CodeValue: "00080100", CodingSchemeDesignator: "00080102", CodeMeaning: "00080104",
  StudyDescription: "00081030", SeriesDescription: "0008103E", ReferencedSOPSequence: "00081199",
  ReferencedSOPClassUID: "00081150", ReferencedSOPInstanceUID: "00081155",
  LossyImageCompression: "00282110", LossyImageCompressionRatio: "00282112",
  RecommendedDisplayFrameRate: "00082144", CineRate: "00180040", FrameTime: "00181063",
  PatientName: "00100010", PatientID: "00100020", PatientBirthDate: "00100030", PatientSex: "00100040", PatientAge: "00101010",
  SliceThickness: "00180050", ImagerPixelSpacing: "00181164", ViewPosition: "00185101",
  MultiplexGroupTimeOffset: "00181068",
  StudyInstanceUID: "0020000D", SeriesInstanceUID: "0020000E", SeriesNumber: "00200011", InstanceNumber: "00200013",
  ImagePositionPatient: "00200032", ImageOrientationPatient: "00200037", SliceLocation: "00201041",
  ImageLaterality: "00200062", Laterality: "00200060", PatientOrientation: "00200020", BodyPartExamined: "00180015",
  NumberOfStudyRelatedSeries: "00201206", NumberOfStudyRelatedInstances: "00201208", NumberOfSeriesRelatedInstances: "00201209",
  SamplesPerPixel: "00280002", PhotometricInterpretation: "00280004", NumberOfFrames: "00280008", Rows: "00280010",
  Columns: "00280011", PixelSpacing: "00280030", PixelAspectRatio: "00280034", BitsStored: "00280101",
  PixelRepresentation: "00280103", WindowCenter: "00281050", WindowWidth: "00281051",
  RescaleIntercept: "00281052", RescaleSlope: "00281053", VOILUTFunction: "00281056", VOILUTSequence: "00283010",
  FrameVOILUTSequence: "00289132", PixelMeasuresSequence: "00289110",
  SharedFunctionalGroupsSequence: "52009229", PerFrameFunctionalGroupsSequence: "52009230",
  WaveformOriginality: "003A0004", NumberOfWaveformChannels: "003A0005", NumberOfWaveformSamples: "003A0010",
  SamplingFrequency: "003A001A", MultiplexGroupLabel: "003A0020", ChannelDefinitionSequence: "003A0200",
  ChannelLabel: "003A0203", ChannelSourceSequence: "003A0208", ChannelSensitivity: "003A0210",
  ChannelSensitivityUnitsSequence: "003A0211", ChannelSensitivityCorrectionFactor: "003A0212", ChannelBaseline: "003A0213",
  ChannelTimeSkew: "003A0214", ChannelSampleSkew: "003A0215", FilterLowFrequency: "003A0220", FilterHighFrequency: "003A0221",
  NotchFilterFrequency: "003A0222",
  WaveformSequence: "54000100", WaveformBitsAllocated: "54001004", WaveformSampleInterpretation: "54001006",
  WaveformPaddingValue: "5400100A", WaveformData: "54001010",
  WaveformAnnotationSequence: "0040B020", ReferencedWaveformChannels: "0040A0B0", UnformattedTextValue: "00700006",
  TemporalRangeType: "0040A130", ReferencedSamplePositions: "0040A132", MeasurementUnitsCodeSequence: "004008EA",
  ValueType: "0040A040", ConceptNameCodeSequence: "0040A043", ContentSequence: "0040A730", RelationshipType: "0040A010",
  TextValue: "0040A160", ConceptCodeSequence: "0040A168", MeasuredValueSequence: "0040A300", NumericValue: "0040A30A",
  PersonName: "0040A123", DateTime: "0040A120", Date: "0040A121", Time: "0040A122", UID: "0040A124",
  ReferencedFrameNumber: "00081160", ReferencedSeriesSequence: "00081115", ReferencedImageSequence: "00081140",
  PredecessorDocumentsSequence: "0040A360", Manufacturer: "00080070",
  GraphicAnnotationSequence: "00700001", GraphicLayer: "00700002", AnchorPointAnnotationUnits: "00700004", BoundingBoxAnnotationUnits: "00700003", GraphicAnnotationUnits: "00700005",
  TextObjectSequence: "00700008", GraphicObjectSequence: "00700009", BoundingBoxTopLeftHandCorner: "00700010", AnchorPoint: "00700014",
  ImageHorizontalFlip: "00700041", ImageRotation: "00700042", ContentLabel: "00700080", ContentDescription: "00700081",
  PresentationCreationDate: "00700082", PresentationCreationTime: "00700083", SoftcopyVOILUTSequence: "00283110", PresentationLUTShape: "20500020",
  GraphicType: "00700023", GraphicData: "00700022", CompletionFlag: "0040A491", VerificationFlag: "0040A493",
  DocumentTitle: "00420010", EncapsulatedDocument: "00420011", MIMETypeOfEncapsulatedDocument: "00420012",
};

/** The whole element of `keyword`, or `undefined`. */
export function element(dataset, keyword) {
  const tag = TAG[keyword];
  if (!tag) throw new Error(`unknown keyword ${keyword}`);
  return dataset?.[tag];
}

/** All values of `keyword`, `[]` if absent or empty. */
export function values(dataset, keyword) {
  const list = element(dataset, keyword)?.Value;
  return Array.isArray(list) ? list.filter((value) => value !== null && value !== undefined) : [];
}

/** The first value as text, `""` if absent. A person name gives its first filled group. */
export function text(dataset, keyword) {
  const value = values(dataset, keyword)[0];
  if (value === undefined) return "";
  if (typeof value === "object") return personName(value).primary;
  return String(value).trim();
}

/** All values as numbers; what is no number is left out (DS and IS may come as strings, PS3.18 §F.2.3). */
export function numbers(dataset, keyword) {
  return values(dataset, keyword).map(Number).filter(Number.isFinite);
}

/** The first value as a number, or `null`. */
export function number(dataset, keyword) {
  return numbers(dataset, keyword)[0] ?? null;
}

/** The items of a sequence. */
export function items(dataset, keyword) {
  return values(dataset, keyword).filter((item) => typeof item === "object");
}

/** One code sequence item as `{value, scheme, meaning}`, or `null`. */
export function code(dataset, keyword) {
  const item = items(dataset, keyword)[0];
  return item ? { value: text(item, "CodeValue"), scheme: text(item, "CodingSchemeDesignator"), meaning: text(item, "CodeMeaning") } : null;
}

// PS3.5 §6.2, PN: family^given^middle^prefix^suffix; trailing carets may be left out.
function group(raw) {
  return String(raw ?? "").split("^").map((part) => part.trim()).filter(Boolean).join(" ");
}

/**
 * A person name in its three component groups, carets turned into spaces. `primary` is what a reader of
 * `language` looks for first: the ideographic group in Japanese, the alphabetic one in English; `others` are the rest.
 */
export function personName(value, language = "ja") {
  const source = typeof value === "string" ? fromText(value) : value ?? {};
  const groups = { alphabetic: group(source.Alphabetic), ideographic: group(source.Ideographic), phonetic: group(source.Phonetic) };
  const order = language === "ja" ? ["ideographic", "alphabetic", "phonetic"] : ["alphabetic", "ideographic", "phonetic"];
  const filled = order.filter((key) => groups[key]);
  const primary = filled.length ? groups[filled[0]] : "";
  return { ...groups, primary, others: filled.slice(1).reverse().map((key) => groups[key]).filter((name) => name !== primary) };
}

// Some servers send the file's own form, `alphabetic=ideographic=phonetic` (PS3.5 §6.2).
function fromText(value) {
  const [Alphabetic, Ideographic, Phonetic] = value.split("=");
  return { Alphabetic, Ideographic, Phonetic };
}

/** `20261122` → `2026-11-22`; anything else comes back as it is. */
export function formatDate(value) {
  const parts = /^(\d{4})(\d{2})(\d{2})$/.exec(value ?? "");
  return parts ? `${parts[1]}-${parts[2]}-${parts[3]}` : value ?? "";
}

/** `093015.12` → `09:30`. */
export function formatTime(value) {
  const parts = /^(\d{2})(\d{2})/.exec(value ?? "");
  return parts ? `${parts[1]}:${parts[2]}` : "";
}

/** Whole years between two DA values, or `null` where one of them is no date. */
export function ageAt(birth, date) {
  if (!/^\d{8}$/.test(birth ?? "") || !/^\d{8}$/.test(date ?? "")) return null;
  const years = Number(date.slice(0, 4)) - Number(birth.slice(0, 4)) - (date.slice(4) < birth.slice(4) ? 1 : 0);
  return years >= 0 && years < 150 ? years : null;
}

const EOL = /\r\n?/g;
/** Text of a file with its line ends made `\n`. */
export function lines(value) {
  return String(value ?? "").replace(EOL, "\n");
}
