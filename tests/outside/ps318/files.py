"""What the server should hold: the files that were stored, as pydicom reads them."""

import pathlib
from collections import defaultdict

import pydicom

IMPLICIT, EXPLICIT, BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
JPEG_BASELINE, JPEG_LOSSLESS = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.70"
J2K, HTJ2K, HTJ2K_RPCL = "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202"


class Files:
    def __init__(self, folder):
        self.all, self.names = [], {}
        for path in sorted(pathlib.Path(folder).rglob("*.dcm")):
            one = pydicom.dcmread(path)
            self.names[one.SOPInstanceUID] = person_name(one)
            one.decode()
            self.all.append(one)
        self.studies, self.series = defaultdict(list), defaultdict(list)
        for one in self.all:
            self.studies[one.StudyInstanceUID].append(one)
            self.series[one.SeriesInstanceUID].append(one)

    def where(self, test, what):
        found = next((one for one in self.all if test(one)), None)
        if found is None:
            raise LookupError(f"no file is {what}")
        return found

    @property
    def ct(self):
        return self.where(lambda one: one.Modality == "CT" and syntax(one) in (EXPLICIT, IMPLICIT) and len(self.series[one.SeriesInstanceUID]) > 2, "a CT slice")

    @property
    def implicit(self):
        return self.where(lambda one: one.Modality == "CT" and syntax(one) == IMPLICIT, "an Implicit VR CT slice")

    @property
    def jpeg(self):
        return self.where(lambda one: syntax(one) == JPEG_BASELINE and frames(one) == 1, "JPEG baseline of one frame")

    @property
    def cine(self):
        return self.where(lambda one: frames(one) > 2, "of several frames")

    @property
    def mammogram(self):
        return self.where(lambda one: one.Modality == "MG" and frames(one) == 1, "a mammogram")

    @property
    def report(self):
        return self.where(lambda one: one.Modality == "SR", "a report")

    @property
    def document(self):
        return self.where(lambda one: "EncapsulatedDocument" in one, "an encapsulated document")

    @property
    def ecg(self):
        return self.where(lambda one: one.Modality == "ECG", "an ECG")

    def name(self, one):
        """The patient's name as {component group: text}, the empty ones left out."""
        return self.names[one.SOPInstanceUID]

    def first(self, level):
        """One instance of each study or series."""
        return [group[0] for group in (self.studies if level == "study" else self.series).values()]


def person_name(one):
    """Decoded before it is split: pydicom splits the encoded bytes, and 淳 is `=_` in JIS X 0208."""
    element = one.get_item("PatientName")
    raw = element.value if element is not None and isinstance(element.value, bytes) else b""
    charset = one.get("SpecificCharacterSet") or ""
    text = raw.decode("utf-8") if charset == "ISO_IR 192" else japanese(raw)
    groups = zip(("Alphabetic", "Ideographic", "Phonetic"), text.strip(" \0").split("="))
    return {kind: group.strip(" ").rstrip("^") for kind, group in groups if group.strip(" ^")}


def japanese(raw):
    """ISO 2022 with ASCII or JIS X 0201 as single bytes (PS3.5 H.3); code extensions by escape sequences."""
    out, at, wide = [], 0, False
    while at < len(raw):
        if raw[at] == 0x1B:
            wide = raw[at + 1: at + 2] == b"$"
            at += 3
        elif wide:
            out.append((b"\x1b$B" + raw[at: at + 2] + b"\x1b(B").decode("iso2022_jp"))
            at += 2
        else:
            out.append(raw[at: at + 1].decode("shift_jis" if raw[at] > 0x7F else "ascii"))
            at += 1
    return "".join(out)


def enrich(folder):
    """A referring physician and a request in every CT study, no accession number in another: written before the files are stored."""
    for path in sorted(pathlib.Path(folder).rglob("*.dcm")):
        one = pydicom.dcmread(path)
        if one.Modality == "CT":
            one.ReferringPhysicianName = "Referrer^Rita"
            item = pydicom.Dataset()
            item.RequestedProcedureID, item.ScheduledProcedureStepID = "RP-7", "SPS-7"
            one.RequestAttributesSequence = [item]
        elif one.Modality == "RF":
            one.AccessionNumber = None
        else:
            continue
        one.save_as(path)
    return 0


def syntax(one):
    return str(one.file_meta.TransferSyntaxUID)


def frames(one):
    return int(one.get("NumberOfFrames", 1) or 1) if "PixelData" in one else 0


def study_of(one):
    return f"/studies/{one.StudyInstanceUID}"


def series_of(one):
    return f"{study_of(one)}/series/{one.SeriesInstanceUID}"


def instance_of(one):
    return f"{series_of(one)}/instances/{one.SOPInstanceUID}"


def little_endian(one):
    """All native samples as Explicit VR Little Endian has them."""
    data = one.PixelData
    if syntax(one) == BIG and one.BitsAllocated == 16:
        data = b"".join(data[at + 1:at + 2] + data[at:at + 1] for at in range(0, len(data), 2))
    return data


def frame_bytes(one):
    return one.Rows * one.Columns * one.SamplesPerPixel * (one.BitsAllocated // 8)
