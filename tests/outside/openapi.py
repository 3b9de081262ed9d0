#!/usr/bin/env python3
"""Schemathesis against the OpenAPI description of a running server: many requests made from it, none may make the server fail, and
every answer must be one that the description has.

    openapi.py URL TOKEN [SECONDS_MAX]

URL is the server's root; the description is at /openapi.json. Exit status: 0 nothing found, 1 something, 3 Schemathesis is not
installed.
"""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import urllib.request

EXAMPLES_MAX = 15
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,response_headers_conformance"


def program():
    beside = pathlib.Path(sys.executable).with_name("schemathesis")
    return str(beside) if beside.exists() else shutil.which("schemathesis")


def described(url, token):
    """The description, which has to be one of OpenAPI 3; how many operations it has."""
    request = urllib.request.Request(f"{url}/openapi.json", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        description = json.load(answer)
    if not description["openapi"].startswith("3."):
        raise SystemExit(f"openapi is {description['openapi']}")
    return sum(len(path) for path in description["paths"].values())


def main():
    schemathesis = program()
    if schemathesis is None:
        print("skipped, not installed: schemathesis")
        return 3
    url, token = sys.argv[1:3]
    seconds_max = int(sys.argv[3]) if len(sys.argv) > 3 else 170
    operations = described(url, token)
    with tempfile.TemporaryDirectory() as folder:
        arguments = [
            schemathesis, "run", f"{url}/openapi.json", "--header", f"Authorization: Bearer {token}", "--checks", CHECKS, "--max-examples", str(EXAMPLES_MAX),
            "--phases", "examples,coverage,fuzzing", "--max-time", str(seconds_max), "--seed", "1", "--request-timeout", "30", "--no-color", "--continue-on-failure",
        ]
        finished = subprocess.run(arguments, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds_max + 120)
    said = finished.stdout
    if finished.returncode:
        print(said[-12000:], finished.stderr[-2000:], file=sys.stderr)
        return 1
    summary = [line.strip() for line in said.splitlines() if "cases" in line or "Tested" in line]
    print(f"{operations} operations described; {'; '.join(summary)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
