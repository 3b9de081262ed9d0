"""Cases and how they are counted: a case is a function with a paragraph; what it expects and does not find is its failure."""

import json
import sys
import traceback

CASES = []


class Wrong(Exception):
    """What the standard asks for is not so."""


def case(paragraph, sentence):
    """Registers a case. `paragraph` is where PS3.18 (or the RFC it cites) says so, `sentence` what it says."""

    def register(function):
        CASES.append((function.__module__, function.__name__, paragraph, sentence, function))
        return function

    return register


def expect(condition, what):
    if not condition:
        raise Wrong(what)


def same(found, expected, what):
    if found != expected:
        raise Wrong(f"{what}: {short(found)}, not {short(expected)}")


def short(value, characters_max=300):
    text = repr(value)
    return text if len(text) <= characters_max else f"{text[:characters_max]}…"


def run(site, only):
    failed, passed = [], 0
    for module, name, paragraph, sentence, function in CASES:
        label = f"{module}.{name}"
        if only and not any(word in label for word in only):
            continue
        try:
            function(site)
            passed += 1
            continue
        except Wrong as wrong:
            why = str(wrong)
        except Exception:  # whatever the checker itself trips over is a finding about the answer too
            why = traceback.format_exc(limit=-3).strip().replace("\n", " | ")
        failed.append({"case": label, "paragraph": paragraph, "sentence": sentence, "why": why, "asked": site.last})
    for one in failed:
        print(f"{one['case']} (PS3.18 {one['paragraph']}: {one['sentence']})\n    {one['why']}\n    {one['asked']}", file=sys.stderr)
    print(json.dumps({"passed": passed, "failed": len(failed), "cases": sorted(one["case"] for one in failed)}))
    return 1 if failed else 0
