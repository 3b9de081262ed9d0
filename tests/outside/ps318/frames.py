"""Frames (PS3.18 §10.4.1.1.6, Table 8.7.3-4 and -5) and ranges of them (RFC 9110 §14)."""

from files import EXPLICIT, HTJ2K_RPCL, JPEG_BASELINE, frame_bytes, frames, instance_of, little_endian
from judge import case, expect, same
from wire import media_type

OCTETS = 'multipart/related; type="application/octet-stream"'
HELD = 'multipart/related; type="application/octet-stream"; transfer-syntax=*'


def native(one, number):
    size = frame_bytes(one)
    return little_endian(one)[(number - 1) * size: number * size]


def codestream(one, number):
    from pydicom.encaps import get_frame

    return get_frame(one.PixelData, number - 1, number_of_frames=frames(one))


def path(one, numbers):
    return f"{instance_of(one)}/frames/{numbers}"


@case("Table 8.7.3-5", "application/octet-stream: native samples, little endian, each frame a part")
def native_frames(site):
    for one in (site.files.ct, site.files.implicit, site.files.mammogram):
        for accept in (OCTETS, f"{OCTETS}; transfer-syntax={EXPLICIT}", "multipart/related; type=application/octet-stream"):
            part, = site.get(path(one, 1), accept).is_(200).parts("application/octet-stream")
            same(part.body, native(one, 1), "frame 1")


@case("Table 8.7.3-5", "a frame held compressed is decoded for application/octet-stream")
def decoded_frames(site):
    one = site.files.jpeg
    part, = site.get(path(one, 1), OCTETS).is_(200).parts("application/octet-stream")
    same(len(part.body), frame_bytes(one), "length of a decoded frame")


@case("§8.7.7", "*/*: the default")
def default(site):
    site.get(path(site.files.ct, 1), "*/*").is_(200).parts()


@case("§10.4.1.1.6", "several frames: parts in the order asked for, also backwards and twice apart")
def lists(site):
    one = site.files.cine
    last = frames(one)
    single = {number: site.get(path(one, number), HELD).is_(200).parts()[0].body for number in (1, 2, last)}
    for numbers in ((1, 2), (2, 1), (last, 1, 2)):
        parts = site.get(path(one, ",".join(map(str, numbers))), HELD).is_(200).parts()
        same([part.body for part in parts], [single[number] for number in numbers], f"frames {numbers}")
    parts = site.get(path(one, "1%2C2"), HELD).is_(200).parts()
    same(len(parts), 2, "parts of 1%2C2")


@case("§10.4.1.1.6", "a frame that is not there: 404; what is no frame number: 400")
def wrong_numbers(site):
    one = site.files.cine
    for numbers in (frames(one) + 1, 1_000_000, f"1,{frames(one) + 1}"):
        site.get(path(one, numbers), HELD).is_(404)
    for numbers in ("0", "-1", "abc", "1,,2", "1,", "1.5", "99999999999999999999", "1;2", "1-2", "%00"):
        site.get(path(one, numbers), HELD).is_(400, 404)


@case("§10.4.1.1.6", "an object without frames has none: 404 or 400")
def no_frames(site):
    for one in (site.files.report, site.files.document, site.files.ecg):
        site.get(path(one, 1), OCTETS).is_(400, 404, 406)


@case("Table 8.7.3-4", "transfer-syntax=*: the codestream as it is held, its type and its transfer syntax said")
def as_held(site):
    one = site.files.jpeg
    part, = site.get(path(one, 1), HELD).is_(200).parts()
    essence, parameters = media_type(part.header("content-type"))
    same((essence, parameters.get("transfer-syntax")), ("image/jpeg", JPEG_BASELINE), "Content-Type of the part")
    same(part.body.rstrip(b"\0"), codestream(one, 1).rstrip(b"\0"), "the codestream")


@case("Table 8.7.3-4", "a media type of a codestream, alone or in multipart, with its default transfer syntax")
def codestreams(site):
    one = site.files.jpeg
    part, = site.get(path(one, 1), 'multipart/related; type="image/jpeg"').is_(200).parts("image/jpeg")
    same(part.body[:2], b"\xff\xd8", "JPEG")
    answer = site.get(path(one, 1), "image/jpeg").is_(200)
    answer.typed("image/jpeg")
    same(answer.body.rstrip(b"\0"), part.body.rstrip(b"\0"), "alone")
    site.get(path(one, 1), f'multipart/related; type="image/jpeg"; transfer-syntax={JPEG_BASELINE}').is_(200).parts("image/jpeg")


@case("Table 8.7.3-4; CP-2352", "HTJ2K: image/jphc with the transfer syntax")
def htj2k(site):
    one = site.files.ct
    for accept in (f'multipart/related; type="image/jphc"; transfer-syntax={HTJ2K_RPCL}', 'multipart/related; type="image/jphc"'):
        part, = site.get(path(one, 1), accept).is_(200).parts("image/jphc")
        same(part.body[:2], b"\xff\x4f", "a codestream")
    answer = site.get(path(one, 1), f"image/jphc; transfer-syntax={HTJ2K_RPCL}").is_(200)
    same(answer.typed("image/jphc").get("transfer-syntax"), HTJ2K_RPCL, "transfer-syntax of the answer")


@case("Table 8.7.3-4", "JPEG 2000 on request")
def jpeg_2000(site):
    part, = site.get(path(site.files.ct, 1), 'multipart/related; type="image/jp2"; transfer-syntax=1.2.840.10008.1.2.4.90').is_(200).parts("image/jp2")
    expect(part.body[:2] == b"\xff\x4f" or part.body[4:8] == b"jP  ", "no JPEG 2000")


