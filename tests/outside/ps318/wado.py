"""Retrieve instances, metadata and bulkdata (PS3.18 §10.4, §8.7), judged against the files themselves."""

import json
from urllib.parse import quote, urlsplit

import numpy
from pydicom.pixels import pixel_array

from files import BIG, EXPLICIT, HTJ2K, HTJ2K_RPCL, IMPLICIT, J2K, JPEG_BASELINE, instance_of, little_endian, series_of, study_of, syntax
from judge import case, expect, same
from model import check_json, parse_xml
from wire import media_type

JSON = "application/dicom+json"
XML = 'multipart/related; type="application/dicom+xml"'
DICOM = 'multipart/related; type="application/dicom"'
NOTHING = "1.2.826.0.1.3680043.8.498.404"


def instances(site, answer):
    """The Part 10 files in a multipart answer, by SOP Instance UID; the Content-Type of each says its transfer syntax or nothing."""
    got = {}
    for part in answer.is_(200).parts("application/dicom"):
        file = site.dicom(part.body)
        expect(part.body[128:132] == b"DICM", "a part is no Part 10 file")
        said = media_type(part.header("content-type"))[1].get("transfer-syntax")
        expect(said in (None, syntax(file)), f"a part says transfer-syntax={said} and is {syntax(file)}")
        got[str(file.SOPInstanceUID)] = file
    return got


def same_samples(one, other, what):
    expect(numpy.array_equal(pixel_array(one, raw=True), pixel_array(other, raw=True)), f"{what}: other samples")


def lossy(one):
    return syntax(one) == JPEG_BASELINE


# Instances

@case("Table 10.4.1-1", "a study, a series, an instance: all of it and nothing else")
def levels(site):
    one = site.files.ct
    for path, group in ((study_of(one), site.files.studies[one.StudyInstanceUID]), (series_of(one), site.files.series[one.SeriesInstanceUID]), (instance_of(one), [one])):
        got = instances(site, site.get(path, DICOM))
        same(sorted(got), sorted(other.SOPInstanceUID for other in group), path)


@case("§8.7.3", "without a transfer-syntax parameter: Explicit VR Little Endian, but what is held lossy as it is; never Implicit VR or Big Endian")
def default_transfer_syntax(site):
    for one in (site.files.ct, site.files.implicit, site.files.jpeg, site.files.report, site.files.mammogram, site.files.ecg):
        for accept in (DICOM, "*/*"):
            got = instances(site, site.get(instance_of(one), accept))[one.SOPInstanceUID]
            same(syntax(got), JPEG_BASELINE if lossy(one) else EXPLICIT, f"transfer syntax of a file held as {syntax(one)}, Accept {accept}")
            if "PixelData" in one:
                same_samples(got, one, f"held as {syntax(one)}")


@case("§8.7.3.5.2", "transfer-syntax=*: as held, and not Implicit VR or Big Endian either")
def any_transfer_syntax(site):
    for one in (site.files.ct, site.files.implicit, site.files.jpeg, site.files.report, site.files.cine):
        for accept in (f"{DICOM}; transfer-syntax=*", f'{DICOM}; transfer-syntax="*"'):
            got = instances(site, site.get(instance_of(one), accept))[one.SOPInstanceUID]
            expect(syntax(got) not in (IMPLICIT, BIG), f"{syntax(got)} is sent (§8.7.3)")
            if lossy(one):
                same(syntax(got), JPEG_BASELINE, "a file held lossy")


@case("§8.7.3.5.2", "the transfer syntax asked for, each sample the same")
def asked_transfer_syntax(site):
    one = site.files.ct
    for uid in (EXPLICIT, J2K, HTJ2K, HTJ2K_RPCL):
        for accept in (f"{DICOM}; transfer-syntax={uid}", f'{DICOM};transfer-syntax="{uid}"', f"multipart/related; transfer-syntax={uid}; type=application/dicom"):
            answer = site.get(instance_of(one), accept)
            got = instances(site, answer)[one.SOPInstanceUID]
            same(syntax(got), uid, "transfer syntax")
            if uid in (EXPLICIT, J2K):
                same_samples(got, one, uid)


