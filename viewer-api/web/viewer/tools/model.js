// Writing the DICOM JSON Model (PS3.18 Annex F): elements by PS3.6 keyword, in the order of their tags.

const ATTRIBUTES = {
  SpecificCharacterSet: ["00080005", "CS"], InstanceCreationDate: ["00080012", "DA"], InstanceCreationTime: ["00080013", "TM"],
  SOPClassUID: ["00080016", "UI"], SOPInstanceUID: ["00080018", "UI"], StudyDate: ["00080020", "DA"], SeriesDate: ["00080021", "DA"],
  ContentDate: ["00080023", "DA"], StudyTime: ["00080030", "TM"], SeriesTime: ["00080031", "TM"], ContentTime: ["00080033", "TM"],
  AccessionNumber: ["00080050", "SH"], Modality: ["00080060", "CS"], Manufacturer: ["00080070", "LO"], ReferringPhysicianName: ["00080090", "PN"],
  CodeValue: ["00080100", "SH"], CodingSchemeDesignator: ["00080102", "SH"], CodeMeaning: ["00080104", "LO"], MappingResource: ["00080105", "CS"],
  TimezoneOffsetFromUTC: ["00080201", "SH"], StudyDescription: ["00081030", "LO"], SeriesDescription: ["0008103E", "LO"],
  ManufacturerModelName: ["00081090", "LO"], ReferencedPerformedProcedureStepSequence: ["00081111", "SQ"],
  ReferencedSeriesSequence: ["00081115", "SQ"], ReferencedImageSequence: ["00081140", "SQ"], ReferencedSOPClassUID: ["00081150", "UI"],
  ReferencedSOPInstanceUID: ["00081155", "UI"], ReferencedFrameNumber: ["00081160", "IS"], ReferencedSOPSequence: ["00081199", "SQ"],
  PatientName: ["00100010", "PN"], PatientID: ["00100020", "LO"], IssuerOfPatientID: ["00100021", "LO"], PatientBirthDate: ["00100030", "DA"],
  PatientSex: ["00100040", "CS"], DeviceSerialNumber: ["00181000", "LO"], SoftwareVersions: ["00181020", "LO"],
  StudyInstanceUID: ["0020000D", "UI"], SeriesInstanceUID: ["0020000E", "UI"], StudyID: ["00200010", "SH"], Laterality: ["00200060", "CS"], SeriesNumber: ["00200011", "IS"],
  InstanceNumber: ["00200013", "IS"], WindowCenter: ["00281050", "DS"], WindowWidth: ["00281051", "DS"], RescaleIntercept: ["00281052", "DS"],
  ModalityLUTSequence: ["00283000", "SQ"], LUTExplanation: ["00283003", "LO"], ModalityLUTType: ["00283004", "LO"], VOILUTSequence: ["00283010", "SQ"],
  RescaleSlope: ["00281053", "DS"], RescaleType: ["00281054", "LO"], VOILUTFunction: ["00281056", "CS"], ICCProfile: ["00282000", "OB"],
  SoftcopyVOILUTSequence: ["00283110", "SQ"], MeasurementUnitsCodeSequence: ["004008EA", "SQ"], RelationshipType: ["0040A010", "CS"],
  ValueType: ["0040A040", "CS"], ConceptNameCodeSequence: ["0040A043", "SQ"], ContinuityOfContent: ["0040A050", "CS"],
  DateTime: ["0040A120", "DT"], PersonName: ["0040A123", "PN"], UID: ["0040A124", "UI"], TextValue: ["0040A160", "UT"],
  ConceptCodeSequence: ["0040A168", "SQ"], MeasuredValueSequence: ["0040A300", "SQ"], NumericValue: ["0040A30A", "DS"],
  PredecessorDocumentsSequence: ["0040A360", "SQ"], PerformedProcedureCodeSequence: ["0040A372", "SQ"],
  CurrentRequestedProcedureEvidenceSequence: ["0040A375", "SQ"], CompletionFlag: ["0040A491", "CS"], VerificationFlag: ["0040A493", "CS"],
  ContentTemplateSequence: ["0040A504", "SQ"], ContentSequence: ["0040A730", "SQ"], TemplateIdentifier: ["0040DB00", "CS"],
  GraphicAnnotationSequence: ["00700001", "SQ"], GraphicLayer: ["00700002", "CS"], BoundingBoxAnnotationUnits: ["00700003", "CS"],
  AnchorPointAnnotationUnits: ["00700004", "CS"], GraphicAnnotationUnits: ["00700005", "CS"], UnformattedTextValue: ["00700006", "ST"],
  TextObjectSequence: ["00700008", "SQ"], GraphicObjectSequence: ["00700009", "SQ"], AnchorPoint: ["00700014", "FL"],
  AnchorPointVisibility: ["00700015", "CS"], GraphicDimensions: ["00700020", "US"], NumberOfGraphicPoints: ["00700021", "US"],
  GraphicData: ["00700022", "FL"], GraphicType: ["00700023", "CS"], GraphicFilled: ["00700024", "CS"], ImageHorizontalFlip: ["00700041", "CS"],
  ImageRotation: ["00700042", "US"], DisplayedAreaTopLeftHandCorner: ["00700052", "SL"], DisplayedAreaBottomRightHandCorner: ["00700053", "SL"],
  DisplayedAreaSelectionSequence: ["0070005A", "SQ"], GraphicLayerSequence: ["00700060", "SQ"], GraphicLayerOrder: ["00700062", "IS"],
  ContentLabel: ["00700080", "CS"], ContentDescription: ["00700081", "LO"], PresentationCreationDate: ["00700082", "DA"],
  PresentationCreationTime: ["00700083", "TM"], ContentCreatorName: ["00700084", "PN"], PresentationSizeMode: ["00700100", "CS"],
  PresentationPixelSpacing: ["00700101", "DS"], PresentationPixelAspectRatio: ["00700102", "IS"], TrackingID: ["00620020", "UT"], TrackingUID: ["00620021", "UI"],
  GraphicLayerRecommendedDisplayCIELabValue: ["00700401", "US"], PresentationLUTShape: ["20500020", "CS"],
};

