"""The DICOM JSON Model of PS3.18 Annex F and the Native DICOM Model of PS3.19, checked shape by shape."""

import re
import xml.etree.ElementTree as ElementTree

from judge import expect

TAG = re.compile(r"[0-9A-F]{8}")
VRS = set("AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC UI UL UN UR US UT UV".split())
BINARY = {"OB", "OD", "OF", "OL", "OV", "OW", "UN"}
NUMBERS = {"FL", "FD", "SL", "SS", "UL", "US"}
DECIMALS = {"DS", "IS", "SV", "UV"}  # F.2.3: number or string
GROUPS = {"Alphabetic", "Ideographic", "Phonetic"}
NATIVE = "{http://dicom.nema.org/PS3.19/models/NativeDICOM}"


def check_json(item, where=""):
    """One DICOM JSON Model object (F.2.2 to F.2.7)."""
    expect(isinstance(item, dict), f"{where or 'the answer'} is not an object")
    tags = list(item)
    expect(tags == sorted(tags), f"{where or 'the object'}: attributes are not in ascending order (F.2.2): {tags[:12]}")
    for tag, attribute in item.items():
        name = f"{where}{tag}"
        expect(TAG.fullmatch(tag), f"{name} is not eight upper-case hexadecimal digits (F.2.2)")
        expect(not tag.endswith("0000"), f"{name}: a group length is in the object (F.2.2)")
        expect(not tag.startswith("0002"), f"{name}: File Meta Information is no part of the metadata")
        vr = attribute.get("vr")
        expect(vr in VRS, f"{name}: vr is {vr!r}")
        kinds = set(attribute) - {"vr"}
        expect(kinds <= {"Value", "BulkDataURI", "InlineBinary"} and len(kinds) <= 1, f"{name} has {sorted(kinds)} (F.2.2)")
        if "InlineBinary" in attribute:
            expect(vr in BINARY, f"{name}: InlineBinary with VR {vr} (F.2.7)")
        if "BulkDataURI" in attribute:
            expect(isinstance(attribute["BulkDataURI"], str) and attribute["BulkDataURI"], f"{name}: an empty BulkDataURI")
        if "Value" in attribute:
            check_values(attribute["Value"], vr, name)


def check_values(values, vr, name):
    expect(isinstance(values, list) and values, f"{name}: Value is {values!r}; empty is no Value at all (F.2.5)")
    expect(vr not in BINARY, f"{name}: Value with VR {vr} (F.2.2)")
    for value in values:
        if value is None:
            continue
        if vr == "SQ":
            check_json(value, f"{name}/")
        elif vr == "PN":
            expect(isinstance(value, dict) and set(value) <= GROUPS, f"{name}: a person name is {value!r} (F.2.2)")
            expect(all(isinstance(one, str) and one for one in value.values()), f"{name}: an empty component group: {value!r}")
        elif vr in NUMBERS:
            expect(isinstance(value, (int, float)) and not isinstance(value, bool), f"{name}: {vr} is {value!r} (F.2.3)")
        elif vr in DECIMALS:
            expect(isinstance(value, (int, float, str)) and not isinstance(value, bool), f"{name}: {vr} is {value!r} (F.2.3)")
        elif vr == "AT":
            expect(isinstance(value, str) and TAG.fullmatch(value), f"{name}: AT is {value!r} (F.2.3)")
        else:
            expect(isinstance(value, str), f"{name}: {vr} is {value!r} (F.2.3)")


def parse_xml(body):
    """A Native DICOM Model (PS3.19 A.1): its attributes as {tag: (vr, [texts])}; sequences as lists of such."""
    root = ElementTree.fromstring(body)
    expect(root.tag in (f"{NATIVE}NativeDicomModel", "NativeDicomModel"), f"the root element is {root.tag}")
    expect(root.tag.startswith(NATIVE), "the root element is in no namespace (PS3.19 A.1.6)")
    return attributes(root)


def attributes(element):
    found = {}
    for child in element:
        expect(child.tag == f"{NATIVE}DicomAttribute", f"{child.tag} stands where a DicomAttribute belongs")
        tag, vr = child.get("tag"), child.get("vr")
        expect(TAG.fullmatch(tag or ""), f"a DicomAttribute's tag is {tag!r}")
        expect(vr in VRS, f"{tag}: vr is {vr!r}")
        expect(tag not in found, f"{tag} is there twice")
        values = []
        for at, value in enumerate(child, 1):
            kind = value.tag.removeprefix(NATIVE)
            expect(kind in ("Value", "Item", "PersonName", "BulkData", "InlineBinary"), f"{tag} holds a {kind}")
            if kind in ("Value", "Item", "PersonName"):
                expect(value.get("number") == str(at), f"{tag}: {kind} has number {value.get('number')!r}")
            if kind == "BulkData":
                expect(value.get("uri") or value.get("uuid"), f"{tag}: BulkData without uri or uuid")
            values.append(attributes(value) if kind == "Item" else person(value) if kind == "PersonName" else value.text or "")
        found[tag] = (vr, values)
    return found


def person(element):
    groups = {}
    for group in element:
        kind = group.tag.removeprefix(NATIVE)
        expect(kind in GROUPS, f"a PersonName holds a {kind}")
        names = {part.tag.removeprefix(NATIVE): part.text or "" for part in group}
        expect(set(names) <= {"FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix"}, f"a name holds {sorted(names)}")
        groups[kind] = "^".join([names.get("FamilyName", ""), names.get("GivenName", "")]).rstrip("^")
    return groups
