"""Rendered resources and thumbnails (PS3.18 §8.3.5, §8.7.4, §10.4.1.1.3, §10.4.1.1.4)."""

import io

import numpy
from PIL import Image

from files import frames, instance_of, series_of, study_of
from judge import case, expect, same
from wire import media_type

JPEG = "image/jpeg"


def picture(site, path, accept=JPEG, kind=None):
    answer = site.get(path, accept).is_(200)
    essence, parameters = media_type(answer.header("content-type"))
    same(essence, kind or accept, "Content-Type")
    expect("transfer-syntax" not in parameters, "a transfer-syntax parameter on a rendered media type (§8.7.4)")
    image = Image.open(io.BytesIO(answer.body))
    image.load()
    same(image.format, {"image/jpeg": "JPEG", "image/png": "PNG", "image/gif": "GIF"}[essence], "format")
    return image


def greys(image):
    return numpy.asarray(image.convert("L"), dtype=float)


def rendered(one, end=""):
    return f"{instance_of(one)}/rendered{end}"


@case("Table 8.7.4-1", "an instance of one frame: image/jpeg by default, baseline, of the size of the image")
def default(site):
    for one in (site.files.ct, site.files.mammogram, site.files.jpeg, site.files.implicit):
        for accept in ("*/*", "image/*", JPEG):
            image = picture(site, rendered(one), accept, JPEG)
            same(image.size, (one.Columns, one.Rows), f"size for {accept}")
            expect("progression" not in image.info, "a progressive JPEG (§8.7.4: baseline)")
            expect(image.mode in ("L", "RGB"), f"mode {image.mode}")
        expect(len(set(greys(image).astype(int).ravel())) > 8, "a picture of one tone")


@case("Table 8.7.4-1", "image/png and image/gif are required too")
def other_types(site):
    for kind in ("image/png", "image/gif"):
        image = picture(site, rendered(site.files.ct), kind)
        same(image.size, (site.files.ct.Columns, site.files.ct.Rows), f"size of {kind}")


@case("§10.4.1.1.3", "a frame, a list of frames in their order")
def frames_rendered(site):
    one = site.files.cine
    picture(site, f"{instance_of(one)}/frames/1/rendered")
    parts = site.get(f"{instance_of(one)}/frames/1,2/rendered", 'multipart/related; type="image/jpeg"').is_(200).parts("image/jpeg")
    same(len(parts), 2, "parts")
    site.get(f"{instance_of(one)}/frames/1,2/rendered", JPEG).is_(406)
    site.get(f"{instance_of(one)}/frames/{frames(one) + 1}/rendered", JPEG).is_(404)
    site.get(f"{instance_of(one)}/frames/0/rendered", JPEG).is_(400, 404)


@case("§10.4.1.1.3, §10.4.4", "study and series: a part a picture; a single part is not acceptable there")
def levels(site):
    one = site.files.ct
    for path, count in ((study_of(one), len(site.files.studies[one.StudyInstanceUID])), (series_of(one), len(site.files.series[one.SeriesInstanceUID]))):
        parts = site.get(f"{path}/rendered", 'multipart/related; type="image/jpeg"').is_(200).parts("image/jpeg")
        same(len(parts), count, f"pictures of {path[-10:]}")
        site.get(f"{path}/rendered", JPEG).is_(406)


@case("§8.3.5.1.3", "viewport: the picture fits into it, its aspect kept")
def viewport(site):
    one = site.files.mammogram
    for width, height in ((64, 64), (100, 30), (30, 100), (1000, 1000)):
        image = picture(site, rendered(one, f"?viewport={width},{height}"))
        scale = min(width / one.Columns, height / one.Rows)
        expect(image.width <= width and image.height <= height, f"{image.size} does not fit into {width}x{height}")
        expect(abs(image.width - one.Columns * scale) <= 1.01 and abs(image.height - one.Rows * scale) <= 1.01, f"{image.size} of {one.Columns}x{one.Rows} in {width}x{height}")


@case("§8.3.5.1.3", "viewport with a source region shows that region; fields may be left out")
def region(site):
    one = site.files.mammogram
    half = one.Columns // 2
    whole = greys(picture(site, rendered(one), "image/png"))
    image = greys(picture(site, rendered(one, f"?viewport={half},{one.Rows},{half},0,{half},{one.Rows}"), "image/png"))
    expected = whole[:, half:2 * half]
    same(image.shape, expected.shape, "size")
    expect(numpy.abs(image - expected).mean() < 3, f"another region: mean difference {numpy.abs(image - expected).mean():.1f}")
    picture(site, rendered(one, "?viewport=64,64,,,,"))