@case("§8.7.8.2", "a transfer syntax that cannot be had: 406")
def impossible_transfer_syntax(site):
    for accept in (f"{DICOM}; transfer-syntax=1.2.3.4", f"{DICOM}; transfer-syntax={IMPLICIT}", f"{DICOM}; transfer-syntax={BIG}"):
        answer = site.get(instance_of(site.files.ct), accept).is_(406)
        expect(answer.body, "nothing is said about what there is")
    site.get(instance_of(site.files.ct), f"{DICOM}; transfer-syntax={JPEG_BASELINE}").is_(406)


@case("§8.7.8.1", "of several transfer syntaxes the best by q-value that can be had")
def several_transfer_syntaxes(site):
    one = site.files.ct
    accept = f"{DICOM}; transfer-syntax=1.2.3.4, {DICOM}; transfer-syntax={J2K}; q=0.9, {DICOM}; transfer-syntax={EXPLICIT}; q=0.1"
    same(syntax(instances(site, site.get(instance_of(one), accept))[one.SOPInstanceUID]), J2K, "transfer syntax")


@case("§10.4.4", "application/dicom alone is for an instance; for more it is not acceptable")
def single_part(site):
    one = site.files.ct
    answer = site.get(instance_of(one), "application/dicom").is_(200)
    answer.typed("application/dicom")
    file = site.dicom(answer.body)
    same((file.SOPInstanceUID, syntax(file)), (one.SOPInstanceUID, EXPLICIT), "the file")
    same_samples(file, one, "application/dicom")
    site.get(study_of(one), "application/dicom").is_(406)
    site.get(series_of(one), "application/dicom").is_(406)
    held = site.get(instance_of(one), "application/dicom; transfer-syntax=*").is_(200)
    said = held.typed("application/dicom").get("transfer-syntax")
    expect(said in (None, syntax(site.dicom(held.body))), f"Content-Type says {said}")


@case("§8.7.1; RFC 9110 §8.3.1", "media types in any case, quoted or not, in any spacing")
def spelling(site):
    path = instance_of(site.files.ct)
    for accept in (
        "multipart/related; type=application/dicom", 'Multipart/Related;TYPE="Application/DICOM"', 'multipart/related ; type="application/dicom"',
        'multipart/related; boundary=abc; type="application/dicom"', 'multipart/related; type="application/dicom";q=0.8', "multipart/related", "multipart/*",
        f'multipart/related; type="application/dicom"; transfer-syntax="{EXPLICIT}"; boundary="x y"',
    ):
        instances(site, site.get(path, accept))


@case("§8.7.8.1", "q-values: the best supported range; q=0 refuses")
def quality_values(site):
    path = instance_of(site.files.ct)
    instances(site, site.get(path, f"application/x-none;q=1.0, {DICOM};q=0.1"))
    site.get(path, f"application/dicom;q=0.9, {DICOM};q=0.5").is_(200).typed("application/dicom")
    instances(site, site.get(path, f"application/dicom;q=0.1, {DICOM};q=0.5"))
    instances(site, site.get(path, ["application/x-none", DICOM]))
    site.get(path, f"{DICOM};q=0").is_(406)
    site.get(path, f"{DICOM};q=0.000, application/dicom;q=0").is_(406)


@case("§8.7.8.1", "nothing acceptable: 406")
def not_acceptable(site):
    for accept in ("text/html", "image/png", "application/pdf", 'multipart/related; type="text/html"', "video/*"):
        site.get(instance_of(site.files.ct), accept).is_(406)
        site.get(study_of(site.files.ct), accept).is_(406)


@case("§8.7.7", "a request for something without an Accept header: 406")
def without_accept(site):
    one = site.files.ct
    for path in ("/studies", study_of(one), instance_of(one), f"{series_of(one)}/metadata", f"{instance_of(one)}/frames/1", f"{instance_of(one)}/rendered", f"{study_of(one)}/thumbnail"):
        site.get(path).is_(406)


