"""multipart/related by the letter: RFC 2046 §5.1.1, RFC 2387, header fields as RFC 5322 §2.2 has them."""

import re

from judge import expect

# RFC 2046 §5.1.1: 0*69<bchars> bcharsnospace
BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")
FIELD = re.compile(rb"([!-9;-~]+):[ \t]*(.*)")


class Part:
    def __init__(self, head, body):
        self.body, self.fields = body, []
        for line in head.split(b"\r\n") if head else []:
            field = FIELD.fullmatch(line)
            expect(field, f"a part's header has the line {line[:80]!r}")
            self.fields.append((field[1].decode("ascii").lower(), field[2].decode("utf-8").strip()))

    def header(self, name):
        return next((value for of, value in self.fields if of == name.lower()), None)


def parse(body, boundary):
    expect(BOUNDARY.fullmatch(boundary), f"boundary {boundary!r} is not one (RFC 2046 §5.1.1)")
    delimiter = b"--" + boundary.encode("ascii")
    # The first delimiter begins the body or a line; its CRLF belongs to it.
    text = b"\r\n" + body
    pieces = re.split(rb"\r\n" + re.escape(delimiter), text)
    expect(len(pieces) > 2, f"{len(pieces) - 1} boundaries in a body of {len(body)} bytes")
    last = pieces[-1]
    expect(last.startswith(b"--"), "the body does not end with the closing boundary (RFC 2046 §5.1.1)")
    parts = []
    for piece in pieces[1:-1]:
        padded = re.match(rb"[ \t]*\r\n", piece)
        expect(padded, f"a boundary is followed by {piece[:20]!r}")
        piece = piece[padded.end():]
        if piece.startswith(b"\r\n"):
            parts.append(Part(b"", piece[2:]))
            continue
        head, blank, content = piece.partition(b"\r\n\r\n")
        expect(blank, "a part has no blank line after its header")
        part = Part(head, content)
        length = part.header("content-length")
        expect(length is None or int(length) == len(content), f"a part says Content-Length {length} and has {len(content)} bytes")
        parts.append(part)
    return parts


def build(parts, boundary="outside-judge", root="application/dicom", preamble=b"", epilogue=b"", quoted=True):
    """A body and its Content-Type; `parts` are `(header lines, bytes)`."""
    out = [preamble]
    for head, content in parts:
        lines = "".join(f"{line}\r\n" for line in head)
        out.append(f"\r\n--{boundary}\r\n{lines}\r\n".encode() + content)
    out.append(f"\r\n--{boundary}--\r\n".encode() + epilogue)
    body = b"".join(out)
    mark = f'"{boundary}"' if quoted else boundary
    return body if preamble else body[2:], f'multipart/related; type="{root}"; boundary={mark}'
