"""Search (PS3.18 §10.6, §8.3.4; PS3.4 C.2.2.2), judged against the files themselves."""

import re
from collections import Counter
from urllib.parse import quote

from files import frames, instance_of, series_of, study_of
from judge import case, expect, same
from model import check_json, parse_xml

JSON = "application/dicom+json"
XML = 'multipart/related; type="application/dicom+xml"'
STUDY, SERIES, INSTANCE = "0020000D", "0020000E", "00080018"
NOTHING = "1.2.826.0.1.3680043.8.498.404"


def values(item, tag):
    return item.get(tag, {}).get("Value", [])


def found(site, path, accept=JSON):
    """Every match of a search that is answered whole, checked for its shape."""
    answer = site.get(path, accept)
    if answer.status == 204:
        expect(not answer.body, "204 with a body")
        return []
    items = answer.is_(200).json()
    expect(isinstance(items, list) and items, f"a search that finds is a filled array, not {str(items)[:80]} (§8.3.4.4.1: else 204)")
    for item in items:
        check_json(item)
    return items


def uids(site, path, tag=STUDY):
    return sorted(values(item, tag)[0] for item in found(site, path))


def expected(site, test, tag="StudyInstanceUID"):
    return sorted({one[tag].value for one in site.files.all if test(one)})


def finds(site, query, test, level="studies"):
    tag, keyword = {"studies": (STUDY, "StudyInstanceUID"), "series": (SERIES, "SeriesInstanceUID"), "instances": (INSTANCE, "SOPInstanceUID")}[level]
    wanted = expected(site, test, keyword)
    expect(wanted or "404" in query, "the case proves nothing: no file matches")
    same(uids(site, f"/{level}?{query}&limit=200", tag), wanted, f"{query} finds")


def text(one, keyword):
    return str(one.get(keyword, "") or "")


# The answer's form

@case("§10.6.4", "application/dicom+json is the default media type of a search")
def json_by_default(site):
    for accept in ("*/*", "application/*", JSON):
        answer = site.get("/studies", accept)
        for item in answer.is_(200).json():
            check_json(item)


@case("§10.6.4", "multipart/related; type=application/dicom+xml: one part a match")
def xml(site):
    for accept in (XML, "multipart/related;type=application/dicom+xml", 'multipart/related; Type="application/DICOM+XML"'):
        parts = site.get("/studies?limit=200", accept).is_(200).parts("application/dicom+xml")
        got = sorted(parse_xml(part.body)[STUDY][1][0] for part in parts)
        same(got, expected(site, lambda one: True), "the studies")


@case("§8.7.8.1", "no acceptable media type: 406")
def not_acceptable(site):
    for accept in ("text/html", "image/png", 'multipart/related; type="application/dicom"', "application/dicom+json;q=0"):
        site.get("/studies", accept).is_(406)


@case("§8.7.8.1", "of several media ranges the best that is supported is chosen, by q-value")
def quality_values(site):
    site.get("/studies", f"application/x-none, {XML}; q=0.5, {JSON}; q=0.9").is_(200).json()
    site.get("/studies", f"{JSON};q=0.2,{XML};q=0.7").is_(200).parts("application/dicom+xml")
    site.get("/studies", ["application/x-none", JSON]).is_(200).json()


@case("§8.3.3.1", "the accept query parameter comes before the header")
def accept_parameter(site):
    site.get(f"/studies?accept={quote(XML)}", "*/*").is_(200).parts("application/dicom+xml")
    site.get("/studies?accept=application/dicom%2Bjson", "application/*").is_(200).json()


@case("§8.7.8.1", "nothing of the accept parameter is supported: the header decides")
def accept_parameter_unknown(site):
    site.get("/studies?accept=application/x-none", JSON).is_(200).json()