@case("§8.7.5", "DICOM and rendered media types side by side: refused")
def both_kinds(site):
    site.get(instance_of(site.files.ct), f"{DICOM}, image/jpeg").is_(400, 409)


@case("§8.3.3.1", "the accept query parameter, coded or plain, comes before the header")
def accept_parameter(site):
    path = instance_of(site.files.ct)
    site.get(f"{path}?accept=application/dicom", "*/*").is_(200).typed("application/dicom")
    site.get(f"{path}?accept=application%2Fdicom", "application/*").is_(200).typed("application/dicom")
    instances(site, site.get(f"{path}?accept={quote(DICOM)}", "*/*"))
    site.get(f"{path}?accept={quote('application/dicom; transfer-syntax=' + J2K)}", "*/*").is_(200).typed("application/dicom")


@case("§8.7.8.1", "odd Accept headers get an answer, not a failure of the server")
def odd_accept(site):
    path = instance_of(site.files.ct)
    for accept in ("", ",", ";", "*", "/", "*/*;q=", "*/*;q=2", "multipart/related;", 'multipart/related; type="', "a/b;c", "multipart/related; type=\"application/dicom\"; transfer-syntax=", "x" * 4000, ", ".join(["a/b"] * 500)):
        for target in (path, f"{path}/metadata", f"{path}/frames/1", f"{path}/rendered", f"{path}/thumbnail", "/studies"):
            answer = site.get(target, accept)
            expect(answer.status in (200, 204, 400, 406, 431), f"Accept {accept[:40]!r} at {target[-20:]} is answered {answer.status}")


@case("§10.4.3.1", "what is not held: 404, also where the levels do not belong together")
def not_found(site):
    one = site.files.ct
    other = next(two for two in site.files.all if two.StudyInstanceUID != one.StudyInstanceUID)
    study, series = study_of(one), series_of(one)
    for path in (
        f"/studies/{NOTHING}", f"{study}/series/{NOTHING}", f"{series}/instances/{NOTHING}", f"{study}/series/{other.SeriesInstanceUID}",
        f"{series}/instances/{other.SOPInstanceUID}", f"/studies/{other.StudyInstanceUID}/series/{one.SeriesInstanceUID}/instances/{one.SOPInstanceUID}",
    ):
        for end, accept in (("", DICOM), ("/metadata", JSON), ("/rendered", "image/jpeg, multipart/related; type=image/jpeg"), ("/thumbnail", "image/jpeg")):
            site.get(path + end, accept).is_(404)


@case("§8.5", "a path that holds no UID: 400 or 404")
def no_uid(site):
    for path in ("/studies/abc", "/studies/1.2.3%20", f"{study_of(site.files.ct)}/series/x/instances/y", "/studies/" + "1" * 65, "/studies/..%2F..%2Fetc", "/studies/%00"):
        site.get(path, DICOM).is_(400, 404)


@case("RFC 9110 §9.3.2", "HEAD is GET without the body")
def head(site):
    one = site.files.ct
    for path, accept in ((instance_of(one), "application/dicom"), (f"{series_of(one)}/metadata", JSON), (f"{instance_of(one)}/frames/1", 'multipart/related; type="application/octet-stream"'), (f"{instance_of(one)}/rendered", "image/jpeg"), ("/studies", JSON)):
        get, head = site.get(path, accept).is_(200), site.ask("HEAD", path, accept).is_(200)
        expect(not head.body, "a body")
        same(media_type(head.header("content-type"))[0], media_type(get.header("content-type"))[0], "Content-Type")
        length = head.header("content-length")
        expect(length is None or int(length) == len(get.body), f"Content-Length {length}, and GET sends {len(get.body)} bytes")


# Metadata

