"""Store (PS3.18 §10.5, Annex I). Everything stored here is made here: copies of known files under new UIDs."""

import copy
import io
import json
import xml.sax.saxutils as sax

import pydicom
from pydicom.uid import generate_uid

from files import EXPLICIT, instance_of, little_endian, person_name, series_of, study_of
from judge import case, expect, same
from model import check_json, parse_xml
from related import build
from wire import media_type

JSON = "application/dicom+json"
PART = "Content-Type: application/dicom"
RETRIEVE_URL, FAILED, REASON, REFERENCED, WARNING = "00081190", "00081198", "00081197", "00081199", "00081196"


def fresh(one, study=None, series=None):
    """A copy under UIDs nobody has."""
    new = copy.deepcopy(one)
    new.StudyInstanceUID = study or generate_uid()
    new.SeriesInstanceUID = series or generate_uid()
    new.SOPInstanceUID = new.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    return new


def part10(one):
    out = io.BytesIO()
    one.save_as(out, enforce_file_format=True)
    return out.getvalue()


def post(site, parts, path="/studies", accept=JSON, headers=(), **form):
    body, content_type = build(parts, **form)
    return site.ask("POST", path, accept, [("Content-Type", content_type), *headers], body)


def report(answer):
    """The Store Instances Response Module (Annex I): (stored, failed with reasons)."""
    item = answer.json()
    item = item[0] if isinstance(item, list) else item
    check_json(item)
    expect(RETRIEVE_URL in item, "no Retrieve URL (type 2, Table I.1-1)")
    stored, failed = {}, {}
    for reference in item.get(REFERENCED, {}).get("Value", []):
        expect("00081150" in reference and "00081155" in reference, f"a reference without its UIDs: {list(reference)}")
        expect(RETRIEVE_URL in reference, "no Retrieve URL of an instance (type 2)")
        stored[reference["00081155"]["Value"][0]] = reference
    for reference in item.get(FAILED, {}).get("Value", []):
        reason = reference.get(REASON, {}).get("Value")
        expect(reason and isinstance(reason[0], int) and reason[0] > 0, f"no Failure Reason (type 1): {reference}")
        failed[reference.get("00081155", {}).get("Value", ["?"])[0]] = reason[0]
    return stored, failed


def held(site, one):
    """What the server now has under these UIDs, as Explicit VR Little Endian."""
    answer = site.get(instance_of(one), "application/dicom").is_(200)
    return site.dicom(answer.body)


@case("§10.5.3", "one instance: 200, referenced, with where to retrieve it, and it is there")
def one_instance(site):
    for source in (site.files.ct, site.files.jpeg, site.files.report, site.files.ecg, site.files.implicit):
        one = fresh(source)
        stored, failed = report(post(site, [([PART], part10(one))]).is_(200))
        same((sorted(stored), failed), ([one.SOPInstanceUID], {}), "stored and failed")
        url = stored[one.SOPInstanceUID][RETRIEVE_URL]["Value"][0]
        expect(url.endswith(instance_of(one)), f"Retrieve URL is {url}")
        got = held(site, one)
        same((got.SOPInstanceUID, person_name(got)), (one.SOPInstanceUID, site.files.name(source)), "what is held")
        item, = site.get(f"/studies?StudyInstanceUID={one.StudyInstanceUID}", JSON).is_(200).json()
        same(item["00201208"]["Value"], [1], "instances of the study, by a search")


@case("§10.5.4", "the response as application/dicom+xml")
def response_xml(site):
    one = fresh(site.files.ct)
    for accept in ("application/dicom+xml",):
        answer = post(site, [([PART], part10(one))], accept=accept).is_(200)
        answer.typed("application/dicom+xml")
        items = parse_xml(answer.body)
        same(items[REFERENCED][1][0]["00081155"][1], [one.SOPInstanceUID], "ReferencedSOPInstanceUID")


@case("§10.5.4", "the response to */*; without an Accept header the same, or 406 (§8.7.7)")
def response_default(site):
    for accept in (None, "*/*"):
        answer = post(site, [([PART], part10(fresh(site.files.ct)))], accept=accept).is_(*((200,) if accept else (200, 406)))
        if answer.status == 406:
            continue
        expect(media_type(answer.header("content-type"))[0] in (JSON, "application/dicom+xml"), f"Content-Type {answer.header('content-type')}")