@case("§8.3.5.1.3", "a negative source width or height mirrors")
def mirrored(site):
    one = site.files.mammogram
    whole = greys(picture(site, rendered(one), "image/png"))
    image = greys(picture(site, rendered(one, f"?viewport={one.Columns},{one.Rows},0,0,-{one.Columns},{one.Rows}"), "image/png"))
    expect(numpy.abs(image - whole[:, ::-1]).mean() < 3, "not mirrored from left to right")


@case("§8.3.5.1.4", "window: centre, width and function as PS3.3 C.11.2.1.2 has them")
def window(site):
    one = site.files.ct
    from pydicom.pixels import apply_modality_lut, pixel_array

    values = apply_modality_lut(pixel_array(one), one).astype(float)
    for center, width in ((40, 400), (-600, 1500), (50.5, 350.5)):
        image = greys(picture(site, rendered(one, f"?window={center},{width},linear"), "image/png"))
        expected = numpy.clip(((values - (center - 0.5)) / (width - 1) + 0.5) * 255, 0, 255)
        expect(numpy.abs(image - expected).max() <= 2, f"{center},{width}: a difference of {numpy.abs(image - expected).max():.1f}")
    exact = greys(picture(site, rendered(one, "?window=40,400,linear-exact"), "image/png"))
    expect(numpy.abs(exact - numpy.clip(((values - 40) / 400 + 0.5) * 255, 0, 255)).max() <= 2, "linear-exact")
    sigmoid = greys(picture(site, rendered(one, "?window=40,400,sigmoid"), "image/png"))
    expect(numpy.abs(sigmoid - 255 / (1 + numpy.exp(-4 * (values - 40) / 400))).max() <= 2, "sigmoid")


@case("§8.3.5.1.2", "quality: a lower one gives fewer bytes")
def quality(site):
    sizes = [len(site.get(rendered(site.files.mammogram, f"?quality={quality}"), JPEG).is_(200).body) for quality in (1, 50, 100)]
    expect(sizes[0] < sizes[1] < sizes[2], f"bytes {sizes}")


@case("§8.3.5.1", "values that are none: 400")
def invalid(site):
    for query in (
        "quality=0", "quality=101", "quality=abc", "viewport=0,0", "viewport=abc", "viewport=10", "viewport=-5,10", "viewport=10,10,0,0,99999,99999", "window=1", "window=40,0,linear",
        "window=40,-5,linear", "window=40,400,unknown", "window=a,b,linear", "iccprofile=maybe", "annotation=weather", "viewport=1e9,1e9",
    ):
        answer = site.get(rendered(site.files.ct, f"?{query}"), JPEG)
        allowed = (200, 400) if query.startswith(("annotation", "iccprofile")) else (400,)
        expect(answer.status in allowed, f"{query} is answered {answer.status}")


@case("§8.3.5.1.1, §8.3.5.1.5", "annotation and iccprofile are taken or ignored")
def optional(site):
    for query in ("annotation=patient", "annotation=patient,technique", "iccprofile=no", "iccprofile=yes", "iccprofile=srgb"):
        site.get(rendered(site.files.ct, f"?{query}"), JPEG).is_(200)


@case("§8.7.4", "what an image cannot be rendered to: 406")
def not_acceptable(site):
    for accept in ("text/html", "application/dicom", "video/mp4", "image/x-unknown", 'multipart/related; type="application/dicom"'):
        site.get(rendered(site.files.ct), accept).is_(406)


@case("Table 8.7.4-1", "a report is rendered as text/html by default, as text/plain too")
def text(site):
    for accept, kind in (("*/*", "text/html"), ("text/html", "text/html"), ("text/plain", "text/plain")):
        answer = site.get(rendered(site.files.report), accept).is_(200)
        essence, parameters = media_type(answer.header("content-type"))
        same(essence, kind, "Content-Type")
        answer.body.decode(parameters.get("charset", "utf-8"))
        expect(len(answer.body) > 40, "an empty report")


@case("§10.4.1.1.3", "what cannot be drawn: an answer of the 4xx class")
def undrawable(site):
    site.get(rendered(site.files.report), JPEG).is_(404, 406, 409)


@case("§10.4.1.1.4", "thumbnails of study, series, instance and frame: one picture each, small, image/jpeg by default")
def thumbnails(site):
    one = site.files.mammogram
    for path in (study_of(one), series_of(one), instance_of(one), f"{instance_of(one)}/frames/1"):
        for accept in (JPEG, "image/*", "*/*"):
            image = picture(site, f"{path}/thumbnail", accept, JPEG)
            expect(max(image.size) <= 512, f"a thumbnail of {image.size}")
        image = picture(site, f"{path}/thumbnail?viewport=32,32")
        expect(max(image.size) <= 32, f"viewport=32,32 gives {image.size}")


@case("§10.4.1.1.4", "a thumbnail in what it is not: 406")
def thumbnail_not_acceptable(site):
    site.get(f"{instance_of(site.files.ct)}/thumbnail", "application/dicom+json").is_(406)
