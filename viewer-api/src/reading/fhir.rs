//! Results as FHIR R4: a collection of DiagnosticReports, each with its Observation, its ImagingStudy and its Patient.
//!
//! No profile is claimed: JP Core 1.2.0 has none for ECG, and the closed slices of eCheckup none for a school's; what the
//! shared facts say of structure is kept (document identifiers, `urn:dicom:uid`, times with milliseconds and a zone).

use std::collections::HashMap;
use std::iter;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::decision;
use super::events::{Row, Word};
use super::results::Results;

/// JLAC10, and in it the finding of an ECG as eCheckup codes it.
const JLAC10: &str = "urn:oid:1.2.392.200119.4.504";
const ECG_FINDING: &str = "9A110160800000049";
const LOINC: &str = "http://loinc.org";
/// Our own code systems (verdicts; findings, whose version is the edition) and that of the names of exports: OIDs below 2.25
/// need nobody to register them (ITU-T X.667).
const VERDICTS: &str = "urn:oid:2.25.91993423838795922350833016979010116412";
const FINDINGS: &str = "urn:oid:2.25.119266774818534705583235572689840304588";
const EXPORTS: &str = "urn:oid:2.25.97097529580838305561598371249924219367";

/// The bundle of an export; the same export gives the same bytes.
pub(super) fn bundle(results: &Results, worklist: &str) -> Value {
    let mut entries = Vec::new();
    let mut patients: HashMap<[&str; 3], String> = HashMap::new();
    let name = format!("{worklist} {}", results.number.map_or_else(|| "all".into(), |number| number.to_string()));
    for row in &results.rows {
        // Two without an ID are not known to be one.
        let item = if row.child.is_empty() { row.item.as_str() } else { "" };
        let patient = patients.entry([&row.issuer, &row.child, item]).or_insert_with(|| {
            let url = match item {
                "" => urn(&[&name, "Patient", &row.issuer, &row.child]),
                item => urn(&[&name, "Patient of", item]),
            };
            entries.push(entry(&url, patient(row)));
            url
        });
        let urls = Urls {
            patient: patient.clone(),
            study: urn(&[&name, "ImagingStudy", &row.item]),
            observation: urn(&[&name, "Observation", &row.item]),
            report: urn(&[&name, "DiagnosticReport", &row.item]),
        };
        entries.push(entry(&urls.study, imaging_study(row, &urls)));
        entries.push(entry(&urls.observation, observation(row, &urls)));
        entries.push(entry(&urls.report, report(row, &urls)));
    }
    let at = format!("{:.3}", results.at);
    json!({
        "resourceType": "Bundle",
        "meta": { "lastUpdated": at },
        "identifier": { "system": EXPORTS, "value": name },
        "type": "collection",
        "timestamp": at,
        "entry": entries,
    })
}

struct Urls {
    patient: String,
    study: String,
    observation: String,
    report: String,
}

fn entry(url: &str, resource: Value) -> Value {
    json!({ "fullUrl": url, "resource": resource })
}

/// A UUID of version 8 (RFC 9562 §5.8) that follows from its parts.
fn urn(parts: &[&str]) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part.as_bytes());
        digest.update(b"\n");
    }
    let mut head = [0; 16];
    head.iter_mut().zip(digest.finalize()).for_each(|(to, from)| *to = from);
    uuid::Builder::from_custom_bytes(head).into_uuid().urn().to_string()
}

/// The child by ID alone: who it is the receiver knows. An issuer is a name, so its system is a UUID that follows from it.
fn patient(row: &Row) -> Value {
    if row.child.is_empty() {
        return json!({ "resourceType": "Patient" });
    }
    let system = urn(&["issuer", &row.issuer]);
    json!({
        "resourceType": "Patient",
        "identifier": [{ "system": system, "value": row.child, "assigner": { "display": row.issuer } }],
    })
}

fn imaging_study(row: &Row, urls: &Urls) -> Value {
    json!({
        "resourceType": "ImagingStudy",
        "identifier": [{ "system": "urn:dicom:uid", "value": format!("urn:oid:{}", row.study) }],
        "status": "available",
        "modality": [{ "system": "http://dicom.nema.org/resources/ontology/DCM", "code": row.modality }],
        "subject": { "reference": urls.patient },
    })
}

fn date(row: &Row) -> Option<String> {
    Some(format!("{}-{}-{}", row.date.get(..4)?, row.date.get(4..6)?, row.date.get(6..8)?))
}

fn verdict(row: &Row) -> Value {
    let text = Word::of(&row.verdict).map_or("", Word::japanese);
    word(&row.verdict, text)
}

fn urgent() -> Value {
    word("urgent", "緊急")
}

fn word(code: &str, text: &str) -> Value {
    json!({ "coding": [{ "system": VERDICTS, "code": code, "display": text }], "text": text })
}

/// R4 DiagnosticReport.status, Observation.status: a row that was sent before with other content is an amended one.
fn status(row: &Row) -> &'static str {
    if row.changed { "amended" } else { "final" }
}

