#!/usr/bin/env python3
"""Opens what `unzip` took out of packs, with pydicom, and compares pixels with those of the files that were sent.

    packs.py UNZIPPED ORIGINALS

UNZIPPED holds folders of pack entries (`N.dcm`, ...), ORIGINALS the files sent, as `SOP-INSTANCE-UID.dcm`. Every
`.dcm` entry has to open as a Part 10 file; every one of lossless HTJ2K has to decode to the samples of its
original. Exit status: 0 all agree, 1 something is wrong, 3 pydicom or its decoder is not installed.
"""

import importlib.util
import pathlib
import sys

NEEDS = ["numpy", "pydicom", "pylibjpeg", "openjpeg"]
HTJ2K_LOSSLESS_RPCL = "1.2.840.10008.1.2.4.202"


def same_pixels(entry, original):
    import numpy
    from pydicom.pixels import pixel_array

    # Raw: no colour conversion but that of JPEG 2000 itself.
    held, sent = pixel_array(entry, raw=True), pixel_array(original, raw=True)
    return held.shape == sent.shape and numpy.array_equal(held, sent)


def main():
    missing = [module for module in NEEDS if importlib.util.find_spec(module) is None]
    if missing:
        print(f"skipped, not installed: {', '.join(missing)}")
        return 3
    import pydicom

    unzipped, originals = map(pathlib.Path, sys.argv[1:3])
    opened, compared, wrong = 0, 0, []
    for path in sorted(unzipped.glob("*/*.dcm")):
        entry = pydicom.dcmread(path)
        list(entry.iterall())
        opened += 1
        original = pydicom.dcmread(originals / f"{entry.SOPInstanceUID}.dcm", force=True)
        for keyword in ("PatientName", "StudyInstanceUID", "Rows", "Columns", "BitsStored"):
            if str(entry.get(keyword)) != str(original.get(keyword)):
                wrong.append(f"{path}: {keyword} is {entry.get(keyword)}, was {original.get(keyword)}")
        if entry.file_meta.TransferSyntaxUID == HTJ2K_LOSSLESS_RPCL and not str(
            original.file_meta.TransferSyntaxUID
        ).startswith("1.2.840.10008.1.2.4"):
            compared += 1
            if not same_pixels(entry, original):
                wrong.append(f"{path}: its samples are not those of {original.filename}")
    print(f"{opened} entries opened, {compared} decoded and equal" if not wrong else f"{opened} entries opened")
    for sentence in wrong:
        print(f"WRONG: {sentence}", file=sys.stderr)
    return 1 if wrong or not compared else 0


if __name__ == "__main__":
    sys.exit(main())
