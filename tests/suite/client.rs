//! A plain DICOMweb client for tests: STOW-RS, QIDO-RS and the received file, with nothing of `ingest` in it.

use std::collections::BTreeSet;
use std::time::Duration;

use archive::Receipt;
use reqwest::{Client, Response, StatusCode};
use serde_json::Value;

use crate::program::sha256;

const BOUNDARY: &str = "part-of-a-test";

/// Speaks to one server with one token.
#[derive(Clone)]
pub struct Dicomweb {
    client: Client,
    url: String,
    token: String,
}

/// What a store request was answered: by PS3.18 §10.5.3, only what is named in it is acknowledged.
#[derive(Debug, Default)]
pub struct Answered {
    /// SOP Instance UIDs in the Referenced SOP Sequence (0008,1199).
    pub stored: Vec<String>,
    /// How many are in the Failed SOP and Other Failures Sequences.
    pub failed: usize,
}

impl Dicomweb {
    pub fn new(url: &str, token: &str) -> Dicomweb {
        let client = Client::builder().timeout(Duration::from_secs(300)).build().unwrap();
        Dicomweb { client, url: url.into(), token: token.into() }
    }

    /// One store request; `None` when the connection broke or the answer is no answer.
    pub async fn store(&self, batch: &str, files: &[&datasets::File]) -> Option<Answered> {
        let mut body = Vec::new();
        for file in files {
            let head = format!(
                "\r\n--{BOUNDARY}\r\nContent-Type: application/dicom\r\nContent-Location: {}\r\n\r\n",
                file.path
            );
            body.extend_from_slice(head.as_bytes());
            body.extend_from_slice(&file.bytes);
        }
        body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
        let content_type = format!("multipart/related; type=\"application/dicom\"; boundary={BOUNDARY}");
        let request = self.client.post(format!("{}/studies", self.url)).bearer_auth(&self.token);
        let request = request.header("tsunagu-batch", batch).header("content-type", content_type).body(body);
        let response = request.send().await.ok()?;
        let status = response.status();
        let said: Value = serde_json::from_slice(&response.bytes().await.ok()?).ok()?;
        let known = [StatusCode::OK, StatusCode::ACCEPTED, StatusCode::CONFLICT];
        known.contains(&status).then(|| Answered {
            stored: items(&said, "00081199").map(|item| text(item, "00081155")).collect(),
            failed: items(&said, "00081198").count() + items(&said, "0008119A").count(),
        })
    }

    pub async fn open_batch(&self, batch: &str) {
        let body = serde_json::json!({ "id": batch, "programme": "dock" }).to_string();
        let request = self.client.post(format!("{}/batches", self.url)).bearer_auth(&self.token);
        let response = request.header("content-type", "application/json").body(body).send().await.unwrap();
        assert!(response.status().is_success(), "{}", response.status());
    }

    /// The receipt, without the time the batch was opened at.
    pub async fn receipt(&self, batch: &str) -> Receipt {
        let body = self.get(&format!("batches/{batch}/receipt")).await.bytes().await.unwrap();
        let mut receipt: Receipt = serde_json::from_slice(&body).unwrap();
        receipt.batch.opened_at.clear();
        receipt
    }

    pub async fn get(&self, path: &str) -> Response {
        let request = self.client.get(format!("{}/{path}", self.url)).bearer_auth(&self.token);
        request.header("accept", "application/dicom+json, application/json, application/dicom").send().await.unwrap()
    }

    /// A search, page by page.
    pub async fn search(&self, path: &str) -> Vec<Value> {
        let mut found = Vec::new();
        loop {
            let page = format!("{path}{}limit=100&offset={}", if path.contains('?') { '&' } else { '?' }, found.len());
            let response = self.get(&page).await;
            if response.status() == StatusCode::NO_CONTENT {
                return found;
            }
            assert_eq!(response.status(), StatusCode::OK, "{page}");
            let items: Vec<Value> = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
            if items.is_empty() {
                return found;
            }
            found.extend(items);
        }
    }

    /// Every instance that can be found, as its path: each study's instances, one study after another.
    pub async fn instances(&self) -> Vec<String> {
        let mut paths = Vec::new();
        for study in self.search("studies").await {
            let study = text(&study, "0020000D");
            for instance in self.search(&format!("studies/{study}/instances")).await {
                let (series, sop) = (text(&instance, "0020000E"), text(&instance, "00080018"));
                paths.push(format!("studies/{study}/series/{series}/instances/{sop}"));
            }
        }
        paths
    }

    /// The studies of which the change feed tells this, page by page; its numbers have no gap.
    pub async fn told(&self, change: &str) -> BTreeSet<String> {
        let (base, mut since, mut studies) = (self.url.trim_end_matches("/dicom-web"), 0, BTreeSet::new());
        loop {
            let request = self.client.get(format!("{base}/changes?since={since}&limit=500")).bearer_auth(&self.token);
            let page = request.send().await.unwrap().bytes().await.unwrap();
            let page: Value = serde_json::from_slice(&page).unwrap();
            let changes = page["changes"].as_array().unwrap();
            if changes.is_empty() {
                return studies;
            }
            for told in changes {
                since += 1;
                assert_eq!(told["sequence"], since);
                if told["change"] == change {
                    studies.insert(told["study"].as_str().unwrap().to_owned());
                }
            }
        }
    }

    /// SHA-256 of the received file of the instance at `path`.
    pub async fn original(&self, path: &str) -> String {
        let response = self.get(&format!("{path}/original")).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}/original");
        sha256(&response.bytes().await.unwrap())
    }

    /// The path of one instance by its SOP Instance UID, which must be found exactly once.
    pub async fn find(&self, sop: &str) -> String {
        let found = self.search(&format!("instances?SOPInstanceUID={sop}")).await;
        let paths: BTreeSet<String> = found
            .iter()
            .map(|item| format!("studies/{}/series/{}/instances/{sop}", text(item, "0020000D"), text(item, "0020000E")))
            .collect();
        assert_eq!((found.len(), paths.len()), (1, 1), "{sop} is found {} times", found.len());
        paths.into_iter().next().unwrap()
    }
}

fn items<'a>(object: &'a Value, tag: &str) -> impl Iterator<Item = &'a Value> {
    object[tag]["Value"].as_array().map_or(&[][..], Vec::as_slice).iter()
}

/// The first value of an attribute.
pub fn text(item: &Value, tag: &str) -> String {
    item[tag]["Value"][0].as_str().unwrap_or_else(|| panic!("{tag} is missing in {item}")).to_owned()
}