def compare(site, item, one):
    """An item of the metadata against pydicom's own JSON of the same file."""
    check_json(item)
    theirs = json.loads(one.to_json(bulk_data_threshold=1 << 30, bulk_data_element_handler=lambda _: "x"))
    for tag, attribute in theirs.items():
        if attribute["vr"] in ("OB", "OW", "OF", "OD", "UN", "DS", "IS", "SQ") or tag in ("00080005", "00100010") or tag.endswith("0000"):
            continue
        mine = item.get(tag)
        expect(mine is not None, f"{tag} of {one.SOPInstanceUID} is missing")
        same(mine["vr"], attribute["vr"], f"VR of {tag}")
        if "BulkDataURI" not in mine:
            clean = lambda values: [value for value in values or [] if value not in ("", None)]
            same(clean(mine.get("Value")), clean(attribute.get("Value")), f"value of {tag}")
    for tag in theirs:
        expect(tag in item or tag.endswith("0000"), f"{tag} is missing")
    same(item["00100010"].get("Value", [{}])[0], site.files.name(one), "PatientName")


@case("§10.4.1.1.2; Annex F", "metadata of study, series and instance in the DICOM JSON Model, every attribute of the file")
def metadata(site):
    for group in site.files.studies.values():
        one = group[0]
        for path, wanted in ((f"{study_of(one)}/metadata", group), (f"{series_of(one)}/metadata", site.files.series[one.SeriesInstanceUID]), (f"{instance_of(one)}/metadata", [one])):
            got = {item["00080018"]["Value"][0]: item for item in site.get(path, JSON).is_(200).json()}
            same(sorted(got), sorted(other.SOPInstanceUID for other in wanted), path)
            for other in wanted:
                compare(site, got[other.SOPInstanceUID], other)


@case("§8.7.3.2; Table 10.4.4-1", "metadata: application/dicom+json is the default")
def metadata_default(site):
    path = f"{instance_of(site.files.ct)}/metadata"
    for accept in ("*/*", "application/*"):
        site.get(path, accept).is_(200).json()


@case("Table 10.4.4-1; PS3.19 A.1", "metadata in the Native DICOM Model, one part an instance")
def metadata_xml(site):
    for one in (site.files.ct, site.files.report, site.files.ecg):
        parts = site.get(f"{series_of(one)}/metadata", XML).is_(200).parts("application/dicom+xml")
        got = {items["00080018"][1][0]: items for items in map(lambda part: parse_xml(part.body), parts)}
        same(sorted(got), sorted(other.SOPInstanceUID for other in site.files.series[one.SeriesInstanceUID]), "instances")
        items = got[one.SOPInstanceUID]
        for keyword, tag in (("PatientID", "00100020"), ("StudyDate", "00080020"), ("Modality", "00080060")):
            same(items[tag][1], [str(one[keyword].value)], keyword)
        same(items["00100010"][1], [site.files.name(one)], "PatientName")


@case("§8.7.8.1", "metadata in what it is not: 406")
def metadata_not_acceptable(site):
    for accept in ("text/plain", "image/jpeg", DICOM, "application/dicom"):
        site.get(f"{instance_of(site.files.ct)}/metadata", accept).is_(406)


@case("RFC 9110 §13.1.2", "an ETag that comes back in If-None-Match: 304 and no body")
def not_modified(site):
    one = site.files.ct
    for path, accept in ((f"{series_of(one)}/metadata", JSON), (f"{instance_of(one)}/rendered", "image/jpeg"), (f"{instance_of(one)}/thumbnail", "image/jpeg"), (f"{instance_of(one)}/frames/1", 'multipart/related; type="application/octet-stream"; transfer-syntax=*')):
        answer = site.get(path, accept).is_(200)
        tag = answer.header("etag")
        expect(tag, f"{path[-12:]} has no ETag")
        for given in (tag, f'"other", {tag}', "*"):
            again = site.get(path, accept, [("If-None-Match", given)]).is_(304)
            expect(not again.body and again.header("etag") == tag, "304 with a body or another ETag")
        site.get(path, accept, [("If-None-Match", '"other"')]).is_(200)


