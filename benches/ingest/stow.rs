//! The STOW-RS client: parcels over kept-alive connections, each answer counted.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE};
use serde_json::Value;

use crate::Result;
use crate::corpus::{BOUNDARY, Corpus, Parcel};
use crate::server::Running;

/// Sends the corpus with so many clients at once; answers the bytes acknowledged, which are all of them.
pub fn send(server: &Running, corpus: &Corpus, clients: usize) -> Result<u64> {
    let next = AtomicUsize::new(0);
    crate::scu::in_parallel(clients, || client(server, corpus, &next))
}

fn client(server: &Running, corpus: &Corpus, next: &AtomicUsize) -> Result<u64> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(600)).build()?;
        let mut bytes = 0;
        while let Some(parcel) = corpus.parcels.get(next.fetch_add(1, Ordering::Relaxed)) {
            post(&client, server, parcel).await?;
            bytes += parcel.bytes;
        }
        Ok(bytes)
    })
}

async fn post(client: &reqwest::Client, server: &Running, parcel: &Parcel) -> Result<()> {
    let url = format!("http://{}/dicom-web/studies", server.http);
    let content_type = format!("multipart/related; type=\"application/dicom\"; boundary={BOUNDARY}");
    let mut request = client.post(url).header(CONTENT_TYPE, content_type).header(ACCEPT, "application/dicom+json");
    if let Some(token) = &server.token {
        request = request.bearer_auth(token);
    }
    let response = request.body(parcel.body.clone()).send().await?;
    let (status, answer) = (response.status(), response.bytes().await?);
    let json: Value = serde_json::from_slice(&answer).unwrap_or_default();
    // PS3.18 §10.5.3.2: ReferencedSOPSequence names what was stored.
    let stored = json["00081199"]["Value"].as_array().map_or(0, Vec::len);
    if stored != parcel.instances.len() {
        let answer = String::from_utf8_lossy(&answer);
        let answer: String = answer.chars().take(300).collect();
        return Err(format!("{stored} of {} acknowledged: {status} {answer}", parcel.instances.len()).into());
    }
    Ok(())
}
