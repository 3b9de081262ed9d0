//! `tsunagu import`: takes in what lies on this machine, and ends with a receipt.

use std::process::ExitCode;

use archive::{Batch, Origin, Receipt};
use ingest::import::Failed;
use serde_json::{Value, json};

use super::{pack, receipt};
use crate::cli::{BatchArgs, Cli, Import};
use crate::output;
use crate::progress::Bar;
use crate::wiring::{self, Result};

/// Files read and examined at once.
const PARALLEL: usize = 4;

/// Imports, packs unless told not to, prints the receipt.
pub async fn run(cli: &Cli, args: &Import) -> Result<ExitCode> {
    let house = wiring::open(&cli.data).await?.with_renditions(&args.renditions)?;
    let bar = Bar::bytes("import");
    let paths = args.paths.clone();
    let (files, bytes) = tokio::task::spawn_blocking(move || ingest::files::count(&paths)).await?;
    bar.set_total(files, bytes);
    let batch = batch(&args.batch, &args.centre, files);
    house.writer.open_batch(batch.clone()).await?;
    let template = Origin { centre: args.centre.clone(), batch: Some(batch.id.clone()), ..Origin::default() };
    let summary = ingest::import::import(args.paths.clone(), &house.doorway(), &template, PARALLEL, &bar).await;
    bar.finish();
    let packed = if args.no_pack { None } else { Some(pack::pack_all(&house).await?) };
    let receipt = house.reader.receipt(&args.centre, &batch.id).await?.unwrap_or_default();
    receipt::save(&receipt, args.batch.receipt.as_deref())?;
    receipt::print(&receipt);
    print_failed(&summary.failed);
    if let Some(packed) = &packed {
        pack::print(packed);
    }
    let stopped = packed.as_ref().is_some_and(|packed| packed.stopped.is_some());
    let code = finish(cli, &receipt, &summary.failed, packed.as_ref().map(pack::to_json));
    Ok(if stopped { ExitCode::from(2) } else { code })
}

/// The batch that the arguments speak of.
pub fn batch(args: &BatchArgs, centre: &str, files: u64) -> Batch {
    let id = args.batch.clone().unwrap_or_else(|| format!("batch-{}", uuid::Uuid::new_v4().simple()));
    Batch {
        id,
        centre: centre.into(),
        programme: args.programme.code().into(),
        expected: Some(args.expected.unwrap_or(files)),
        opened_at: crate::clock::now(),
    }
}

/// Names every file that was not taken in.
pub fn print_failed(failed: &[Failed]) {
    for one in failed {
        say!("NOT TAKEN IN: {}: {}", one.file, one.why);
    }
}

fn finish(cli: &Cli, receipt: &Receipt, failed: &[Failed], packed: Option<Value>) -> ExitCode {
    let mut object = receipt::to_json(receipt);
    object["failed"] = failed.iter().map(|one| json!({ "file": one.file, "why": one.why })).collect();
    if let Some(packed) = packed {
        object["packed"] = packed;
    }
    if failed.is_empty() { output::finish(cli.json, object) } else { output::finish_with_findings(cli.json, object) }
}