@case("RFC 9110 §8.8.3", "two representations of a resource have two ETags")
def etags_differ(site):
    path = f"{instance_of(site.files.ct)}/rendered"
    tags = [site.get(path + query, accept).is_(200).header("etag") for query, accept in (("", "image/jpeg"), ("", "image/png"), ("?viewport=20,20", "image/jpeg"), ("?window=40,80,linear", "image/jpeg"))]
    expect(len(set(tags)) == 4, f"ETags {tags}")


# Bulkdata

def bulk(item, found, where=()):
    for tag, attribute in item.items():
        if "BulkDataURI" in attribute:
            found.append((where + (tag,), attribute["BulkDataURI"]))
        for at, value in enumerate(attribute.get("Value", []) if attribute["vr"] == "SQ" else []):
            bulk(value or {}, found, where + (tag, at))
    return found


def value_at(one, where):
    for step in where[:-1]:
        one = one[int(step)] if isinstance(step, int) else one[int(step, 16)].value
    return one[int(where[-1], 16)].value


@case("§10.4.1.1.5; F.2.6", "every Bulkdata URI of the metadata can be fetched, and holds the value")
def bulkdata(site):
    seen = 0
    for one in (site.files.ct, site.files.document, site.files.ecg, site.files.report, site.files.jpeg, site.files.cine):
        item, = site.get(f"{instance_of(one)}/metadata", JSON).is_(200).json()
        for where, uri in bulk(item, []):
            absolute = urlsplit(uri)
            path = (f"{absolute.path}?{absolute.query}" if absolute.query else absolute.path) if absolute.scheme else f"{site.root}{instance_of(one)}/{uri}"
            expect(absolute.scheme in ("", "http", "https"), f"BulkDataURI {uri}")
            single = site.get(path, "*/*", prefix=False).is_(200)
            parts = [part.body for part in single.parts()] if single.header("content-type").startswith("multipart") else [single.body]
            seen += 1
            if where == ("7FE00010",):
                continue
            value = value_at(one, where)
            data = value if isinstance(value, bytes) else None
            if data is not None:
                same(b"".join(parts).rstrip(b"\0"), data.rstrip(b"\0"), f"bulk data {where}")
            many = site.get(path, 'multipart/related; type="application/octet-stream"', prefix=False)
            if many.status == 200:
                many.parts()
    expect(seen >= 5, f"only {seen} Bulkdata URIs")


@case("Table 8.7.3-3", "pixel data has a Bulkdata URI in the metadata of an image")
def pixel_data_uri(site):
    item, = site.get(f"{instance_of(site.files.ct)}/metadata", JSON).is_(200).json()
    expect("BulkDataURI" in item.get("7FE00010", {}), f"Pixel Data is {item.get('7FE00010')}")
    uri = urlsplit(item["7FE00010"]["BulkDataURI"])
    path = uri.path if uri.scheme else f"{site.root}{instance_of(site.files.ct)}/{uri.path}"
    part, = site.get(path, 'multipart/related; type="application/octet-stream"', prefix=False).is_(200).parts("application/octet-stream")
    same(part.body.rstrip(b"\0"), little_endian(site.files.ct).rstrip(b"\0"), "all native samples")


@case("Table 10.4.1-5", "the bulkdata resources of study, series and instance")
def bulkdata_resources(site):
    one = site.files.document
    for path in (f"{study_of(one)}/bulkdata", f"{series_of(one)}/bulkdata", f"{instance_of(one)}/bulkdata"):
        parts = site.get(path, 'multipart/related; type="application/octet-stream"').is_(200).parts()
        expect(any(part.body.rstrip(b"\0") == one.EncapsulatedDocument.rstrip(b"\0") for part in parts), "the document is not among the bulk data")


@case("§10.4.4", "an instance as application/octet-stream: its bulk data (kept for historical reasons)")
def octet_stream_of_instance(site):
    one = site.files.ct
    parts = site.get(instance_of(one), 'multipart/related; type="application/octet-stream"').is_(200).parts()
    expect(any(part.body.rstrip(b"\0") == little_endian(one).rstrip(b"\0") for part in parts), "the pixel data is not among the bulk data")
