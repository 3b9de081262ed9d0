//! What is always said of each match, as DICOM JSON (PS3.18 Tables 10.6.3-3 to 10.6.3-5, Annex F).

use archive::{Description, Patient, PatientRow, SeriesAttributes, SeriesRow, StudyAttributes, StudyRow};
use serde_json::{Map, Value, json};

/// One match.
pub(crate) type Attributes = Map<String, Value>;

/// Sets an attribute; without values it is there and empty (PS3.18 §F.2.5).
fn put(out: &mut Attributes, tag: &str, vr: &str, values: impl IntoIterator<Item = Value>) {
    let values: Vec<Value> = values.into_iter().collect();
    let element = if values.is_empty() { json!({ "vr": vr }) } else { json!({ "vr": vr, "Value": values }) };
    out.insert(tag.to_owned(), element);
}

fn text(out: &mut Attributes, tag: &str, vr: &str, value: &str) {
    put(out, tag, vr, (!value.is_empty()).then(|| Value::from(value)));
}

/// An attribute that is said only where it is known.
fn known(out: &mut Attributes, tag: &str, vr: &str, value: &str) {
    if !value.is_empty() {
        text(out, tag, vr, value);
    }
}

fn number(out: &mut Attributes, tag: &str, vr: &str, value: impl Into<Value>) {
    put(out, tag, vr, [value.into()]);
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

/// What is said of a patient.
fn patient_attributes(out: &mut Attributes, patient: &Patient) {
    person(out, "00100010", &patient.patient_name);
    text(out, "00100020", "LO", &patient.patient_id);
    text(out, "00100021", "LO", &patient.issuer_of_patient_id);
    text(out, "00100030", "DA", &patient.patient_birth_date);
    text(out, "00100040", "CS", &patient.patient_sex);
}

/// What is said of a study in every instance.
fn study_attributes(out: &mut Attributes, study: &StudyAttributes) {
    text(out, "00080020", "DA", &study.study_date);
    text(out, "00080030", "TM", &study.study_time);
    text(out, "00080050", "SH", &study.accession_number);
    person(out, "00080090", &study.referring_physician_name);
    known(out, "00080201", "SH", &study.timezone_offset_from_utc);
    text(out, "00081030", "LO", &study.study_description);
    patient_attributes(out, &study.patient);
    text(out, "0020000D", "UI", &study.study_instance_uid);
    text(out, "00200010", "SH", &study.study_id);
}

/// What is said of a series in every instance.
fn series_attributes(out: &mut Attributes, series: &SeriesAttributes) {
    text(out, "00080060", "CS", &series.modality);
    text(out, "00080070", "LO", &series.manufacturer);
    text(out, "0008103E", "LO", &series.series_description);
    text(out, "00081090", "LO", &series.manufacturer_model_name);
    text(out, "00180015", "CS", &series.body_part_examined);
    text(out, "0020000E", "UI", &series.series_instance_uid);
    put(out, "00200011", "IS", series.series_number.map(Value::from));
    text(out, "00200060", "CS", &series.laterality);
    text(out, "00400244", "DA", &series.performed_procedure_step_start_date);
    text(out, "00400245", "TM", &series.performed_procedure_step_start_time);
    if !series.request_attributes.is_empty() {
        let items = series.request_attributes.iter().map(|request| {
            let mut item = Attributes::new();
            text(&mut item, "00400009", "SH", &request.scheduled_procedure_step_id);
            text(&mut item, "00401001", "SH", &request.requested_procedure_id);
            Value::Object(item)
        });
        put(out, "00400275", "SQ", items);
    }
}

/// A patient (PS3.4 Table C.6-1).
pub(crate) fn patient(row: &PatientRow) -> Attributes {
    let mut out = Attributes::new();
    patient_attributes(&mut out, &row.patient);
    number(&mut out, "00201200", "IS", row.number_of_patient_related_studies);
    number(&mut out, "00201202", "IS", row.number_of_patient_related_series);
    number(&mut out, "00201204", "IS", row.number_of_patient_related_instances);
    out
}

/// A study.
pub(crate) fn study(row: &StudyRow) -> Attributes {
    let mut out = Attributes::new();
    study_attributes(&mut out, &row.attributes);
    text(&mut out, "00080056", "CS", "ONLINE");
    put(&mut out, "00080061", "CS", row.modalities_in_study.iter().map(|one| Value::from(one.as_str())));
    number(&mut out, "00201206", "IS", row.number_of_study_related_series);
    number(&mut out, "00201208", "IS", row.number_of_study_related_instances);
    out
}

/// A series; which study it is of is always said, and more of that with `higher`.
pub(crate) fn series(row: &SeriesRow, higher: bool) -> Attributes {
    let mut out = Attributes::new();
    if higher {
        study_attributes(&mut out, &row.study);
    } else {
        known(&mut out, "00080201", "SH", &row.study.timezone_offset_from_utc);
        text(&mut out, "0020000D", "UI", &row.study.study_instance_uid);
    }
    series_attributes(&mut out, &row.attributes);
    text(&mut out, "00080056", "CS", "ONLINE");
    number(&mut out, "00201209", "IS", row.number_of_series_related_instances);
    out
}

/// An instance: all that its record has. Which study and series it is of is always said.
pub(crate) fn instance(record: &Description) -> Attributes {
    let (said, mut out) = (&record.instance, Attributes::new());
    study_attributes(&mut out, &record.study);
    series_attributes(&mut out, &record.series);
    text(&mut out, "00080016", "UI", &said.sop_class_uid);
    text(&mut out, "00080018", "UI", &said.sop_instance_uid);
    text(&mut out, "00080056", "CS", "ONLINE");
    put(&mut out, "00200013", "IS", said.instance_number.map(Value::from));
    if said.rows > 0 {
        number(&mut out, "00280008", "IS", said.number_of_frames);
        number(&mut out, "00280010", "US", said.rows);
        number(&mut out, "00280011", "US", said.columns);
        number(&mut out, "00280100", "US", said.bits_allocated);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves that names come by their groups, and that what is required and empty is there without a value.
    #[test]
    fn a_name_is_told_by_its_groups_and_what_is_empty_is_there_without_a_value() {
        let mut row = StudyRow::default();
        row.attributes.patient.patient_name = "Yamada^Tarou==やまだ^たろう".into();
        row.modalities_in_study = vec!["CT".into(), "SR".into()];
        let out = study(&row);
        assert_eq!(
            out["00100010"],
            json!({ "vr": "PN", "Value": [{ "Alphabetic": "Yamada^Tarou", "Phonetic": "やまだ^たろう" }] })
        );
        assert_eq!(out["00080050"], json!({ "vr": "SH" }));
        assert_eq!(out["00080061"]["Value"], json!(["CT", "SR"]));
        assert_eq!(out["00080090"], json!({ "vr": "PN" }));
        assert!(!out.contains_key("00080201"), "not known, not said");
    }
}
