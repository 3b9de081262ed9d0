//! What an answer says of each match, as DICOM JSON (PS3.18 Tables 10.6.3-3 to 10.6.3-5, Annex F).

use archive::{SeriesRow, StudyRow};
use serde_json::{Map, Value, json};

use super::parameters::Include;

/// One match.
pub(crate) type Attributes = Map<String, Value>;

/// Attributes an instance answer always has where the instance has them: of the study, the series, itself.
const INSTANCE_TAGS: &[&str] = &[
    "00080016", "00080018", "00080020", "00080030", "00080050", "00080060", "00080090", "00080201", "00081030",
    "0008103E", "00100010", "00100020", "00100021", "00100030", "00100040", "00180015", "0020000D", "0020000E",
    "00200010", "00200011", "00200013", "00280008", "00280010", "00280011", "00280100",
];

/// Sets an attribute; without values it is there and empty (PS3.18 §F.2.5).
fn put(out: &mut Attributes, tag: &str, vr: &str, values: impl IntoIterator<Item = Value>) {
    let values: Vec<Value> = values.into_iter().collect();
    let element = if values.is_empty() { json!({ "vr": vr }) } else { json!({ "vr": vr, "Value": values }) };
    out.insert(tag.to_owned(), element);
}

fn text(out: &mut Attributes, tag: &str, vr: &str, value: &str) {
    put(out, tag, vr, (!value.is_empty()).then(|| Value::from(value)));
}

/// A person name by component group (PS3.18 §F.2.2).
fn person(out: &mut Attributes, tag: &str, name: &str) {
    let names = name.split('\\').filter_map(|name| {
        let groups = ["Alphabetic", "Ideographic", "Phonetic"].into_iter().zip(name.split('='));
        let groups: Map<_, _> =
            groups.filter(|(_, text)| !text.is_empty()).map(|(group, text)| (group.into(), text.into())).collect();
        (!groups.is_empty()).then_some(Value::Object(groups))
    });
    put(out, tag, "PN", names);
}

fn common(out: &mut Attributes, retrieve_url: &str) {
    text(out, "00080005", "CS", "ISO_IR 192");
    text(out, "00080056", "CS", "ONLINE");
    text(out, "00081190", "UR", retrieve_url);
}

/// A study.
pub(crate) fn study(row: &StudyRow, base: &str) -> Attributes {
    let (a, mut out) = (&row.attributes, Attributes::new());
    common(&mut out, &format!("{base}/dicom-web/studies/{}", a.study_instance_uid));
    text(&mut out, "00080020", "DA", &a.study_date);
    text(&mut out, "00080030", "TM", &a.study_time);
    text(&mut out, "00080050", "SH", &a.accession_number);
    put(&mut out, "00080061", "CS", row.modalities_in_study.iter().map(|one| Value::from(one.as_str())));
    person(&mut out, "00080090", &a.referring_physician_name);
    text(&mut out, "00081030", "LO", &a.study_description);
    person(&mut out, "00100010", &a.patient.patient_name);
    text(&mut out, "00100020", "LO", &a.patient.patient_id);
    text(&mut out, "00100021", "LO", &a.patient.issuer_of_patient_id);
    text(&mut out, "00100030", "DA", &a.patient.patient_birth_date);
    text(&mut out, "00100040", "CS", &a.patient.patient_sex);
    text(&mut out, "0020000D", "UI", &a.study_instance_uid);
    text(&mut out, "00200010", "SH", &a.study_id);
    put(&mut out, "00201206", "IS", [Value::from(row.number_of_study_related_series)]);
    put(&mut out, "00201208", "IS", [Value::from(row.number_of_study_related_instances)]);
    out
}

/// A series. Searched for across studies, it also says its study's UID, as it always does here.
pub(crate) fn series(row: &SeriesRow, base: &str) -> Attributes {
    let (a, mut out) = (&row.attributes, Attributes::new());
    let (study, series) = (&row.study_instance_uid, &a.series_instance_uid);
    common(&mut out, &format!("{base}/dicom-web/studies/{study}/series/{series}"));
    text(&mut out, "00080060", "CS", &a.modality);
    text(&mut out, "00080070", "LO", &a.manufacturer);
    text(&mut out, "0008103E", "LO", &a.series_description);
    text(&mut out, "00081090", "LO", &a.manufacturer_model_name);
    text(&mut out, "00180015", "CS", &a.body_part_examined);
    text(&mut out, "0020000D", "UI", study);
    text(&mut out, "0020000E", "UI", series);
    put(&mut out, "00200011", "IS", a.series_number.map(Value::from));
    text(&mut out, "00200060", "CS", &a.laterality);
    put(&mut out, "00201209", "IS", [Value::from(row.number_of_series_related_instances)]);
    text(&mut out, "00400244", "DA", &a.performed_procedure_step_start_date);
    text(&mut out, "00400245", "TM", &a.performed_procedure_step_start_time);
    out
}

/// An instance: out of its whole DICOM JSON, what is always said and what was asked for. `place` is its URL.
pub(crate) fn instance(mut document: Attributes, include: &Include, place: &str) -> Attributes {
    if !include.all {
        let asked = |tag: &String| INSTANCE_TAGS.contains(&tag.as_str()) || include.tags.contains(tag);
        document.retain(|tag, _| asked(tag));
    }
    common(&mut document, place);
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_told_by_its_groups_and_what_is_empty_is_there_without_a_value() {
        let mut row = StudyRow::default();
        row.attributes.patient.patient_name = "Yamada^Tarou==やまだ^たろう".into();
        row.modalities_in_study = vec!["CT".into(), "SR".into()];
        let out = study(&row, "http://here");
        assert_eq!(
            out["00100010"],
            json!({ "vr": "PN", "Value": [{ "Alphabetic": "Yamada^Tarou", "Phonetic": "やまだ^たろう" }] })
        );
        assert_eq!(out["00080050"], json!({ "vr": "SH" }));
        assert_eq!(out["00080061"]["Value"], json!(["CT", "SR"]));
        assert_eq!(out["00080090"], json!({ "vr": "PN" }));
    }

    #[test]
    fn an_instance_says_what_was_asked_for_and_no_more() {
        let document = || {
            let value = json!({ "00080018": { "vr": "UI", "Value": ["1.2"] }, "00180060": { "vr": "DS" } });
            value.as_object().cloned().unwrap_or_default()
        };
        let asked = |all, tags: &[&str]| {
            let include = Include { all, tags: tags.iter().map(|tag| (*tag).to_owned()).collect() };
            instance(document(), &include, "http://here").contains_key("00180060")
        };
        assert!(!asked(false, &[]));
        assert!(asked(false, &["00180060"]));
        assert!(asked(true, &[]));
    }
}