@case("§8.3.4.4.1", "no match: 204 and no body")
def nothing(site):
    for path in (f"/studies?StudyInstanceUID={NOTHING}", "/series?SeriesInstanceUID=" + NOTHING, "/instances?SOPInstanceUID=" + NOTHING, "/studies?PatientID=nobody-404"):
        for accept in (JSON, XML):
            answer = site.get(path, accept).is_(204)
            expect(not answer.body, "a body with 204")


@case("Table 10.6.3-3", "attributes of a study in every answer")
def study_attributes(site):
    for item in found(site, "/studies?limit=200"):
        for tag in "00080020 00080030 00080050 00080061 00080090 00081190 00100010 00100020 00100030 00100040 0020000D 00200010 00201206 00201208".split():
            expect(tag in item, f"{tag} is missing in {list(item)}")


@case("Table 10.6.3-4", "attributes of a series in every answer; of its study too where that is not in the path")
def series_attributes(site):
    one = site.files.ct
    for item in found(site, f"{study_of(one)}/series"):
        for tag in "00080060 00081190 0020000E 00200011 00201209".split():
            expect(tag in item, f"{tag} is missing in {list(item)}")
    for item in found(site, "/series?limit=200"):
        for tag in "00080060 0020000E 00080020 00080050 00100010 00100020 0020000D 00200010 00201206 00201208".split():
            expect(tag in item, f"{tag} is missing in {list(item)} of /series")


@case("Table 10.6.3-5", "attributes of an instance in every answer; of its study and series too where those are not in the path")
def instance_attributes(site):
    own = "00080016 00080018 00081190 00200013".split()
    image = "00280010 00280011 00280100".split()
    for item in found(site, f"{series_of(site.files.ct)}/instances"):
        for tag in own + image:
            expect(tag in item, f"{tag} is missing in {list(item)}")
    for item in found(site, f"{study_of(site.files.ct)}/instances"):
        expect(all(tag in item for tag in own + ["0020000E", "00080060"]), f"series attributes are missing: {list(item)}")
    for item in found(site, "/instances?limit=200"):
        for tag in own + "0020000E 00080060 0020000D 00100020 00080020".split():
            expect(tag in item, f"{tag} is missing in {list(item)} of /instances")


@case("Table 10.6.3-5", "Number of Frames of a multi-frame image is returned")
def number_of_frames(site):
    one = site.files.cine
    item, = found(site, f"/instances?SOPInstanceUID={one.SOPInstanceUID}")
    same(values(item, "00280008"), [frames(one)], "NumberOfFrames")


@case("PS3.4 C.3.4", "counts and Modalities in Study are those of what is held")
def counts(site):
    for item in found(site, "/studies?limit=200"):
        study = site.files.studies[values(item, STUDY)[0]]
        same(values(item, "00201208"), [len(study)], "NumberOfStudyRelatedInstances")
        same(values(item, "00201206"), [len({one.SeriesInstanceUID for one in study})], "NumberOfStudyRelatedSeries")
        same(sorted(values(item, "00080061")), sorted({one.Modality for one in study}), "ModalitiesInStudy")
    for item in found(site, "/series?limit=200"):
        same(values(item, "00201209"), [len(site.files.series[values(item, SERIES)[0]])], "NumberOfSeriesRelatedInstances")


@case("§10.6.3.3", "Retrieve URL leads to the thing itself")
def retrieve_url(site):
    for path, count in (("/studies?limit=3", 3), ("/series?limit=3", 3), ("/instances?limit=3", 3)):
        for item in found(site, path)[:count]:
            url = values(item, "00081190")[0]
            expect(re.match(r"https?://", url), f"RetrieveURL is {url}, not absolute")
            path = url.split("//", 1)[1].split("/", 1)[1]
            got = site.ask("GET", f"/{path}/metadata", JSON, prefix=False).is_(200).json()
            same(values(got[0], STUDY)[0] in url, True, "the study of the Retrieve URL")


@case("PS3.4 C.4.23", "Instance Availability, where given, is ONLINE for what can be fetched")
def availability(site):
    for item in found(site, "/studies?limit=5") + found(site, "/instances?limit=5"):
        same(values(item, "00080056") or ["ONLINE"], ["ONLINE"], "InstanceAvailability")


