"""An outside judge of the DICOMweb services: small cases from the text of PS3.18 (2024e to 2025e), none from this program's code.

    python3 ps318 enrich FILES
    python3 ps318 URL TOKEN FILES [CASE …]

FILES is a folder of Part 10 files. `enrich` gives some of them what the cases need and generated files lack; then the server,
whose service is at URL, is to hold these files and nothing else. CASE picks cases whose name has that word. Prints what failed with its paragraph, and one JSON object as the last line. Exit status: 0 all passed, 1 not, 3 what
it needs is not installed.
"""

import importlib
import importlib.util
import sys

MODULES = ["qido", "wado", "frames", "rendered", "uri", "stow"]  # stow last: it adds what the searches would count
NEEDS = ["numpy", "PIL", "pydicom", "openjpeg"]


def main():
    missing = [name for name in NEEDS if importlib.util.find_spec(name) is None]
    if missing:
        print(f"skipped, not installed: {', '.join(missing)}")
        return 3
    if sys.argv[1] == "enrich":
        from files import enrich

        return enrich(sys.argv[2])
    url, token, folder, *only = sys.argv[1:]
    for name in MODULES:
        importlib.import_module(name)
    from files import Files
    from judge import run
    from wire import Site

    return run(Site(url, token, Files(folder)), only)


if __name__ == "__main__":
    sys.exit(main())