@case("§10.5.3", "several instances of several studies: 200; several of one to its own address: 200")
def several(site):
    many = [fresh(site.files.ct), fresh(site.files.report), fresh(site.files.jpeg)]
    stored, failed = report(post(site, [([PART], part10(one)) for one in many]).is_(200))
    same((sorted(stored), failed), (sorted(one.SOPInstanceUID for one in many), {}), "stored and failed")
    first = fresh(site.files.ct)
    second = fresh(site.files.ct, first.StudyInstanceUID, first.SeriesInstanceUID)
    stored, failed = report(post(site, [([PART], part10(one)) for one in (first, second)], study_of(first)).is_(200))
    same((len(stored), failed), (2, {}), "stored and failed")


@case("Table 10.5.3-1", "another study than the address says: 409, failed with a reason, and not stored")
def other_study(site):
    one = fresh(site.files.ct)
    stored, failed = report(post(site, [([PART], part10(one))], f"/studies/{generate_uid()}").is_(409))
    same((stored, list(failed)), ({}, [one.SOPInstanceUID]), "stored and failed")
    site.get(f"{instance_of(one)}/metadata", JSON).is_(404)


@case("Table 10.5.3-1", "some stored, some not: 202, each in its sequence")
def mixed(site):
    good, bad = fresh(site.files.ct), fresh(site.files.ct)
    stored, failed = report(post(site, [([PART], part10(bad)), ([PART], part10(good))], study_of(good)).is_(202))
    same((list(stored), list(failed)), ([good.SOPInstanceUID], [bad.SOPInstanceUID]), "stored and failed")
    one = fresh(site.files.ct)
    answer = post(site, [([PART], b"this is no DICOM file" * 20), ([PART], part10(one))]).is_(202)
    same(list(report(answer)[0]), [one.SOPInstanceUID], "stored beside garbage")


@case("§10.5.3", "the same instance once more: stored as before")
def again(site):
    one = fresh(site.files.ct)
    body = part10(one)
    post(site, [([PART], body)]).is_(200)
    stored, failed = report(post(site, [([PART], body)]).is_(200, 202))
    same((list(stored), failed), ([one.SOPInstanceUID], {}), "stored and failed")


@case("Table 10.5.3-1", "nothing of it is DICOM: 400 or 409, not a failure of the server")
def garbage(site):
    for content in (b"", b"x", b"\0" * 128 + b"DICM", b"\0" * 128 + b"DICM" + b"\xff" * 500, part10(site.files.ct)[:300]):
        post(site, [([PART], content)]).is_(400, 409)


@case("Table 10.5.3-1", "a media type that is not supported: 415")
def unsupported(site):
    body = part10(fresh(site.files.ct))
    for content_type in ("text/plain", "application/json", 'multipart/related; type="text/plain"; boundary=x', "multipart/form-data; boundary=x", "image/jpeg", 'multipart/related; type="image/png"; boundary=x'):
        site.ask("POST", "/studies", JSON, [("Content-Type", content_type)], b"--x\r\n\r\n" + body + b"\r\n--x--\r\n").is_(415)


@case("Table 10.5.3-1", "bad syntax: 400")
def bad_syntax(site):
    body, content_type = build([([PART], part10(fresh(site.files.ct)))])
    root = 'multipart/related; type="application/dicom"'
    for given, sent in ((root, body), (f"{root}; boundary=", body), (f"{root}; boundary=other", body), (content_type, b""), (content_type, b"--outside-judge--\r\n"), (content_type, b"nothing here")):
        site.ask("POST", "/studies", JSON, [("Content-Type", given)], sent).is_(400)


@case("RFC 2046 §5.1.1", "a body without its closing boundary: what came whole may be stored, the rest is told; never a silent 200 for all")
def truncated(site):
    first, second = fresh(site.files.ct), fresh(site.files.ct)
    body, content_type = build([([PART], part10(first)), ([PART], part10(second))])
    answer = site.ask("POST", "/studies", JSON, [("Content-Type", content_type)], body[: len(body) - 2000])
    answer.is_(202, 400, 409)
    site.get(f"{instance_of(second)}/metadata", JSON).is_(404)


