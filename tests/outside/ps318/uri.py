"""The URI service (PS3.18 §9), and what a server says of itself (§8.9)."""

import io
import xml.etree.ElementTree as ElementTree
from urllib.parse import quote

from PIL import Image

from files import EXPLICIT, J2K, frames, syntax
from judge import case, expect, same
from wire import media_type

WADL = "{http://wadl.dev.java.net/2009/02}"


def wado(site, query, accept="*/*"):
    """The URI service stands beside the others, at /wado."""
    return site.get(f"/wado?{query}", accept, prefix=False)


def ask(site, one, more="", accept="*/*"):
    uids = f"studyUID={one.StudyInstanceUID}&seriesUID={one.SeriesInstanceUID}&objectUID={one.SOPInstanceUID}"
    return wado(site, f"requestType=WADO&{uids}{more}", accept)


def picture(answer, kind="image/jpeg"):
    answer.is_(200).typed(kind)
    return Image.open(io.BytesIO(answer.body))


@case("§9.3, Table 8.7.4-1", "without a content type: image/jpeg for an image of one frame")
def default(site):
    for accept in ("*/*", "image/*"):
        same(picture(ask(site, site.files.ct, accept=accept)).size, (site.files.ct.Columns, site.files.ct.Rows), "size")


@case("§9.4", "contentType=application/dicom: the instance, Explicit VR Little Endian")
def instance(site):
    for one in (site.files.ct, site.files.report, site.files.implicit):
        answer = ask(site, one, "&contentType=application/dicom").is_(200)
        answer.typed("application/dicom")
        got = site.dicom(answer.body)
        same((got.SOPInstanceUID, syntax(got)), (one.SOPInstanceUID, EXPLICIT), "the file")
    ask(site, site.files.ct, f"&contentType={quote('application/dicom', safe='')}").is_(200).typed("application/dicom")


@case("§9.4.1.2.3", "transferSyntax, where it is supported")
def transfer_syntax(site):
    answer = ask(site, site.files.ct, f"&contentType=application/dicom&transferSyntax={J2K}").is_(200)
    expect(syntax(site.dicom(answer.body)) in (J2K, EXPLICIT), "another transfer syntax")


@case("§9.5", "contentType=image/png, rows, columns, windowCenter and windowWidth, frameNumber, imageQuality, region")
def rendered(site):
    picture(ask(site, site.files.ct, "&contentType=image/png"), "image/png")
    image = picture(ask(site, site.files.mammogram, "&rows=50&columns=40"))
    expect(image.width <= 40 and image.height <= 50, f"{image.size} in 40x50")
    picture(ask(site, site.files.ct, "&windowCenter=40&windowWidth=400"))
    picture(ask(site, site.files.cine, "&frameNumber=2"))
    picture(ask(site, site.files.ct, "&imageQuality=50"))
    picture(ask(site, site.files.ct, "&region=0.25,0.25,0.75,0.75"))


@case("§9.5.2.1", "frameNumber: 400 where there are not several frames, it is not one number, or no frame has it")
def frame_number(site):
    ask(site, site.files.ct, "&frameNumber=1").is_(200, 400)
    for number in ("0", "-1", "x", "1,2", str(frames(site.files.cine) + 1)):
        ask(site, site.files.cine, f"&frameNumber={number}").is_(400)


@case("§9.1.2", "a mandatory parameter is missing or is none: 400")
def mandatory(site):
    one = site.files.ct
    uids = {"studyUID": one.StudyInstanceUID, "seriesUID": one.SeriesInstanceUID, "objectUID": one.SOPInstanceUID}
    for missing in uids:
        query = "&".join(f"{name}={value}" for name, value in uids.items() if name != missing)
        wado(site, f"requestType=WADO&{query}").is_(400)
    whole = "&".join(f"{name}={value}" for name, value in uids.items())
    wado(site, f"{whole}").is_(400)
    wado(site, f"requestType=OTHER&{whole}").is_(400)
    wado(site, f"requestType=WADO&{whole.replace(one.SOPInstanceUID, 'abc')}").is_(400, 404)


@case("§9.4.3", "what is not held: 404; what cannot be had: 406")
def not_found(site):
    one = site.files.ct
    wado(site, f"requestType=WADO&studyUID={one.StudyInstanceUID}&seriesUID={one.SeriesInstanceUID}&objectUID=1.2.3").is_(404)
    ask(site, one, "&contentType=text/html").is_(406)


@case("§9.5.1.2", "windowCenter without windowWidth, or a width that is none: 400")
def window(site):
    for query in ("&windowCenter=40", "&windowWidth=400", "&windowCenter=a&windowWidth=400", "&windowCenter=40&windowWidth=0", "&rows=0", "&columns=x", "&imageQuality=101", "&region=1,2", "&region=0.9,0.9,0.1,0.1"):
        ask(site, site.files.ct, query).is_(400)


@case("§8.9, Annex H", "OPTIONS of the service: a WADL document with base, resources and methods")
def capabilities(site):
    for path in ("/", ""):
        answer = site.ask("OPTIONS", path, "application/vnd.sun.wadl+xml").is_(200)
        answer.typed("application/vnd.sun.wadl+xml")
        root = ElementTree.fromstring(answer.body)
        same(root.tag, f"{WADL}application", "root element")
        resources, = root.findall(f"{WADL}resources")
        expect((resources.get("base") or "").startswith("http"), f"base is {resources.get('base')}")
        paths = [resource.get("path") for resource in resources.iter(f"{WADL}resource")]
        expect(any("studies" in (path or "") for path in paths), f"resources {paths}")
        methods = {method.get("name") for method in resources.iter(f"{WADL}method")}
        expect({"GET", "POST"} <= methods, f"methods {methods}")


@case("RFC 9110 §9.3.7", "OPTIONS of a resource: what methods it has")
def options(site):
    for path, wanted in (("/studies", {"GET", "POST"}), (f"/studies/{site.files.ct.StudyInstanceUID}", {"GET", "POST"}), ("/series", {"GET"})):
        answer = site.ask("OPTIONS", path, "*/*").is_(200, 204)
        allowed = {one.strip() for one in (answer.header("allow") or "").split(",")}
        expect(wanted <= allowed, f"Allow of {path} is {allowed}")
