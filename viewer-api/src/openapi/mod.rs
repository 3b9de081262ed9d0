//! The OpenAPI 3.1 description of everything that is served over HTTP, made from the one table of routes.
//!
//! [`services`] says what the table cannot: parameters, bodies, answers. A service that nobody described does not compile.

mod reading;
mod services;
mod store;
mod told;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use self::told::{DICOM_JSON, INFO, component, number, object, pattern, word};
use crate::access::{Needs, ROUTES};

/// Name of the schema of a refusal: two sentences.
const ERROR: &str = "Error";
/// Name of the schema of a refusal of a store door.
const PROBLEM: &str = "Problem";
/// Name of the schema of a Data Set.
const DATA_SET: &str = "DataSet";
/// Name of the schema of who is signed in.
const PRINCIPAL: &str = "Principal";

/// The description, as JSON.
pub fn openapi() -> String {
    format!("{:#}", document())
}

/// `GET /openapi.json`. It holds no data, so everybody may read it.
pub(crate) async fn description(headers: HeaderMap) -> Response {
    let body = openapi();
    let tag = format!("\"{}\"", archive::hex(&<[u8; 32]>::from(Sha256::digest(&body))));
    let had = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let mut response = if had.is_some_and(|had| had.contains(&tag)) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, "application/json")], body).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(tag) = HeaderValue::try_from(tag) {
        headers.insert(header::ETAG, tag);
    }
    response
}

fn document() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Tsunagu",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "DICOMweb (PS3.18), IIIF Image API 3.0 and what the viewer page needs. Paths that end in {path} \
                go on over slashes.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "paths": paths(),
        "components": { "schemas": schemas(), "securitySchemes": security_schemes() },
    })
}

/// Path Items: operations of one path are in one.
fn paths() -> Value {
    let own = ROUTES.iter().flat_map(|(service, path, needs)| {
        let secured = *needs != Needs::Nothing;
        services::operations(*service).into_iter().map(move |told| (*path, told, secured))
    });
    let foreign = store::operations().into_iter().map(|(path, told)| (path, told, true));
    let mut items: Map<String, Value> = Map::new();
    for (path, told, secured) in own.chain(foreign) {
        let item = items.entry(path.replace("{*", "{")).or_insert_with(|| json!({}));
        let verb = told.verb;
        item[verb] = told.operation(path, secured);
    }
    Value::Object(items)
}

fn security_schemes() -> Value {
    let cookie = "The cookie that POST /session or a sign-in link sets; over https it is called __Host-tsunagu.";
    json!({
        "bearer": { "type": "http", "scheme": "bearer", "description": "A token that `tsunagu token issue` made." },
        "cookie": { "type": "apiKey", "in": "cookie", "name": "tsunagu", "description": cookie },
    })
}

fn schemas() -> Value {
    let text = json!({ "type": "string" });
    let permissions = word(&["upload", "view", "download", "original", "administer", "annotate", "read", "results"]);
    json!({
        (ERROR): object(json!({ "error": text, "next_step": text }), &["error", "next_step"]),
        (PROBLEM): object(json!({ "error": text, "next_step": text, "parts": number(0, i32::MAX) }), &["error"]),
        (PRINCIPAL): object(
            json!({ "name": text, "centre": text, "permissions": { "type": "array", "items": permissions } }),
            &["name", "centre", "permissions"],
        ),
        // PS3.18 Annex F: an object of attributes by tag.
        (DATA_SET): { "type": "object", "additionalProperties": attribute() },
        (DICOM_JSON): { "type": "array", "items": component(DATA_SET) },
        (INFO): image_information(),
    })
}

fn attribute() -> Value {
    let text = json!({ "type": "string" });
    let properties = json!({
        "vr": pattern("^[A-Z]{2}$"), "Value": { "type": "array" }, "BulkDataURI": text, "InlineBinary": text,
    });
    object(properties, &["vr"])
}

