//! `tsunagu push`: sends to an archive that runs elsewhere, and ends with its receipt.

use std::process::ExitCode;

use archive::Receipt;
use ingest::{PushOptions, PushResult};
use serde_json::json;

use super::{import, receipt};
use crate::cli::{Cli, Push};
use crate::output;
use crate::progress::Bar;
use crate::wiring::Result;

/// Pushes. The same command again after a break goes on where it ended.
pub async fn run(cli: &Cli, args: &Push) -> Result<ExitCode> {
    let batch = archive::Batch { expected: args.batch.expected, ..import::batch(&args.batch, "", 0) };
    let mut options = PushOptions::new(dicom_web(&args.to), batch.id.clone(), batch.programme.clone());
    options.token = Some(args.token.clone());
    options.parallel = args.parallel;
    options.expected = args.batch.expected;
    options.resume = Some(journal(&batch.id));
    say!("Batch {}: to go on after a break, run the same command with --batch {}", batch.id, batch.id);
    let bar = Bar::bytes("push");
    let result = ingest::push(args.paths.clone(), &options, &bar).await?;
    bar.finish();
    if result.failed.is_empty() {
        // All of it is acknowledged: nothing is left to resume.
        let _ = std::fs::remove_file(journal(&batch.id));
    }
    finish(cli, args, batch, result)
}

/// The DICOMweb service below a server's address, unless the address names it already.
fn dicom_web(to: &str) -> String {
    let to = to.trim_end_matches('/');
    if to.ends_with("/dicom-web") { to.to_owned() } else { format!("{to}/dicom-web") }
}

/// Where acknowledged files are noted until the push has ended.
fn journal(batch: &str) -> std::path::PathBuf {
    std::env::temp_dir().join(format!("tsunagu-push-{batch}.jsonl"))
}

fn finish(cli: &Cli, args: &Push, batch: archive::Batch, result: PushResult) -> Result<ExitCode> {
    let receipt = Receipt {
        batch,
        sent: result.sent,
        stored: result.stored,
        already_held: result.already_held,
        variants: result.variants.clone(),
        quarantined: result.quarantined.clone(),
    };
    receipt::save(&receipt, args.batch.receipt.as_deref())?;
    receipt::print(&receipt);
    import::print_failed(&result.failed);
    let mut object = receipt::to_json(&receipt);
    object["skipped"] = json!(result.skipped);
    object["failed"] = json!(result.failed);
    Ok(if result.failed.is_empty() {
        output::finish(cli.json, object)
    } else {
        output::finish_with_findings(cli.json, object)
    })
}