# Resources

@case("Table 10.6.1-1", "each of the six resources finds what it names")
def resources(site):
    one = site.files.ct
    study, series = one.StudyInstanceUID, one.SeriesInstanceUID
    everything = lambda _: True
    of_study = lambda other: other.StudyInstanceUID == study
    of_series = lambda other: other.SeriesInstanceUID == series
    for path, tag, keyword, test in (
        ("/studies?limit=200", STUDY, "StudyInstanceUID", everything), ("/series?limit=200", SERIES, "SeriesInstanceUID", everything),
        ("/instances?limit=200", INSTANCE, "SOPInstanceUID", everything), (f"{study_of(one)}/series", SERIES, "SeriesInstanceUID", of_study),
        (f"{study_of(one)}/instances", INSTANCE, "SOPInstanceUID", of_study), (f"{series_of(one)}/instances", INSTANCE, "SOPInstanceUID", of_series),
    ):
        same(uids(site, path, tag), expected(site, test, keyword), path)


@case("§10.6.3.1", "the series of a study that is not held: none found, or not found")
def unknown_study(site):
    site.get(f"/studies/{NOTHING}/series", JSON).is_(204, 404)
    site.get(f"/studies/{NOTHING}/instances", JSON).is_(204, 404)


# Matching

@case("§8.3.4.1; PS3.4 C.2.2.2.1", "single values match, by keyword and by tag")
def single_value(site):
    one = site.files.ct
    for keyword, tag in (("PatientID", "00100020"), ("AccessionNumber", "00080050"), ("StudyDate", "00080020"), ("StudyID", "00200010"), ("StudyInstanceUID", "0020000D")):
        value = text(one, keyword)
        if not value:
            continue
        for name in (keyword, tag, tag.lower()):
            finds(site, f"{name}={quote(value)}", lambda other: text(other, keyword) == value)


@case("PS3.4 C.2.2.2.1", "several keys all have to match")
def several_keys(site):
    one = site.files.ct
    finds(site, f"StudyDate={one.StudyDate}&PatientID={quote(one.PatientID)}", lambda other: other.PatientID == one.PatientID and other.StudyDate == one.StudyDate)
    other = next(two for two in site.files.all if two.PatientID != one.PatientID)
    same(found(site, f"/studies?StudyInstanceUID={one.StudyInstanceUID}&PatientID={quote(other.PatientID)}"), [], "keys that exclude each other find")


@case("PS3.4 C.2.2.2.2", "a list of UIDs finds each of them, by comma and by backslash")
def uid_list(site):
    two = sorted(site.files.studies)[:2]
    for separator in (",", "%5C", "%2C", "\\"):
        finds(site, f"StudyInstanceUID={separator.join(two)}", lambda one: one.StudyInstanceUID in two)
    three = [one.SOPInstanceUID for one in site.files.all[:3]]
    finds(site, f"SOPInstanceUID={','.join(three)}", lambda one: one.SOPInstanceUID in three, "instances")
    many = [one.SeriesInstanceUID for one in site.files.all[:2]]
    finds(site, f"SeriesInstanceUID={','.join(many)}", lambda one: one.SeriesInstanceUID in many, "series")


@case("PS3.4 C.2.2.2.3", "no value matches everything, and the attribute is returned")
def universal(site):
    same(uids(site, "/studies?PatientName=&limit=200"), expected(site, lambda one: True), "PatientName= finds")
    same(uids(site, "/studies?StudyDescription=&limit=200"), expected(site, lambda one: True), "StudyDescription= finds")


