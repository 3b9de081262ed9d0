//! `tsunagu receipt`: prints the receipt of a batch.

use std::path::Path;
use std::process::ExitCode;

use archive::{Reader, Receipt};
use serde_json::{Value, json};

use crate::cli::{self, Cli};
use crate::output;
use crate::wiring::Result;

/// Prints it, and writes it as a page if asked.
pub async fn run(cli: &Cli, args: &cli::Receipt) -> Result<ExitCode> {
    let reader = Reader::open(&cli.data)?;
    let receipt = reader.receipt(&args.centre, &args.batch).await?;
    let receipt = receipt.ok_or_else(|| format!("centre {} has no batch {}", args.centre, args.batch))?;
    save(&receipt, args.page.as_deref())?;
    print(&receipt);
    Ok(output::finish(cli.json, to_json(&receipt)))
}

/// Writes the receipt as a page people can read and file.
pub fn save(receipt: &Receipt, page: Option<&Path>) -> Result<()> {
    if let Some(path) = page {
        std::fs::write(path, ingest::receipt_page(receipt)).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    Ok(())
}

/// The receipt for people.
pub fn print(receipt: &Receipt) {
    let batch = &receipt.batch;
    let of = if batch.centre.is_empty() { String::new() } else { format!(" of {}", batch.centre) };
    say!("Receipt of batch {}{of} ({})", batch.id, batch.programme);
    say!(
        "  sent {} = stored {} + already held {} + quarantined {}",
        receipt.sent,
        receipt.stored,
        receipt.already_held,
        receipt.quarantined.len()
    );
    if let Some(expected) = batch.expected.filter(|expected| *expected != receipt.sent) {
        say!("  {expected} files were expected");
    }
    for variant in &receipt.variants {
        say!("  variant: {variant}");
    }
    for one in &receipt.quarantined {
        say!("  quarantined: {}\n    {}\n    next: {}", one.file, one.reason, one.next_step);
    }
}

/// The receipt for programs.
pub fn to_json(receipt: &Receipt) -> Value {
    json!({
        "batch": receipt.batch,
        "sent": receipt.sent,
        "stored": receipt.stored,
        "already_held": receipt.already_held,
        "variants": receipt.variants,
        "quarantined": receipt.quarantined,
    })
}
