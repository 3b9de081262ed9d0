//! `tsunagu pack`: packs what was taken in, now.

use std::process::ExitCode;

use ingest::packing::Summary;
use serde_json::{Value, json};

use super::renditions;
use crate::cli::{Cli, Pack};
use crate::output::{self, megabytes};
use crate::progress::Bar;
use crate::wiring::{self, House, Result};

/// Packs everything in the backlog.
pub async fn run(cli: &Cli, args: &Pack) -> Result<ExitCode> {
    let house = wiring::open(&cli.data).await?.with_renditions(&args.renditions)?;
    let summary = pack_all(&house).await?;
    print(&summary);
    let object = to_json(&summary);
    let clean = summary.failures.is_empty() && summary.stopped.is_none();
    Ok(if clean { output::finish(cli.json, object) } else { output::finish_with_findings(cli.json, object) })
}

/// Packs everything in the backlog, with a bar.
pub async fn pack_all(house: &House) -> Result<Summary> {
    let bar = Bar::bytes("packing");
    let backlog = house.reader.backlog(u32::MAX).await?;
    bar.set_total(backlog.iter().map(|s| s.instances).sum(), backlog.iter().map(|s| s.received_bytes).sum());
    let each = |held: &archive::Held| {
        bar.add_bytes(held.record.received_bytes);
        bar.add_file();
    };
    let summary = house.pack(None, &each).await?;
    bar.finish();
    house.fill_catalogue().await?;
    Ok(summary)
}

/// The table by modality, and each exception.
pub fn print(summary: &Summary) {
    let head = ["modality", "rebuilt", "native kept", "kept", "MB received", "MB held", "held/received"];
    let rows: Vec<Vec<String>> = summary
        .modalities
        .iter()
        .map(|(modality, c)| {
            vec![
                modality.clone(),
                c.rebuilt.to_string(),
                c.native_as_received.to_string(),
                c.as_received.to_string(),
                megabytes(c.received_bytes),
                megabytes(c.held_bytes),
                format!("{:.3}", c.held_bytes as f64 / c.received_bytes.max(1) as f64),
            ]
        })
        .collect();
    if !rows.is_empty() {
        say!("{}", output::table(&head, &rows));
    }
    for exception in &summary.exceptions {
        say!("not rebuilt: {} ({}): {}", exception.file, exception.modality, exception.reason);
    }
    for failure in &summary.failures {
        say!("NOT PACKED: study {}: {}", failure.study_instance_uid, failure.reason);
    }
    renditions::print_made(&summary.renditions);
    print_stopped(summary.stopped.as_deref());
}

/// The alarm.
pub fn print_stopped(why: Option<&str>) {
    if let Some(why) = why {
        say!("PACKING HAS STOPPED: {why}");
        say!("Nothing was let go, and what is taken in is kept as received. Keep this archive and report it.");
    }
}

/// The same for programs.
pub fn to_json(summary: &Summary) -> Value {
    let modalities: serde_json::Map<String, Value> = summary
        .modalities
        .iter()
        .map(|(modality, c)| {
            let counts = json!({
                "rebuilt": c.rebuilt, "native_as_received": c.native_as_received, "as_received": c.as_received,
                "received_bytes": c.received_bytes, "held_bytes": c.held_bytes,
            });
            (modality.clone(), counts)
        })
        .collect();
    let exceptions: Vec<Value> = summary
        .exceptions
        .iter()
        .map(|e| json!({ "file": e.file, "modality": e.modality, "reason": e.reason }))
        .collect();
    let failures: Vec<Value> =
        summary.failures.iter().map(|f| json!({ "study": f.study_instance_uid, "reason": f.reason })).collect();
    json!({
        "packs": summary.packs, "modalities": modalities, "exceptions": exceptions, "failures": failures,
        "renditions": renditions::made_to_json(&summary.renditions), "stopped": summary.stopped,
    })
}
