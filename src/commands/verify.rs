//! `tsunagu verify`: re-reads and re-hashes everything, and names what is wrong.

use std::process::ExitCode;

use archive::Reader;
use serde_json::{Value, json};

use crate::cli::Cli;
use crate::output;
use crate::progress::Bar;
use crate::wiring::Result;

/// Verifies; exit code 2 where something is wrong.
pub async fn run(cli: &Cli) -> Result<ExitCode> {
    let reader = Reader::open(&cli.data)?;
    let bar = Bar::bytes("verify");
    let [.., instances, bytes] = reader.totals().await?;
    bar.set_total(instances, bytes);
    let each = |held: &archive::Held| {
        bar.add_bytes(held.record.received_bytes);
        bar.add_file();
    };
    let rebuild = |part10: &[u8], recipe: &[u8]| transcode::recipe::rebuild(part10, recipe).map_err(|e| e.to_string());
    let verified = archive::verify(&reader, &rebuild, &each).await?;
    bar.finish();
    say!(
        "Verified {} instances ({} rebuilt from packs, {} MB), {} packs ({} replaced), {} segments, {} quarantined files, {} renditions, {} log lines",
        verified.instances,
        verified.rebuilt,
        output::megabytes(verified.received_bytes),
        verified.packs,
        verified.replaced,
        verified.segments,
        verified.quarantined,
        verified.renditions,
        verified.events
    );
    for finding in &verified.findings {
        say!("WRONG: {}: {}", finding.what, finding.detail);
    }
    let findings: Vec<Value> =
        verified.findings.iter().map(|f| json!({ "what": f.what, "detail": f.detail })).collect();
    let clean = findings.is_empty();
    let object = json!({
        "instances": verified.instances, "rebuilt": verified.rebuilt, "received_bytes": verified.received_bytes,
        "packs": verified.packs, "replaced": verified.replaced, "segments": verified.segments, "quarantined": verified.quarantined,
        "renditions": verified.renditions, "events": verified.events, "findings": findings,
    });
    Ok(if clean { output::finish(cli.json, object) } else { output::finish_with_findings(cli.json, object) })
}