@case("RFC 2046 §5.1.1; RFC 2387", "bodies in every spelling that is allowed")
def spellings(site):
    for form in (
        {"preamble": b"for readers without MIME\r\nline two"}, {"epilogue": b"trailing words"}, {"boundary": "a b'c()+_,./:=?d"}, {"boundary": "x" * 70}, {"boundary": "simple", "quoted": False},
    ):
        one = fresh(site.files.ct)
        post(site, [([PART], part10(one))], **form).is_(200)
    for head in (
        ["content-type: application/dicom"], ["CONTENT-TYPE:application/dicom"], ['Content-Type: application/dicom; transfer-syntax="1.2.840.10008.1.2.1"'], [f"Content-Type: application/dicom;transfer-syntax={EXPLICIT}"],
        ["Content-ID: <a@b>", "Content-Type: application/dicom", "Content-Transfer-Encoding: binary", "MIME-Version: 1.0"], ["Content-Type: application/dicom", "X-Long: " + "y" * 2000],
    ):
        post(site, [(head, part10(fresh(site.files.ct)))]).is_(200)
    body, content_type = build([([PART], part10(fresh(site.files.ct)))], boundary="padded")
    for changed in (body.replace(b"--padded\r\n", b"--padded  \t\r\n", 1), body.replace(b"--padded--\r\n", b"--padded--", 1)):
        site.ask("POST", "/studies", JSON, [("Content-Type", content_type)], changed).is_(200, 202)
    for spelled in ('Multipart/Related; Boundary="padded"; Type=Application/DICOM', "multipart/related;boundary=padded;type=application/dicom", f'multipart/related; start="<a>"; type="application/dicom"; boundary=padded'):
        site.ask("POST", "/studies", JSON, [("Content-Type", spelled)], body).is_(200, 202)


@case("RFC 9112 §7.1", "a chunked body")
def chunked(site):
    one = fresh(site.files.ct)
    body, content_type = build([([PART], part10(one))])
    sizes = [1, 7, 100, 1000, len(body)]
    chunks, at = [], 0
    while at < len(body):
        piece = body[at: at + sizes[len(chunks) % len(sizes)]]
        chunks.append(b"%x\r\n%s\r\n" % (len(piece), piece))
        at += len(piece)
    answer = site.ask("POST", "/studies", JSON, [("Content-Type", content_type), ("Transfer-Encoding", "chunked")], b"".join(chunks) + b"0\r\n\r\n")
    same(list(report(answer.is_(200))[0]), [one.SOPInstanceUID], "stored")