fn observation(row: &Row, urls: &Urls) -> Value {
    let code = match row.modality.as_str() {
        "ECG" => json!({ "coding": [{ "system": JLAC10, "code": ECG_FINDING }], "text": "心電図所見" }),
        _ => json!({ "coding": [{ "system": LOINC, "code": "18782-3" }], "text": "画像所見" }),
    };
    let component = |(code, words): (String, String)| {
        let coding = json!({ "system": FINDINGS, "version": row.edition, "code": code, "display": words });
        json!({
            "code": { "text": "所見" },
            "valueCodeableConcept": { "coding": [coding], "text": words },
        })
    };
    let is_urgent = row.urgent.then(|| json!({ "code": urgent(), "valueBoolean": true }));
    let findings = decision::in_words(&row.edition, &row.findings).into_iter().map(component);
    let components: Vec<Value> = findings.chain(is_urgent).collect();
    let category = if row.modality == "ECG" { "procedure" } else { "imaging" };
    let mut observation = json!({
        "resourceType": "Observation",
        "status": status(row),
        "category": [{ "coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": category,
        }] }],
        "code": code,
        "subject": { "reference": urls.patient },
        "issued": row.decided_at,
        "performer": performers(row),
        "valueCodeableConcept": verdict(row),
        "derivedFrom": [{ "reference": urls.study }],
    });
    if let Some(date) = date(row) {
        observation["effectiveDateTime"] = date.into();
    }
    if !components.is_empty() {
        observation["component"] = components.into();
    }
    if !row.text.is_empty() {
        observation["note"] = json!([{ "text": row.text }]);
    }
    observation
}

fn performers(row: &Row) -> Value {
    row.readers.iter().map(|reader| json!({ "display": reader })).collect()
}

fn report(row: &Row, urls: &Urls) -> Value {
    let code = match row.modality.as_str() {
        "ECG" => json!({ "coding": [{ "system": LOINC, "code": "28010-7" }], "text": "心電図判定" }),
        _ => json!({ "coding": [{ "system": LOINC, "code": "18748-4" }], "text": "読影判定" }),
    };
    let conclusion_codes: Vec<Value> = iter::once(verdict(row)).chain(row.urgent.then(urgent)).collect();
    let mut report = json!({
        "resourceType": "DiagnosticReport",
        "identifier": [{ "system": "urn:ietf:rfc:3986", "value": format!("urn:uuid:{}", row.verdict_id) }],
        "status": status(row),
        "code": code,
        "subject": { "reference": urls.patient },
        "issued": row.decided_at,
        "performer": performers(row),
        "result": [{ "reference": urls.observation }],
        "imagingStudy": [{ "reference": urls.study }],
        "conclusion": conclusion(row),
        "conclusionCode": conclusion_codes,
    });
    if let Some(date) = date(row) {
        report["effectiveDateTime"] = date.into();
    }
    report
}

fn conclusion(row: &Row) -> String {
    let word = Word::of(&row.verdict).map_or("", Word::japanese);
    let urgent = if row.urgent { "緊急 " } else { "" };
    let management = match row.management.as_str() {
        "" => String::new(),
        management => format!("、管理区分 {management}"),
    };
    format!("{urgent}{word}{management}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(rows: Vec<Row>) -> Vec<Value> {
        let results = Results { number: Some(1), at: jiff::Timestamp::UNIX_EPOCH, rows, more: false };
        let bundle = bundle(&results, "w");
        bundle["entry"].as_array().unwrap().iter().map(|entry| entry["resource"].clone()).collect()
    }

    fn of_kind<'a>(resources: &'a [Value], kind: &str) -> Vec<&'a Value> {
        resources.iter().filter(|resource| resource["resourceType"] == kind).collect()
    }

    fn row(item: &str, child: &str) -> Row {
        let [item, child, issuer, verdict] = [item, child, "a", "refer"].map(str::to_owned);
        Row { item, child, issuer, verdict, modality: "ECG".into(), ..Row::default() }
    }

    #[test]
    fn children_without_an_id_are_not_one_child() {
        let resources = made(vec![row("1", ""), row("2", ""), row("3", "c"), row("4", "c")]);
        let patients = of_kind(&resources, "Patient");
        let identified = patients.iter().filter(|patient| patient["identifier"][0]["value"] == "c");
        assert_eq!((patients.len(), identified.count()), (3, 1));
        assert_eq!(patients.iter().filter(|patient| patient["identifier"].is_null()).count(), 2);
        let subjects: std::collections::BTreeSet<String> =
            of_kind(&resources, "Observation").iter().map(|it| it["subject"]["reference"].to_string()).collect();
        assert_eq!(subjects.len(), 3);
    }

    #[test]
    fn urgent_and_amended_are_told_by_code() {
        let urgent = Row { urgent: true, changed: true, ..row("1", "c") };
        let resources = made(vec![urgent]);
        let (report, observation) = (of_kind(&resources, "DiagnosticReport")[0], of_kind(&resources, "Observation")[0]);
        assert_eq!(report["conclusionCode"][1]["coding"][0]["code"], "urgent");
        let component = &observation["component"][0];
        assert_eq!(
            (&component["code"]["coding"][0]["code"], &component["valueBoolean"]),
            (&json!("urgent"), &json!(true))
        );
        assert_eq!((&report["status"], &observation["status"]), (&json!("amended"), &json!("amended")));
        let plain = made(vec![row("1", "c")]);
        assert_eq!(of_kind(&plain, "DiagnosticReport")[0]["conclusionCode"].as_array().unwrap().len(), 1);
        assert_eq!(of_kind(&plain, "Observation")[0]["status"], "final");
    }

    #[test]
    fn readings_of_images_are_of_the_category_imaging() {
        let category = |modality: &str| {
            let resources = made(vec![Row { modality: modality.into(), ..row("1", "c") }]);
            of_kind(&resources, "Observation")[0]["category"][0]["coding"][0]["code"].clone()
        };
        assert_eq!((category("ECG"), category("DX")), (json!("procedure"), json!("imaging")));
    }
}
