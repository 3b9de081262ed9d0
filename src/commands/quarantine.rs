//! `tsunagu quarantine`: looks at what was set aside, and decides about it.

use std::process::ExitCode;

use archive::{Act, Body, QuarantineState, Quarantined, Reader};
use ingest::{Refusal, Taken};
use serde_json::{Value, json};

use crate::cli::{self, Cli, QuarantineAct};
use crate::output;
use crate::wiring::{self, House, Result};

/// Carries out the sub-command.
pub async fn run(cli: &Cli, args: &cli::Quarantine) -> Result<ExitCode> {
    match &args.act {
        QuarantineAct::List { all } => list(cli, *all).await,
        QuarantineAct::Show { digest, save } => show(cli, digest, save.as_deref()).await,
        QuarantineAct::Retry { digest } => retry(cli, digest.as_deref()).await,
        QuarantineAct::Release { digest, why, who } => release(cli, digest, why, who).await,
        QuarantineAct::Discard { digest, why, who } => discard(cli, digest, why, who).await,
    }
}

fn to_json(record: &Quarantined, state: QuarantineState) -> Value {
    json!({
        "digest": record.digest, "state": state.name(), "bytes": record.bytes, "file": record.origin.file,
        "centre": record.origin.centre, "batch": record.origin.batch, "received_at": record.origin.received_at,
        "code": record.reason.code, "reason": record.reason.text, "next_step": record.reason.next_step,
        "sop_instance_uid": record.sop_instance_uid,
    })
}

async fn list(cli: &Cli, all: bool) -> Result<ExitCode> {
    let reader = Reader::open(&cli.data)?;
    let state = if all { None } else { Some(QuarantineState::Held) };
    let records = reader.quarantined(state).await?;
    let rows: Vec<Vec<String>> = records
        .iter()
        .map(|(r, state)| {
            vec![
                r.digest[..12.min(r.digest.len())].into(),
                state.name().into(),
                r.reason.code.clone(),
                r.bytes.to_string(),
                r.origin.file.clone(),
            ]
        })
        .collect();
    say!("{}", output::table(&["digest", "state", "reason", "bytes", "file"], &rows));
    let items: Vec<Value> = records.iter().map(|(record, state)| to_json(record, *state)).collect();
    Ok(output::finish(cli.json, json!({ "quarantined": items })))
}

async fn show(cli: &Cli, digest: &str, save: Option<&std::path::Path>) -> Result<ExitCode> {
    let reader = Reader::open(&cli.data)?;
    let (record, state) = find(&reader, digest).await?;
    if let Some(path) = save {
        std::fs::write(path, reader.quarantined_body(&record.digest).await?)?;
    }
    say!("{} ({}), {} bytes", record.origin.file, state.name(), record.bytes);
    say!("  from {} at {}", record.origin.centre, record.origin.received_at);
    say!("  {}: {}\n  next: {}", record.reason.code, record.reason.text, record.reason.next_step);
    Ok(output::finish(cli.json, to_json(&record, state)))
}

async fn find(reader: &Reader, digest: &str) -> Result<(Quarantined, QuarantineState)> {
    let found = reader.find_quarantined(digest).await?;
    Ok(found.ok_or_else(|| format!("nothing is quarantined under {digest}; see tsunagu quarantine list"))?)
}

async fn retry(cli: &Cli, digest: Option<&str>) -> Result<ExitCode> {
    let house = wiring::open(&cli.data).await?;
    let records = match digest {
        Some(digest) => vec![find_held(&house, digest).await?],
        None => house.reader.quarantined(Some(QuarantineState::Held)).await?.into_iter().map(|(r, _)| r).collect(),
    };
    let (mut released, mut kept) = (0, 0);
    for record in records {
        let body = Body::Memory(house.reader.quarantined_body(&record.digest).await?);
        match house.intake.retry(&record, body).await {
            Ok(Taken::Quarantined { reason, .. }) => {
                kept += 1;
                say!("stays: {}: {}", record.origin.file, reason.text);
            }
            Ok(_) => {
                amend(&house, Act::QuarantineReleased { digest: record.digest.clone() }, "retry", "admissible now")
                    .await?;
                released += 1;
                say!("taken in: {}", record.origin.file);
            }
            Err(refusal) => return Err(refusal.into()),
        }
    }
    Ok(output::finish(cli.json, json!({ "released": released, "kept": kept })))
}

async fn release(cli: &Cli, digest: &str, why: &str, who: &str) -> Result<ExitCode> {
    let house = wiring::open(&cli.data).await?;
    let record = find_held(&house, digest).await?;
    let body = Body::Memory(house.reader.quarantined_body(&record.digest).await?);
    match house.intake.release(&record, body).await {
        Ok(Taken::Quarantined { reason, .. }) => Err(format!(
            "{} cannot be kept as an instance at all: {}; {}",
            record.origin.file, reason.text, reason.next_step
        )
        .into()),
        Ok(_) => {
            amend(&house, Act::QuarantineReleased { digest: record.digest.clone() }, who, why).await?;
            say!("taken in: {}", record.origin.file);
            Ok(output::finish(cli.json, json!({ "released": record.digest })))
        }
        Err(refusal @ Refusal::Busy { .. }) | Err(refusal) => Err(refusal.into()),
    }
}

async fn discard(cli: &Cli, digest: &str, why: &str, who: &str) -> Result<ExitCode> {
    let house = wiring::open(&cli.data).await?;
    let record = find_held(&house, digest).await?;
    amend(&house, Act::QuarantineDiscarded { digest: record.digest.clone() }, who, why).await?;
    say!("discarded: {}", record.origin.file);
    Ok(output::finish(cli.json, json!({ "discarded": record.digest })))
}

async fn find_held(house: &House, digest: &str) -> Result<Quarantined> {
    let (record, state) = find(&house.reader, digest).await?;
    match state {
        QuarantineState::Held => Ok(record),
        decided => Err(format!("{} was {} already", record.origin.file, decided.name()).into()),
    }
}

async fn amend(house: &House, act: Act, who: &str, why: &str) -> Result<()> {
    Ok(house.writer.amend(&crate::clock::now(), who, why, act).await?)
}
