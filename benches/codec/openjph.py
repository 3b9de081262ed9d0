"""One round of OpenJPH through imagecodecs: openjph.py --raw W,H,C,BITS,u|s FILE, one line of JSON."""

import json
import math
import statistics
import sys
import time

import imagecodecs
import numpy

ROUND_S = 0.2


def timed(run):
    run()
    began, seconds = time.perf_counter(), []
    while len(seconds) < 3 or time.perf_counter() - began < ROUND_S:
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def main():
    width, height, components, bits, sign = sys.argv[2].split(",")
    width, height, components, bits = int(width), int(height), int(components), int(bits)
    kind = ("<i" if sign == "s" else "<u") + ("2" if bits > 8 else "1")
    samples = numpy.fromfile(sys.argv[3], kind).reshape((height, width) + ((components,) if components > 1 else ()))
    levels = max(0, math.ceil(math.log2(max(width, height) / 64)))
    encode = lambda: imagecodecs.htj2k_encode(samples, reversible=True, resolutions=levels)
    coded = encode()
    decode = lambda: imagecodecs.htj2k_decode(coded)
    if not (decode() == samples).all():
        sys.exit("OpenJPH gave other samples back")
    megabytes = samples.nbytes / 1e6
    print(json.dumps({"encode_mb_s": megabytes / timed(encode), "decode_mb_s": megabytes / timed(decode)}))


main()
