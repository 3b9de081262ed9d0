//! `tsunagu repack`: packs made anew in the present transfer syntax.

use std::process::ExitCode;

use archive::Repackable;
use ingest::repack::Summary;
use serde_json::{Value, json};

use super::pack::print_stopped;
use crate::cli::{Cli, Repack};
use crate::output::{self, megabytes};
use crate::progress::Bar;
use crate::wiring::{self, Result};

/// Repacks, removes what was replaced long enough ago, and says what became of the bytes.
pub async fn run(cli: &Cli, args: &Repack) -> Result<ExitCode> {
    let wanted = wanted(args)?;
    let house = wiring::open(&cli.data).await?;
    if let Repackable::WrittenBefore(at) = &wanted {
        say!("Packs written before {at}; stopped, this goes on with --all --written-before {at}");
    }
    let bar = Bar::bytes("repack");
    let [instances, bytes] = house.reader.to_repack(&wanted).await?;
    bar.set_total(instances, bytes);
    let each = |held: &archive::Held| {
        bar.add_bytes(held.record.received_bytes);
        bar.add_file();
    };
    let summary = house.packer.repack(&wanted, &crate::clock::now, &each).await?;
    bar.finish();
    house.fill_catalogue().await?;
    let removed = house.remove_replaced(args.replaced_keep_s).await?;
    print(&summary, removed);
    let object = to_json(&summary, removed, &wanted);
    let clean = summary.failures.is_empty() && summary.stopped.is_none();
    Ok(if clean { output::finish(cli.json, object) } else { output::finish_with_findings(cli.json, object) })
}

fn wanted(args: &Repack) -> Result<Repackable> {
    match (&args.written_before, args.all) {
        (_, false) => Ok(Repackable::NotOf(transcode::codec::Coders::default().transfer_syntax_uid.into())),
        (None, true) => Ok(Repackable::WrittenBefore(crate::clock::now())),
        (Some(text), true) => {
            let at =
                crate::clock::parse(text).ok_or_else(|| format!("--written-before {text}: write it in RFC 3339"))?;
            Ok(Repackable::WrittenBefore(at))
        }
    }
}

fn print(summary: &Summary, removed: u64) {
    say!(
        "Repacked: {} packs became {}; {} instances, {} of them encoded anew; {} MB held, {} MB before; {} packs left",
        summary.replaced,
        summary.packs,
        summary.instances,
        summary.encoded,
        megabytes(summary.held_bytes_after),
        megabytes(summary.held_bytes_before),
        summary.unchanged
    );
    if removed > 0 {
        say!("Removed: {removed} packs that were replaced before");
    }
    for exception in &summary.exceptions {
        say!("kept as it was: {} ({}): {}", exception.file, exception.modality, exception.reason);
    }
    for failure in &summary.failures {
        say!("NOT REPACKED: study {}: {}", failure.study_instance_uid, failure.reason);
    }
    print_stopped(summary.stopped.as_deref());
}

fn to_json(summary: &Summary, removed: u64, wanted: &Repackable) -> Value {
    let exceptions: Vec<Value> = summary
        .exceptions
        .iter()
        .map(|e| json!({ "file": e.file, "modality": e.modality, "reason": e.reason }))
        .collect();
    let failures: Vec<Value> =
        summary.failures.iter().map(|f| json!({ "study": f.study_instance_uid, "reason": f.reason })).collect();
    let written_before = match wanted {
        Repackable::WrittenBefore(at) => Some(at),
        Repackable::NotOf(_) => None,
    };
    json!({
        "packs": summary.packs, "replaced": summary.replaced, "unchanged": summary.unchanged,
        "instances": summary.instances, "encoded": summary.encoded, "held_bytes_before": summary.held_bytes_before,
        "held_bytes_after": summary.held_bytes_after, "removed": removed, "written_before": written_before,
        "exceptions": exceptions, "failures": failures, "stopped": summary.stopped,
    })
}
