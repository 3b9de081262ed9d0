//! What is said of the store doors, which another crate serves behind [`require_store`](crate::require_store). That this
//! is what it serves, and all of it, a test of the program holds.

use serde_json::{Value, json};

use super::told::{Told, number, object, pattern, word};
use super::{DATA_SET, PROBLEM};

const STORE: &str = "Store (STOW-RS)";
const PROGRAMMES: &[&str] = &["dock", "occupational", "school", "cancer", "specific"];

/// Every store operation with its path.
pub(super) fn operations() -> Vec<(&'static str, Told)> {
    vec![
        ("/dicom-web/studies", store("Store", "Store instances (PS3.18 §10.5).")),
        ("/dicom-web/studies/{study}", store("StoreInStudy", "Store instances of one study.")),
        ("/dicom-web/batches", batch()),
        ("/dicom-web/batches/{id}/receipt", receipt()),
    ]
}

impl Told {
    /// A Data Set (PS3.18 Table 10.5.3-1), or our own list of parts.
    fn stored(self, status: u16, said: &'static str) -> Told {
        self.answers_with(status, said, "application/dicom+json", DATA_SET).answers(
            status,
            said,
            &["application/vnd.tsunagu.parts+json"],
        )
    }
}

/// What a batch may be called.
fn batch_id() -> Value {
    pattern("^[A-Za-z0-9._-]{1,64}$")
}

fn store(name: &'static str, summary: &'static str) -> Told {
    Told::new("post", name, STORE, summary)
        .query("batch", "The batch they belong to.", batch_id())
        .header("Tsunagu-Batch", "The same, as a header.", batch_id())
        .bytes("multipart/related")
        .bytes("application/dicom")
        .bytes("application/x-mfer")
        .stored(200, "All are stored, and durably.")
        .stored(202, "Some are; the answer names the others and why.")
        .stored(409, "None is; the answer says why.")
        .refuses(PROBLEM, &[400, 401, 403, 408, 413, 415, 500, 503, 507])
}

fn batch() -> Told {
    let properties = json!({ "id": batch_id(), "programme": word(PROGRAMMES), "expected": number(0, i32::MAX) });
    Told::new("post", "OpenBatch", STORE, "Open a batch; opening it again changes nothing.")
        .body("application/json", object(properties, &["id", "programme"]))
        .answers(201, "The batch.", &["application/json"])
        .refuses(PROBLEM, &[400, 401, 403, 413, 500, 503, 507])
}

fn receipt() -> Told {
    Told::get("Receipt", STORE, "The receipt of a batch: what of it is durably there.")
        .answers(200, "The receipt.", &["application/json", "text/html"])
        .refuses(PROBLEM, &[401, 403, 404, 500, 503])
}