fn image_information() -> Value {
    let (text, edge, list) = (json!({ "type": "string" }), number(1, i32::MAX), json!({ "type": "array" }));
    let properties = json!({
        "@context": text, "id": text, "type": { "const": "ImageService3" }, "protocol": text,
        "profile": { "const": "level2" }, "width": edge, "height": edge, "maxWidth": edge, "maxHeight": edge,
        "maxArea": edge, "sizes": list, "tiles": list,
    });
    object(properties, &["@context", "id", "type", "protocol", "profile", "width", "height"])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn described() -> Value {
        serde_json::from_str(&openapi()).unwrap()
    }

    const VERBS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

    /// Every operation: path, verb, what is said.
    fn each(document: &Value) -> Vec<(String, String, Value)> {
        let paths = document["paths"].as_object().unwrap().iter();
        let each = paths.flat_map(|(path, item)| {
            let operations = item.as_object().unwrap().iter().filter(|(verb, _)| VERBS.contains(&verb.as_str()));
            operations.map(move |(verb, said)| (path.clone(), verb.clone(), said.clone()))
        });
        each.collect()
    }

    /// Proves that the description has every route of the table and every store door, and nothing else.
    #[test]
    fn every_route_is_described_and_nothing_else() {
        let paths: BTreeSet<String> = described()["paths"].as_object().unwrap().keys().cloned().collect();
        let own = ROUTES.iter().map(|(_, path, _)| path.replace("{*", "{"));
        let store = store::operations().into_iter().map(|(path, _)| path.to_owned());
        assert_eq!(paths, own.chain(store).collect());
        let both = &described()["paths"]["/dicom-web/studies"];
        assert!(both["get"].is_object() && both["post"].is_object(), "a shared path has both its operations");
    }

    /// Proves that a credential is asked for where the table asks for a permission, and nowhere else.
    #[test]
    fn credentials_are_described_as_the_table_needs_them() {
        for (_, path, needs) in ROUTES {
            for (_, verb, said) in each(&described()).iter().filter(|(of, _, _)| *of == path.replace("{*", "{")) {
                let asked = !said["security"].as_array().unwrap().is_empty();
                let store = said["tags"][0].as_str().unwrap().starts_with("Store");
                assert_eq!(asked, store || *needs != Needs::Nothing, "{verb} {path}");
            }
        }
    }

    /// Proves the rules of OpenAPI 3.1 that a schema of the document would: what has to be there, unique operation ids, path
    /// parameters that are those of the path, statuses, references that lead somewhere.
    #[test]
    fn the_description_is_openapi_3_1() {
        let document = described();
        assert_eq!(document["openapi"], "3.1.0");
        assert!(document["info"]["title"].is_string() && document["info"]["version"].is_string());
        let mut names = BTreeSet::new();
        for (path, verb, said) in each(&document) {
            let place = format!("{verb} {path}");
            assert!(path.starts_with('/') && !path.contains('*'), "{place}");
            assert!(names.insert(said["operationId"].as_str().unwrap().to_owned()), "{place}");
            let parameters = said["parameters"].as_array().cloned().unwrap_or_default();
            let mut seen = BTreeSet::new();
            for parameter in &parameters {
                let (name, kind) = (parameter["name"].as_str().unwrap(), parameter["in"].as_str().unwrap());
                assert!(["path", "query", "header", "cookie"].contains(&kind), "{place} {name}");
                assert!(parameter["schema"].is_object(), "{place} {name}");
                assert!(kind != "path" || parameter["required"] == true, "{place} {name}");
                let reserved = ["Accept", "Content-Type", "Authorization"].contains(&name);
                assert!(kind != "header" || !reserved, "{place}: {name} is ignored there");
                assert!(seen.insert((kind.to_owned(), name.to_owned())), "{place} {name} twice");
            }
            let in_path: BTreeSet<String> =
                path.split('{').skip(1).map(|rest| rest.split('}').next().unwrap().to_owned()).collect();
            let named = seen.iter().filter(|(kind, _)| kind == "path").map(|(_, name)| name.clone()).collect();
            assert_eq!(in_path, named, "{place}");
            let answers = said["responses"].as_object().unwrap();
            assert!(!answers.is_empty(), "{place}");
            for (status, answer) in answers {
                assert!(status.len() == 3 && ('1'..='5').contains(&status.chars().next().unwrap()), "{place} {status}");
                assert!(answer["description"].as_str().is_some_and(|said| !said.is_empty()), "{place} {status}");
            }
            for requirement in said["security"].as_array().into_iter().flatten() {
                for scheme in requirement.as_object().unwrap().keys() {
                    assert!(document["components"]["securitySchemes"][scheme].is_object(), "{place} {scheme}");
                }
            }
        }
        references(&document, &document);
    }

    /// Every reference in `value` leads somewhere in `document`.
    fn references(document: &Value, value: &Value) {
        match value {
            Value::Object(object) => {
                if let Some(reference) = object.get("$ref").and_then(Value::as_str) {
                    assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
                }
                object.values().for_each(|value| references(document, value));
            }
            Value::Array(values) => values.iter().for_each(|value| references(document, value)),
            _ => {}
        }
    }

    /// Proves that every operation says how it refuses, in the sentences that it refuses with.
    #[test]
    fn every_refusal_is_described_as_it_is_made() {
        for (path, verb, said) in each(&described()) {
            let answers = said["responses"].as_object().unwrap();
            let secured = !said["security"].as_array().unwrap().is_empty();
            for status in ["401", "403", "503"] {
                assert!(!secured || answers.contains_key(status), "{verb} {path} {status}");
            }
            for (status, answer) in answers.iter().filter(|(status, _)| status.starts_with(['4', '5'])) {
                // 409 is the answer of Store itself; 416 has no body, it is told by its headers alone.
                let told_otherwise = ["409", "416"].contains(&status.as_str());
                assert!(
                    told_otherwise || answer["content"]["application/json"]["schema"]["$ref"].is_string(),
                    "{path} {status}"
                );
            }
        }
    }
}
