"""Requests as they are typed, and answers as they come: nothing is added, followed or decoded."""

import http.client
import io
import json
import re
from urllib.parse import urlsplit

from judge import expect
from related import parse as parse_related

TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
QUOTED = r'"(?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\[\t\x20-\x7e\x80-\xff])*"'
MEDIA_TYPE = re.compile(rf"({TOKEN})/({TOKEN})((?:[ \t]*;[ \t]*{TOKEN}=(?:{TOKEN}|{QUOTED}))*)[ \t]*")
PARAMETER = re.compile(rf";[ \t]*({TOKEN})=({TOKEN}|{QUOTED})")


def media_type(text):
    """A Content-Type as RFC 9110 §8.3.1 spells it: `type/subtype` in lower case, and its parameters."""
    whole = MEDIA_TYPE.fullmatch(text or "")
    expect(whole, f"Content-Type {text!r} is not a media type (RFC 9110 §8.3.1)")
    parameters = {}
    for name, value in PARAMETER.findall(whole[3]):
        expect(name.lower() not in parameters, f"Content-Type {text!r} has {name} twice")
        parameters[name.lower()] = re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value
    return f"{whole[1]}/{whole[2]}".lower(), parameters


class Answer:
    def __init__(self, asked, response, body):
        self.asked, self.status, self.body = asked, response.status, body
        self.headers = [(name.lower(), value) for name, value in response.getheaders()]

    def header(self, name):
        values = [value for of, value in self.headers if of == name.lower()]
        return ", ".join(values) if values else None

    def warnings(self):
        return [value for name, value in self.headers if name == "warning"]

    def is_(self, *statuses):
        expect(self.status in statuses, f"answered {self.status}, not {' or '.join(map(str, statuses))}: {self.body[:200]!r}")
        return self

    def typed(self, expected):
        found, parameters = media_type(self.header("content-type"))
        expect(found == expected, f"Content-Type is {found}, not {expected}")
        return parameters

    def json(self):
        self.typed("application/dicom+json")
        return json.loads(self.body.decode("utf-8"))

    def parts(self, root=None):
        """The parts of a multipart/related body, each `(headers, body)`, by the letter of RFC 2046 §5.1.1 and RFC 2387."""
        parameters = self.typed("multipart/related")
        expect("type" in parameters, "multipart/related without the type parameter (RFC 2387 §3.1)")
        expect("boundary" in parameters, "multipart/related without a boundary")
        parts = parse_related(self.body, parameters["boundary"])
        first, _ = media_type(parts[0].header("content-type"))
        expect(parameters["type"].lower() == first, f"type={parameters['type']} but the root part is {first} (RFC 2387 §3.1)")
        if root:
            for part in parts:
                expect(media_type(part.header("content-type"))[0] == root, f"a part is {part.header('content-type')}, not {root}")
        return parts


class Site:
    """One server, one token, and what was asked last (for the report)."""

    def __init__(self, url, token, files):
        self.base, self.token, self.files = urlsplit(url), token, files
        self.root, self.last = self.base.path.rstrip("/"), ""

    def ask(self, method, path, accept=None, headers=(), body=None, token=True, prefix=True):
        target = f"{self.root}{path}" if prefix else path
        self.last = f"{method} {target}" + (f" Accept: {accept}" if accept is not None else "") + (f" {list(headers)}" if headers else "")
        connection = http.client.HTTPConnection(self.base.hostname, self.base.port, timeout=60)
        connection.putrequest(method, target, skip_accept_encoding=True)
        if token:
            connection.putheader("Authorization", f"Bearer {self.token}")
        for one in [accept] if isinstance(accept, str) else accept or []:
            connection.putheader("Accept", one)
        for name, value in headers:
            connection.putheader(name, value)
        if body is not None and not any(name.lower() in ("content-length", "transfer-encoding") for name, _ in headers):
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        response = connection.getresponse()
        answer = Answer(self.last, response, response.read())
        connection.close()
        return answer

    def get(self, path, accept=None, headers=(), **more):
        return self.ask("GET", path, accept, headers, **more)

    def dicom(self, body):
        import pydicom

        return pydicom.dcmread(io.BytesIO(body))
