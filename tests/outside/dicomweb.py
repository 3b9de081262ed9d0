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


def search_every_way(client, files):
    """Each kind of search that the client can spell."""
    file = next(file for file in files if "=" in str(file.PatientName))
    study, series = file.StudyInstanceUID, file.SeriesInstanceUID
    described = client.search_for_studies(search_filters={"StudyInstanceUID": study}, fields=["StudyDescription", "00080090"])
    check(uid(described[0], "00081030") == file.StudyDescription, f"the description of study {study}")
    check(len(client.search_for_studies(limit=1)) == 1, "limit=1 finds another number")
    first, second = client.search_for_studies(limit=1, offset=0), client.search_for_studies(limit=1, offset=1)
    check(uid(first[0], "0020000D") != uid(second[0], "0020000D"), "offset=1 finds the first again")
    day = {"StudyDate": f"{file.StudyDate}-{file.StudyDate}"}
    check(study in {uid(item, "0020000D") for item in client.search_for_studies(search_filters=day)}, "a range of dates")
    for family in {group.split("^")[0] for group in str(file.PatientName).split("=") if group}:
        found = client.search_for_studies(fuzzymatching=True, search_filters={"PatientName": f"{family}*"})
        check(study in {uid(item, "0020000D") for item in found}, f"{family}* does not find {study}, fuzzily")
    both = client.search_for_studies(search_filters={"ModalitiesInStudy": file.Modality, "PatientID": file.PatientID})
    check(study in {uid(item, "0020000D") for item in both}, "two filters")
    check(client.search_for_studies(search_filters={"PatientID": "nobody"}) == [], "nobody is found")
    everywhere = {uid(item, "0020000E") for item in client.search_for_series(get_remaining=True, limit=5)}
    check(everywhere == {file.SeriesInstanceUID for file in files}, "the series of all studies")
    everywhere = {uid(item, "00080018") for item in client.search_for_instances(get_remaining=True, limit=7)}
    check(everywhere == {file.SOPInstanceUID for file in files}, "the instances of all studies")
    in_study = {uid(item, "00080018") for item in client.search_for_instances(study)}
    check(in_study == {one.SOPInstanceUID for one in files if one.StudyInstanceUID == study}, "the instances of a study")
    listed = client.search_for_instances(study, series, fields=["Rows", "InstanceNumber"])
    check(all("00200013" in item for item in listed), "InstanceNumber is asked for and not returned")


def fetch_every_way(client, files):
    """Streams, transfer syntaxes, several frames, bulk data and parts of it; what is refused is refused as such."""
    from requests import HTTPError

    native = next(file for file in files if "PixelData" in file and not file.file_meta.TransferSyntaxUID.is_compressed)
    names = (native.StudyInstanceUID, native.SeriesInstanceUID, native.SOPInstanceUID)
    check(len(list(client.iter_study(names[0]))) == sum(file.StudyInstanceUID == names[0] for file in files), "iter_study")
    check(len(list(client.iter_series(*names[:2]))) == sum(file.SeriesInstanceUID == names[1] for file in files), "iter_series")
    for wanted in ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.90", "*"):
        got = client.retrieve_instance(*names, media_types=(("application/dicom", wanted),))
        check(wanted in ("*", got.file_meta.TransferSyntaxUID), f"transfer syntax {wanted}: {got.file_meta.TransferSyntaxUID}")
    jpeg_2000 = client.retrieve_instance_frames(*names, frame_numbers=[1], media_types=(("image/jp2", "1.2.840.10008.1.2.4.90"),))
    check(jpeg_2000[0][:2] == b"\xff\x4f" or jpeg_2000[0][4:8] == b"jP  ", "a frame as JPEG 2000 is none")

    cine = next(file for file in files if int(file.get("NumberOfFrames", 1) or 1) > 2)
    names = (cine.StudyInstanceUID, cine.SeriesInstanceUID, cine.SOPInstanceUID)
    together = client.retrieve_instance_frames(*names, frame_numbers=[1, 3, 2])
    check(together == [client.retrieve_instance_frames(*names, frame_numbers=[number])[0] for number in (1, 3, 2)], "frames 1, 3, 2")
    check(list(client.iter_instance_frames(*names, frame_numbers=[1, 3, 2])) == together, "frames as a stream")
    for media_type, begin in (("image/jpeg", b"\xff\xd8"), ("image/png", b"\x89PNG"), ("image/gif", b"GIF8")):
        picture = client.retrieve_instance_frames_rendered(*names, frame_numbers=[2], media_types=(media_type,))
        check(picture.startswith(begin), f"frame 2 as {media_type} is none")
    small = client.retrieve_instance_frames_rendered(*names, frame_numbers=[1], media_types=("image/jpeg",), params={"quality": 10, "viewport": "32,32"})
    check(small[:2] == b"\xff\xd8", "a small picture is no JPEG")

    bulk = next(file for file in files if "EncapsulatedDocument" in file or "PixelData" in file)
    names = (bulk.StudyInstanceUID, bulk.SeriesInstanceUID, bulk.SOPInstanceUID)
    metadata = client.retrieve_instance_metadata(*names)
    for item in metadata.values():
        if "BulkDataURI" in item:
            # The client leaves the port out of its Host header, so it is missing in what the server makes of it.
            uri = client.base_url.split("/dicom-web")[0] + "/dicom-web" + item["BulkDataURI"].split("/dicom-web", 1)[1]
            whole = client.retrieve_bulkdata(uri)[0]
            check(list(client.iter_bulkdata(uri)) == [whole] and len(whole) > 0, "bulk data as a stream")
    for refused in (lambda: client.delete_instance(*names), lambda: client.retrieve_study("1.2.3.4"), lambda: client.retrieve_instance_frames(*names, frame_numbers=[9999])):
        try:
            refused()
        except HTTPError as error:
            check(error.response.status_code in (400, 403, 404, 405), f"refused with {error.response.status_code}")
        else:
            check(False, "what cannot be done succeeds")


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
    search_every_way(client, files)
    fetch(client, files)
    fetch_every_way(client, files)
    print(f"{len(files)} instances found and fetched")
    return 0


if __name__ == "__main__":
    sys.exit(main())
