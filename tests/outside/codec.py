#!/usr/bin/env python3
"""Judges our HTJ2K by coders that are not ours, all frames in one process.

    codec.py FOLDER

FOLDER holds `index.txt`, a line `NAME WIDTH HEIGHT COMPONENTS BITS u|s` a frame, its samples as `NAME.raw` (little-endian,
one byte up to 8 bits unsigned, else two) and our codestream as `NAME.ours`. OpenJPH and OpenJPEG (imagecodecs) and
pylibjpeg-openjpeg have to decode every one of ours to these samples, and ours may be at most 1 % above OpenJPH's without
loss and with the same parameters, all together and for each frame of 64 KiB coded. What OpenJPH writes is left as
`NAME.theirs`, for our decoder. Exit status: 0 all agree, 1 something is wrong, 3 a coder is not installed.
"""

import importlib.util
import pathlib
import sys

NEEDS = ["numpy", "imagecodecs", "openjpeg"]
# What OpenJPH writes may be this much smaller than ours, and from this size on it is judged frame by frame.
SIZE_RATIO_MAX = 1.01
JUDGED_BYTES_MIN = 64 << 10


def interleaved(samples, shape):
    """Whatever layout a decoder answers in, rows x columns x components."""
    import numpy

    samples = numpy.asarray(samples)
    if samples.ndim == 3 and samples.shape != shape and numpy.moveaxis(samples, 0, -1).shape == shape:
        return numpy.moveaxis(samples, 0, -1)
    return samples.reshape(shape)


def decompositions(codestream):
    """SPcod's number of decomposition levels (T.800 A.6.1)."""
    return codestream[codestream.index(b"\xff\x52") + 9]


def main():
    missing = [module for module in NEEDS if importlib.util.find_spec(module) is None]
    if missing:
        print(f"skipped, not installed: {', '.join(missing)}")
        return 3
    import imagecodecs
    import numpy
    import openjpeg

    decoders = {
        "OpenJPH": imagecodecs.htj2k_decode,
        "OpenJPEG": imagecodecs.jpeg2k_decode,
        "pylibjpeg-openjpeg": openjpeg.decode,
    }
    folder = pathlib.Path(sys.argv[1])
    wrong, sizes, encoded = [], [], 0
    lines = (folder / "index.txt").read_text().split("\n")
    for line in filter(None, lines):
        name, *numbers, sign = line.split()
        width, height, components, bits = map(int, numbers)
        shape = (height, width, components)
        kind = numpy.dtype(("<i2" if sign == "s" else "<u2") if sign == "s" or bits > 8 else "u1")
        samples = numpy.fromfile(folder / f"{name}.raw", kind).reshape(shape)
        ours = (folder / f"{name}.ours").read_bytes()
        for decoder, decode in decoders.items():
            try:
                answer = interleaved(decode(ours), shape)
                if not numpy.array_equal(answer.astype("i4"), samples.astype("i4")):
                    wrong.append(f"{line}: {decoder} gives other samples")
            except Exception as error:  # whatever a decoder says
                wrong.append(f"{line}: {decoder}: {error}")
        if components not in (1, 3):
            continue
        levels = decompositions(ours)
        picture = numpy.ascontiguousarray(samples[..., 0] if components == 1 else samples)
        theirs = imagecodecs.htj2k_encode(picture, reversible=True, resolutions=levels, tlm=True)
        if not numpy.array_equal(interleaved(imagecodecs.htj2k_decode(theirs), shape), samples):
            print(f"{line}: OpenJPH does not decode what it wrote; not compared")
            continue
        encoded += 1
        (folder / f"{name}.theirs").write_bytes(theirs)
        # imagecodecs takes 0 for "as you like", so that frames of no decomposition have no counterpart.
        if decompositions(theirs) == levels:
            sizes.append((len(ours), len(theirs), line))
    total = sum(ours for ours, _, _ in sizes) / max(sum(theirs for _, theirs, _ in sizes), 1)
    large = [(ours / theirs, line) for ours, theirs, line in sizes if theirs >= JUDGED_BYTES_MIN]
    most = max(large, default=(0.0, "none"))
    print(f"{len(lines) - 1} frames decoded by {', '.join(decoders)}; {encoded} encoded by OpenJPH")
    print(f"{len(sizes)} compared, size to OpenJPH's: {total:.5f} together, at most {most[0]:.5f} of {len(large)} from 64 KiB ({most[1]})")
    if total > SIZE_RATIO_MAX or most[0] > SIZE_RATIO_MAX:
        wrong.append("ours are more than 1 % larger")
    for sentence in wrong[:50]:
        print(f"WRONG: {sentence}", file=sys.stderr)
    return 1 if wrong or not encoded else 0


if __name__ == "__main__":
    sys.exit(main())