const DS_CHARACTERS_MAX = 16;

/**
 * A Data Set, or an item, of `{keyword: value}`; a value is one value, an array of them, or for binary `{base64}`. `undefined` leaves an
 * attribute out; `null` and `""` make it empty (Type 2).
 */
export function dataset(attributes) {
  const elements = Object.entries(attributes).filter(([, value]) => value !== undefined).map(([keyword, value]) => {
    if (!Object.hasOwn(ATTRIBUTES, keyword)) throw new Error(`unknown keyword ${keyword}`);
    const [tag, vr] = ATTRIBUTES[keyword];
    return [tag, element(vr, value)];
  });
  return Object.fromEntries(elements.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function element(vr, value) {
  if (value?.base64 !== undefined) return { vr, InlineBinary: value.base64 };
  const list = (Array.isArray(value) ? value : [value]).filter((one) => one !== null && one !== "");
  if (!list.length) return { vr };
  return { vr, Value: list.map((one) => written(vr, one)) };
}

function written(vr, value) {
  if (vr === "PN" && typeof value === "string") return { Alphabetic: value };
  if (vr === "DS") return decimal(value);
  if (vr === "IS") return Math.round(Number(value));
  return value;
}

/** A number in at most the 16 characters of a Decimal String (PS3.5 §6.2), as exact as they allow. */
export function decimal(value) {
  const number = Number(value);
  if (!Number.isFinite(number)) throw new Error(`${value} is no number of a Decimal String`);
  for (let digits = 15; digits > 0; digits--) {
    const rounded = Number(number.toPrecision(digits));
    if (String(rounded).length <= DS_CHARACTERS_MAX) return rounded;
  }
  return 0;
}

/** One item of a code sequence of `[value, scheme, meaning]`. */
export function code([value, scheme, meaning]) {
  return dataset({ CodeValue: value, CodingSchemeDesignator: scheme, CodeMeaning: meaning });
}

const two = (value) => String(value).padStart(2, "0");

/** Date and time of a moment in local time, with the offset from UTC: `{date, time, offset}` as DA, TM and for (0008,0201). */
export function momentOf(now) {
  const minutes = -now.getTimezoneOffset();
  const away = Math.abs(minutes);
  return {
    date: `${now.getFullYear()}${two(now.getMonth() + 1)}${two(now.getDate())}`,
    time: `${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}`,
    offset: `${minutes < 0 ? "-" : "+"}${two(Math.floor(away / 60))}${two(away % 60)}`,
  };
}

/**
 * What every object of a study says of patient, study and maker, as the manifest has it. Issuer of Patient ID too: without it the centre of
 * whoever saves would stand in, and the annotation would be of another person than the images.
 */
export function commonOf({ patient, study }, { sopClass, modality, series, description, number, instanceNumber = 1, now }) {
  const moment = momentOf(now);
  return {
    SpecificCharacterSet: "ISO_IR 192", InstanceCreationDate: moment.date, InstanceCreationTime: moment.time, TimezoneOffsetFromUTC: moment.offset,
    SOPClassUID: sopClass, StudyDate: study.StudyDate ?? null, StudyTime: study.StudyTime ?? null, AccessionNumber: study.AccessionNumber ?? null,
    ReferringPhysicianName: study.ReferringPhysicianName ?? null, StudyDescription: study.StudyDescription, StudyID: study.StudyID ?? null,
    StudyInstanceUID: study.StudyInstanceUID, PatientName: nameOf(patient.PatientName), PatientID: patient.PatientID ?? null, IssuerOfPatientID: patient.IssuerOfPatientID || undefined,
    PatientBirthDate: patient.PatientBirthDate ?? null, PatientSex: patient.PatientSex ?? null,
    Modality: modality, SeriesInstanceUID: series, SeriesNumber: number, SeriesDescription: description, SeriesDate: moment.date, SeriesTime: moment.time,
    Manufacturer: "Tsunagu", ManufacturerModelName: "Tsunagu viewer", DeviceSerialNumber: "1", SoftwareVersions: "1", InstanceNumber: instanceNumber,
  };
}

function nameOf(name) {
  return name && Object.values(name).some(Boolean) ? name : null;
}

/** Items of Referenced Series Sequence for `references` of `{series, instance, sopClass, ...}`, each instance once (PS3.3 Table 10-4). */
export function bySeries(references, sequence) {
  const series = new Map();
  for (const { series: uid, instance, sopClass } of references) {
    if (!series.has(uid)) series.set(uid, new Map());
    series.get(uid).set(instance, sopClass);
  }
  return [...series].map(([uid, instances]) => dataset({
    SeriesInstanceUID: uid,
    [sequence]: [...instances].map(([instance, sopClass]) => dataset({ ReferencedSOPClassUID: sopClass, ReferencedSOPInstanceUID: instance })),
  }));
}