@case("PS3.4 C.2.2.2.4", "* stands for any characters, ? for one")
def wild_cards(site):
    one = site.files.ct
    number = one.PatientID
    finds(site, f"PatientID={number[:4]}*", lambda other: other.PatientID.startswith(number[:4]))
    finds(site, f"PatientID=*{number[-3:]}", lambda other: other.PatientID.endswith(number[-3:]))
    finds(site, f"PatientID=*{number[2:5]}*", lambda other: number[2:5] in other.PatientID)
    finds(site, f"PatientID={number[:2]}?{number[3:]}", lambda other: re.fullmatch(f"{number[:2]}.{number[3:]}", other.PatientID))


@case("PS3.4 C.2.2.2.5.1", "ranges of dates: both ends belong to them, either may be open")
def date_ranges(site):
    dates = sorted({one.StudyDate for one in site.files.all})
    low, high = dates[1], dates[-2]
    finds(site, f"StudyDate={low}-{high}", lambda one: low <= one.StudyDate <= high)
    finds(site, f"StudyDate={low}-", lambda one: low <= one.StudyDate)
    finds(site, f"StudyDate=-{high}", lambda one: one.StudyDate <= high)
    finds(site, f"StudyDate={low}-{low}", lambda one: one.StudyDate == low)


@case("PS3.4 C.2.2.2.5.2", "ranges of times, of whatever precision")
def time_ranges(site):
    seconds = lambda one: one.StudyTime[:6].ljust(6, "0")
    times = sorted({seconds(one) for one in site.files.all})
    low, high = times[1], times[-2]
    finds(site, f"StudyTime={low}-{high}", lambda one: low <= seconds(one) <= high)
    finds(site, f"StudyTime={low[:2]}-", lambda one: low[:2] <= seconds(one)[:2])
    finds(site, f"StudyTime=-{high[:4]}", lambda one: seconds(one)[:4] <= high[:4])


@case("PS3.4 C.2.2.2.5", "date and time ranges are matched independently unless combined matching was agreed")
def date_and_time(site):
    one = site.files.ct
    hour = one.StudyTime[:2]
    finds(site, f"StudyDate={one.StudyDate}&StudyTime={hour}00-{hour}59", lambda other: other.StudyDate == one.StudyDate and other.StudyTime[:2] == hour)


def in_three_scripts(site):
    test = lambda one: len(site.files.name(one)) == 3 and site.files.name(one)["Alphabetic"].isascii()
    one = site.files.where(test, "of a person with a name in three scripts")
    return one, site.files.name(one)


@case("PS3.4 C.2.2.2.1.1", "Person Names match in each component group")
def person_names(site):
    _, name = in_three_scripts(site)
    groups = lambda other: site.files.name(other).values()
    for words in name.values():
        matching = lambda other: any(group.lower() == words.lower() for group in groups(other))
        finds(site, f"PatientName={quote(words)}", matching)
        family = words.split("^")[0]
        finds(site, f"PatientName={quote(family)}*", lambda other: any(group.lower().startswith(family.lower()) for group in groups(other)))
        finds(site, f"PatientName={quote(words[:-1])}%3F", matching)


@case("PS3.4 C.2.2.2.4", "a wild card at both ends of a name (as OHIF asks)")
def name_in_the_middle(site):
    _, name = in_three_scripts(site)
    for words in name["Ideographic"].split("^"):
        wanted = lambda other: any(words in group for group in site.files.name(other).values())
        finds(site, f"PatientName=*{quote(words)}*", wanted)


@case("§8.3.4.2", "fuzzymatching=true: fuzzy, or literal and a Warning 299 that says so; false is literal")
def fuzzy(site):
    one, name = in_three_scripts(site)
    family = name["Alphabetic"].split("^")[0]
    answer = site.get(f"/studies?PatientName={family}&fuzzymatching=true", JSON)
    if answer.status == 200:
        expect(one.StudyInstanceUID in [values(item, STUDY)[0] for item in answer.json()], "others are found")
    else:
        answer.is_(204)
        expect(any(re.match(r"299 .*fuzzymatching parameter is not supported", one) for one in answer.warnings()), f"Warning is {answer.warnings()}")
    alphabetic = lambda other: site.files.name(other).get("Alphabetic", "").lower()
    finds(site, f"PatientName={quote(name['Alphabetic'])}&fuzzymatching=false", lambda other: alphabetic(other) == name["Alphabetic"].lower())