@case("§8.7.8.1", "a frame in what it cannot be: 406")
def not_acceptable(site):
    for accept in ('multipart/related; type="image/png"', "text/html", "application/dicom+json", 'multipart/related; type="application/octet-stream"; transfer-syntax=1.2.3', 'multipart/related; type="video/mp4"'):
        site.get(path(site.files.ct, 1), accept).is_(406)


@case("§10.4.4", "a single part holds one frame: for several it is not acceptable")
def single_part(site):
    one = site.files.cine
    answer = site.get(path(site.files.ct, 1), "application/octet-stream").is_(200)
    answer.typed("application/octet-stream")
    same(answer.body, native(site.files.ct, 1), "frame 1")
    site.get(path(one, "1,2"), "application/octet-stream").is_(406)


@case("RFC 9110 §8.6", "a frame has a Content-Length and no Content-Encoding, whatever is accepted")
def length(site):
    for accept in (OCTETS, HELD):
        answer = site.get(path(site.files.ct, 1), accept, [("Accept-Encoding", "gzip, zstd, br")]).is_(200)
        same(answer.header("content-length"), str(len(answer.body)), "Content-Length")
        expect(not answer.header("content-encoding"), f"Content-Encoding is {answer.header('content-encoding')}")


@case("§10.4.3.3", "the same request gives the same bytes, its boundary too, and a strong ETag")
def repeatable(site):
    first, again = (site.get(path(site.files.ct, 1), HELD).is_(200) for _ in range(2))
    same(again.body == first.body, True, "the same bytes")
    expect((first.header("etag") or "").startswith('"'), f"ETag is {first.header('etag')}")
    same(again.header("etag"), first.header("etag"), "ETag")


@case("RFC 9110 §14.2, §15.3.7", "ranges of the whole body: first bytes, from a byte on, last bytes")
def ranges(site):
    for accept in (HELD, OCTETS):
        target = path(site.files.ct, 1)
        whole = site.get(target, accept).is_(200)
        expect((whole.header("accept-ranges") or "") == "bytes", f"Accept-Ranges is {whole.header('accept-ranges')}")
        size = len(whole.body)
        for wanted, low, high in (("0-99", 0, 99), (f"100-{size - 1}", 100, size - 1), ("100-", 100, size - 1), ("-10", size - 10, size - 1), (f"0-{size + 500}", 0, size - 1), ("5-5", 5, 5), (f"-{size + 9}", 0, size - 1)):
            answer = site.get(target, accept, [("Range", f"bytes={wanted}")]).is_(206)
            same(answer.header("content-range"), f"bytes {low}-{high}/{size}", f"Content-Range of {wanted}")
            same(answer.body == whole.body[low:high + 1], True, f"bytes of {wanted}")
            same(answer.header("content-length"), str(high - low + 1), "Content-Length")
            same((answer.header("content-type"), answer.header("etag")), (whole.header("content-type"), whole.header("etag")), "Content-Type and ETag")


@case("RFC 9110 §15.5.17", "a range behind the end: 416 with Content-Range bytes */length")
def range_behind(site):
    size = len(site.get(path(site.files.ct, 1), HELD).is_(200).body)
    for wanted in (f"{size}-", f"{size + 10}-{size + 20}", "-0"):
        answer = site.get(path(site.files.ct, 1), HELD, [("Range", f"bytes={wanted}")]).is_(416)
        same(answer.header("content-range"), f"bytes */{size}", "Content-Range")


@case("RFC 9110 §14.2", "a Range that cannot be read, or of another unit, is ignored")
def range_ignored(site):
    for wanted in ("bytes=x-y", "bytes=9-5", "lines=1-2", "bytes", "bytes="):
        site.get(path(site.files.ct, 1), HELD, [("Range", wanted)]).is_(200)


@case("RFC 9110 §14.6", "several ranges: multipart/byteranges, or the whole")
def several_ranges(site):
    whole = site.get(path(site.files.ct, 1), HELD).is_(200)
    answer = site.get(path(site.files.ct, 1), HELD, [("Range", "bytes=0-9,20-29")]).is_(200, 206)
    if answer.status == 206:
        expect(media_type(answer.header("content-type"))[0] == "multipart/byteranges", "several ranges in one 206")
    else:
        same(answer.body == whole.body, True, "the whole")


@case("RFC 9110 §13.1.5", "If-Range with another ETag: the whole; with this one: the range; a weak one never matches")
def if_range(site):
    target = path(site.files.ct, 1)
    tag = site.get(target, HELD).is_(200).header("etag")
    site.get(target, HELD, [("Range", "bytes=0-9"), ("If-Range", tag)]).is_(206)
    for other in ('"other"', f"W/{tag}", "Wed, 21 Oct 2015 07:28:00 GMT"):
        site.get(target, HELD, [("Range", "bytes=0-9"), ("If-Range", other)]).is_(200)


@case("RFC 9111 §5.2.2", "what says who is ill is kept by nobody on the way: private, or no-store")
def cache_control(site):
    for target, accept in ((path(site.files.ct, 1), HELD), ("/studies", "application/dicom+json"), (f"{instance_of(site.files.ct)}/metadata", "application/dicom+json"), (f"{instance_of(site.files.ct)}/rendered", "image/jpeg")):
        said = site.get(target, accept).is_(200).header("cache-control") or ""
        expect("private" in said or "no-store" in said, f"Cache-Control of {target[-12:]} is {said!r}")
