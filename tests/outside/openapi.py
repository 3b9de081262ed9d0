#!/usr/bin/env python3
"""Schemathesis against the OpenAPI description of a running server: many requests made from it, none may make the server fail, and
every answer must be one that the description has.

    openapi.py URL TOKEN [SECONDS]

URL is the server's root; the description is at /openapi.json. It is run twice, each for so many seconds: with addresses that it
makes up, and with those of an image that is held. Exit status: 0 nothing found, 1 something, 3 Schemathesis is not installed.
"""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import urllib.request

EXAMPLES_MAX = 15
SECONDS = 45
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,response_headers_conformance"
# Bodies of these media types are any bytes: Schemathesis knows no others.
HOOKS = """
import schemathesis

for media_type in ("multipart/related", "application/dicom"):
    schemathesis.serializer(media_type)(lambda context, value: value if isinstance(value, bytes) else str(value).encode())
"""


def program():
    beside = pathlib.Path(sys.executable).with_name("schemathesis")
    return str(beside) if beside.exists() else shutil.which("schemathesis")


def get(url, token, accept):
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}", "Accept": accept})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def image(url, token):
    """The parameters of paths that lead to an image."""
    found = get(f"{url}/dicom-web/instances?Modality=MG&limit=1", token, "application/dicom+json")[0]
    study, series, instance = (found[tag]["Value"][0] for tag in ("0020000D", "0020000E", "00080018"))
    return {"study": study, "series": series, "instance": instance, "frames": "1", "id": f"{study}_{series}_{instance}_1"}


def run(schemathesis, url, token, seconds, parameters):
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "hooks.py").write_text(HOOKS)
        lines = [f'{name} = "{value}"' for name, value in parameters.items()]
        (pathlib.Path(folder) / "schemathesis.toml").write_text("\n".join(['hooks = "hooks.py"', "[parameters]", *lines, ""]))
        arguments = [
            schemathesis, "run", f"{url}/openapi.json", "--header", f"Authorization: Bearer {token}", "--checks", CHECKS, "--max-examples", str(EXAMPLES_MAX),
            "--phases", "examples,coverage,fuzzing", "--max-time", str(seconds), "--seed", "1", "--request-timeout", "30", "--no-color", "--continue-on-failure",
        ]
        finished = subprocess.run(arguments, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds + 120)
    said = finished.stdout
    if finished.returncode:
        print(said[-12000:], finished.stderr[-2000:], file=sys.stderr)
        sys.exit(1)
    return next((line.strip() for line in said.splitlines() if "generated," in line), said[-200:])


def main():
    schemathesis = program()
    if schemathesis is None:
        print("skipped, not installed: schemathesis")
        return 3
    url, token = sys.argv[1:3]
    seconds = int(sys.argv[3]) if len(sys.argv) > 3 else SECONDS
    description = get(f"{url}/openapi.json", token, "application/json")
    operations = sum(len(path) for path in description["paths"].values())
    for what, parameters in (("made up", {}), ("of an image", image(url, token))):
        print(f"{operations} operations, addresses {what}: {run(schemathesis, url, token, seconds, parameters)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