@case("§8.3.4.5, §8.3.4.6", "emptyvaluematching and multiplevaluematching: done, or a Warning 299 that says they are not")
def other_matching(site):
    for name in ("emptyvaluematching", "multiplevaluematching"):
        answer = site.get(f"/studies?{name}=true&limit=200", JSON).is_(200)
        supported = not answer.warnings()
        expect(supported or any(re.match(rf"299 .*{name} parameter is not supported", one) for one in answer.warnings()), f"Warning is {answer.warnings()}")
        if supported and name == "emptyvaluematching":
            same(uids(site, "/studies?AccessionNumber=%22%22&emptyvaluematching=true"), expected(site, lambda one: not one.get("AccessionNumber")), "an empty AccessionNumber finds")
        if supported and name == "multiplevaluematching":
            finds(site, "ModalitiesInStudy=CT,MG&multiplevaluematching=true", lambda one: one.Modality in ("CT", "MG"))


@case("Table 10.6.1-5", "the keys of a study match")
def study_keys(site):
    for modality in ("CT", "PT", "MG"):
        studies = {one.StudyInstanceUID for one in site.files.all if one.Modality == modality}
        finds(site, f"ModalitiesInStudy={modality}", lambda one: one.StudyInstanceUID in studies)
    one = site.files.where(lambda one: text(one, "ReferringPhysicianName"), "with a referring physician")
    finds(site, f"ReferringPhysicianName={quote(str(one.ReferringPhysicianName))}", lambda other: text(other, "ReferringPhysicianName") == text(one, "ReferringPhysicianName"))


@case("Table 10.6.1-5", "the keys of a series match")
def series_keys(site):
    one = site.files.ct
    finds(site, "Modality=MG", lambda other: other.Modality == "MG", "series")
    finds(site, f"SeriesInstanceUID={one.SeriesInstanceUID}", lambda other: other.SeriesInstanceUID == one.SeriesInstanceUID, "series")
    finds(site, f"SeriesNumber={one.SeriesNumber}&StudyInstanceUID={one.StudyInstanceUID}",
          lambda other: other.StudyInstanceUID == one.StudyInstanceUID and other.get("SeriesNumber") == one.SeriesNumber, "series")
    finds(site, f"Modality=CT&PatientID={quote(one.PatientID)}", lambda other: other.Modality == "CT" and other.PatientID == one.PatientID, "series")
    dated = next((other for other in site.files.all if text(other, "PerformedProcedureStepStartDate")), None)
    if dated is not None:
        date = dated.PerformedProcedureStepStartDate
        finds(site, f"PerformedProcedureStepStartDate={date}", lambda other: text(other, "PerformedProcedureStepStartDate") == date, "series")


@case("Table 10.6.1-5; §8.3.4.1", "keys inside the Request Attributes Sequence, by keywords and by tags")
def sequence_keys(site):
    one = site.files.where(lambda one: one.get("RequestAttributesSequence") and "ScheduledProcedureStepID" in one.RequestAttributesSequence[0], "with a Request Attributes Sequence")
    value = one.RequestAttributesSequence[0].ScheduledProcedureStepID
    wanted = lambda other: any(text(item, "ScheduledProcedureStepID") == value for item in other.get("RequestAttributesSequence", []))
    for key in ("RequestAttributesSequence.ScheduledProcedureStepID", "00400275.00400009"):
        finds(site, f"{key}={quote(value)}", wanted, "series")


