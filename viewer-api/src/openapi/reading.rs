//! What is said of the Reading API.

use serde_json::{Value, json};

use super::ERROR;
use super::told::{Told, UUID, number, object, pattern, text, word};
use crate::access::Service;

const READING: &str = "Reading";
const GUARDED: &[u16] = &[400, 401, 403, 500, 503];
const STAGES: &[&str] = &["first", "second", "adjudication"];
const VERDICTS: &[&str] = &["normal", "follow-up", "refer"];
const DOUBLE: &[&str] = &["all", "device-abnormal", "none"];

/// The operations of a service of reading; none for any other.
pub(super) fn operations(service: Service) -> Vec<Told> {
    match service {
        Service::Worklists => vec![
            guarded(Told::get("Worklists", READING, "The reading worklists and how far they are: docs/reading.md."))
                .answers(200, "The worklists.", &["application/json"]),
            guarded(Told::new("post", "CreateWorklist", READING, "Make a worklist; an administrator's."))
                .body("application/json", new_worklist())
                .answers(201, "The worklist.", &["application/json"]),
        ],
        Service::Claim => vec![
            guarded(Told::new("post", "Claim", READING, "Claim items to read, for some minutes."))
                .body("application/json", wanted())
                .answers(200, "The items.", &["application/json"])
                .refuses(ERROR, &[404]),
        ],
        Service::Release => vec![
            guarded(Told::new("post", "Release", READING, "Give an item up."))
                .answers(200, "Given up.", &["application/json"])
                .refuses(ERROR, &[404]),
        ],
        Service::Verdicts => vec![
            guarded(Told::new("post", "SaveVerdicts", READING, "Save verdicts; sent again they are the same."))
                .body("application/json", object(json!({ "verdicts": list(verdict(), 200) }), &["verdicts"]))
                .answers(200, "Which are durably saved, and which are not and why.", &["application/json"]),
        ],
        Service::Undo => vec![
            guarded(Told::new("post", "UndoVerdict", READING, "Take a verdict back, soon after it was given."))
                .answers(200, "Taken back; the item is yours again.", &["application/json"])
                .refuses(ERROR, &[404, 409]),
        ],
        Service::Codes => vec![guarded(Told::get("FindingCodes", READING, "Codes of findings, by edition.")).answers(
            200,
            "The table.",
            &["application/json"],
        )],
        Service::Exports => vec![
            guarded(Told::get("Exports", READING, "What was sent of a worklist."))
                .answers(200, "The exports.", &["application/json"])
                .refuses(ERROR, &[404]),
            guarded(Told::new("post", "Export", READING, "Send what is new or changed: an export with a number."))
                .answers(201, "The export.", &["application/json"])
                .answers(200, "There is nothing to send.", &["application/json"])
                .refuses(ERROR, &[404, 409]),
        ],
        Service::ResultsCsv => vec![results("ResultsCsv", "Results as CSV.", "text/csv")],
        Service::ResultsFhir => vec![results("ResultsFhir", "Results as FHIR R4.", "application/fhir+json")],
        Service::ReportOfVerdict => vec![
            guarded(Told::get("ReportOfVerdict", READING, "The report of a settled item: Basic Text SR."))
                .answers(200, "The report.", &["application/dicom"])
                .refuses(ERROR, &[404]),
        ],
        _ => Vec::new(),
    }
}

fn results(name: &'static str, summary: &'static str, media_type: &'static str) -> Told {
    guarded(Told::get(name, READING, summary))
        .query("export", "The export that is meant; without it all that is settled.", number(1, i32::MAX))
        .answers(200, "The results.", &[media_type])
        .refuses(ERROR, &[404])
}

fn guarded(told: Told) -> Told {
    told.refuses(ERROR, GUARDED)
}

fn list(items: Value, most: usize) -> Value {
    json!({ "type": "array", "maxItems": most, "items": items })
}

fn item() -> Value {
    pattern("^[0-9a-f]{32}$")
}

fn new_worklist() -> Value {
    let date = pattern("^(19|20)[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|1[0-9]|2[0-8])$");
    let properties = json!({
        "name": text(200), "modality": pattern("^[A-Z]{2,16}$"), "from": date, "to": date, "centre": text(200),
        "double": word(DOUBLE),
    });
    object(properties, &["name", "modality", "double"])
}

fn wanted() -> Value {
    let properties = json!({
        "count": number(0, 40), "stage": word(STAGES), "held": list(item(), 40), "group": { "type": "boolean" },
    });
    object(properties, &["count"])
}

fn verdict() -> Value {
    let properties = json!({
        "id": pattern(UUID), "item": item(), "stage": word(STAGES), "verdict": word(VERDICTS),
        "urgent": { "type": "boolean" }, "findings": list(text(16), 32),
        "text": { "type": "string", "maxLength": 2000 }, "management": { "type": "string", "maxLength": 20 },
        "took_ms": number(0, i32::MAX),
    });
    object(properties, &["id", "item", "stage", "verdict"])
}
