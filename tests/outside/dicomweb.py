#!/usr/bin/env python3
"""Stores, searches and fetches with dicomweb-client, and compares everything with the files.

    dicomweb.py URL TOKEN FILES [--stored]

URL is the DICOMweb service, FILES a folder of Part 10 files. With --stored they are there already and only searched and
fetched. Exit status: 0 all agree, 1 something is wrong, 3 dicomweb-client is not installed.
"""

import importlib.util
import pathlib
import sys

NEEDS = ["dicomweb_client", "numpy", "pydicom", "pylibjpeg", "openjpeg"]


def check(condition, sentence):
    if not condition:
        print(f"WRONG: {sentence}", file=sys.stderr)
        sys.exit(1)


def uid(item, tag):
    return item[tag]["Value"][0]


def store(client, files):
    by_study = {}
    for file in files:
        by_study.setdefault(file.StudyInstanceUID, []).append(file)
    for study, files in by_study.items():
        said = client.store_instances(files, study_instance_uid=study)
        stored = {item.ReferencedSOPInstanceUID for item in said.ReferencedSOPSequence}
        check(stored == {file.SOPInstanceUID for file in files}, f"study {study}: not all was stored: {said}")
        check("FailedSOPSequence" not in said, f"study {study}: {said}")


def search(client, files):
    studies = {file.StudyInstanceUID for file in files}
    found = client.search_for_studies(get_remaining=True, limit=2)
    check([uid(item, "0020000D") for item in found].__len__() == len(studies), "studies page by page: another number")
    check({uid(item, "0020000D") for item in found} == studies, "studies page by page: others")
    for file in files:
        study, series, sop = file.StudyInstanceUID, file.SeriesInstanceUID, file.SOPInstanceUID
        by_patient = client.search_for_studies(search_filters={"PatientID": file.PatientID})
        check(study in {uid(item, "0020000D") for item in by_patient}, f"{file.PatientID} does not find {study}")
        name = str(file.PatientName).split("=")[0].split("^")[0] + "*"
        by_name = client.search_for_studies(search_filters={"PatientName": name})
        check(study in {uid(item, "0020000D") for item in by_name}, f"{name} does not find {study}")
        of_study = client.search_for_series(study, search_filters={"Modality": file.Modality})
        check(series in {uid(item, "0020000E") for item in of_study}, f"series {series} is not found")
        found = client.search_for_instances(study, series, search_filters={"SOPInstanceUID": sop})
        check([uid(item, "00080018") for item in found] == [sop], f"instance {sop} is found {len(found)} times")


def same_pixels(one, other):
    import numpy
    from pydicom.pixels import pixel_array

    return numpy.array_equal(pixel_array(one, raw=True), pixel_array(other, raw=True))


def fetch(client, files):
    from pydicom.uid import UID

    by_sop = {file.SOPInstanceUID: file for file in files}
    for file in files:
        study, series, sop = file.StudyInstanceUID, file.SeriesInstanceUID, file.SOPInstanceUID
        names = (study, series, sop)
        in_study = {sop for sop, other in by_sop.items() if other.StudyInstanceUID == study}
        in_series = {sop for sop in in_study if by_sop[sop].SeriesInstanceUID == series}
        check({one.SOPInstanceUID for one in client.retrieve_study(study)} == in_study, f"study {study}")
        check({one.SOPInstanceUID for one in client.retrieve_series(study, series)} == in_series, f"series {series}")
        held = client.retrieve_instance(*names)
        check(held.SOPInstanceUID == sop and held.PatientName == file.PatientName, f"instance {sop}")

        metadata = client.retrieve_instance_metadata(*names)
        check(uid(metadata, "00080018") == sop, f"metadata of instance {sop}")
        check(len(client.retrieve_series_metadata(study, series)) == len(in_series), f"metadata of series {series}")
        check(len(client.retrieve_study_metadata(study)) == len(in_study), f"metadata of study {study}")

        if "PixelData" not in file:
            continue
        if not UID(file.file_meta.TransferSyntaxUID).is_compressed:
            check(same_pixels(held, file), f"instance {sop}: other samples")
            octets = ("application/octet-stream",)
            frame = client.retrieve_instance_frames(*names, frame_numbers=[1], media_types=octets)[0]
            check(frame == native_frame(file), f"frame 1 of instance {sop}: other bytes")
        picture = client.retrieve_instance_rendered(*names, media_types=("image/png",))
        check(picture[:4] == b"\x89PNG", f"instance {sop} rendered is no PNG")
        picture = client.retrieve_instance_frames_rendered(*names, frame_numbers=[1], media_types=("image/jpeg",))
        check(picture[:2] == b"\xff\xd8", f"frame 1 of instance {sop} rendered is no JPEG")


def native_frame(file):
    """The first frame as little-endian samples, colour by pixel: what PS3.18 has for native frames is Explicit VR
    Little Endian of the file's own Planar Configuration."""
    words = file.BitsAllocated // 8
    bytes_of_frame = file.Rows * file.Columns * file.SamplesPerPixel * words
    frame = file.PixelData[:bytes_of_frame]
    if not file.original_encoding[1] and words > 1:
        import numpy

        frame = numpy.frombuffer(frame, f">u{words}").astype(f"<u{words}").tobytes()
    return frame


def main():
    missing = [module for module in NEEDS if importlib.util.find_spec(module) is None]
    if missing:
        print(f"skipped, not installed: {', '.join(missing)}")
        return 3
    import pydicom
    from dicomweb_client import DICOMwebClient

    url, token, folder = sys.argv[1:4]
    files = [pydicom.dcmread(path) for path in sorted(pathlib.Path(folder).rglob("*.dcm"))]
    client = DICOMwebClient(url, headers={"Authorization": f"Bearer {token}"})
    if "--stored" not in sys.argv:
        store(client, files)
    search(client, files)
    fetch(client, files)
    print(f"{len(files)} instances found and fetched")
    return 0


if __name__ == "__main__":
    sys.exit(main())