@case("Table 10.6.1-5", "the keys of an instance match")
def instance_keys(site):
    one = site.files.ct
    finds(site, f"SOPClassUID={one.SOPClassUID}", lambda other: other.SOPClassUID == one.SOPClassUID, "instances")
    finds(site, f"SOPInstanceUID={one.SOPInstanceUID}", lambda other: other.SOPInstanceUID == one.SOPInstanceUID, "instances")
    within = expected(site, lambda other: other.SeriesInstanceUID == one.SeriesInstanceUID and other.InstanceNumber == one.InstanceNumber, "SOPInstanceUID")
    same(uids(site, f"{series_of(one)}/instances?InstanceNumber={one.InstanceNumber}", INSTANCE), within, "InstanceNumber finds")


@case("RFC 3986 §2.1", "percent-encoded and plain characters mean the same")
def percent_encoding(site):
    one = site.files.ct
    coded = "".join(f"%{ord(c):02x}" for c in one.PatientID)
    finds(site, f"PatientID={coded}", lambda other: other.PatientID == one.PatientID)
    finds(site, f"%50atientID={quote(one.PatientID)}", lambda other: other.PatientID == one.PatientID)


# What is returned

@case("§8.3.4.3", "includefield by keyword, by tag, several and repeated; what the level has no place for is not returned")
def include_field(site):
    described = lambda one: text(one, "StudyDescription")
    one = site.files.where(described, "with a Study Description")
    for query in ("includefield=StudyDescription", "includefield=00081030", "includefield=00081030,PatientSex", "includefield=PatientSex&includefield=StudyDescription", "includefield=all"):
        item, = found(site, f"/studies?StudyInstanceUID={one.StudyInstanceUID}&{query}")
        same(values(item, "00081030"), [one.StudyDescription], f"StudyDescription with {query}")
    item, = found(site, f"/instances?SOPInstanceUID={site.files.ct.SOPInstanceUID}&includefield=ImagePositionPatient,SliceThickness")
    expect("00200032" in item, f"ImagePositionPatient of an instance is not returned: {list(item)}")


@case("§10.6.3.3.2", "attributes of instances are not returned with series")
def no_attributes_from_below(site):
    for item in found(site, f"{study_of(site.files.ct)}/series?includefield=SOPInstanceUID,InstanceNumber"):
        expect(INSTANCE not in item and "00200013" not in item, "SOPInstanceUID or InstanceNumber stands in a series")


@case("§10.6.3.3", "matching keys are returned")
def keys_are_returned(site):
    one = site.files.where(lambda one: text(one, "StudyDescription"), "with a Study Description")
    item, = found(site, f"/studies?StudyInstanceUID={one.StudyInstanceUID}&PatientSex={one.PatientSex}")
    same(values(item, "00100040"), [one.PatientSex], "PatientSex")


@case("§10.6.3.3; Annex F", "text of every character set comes as Unicode")
def character_sets(site):
    for item in found(site, "/studies?limit=200&includefield=StudyDescription"):
        one = site.files.studies[values(item, STUDY)[0]][0]
        name = (values(item, "00100010") or [{}])[0]
        same(name, site.files.name(one), "PatientName")
        same(values(item, "00081030"), [one.StudyDescription] if text(one, "StudyDescription") else [], "StudyDescription")


# Pages

@case("§8.3.4.4", "limit and offset cut the same ordered list")
def pages(site):
    whole = [values(item, STUDY)[0] for item in found(site, "/studies?limit=200")]
    again = [values(item, STUDY)[0] for item in found(site, "/studies?limit=200")]
    same(again, whole, "the same search once more (§8.3.4.4.1: idempotent)")
    cut = []
    for offset in range(0, len(whole), 4):
        cut += [values(item, STUDY)[0] for item in found(site, f"/studies?limit=4&offset={offset}")]
    same(cut, whole, "pages of four")
    same(max(Counter(cut).values()), 1, "how often a study is listed")


@case("§8.3.4.4.1", "more matches than are returned: Warning 299 that says so; none when all are there")
def more_warning(site):
    answer = site.get("/studies?limit=2", JSON).is_(200)
    same(len(answer.json()), 2, "matches")
    expect(any(one.startswith("299 ") for one in answer.warnings()), f"Warning is {answer.warnings()}")
    answer = site.get("/studies?limit=200", JSON).is_(200)
    expect(not answer.warnings(), f"all are returned, and Warning is {answer.warnings()}")
    count = len(answer.json())
    expect(not site.get(f"/studies?limit=2&offset={count - 2}", JSON).is_(200).warnings(), "the last page warns of more")