@case("RFC 9110 §10.1.1", "Expect: 100-continue is answered before the body is sent")
def expect_continue(site):
    import socket

    body, content_type = build([([PART], part10(fresh(site.files.ct)))])
    site.last = "POST /studies with Expect: 100-continue"
    with socket.create_connection((site.base.hostname, site.base.port), timeout=20) as wire:
        head = f"POST {site.root}/studies HTTP/1.1\r\nHost: {site.base.netloc}\r\nAuthorization: Bearer {site.token}\r\nAccept: {JSON}\r\n"
        wire.sendall((head + f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n").encode())
        said = wire.recv(1000)
        expect(said.startswith(b"HTTP/1.1 100"), f"before the body comes {said[:60]!r}")
        wire.sendall(body)
        whole = b"".join(iter(lambda: wire.recv(65536), b""))
        expect(b"HTTP/1.1 200" in said + whole, f"after the body comes {whole[:60]!r}")


# Metadata and bulkdata

def described(one, location):
    """The JSON of a file, its Pixel Data in another part."""
    model = json.loads(one.to_json(bulk_data_threshold=1 << 30, bulk_data_element_handler=lambda _: "x"))
    model = {tag: attribute for tag, attribute in model.items() if attribute["vr"] not in ("OB", "OW", "UN") and not tag.startswith("0002")}
    model["7FE00010"] = {"vr": "OW", "BulkDataURI": location}
    return dict(sorted(model.items()))


def native_xml(model):
    lines = ['<?xml version="1.0" encoding="utf-8"?><NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM" xml:space="preserve">']
    lines += [attribute_xml(tag, attribute) for tag, attribute in model.items()]
    return ("".join(lines) + "</NativeDicomModel>").encode()


def attribute_xml(tag, attribute):
    inner = []
    if "BulkDataURI" in attribute:
        inner.append(f'<BulkData uri="{attribute["BulkDataURI"]}"/>')
    for number, value in enumerate(attribute.get("Value", []), 1):
        if value is None:
            continue
        if attribute["vr"] == "SQ":
            inner.append(f'<Item number="{number}">{"".join(attribute_xml(*pair) for pair in value.items())}</Item>')
        elif attribute["vr"] == "PN":
            groups = "".join(group_xml(kind, name) for kind, name in value.items())
            inner.append(f'<PersonName number="{number}">{groups}</PersonName>')
        else:
            inner.append(f'<Value number="{number}">{sax.escape(str(value))}</Value>')
    return f'<DicomAttribute tag="{tag}" vr="{attribute["vr"]}">{"".join(inner)}</DicomAttribute>'


def group_xml(kind, name):
    parts = zip(("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix"), name.split("^"))
    return f"<{kind}>{''.join(f'<{part}>{sax.escape(text)}</{part}>' for part, text in parts if text)}</{kind}>"


def store_described(site, one, metadata, root, pixel_type="application/octet-stream", pixels=None):
    location = f"bulk/{one.SOPInstanceUID}"
    parts = [([f"Content-Type: {root}"], metadata(location)), ([f"Content-Type: {pixel_type}", f"Content-Location: {location}"], pixels or little_endian(one))]
    return post(site, parts, root=root)


def judge_described(site, one, answer, exact=True):
    stored, failed = report(answer.is_(200, 202))
    same((list(stored), failed), ([one.SOPInstanceUID], {}), "stored and failed")
    got = held(site, one)
    same((person_name(got).get("Alphabetic"), got.Rows, got.Columns), (one.PatientName.alphabetic, one.Rows, one.Columns), "what is held")
    if exact:
        expect(got.PixelData.rstrip(b"\0") == little_endian(one).rstrip(b"\0"), "other samples are held")


@case("§10.5.1.4; Annex F", "metadata as DICOM JSON and bulk data beside it")
def metadata_json(site):
    one = fresh(site.files.ct)
    judge_described(site, one, store_described(site, one, lambda location: json.dumps([described(one, location)]).encode(), JSON))


@case("§10.5.1.4; PS3.19 A.1", "metadata as Native DICOM Model and bulk data beside it")
def metadata_xml(site):
    one = fresh(site.files.ct)
    judge_described(site, one, store_described(site, one, lambda location: native_xml(described(one, location)), "application/dicom+xml"))


@case("Table 10.5.2-1", "compressed bulk data in its own media type")
def metadata_jpeg(site):
    from pydicom.encaps import get_frame

    one = fresh(site.files.jpeg)
    stream = get_frame(one.PixelData, 0, number_of_frames=1)
    answer = store_described(site, one, lambda location: json.dumps([described(one, location)]).encode(), JSON, "image/jpeg", stream)
    judge_described(site, one, answer, exact=False)


@case("§10.5.1.4", "bulk data that the metadata names and nobody sends: not stored, and told")
def missing_bulkdata(site):
    one = fresh(site.files.ct)
    body = json.dumps([described(one, "bulk/nowhere")]).encode()
    answer = post(site, [([f"Content-Type: {JSON}"], body)], root=JSON).is_(400, 409)
    site.get(f"{instance_of(one)}/metadata", JSON).is_(404)
    expect(answer.body, "nothing is said")


@case("§10.5.1.4", "metadata that is none: 400 or 409")
def bad_metadata(site):
    for root, content in ((JSON, b"{"), (JSON, b"[]"), (JSON, b'[{"0020000D": 7}]'), (JSON, b"[" * 5000), ("application/dicom+xml", b"<NativeDicomModel"), ("application/dicom+xml", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'), ("application/dicom+xml", b"<a/>")):
        post(site, [([f"Content-Type: {root}"], content)], root=root).is_(400, 409)


@case("§10.5.1.1", "a store is POST to studies or to a study; without the permission 401")
def addresses(site):
    body, content_type = build([([PART], part10(fresh(site.files.ct)))])
    site.ask("POST", "/studies", JSON, [("Content-Type", content_type)], body, token=False).is_(401)
    site.ask("POST", f"{series_of(site.files.ct)}", JSON, [("Content-Type", content_type)], body).is_(404, 405)
    site.ask("POST", "/studies/not-a-uid", JSON, [("Content-Type", content_type)], body).is_(400, 404, 409)
