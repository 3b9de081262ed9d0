#!/usr/bin/env python3
"""Compares the DICOM waveforms that were made of MFER files with what ecgdatakit reads from these files, sample for sample.

    mfer.py FOLDER

FOLDER holds `NAME.mwf`, as received, and `NAME.dcm`, the waveform made of it. pydicom reads the latter; the stored integers
have to be those of ecgdatakit (which answers in physical units: they are divided by its resolution), in number, order, rate
and name of leads, average beats among them. Exit status: 0 all agree, 1 something is wrong, 3 a package is not installed.
"""

import importlib.util
import pathlib
import sys
import tempfile
import warnings

# Warnings of ecgdatakit since a file was begun.
heard = []
NEEDS = ["numpy", "pydicom", "ecgdatakit", "defusedxml", "xmltodict"]
# ecgdatakit answers an ECG in mV and its resolution in uV; what has no unit comes as stored.
PER_UNIT = {"mv": 1000.0, "uv": 1.0, "µv": 1.0}


def counts(lead):
    """The integers that were stored."""
    import numpy

    samples = numpy.asarray(lead.samples, dtype=float)
    factor = PER_UNIT.get((lead.units or "").lower())
    if lead.is_raw or factor is None:
        return numpy.rint(samples).astype(int)
    return numpy.rint(samples * factor / lead.resolution).astype(int)


def groups(path):
    """Rate, labels and integers of each multiplex group."""
    import numpy
    import pydicom

    found = []
    for item in pydicom.dcmread(path).WaveformSequence:
        kind = {"SS": "<i2", "SL": "<i4"}[item.WaveformSampleInterpretation]
        channels = int(item.NumberOfWaveformChannels)
        samples = numpy.frombuffer(item.WaveformData, kind).reshape(int(item.NumberOfWaveformSamples), channels)
        labels = [one.ChannelLabel.removeprefix("Lead ") for one in item.ChannelDefinitionSequence]
        for at, label in enumerate(labels):
            found.append((item.MultiplexGroupLabel, label, float(item.SamplingFrequency), samples[:, at].astype(int)))
    return found


def without_first_wave(data):
    """The file without its first WAV element; what was defined for it is redefined for the next one."""
    at = 0
    while data[at] != 0x1E:
        # ZRO has no length, ATT a channel number before it.
        at += 1
        if data[at - 1] == 0:
            continue
        at += data[at - 1] == 0x3F
        at, length = behind_length(data, at)
        at += length
    end, length = behind_length(data, at + 1)
    return data[:at] + data[end + length :]


def behind_length(data, at):
    first = data[at]
    if first < 0x80:
        return at + 1, first
    count = first & 0x7F
    return at + 1 + count, int.from_bytes(data[at + 1 : at + 1 + count], "big")


def leads_of(mfer):
    """All leads that ecgdatakit reads. It loads no waveform that defines its channels anew after another (a phonocardiogram
    beside an ECG): that one it is shown alone."""
    import ecgdatakit

    record = ecgdatakit.FileParser().parse(str(mfer))
    found = list(record.leads) + list(record.median_beats)
    data = mfer.read_bytes()
    if any("not loaded" in str(said.message) for said in heard):
        heard.clear()
        with tempfile.NamedTemporaryFile(suffix=".mwf") as alone:
            alone.write(without_first_wave(data))
            alone.flush()
            found += list(ecgdatakit.FileParser().parse(alone.name).leads)
    heard.clear()
    return found


def judge(mfer, dicom):
    theirs = leads_of(mfer)
    ours = groups(dicom)
    if len(ours) != len(theirs):
        return f"{len(ours)} channels, ecgdatakit has {len(theirs)}"
    for (group, label, rate, samples), lead in zip(ours, theirs):
        expected = counts(lead)
        if samples.shape != expected.shape or (samples != expected).any():
            return f"{group} {label}: other samples than ecgdatakit's {lead.label}"
        if lead.sampling_rate and abs(lead.sampling_rate - rate) > 1e-6 * rate:
            return f"{group} {label}: {rate} Hz, ecgdatakit has {lead.sampling_rate}"
        if group == "RHYTHM" and label != lead.label:
            return f"{group}: {label}, ecgdatakit has {lead.label}"
    return None


def main():
    missing = [module for module in NEEDS if importlib.util.find_spec(module) is None]
    if missing:
        print(f"skipped: {', '.join(missing)} not installed")
        return 3
    warnings.simplefilter("always")
    files = sorted(pathlib.Path(sys.argv[1]).glob("*.mwf"))
    global heard
    with warnings.catch_warnings(record=True) as heard:
        wrong = {file.name: judge(file, file.with_suffix(".dcm")) for file in files}
    for name, why in wrong.items():
        if why:
            print(f"{name}: {why}")
    equal = sum(why is None for why in wrong.values())
    print(f"{equal} of {len(files)} MFER files are equal to ecgdatakit's, sample for sample")
    return 0 if files and equal == len(files) else 1


sys.exit(main())