@case("§8.3.4.4.1", "an offset behind the last match: 204")
def offset_behind(site):
    site.get("/studies?offset=100000", JSON).is_(204)
    site.get("/studies?limit=0", JSON).is_(204)


# What is wrong

@case("§10.6.3.1", "an invalid value of a supported parameter: 400")
def invalid_values(site):
    for query in (
        "limit=abc", "limit=-1", "limit=1.5", "limit=", "offset=-1", "offset=x", "fuzzymatching=maybe", "StudyDate=yesterday", "StudyDate=20261301",
        "StudyDate=20260101-20260199", "StudyTime=25", "StudyTime=99-", "StudyInstanceUID=not-a-uid",
    ):
        site.get(f"/studies?{query}", JSON).is_(400)


@case("§8.3", "parameters that are not supported are ignored")
def unknown_parameters(site):
    count = len(found(site, "/studies?limit=200"))
    for query in ("orderby=StudyDate", "vendor-key=1", "_=1699999999", "x&y=2"):
        answer = site.get(f"/studies?limit=200&{query}", JSON).is_(200)
        same(len(answer.json()), count, f"matches with {query}")


@case("§8.3.4.1", "an attribute given twice, or an attribute nobody knows: an answer, not a failure of the server")
def odd_keys(site):
    for query in ("PatientID=1&PatientID=2", "FFFFFFFF=1", "00100010.00100020=1", "PatientName=%FF%FE", "PatientName=%00", "PatientID=%", "00100010", "=x", "PatientName=" + "*" * 500):
        answer = site.get(f"/studies?{query}", JSON)
        expect(answer.status in (200, 204, 400), f"{query} is answered {answer.status}")


@case("RFC 9110 §15.5.6", "a method that a resource does not have: 405 with Allow")
def methods(site):
    answer = site.ask("PUT", "/studies", JSON, body=b"").is_(405)
    expect("GET" in (answer.header("allow") or ""), f"Allow is {answer.header('allow')}")


@case("RFC 9110 §11.6.1", "without a credential: 401 with WWW-Authenticate")
def credentials(site):
    for path in ("/studies", study_of(site.files.ct), f"{instance_of(site.files.ct)}/metadata", f"{instance_of(site.files.ct)}/frames/1"):
        answer = site.get(path, JSON, token=False).is_(401)
        expect(answer.header("www-authenticate"), "no WWW-Authenticate")
    wrong = site.get("/studies", JSON, [("Authorization", "Bearer nonsense")], token=False).is_(401)
    expect("Bearer" in (wrong.header("www-authenticate") or ""), "WWW-Authenticate names no Bearer")


@case("RFC 9110 §8.4", "Accept-Encoding: gzip is honoured or not, and told")
def content_coding(site):
    import gzip

    plain = site.get("/studies?limit=200", JSON).is_(200)
    expect(not plain.header("content-encoding"), "encoded though nothing was asked")
    coded = site.get("/studies?limit=200", JSON, [("Accept-Encoding", "gzip")]).is_(200)
    body = gzip.decompress(coded.body) if coded.header("content-encoding") == "gzip" else coded.body
    same(body, plain.body, "the decoded body")
    if coded.header("content-encoding"):
        expect("accept-encoding" in (coded.header("vary") or "").lower(), "Content-Encoding without Vary (RFC 9110 §12.5.5)")


@case("Fetch Standard §3.3", "cross-origin reading is off")
def cross_origin(site):
    answer = site.get("/studies", JSON, [("Origin", "https://elsewhere.example")])
    expect(answer.header("access-control-allow-origin") is None, "Access-Control-Allow-Origin is sent")
