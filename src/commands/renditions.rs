//! `tsunagu renditions`: lists, makes and deletes light lossy derivatives and viewing copies.

use std::path::Path;
use std::process::ExitCode;

use archive::{Order, Query, Reader, Rendition};
use ingest::renditions::Made;
use serde_json::{Value, json};
use transcode::policy::Policy;

use crate::cli::{Cli, Renditions, RenditionsAct};
use crate::output::{self, megabytes};
use crate::wiring::{self, Result};

/// Studies asked for at a time.
const STUDIES_AT_ONCE: u32 = 256;

/// Does what is asked.
pub async fn run(cli: &Cli, args: &Renditions) -> Result<ExitCode> {
    match &args.act {
        RenditionsAct::List { study } => list(cli, study.as_deref()).await,
        RenditionsAct::Make { study, remake, derivative_policy } => {
            make(cli, study.as_deref(), *remake, derivative_policy.as_deref()).await
        }
        RenditionsAct::Delete { study } => delete(cli, study.as_deref()).await,
        RenditionsAct::Policy => {
            say!("{}", Policy::built_in().trim_end());
            Ok(output::finish(cli.json, json!({ "version": Policy::default().version })))
        }
    }
}

async fn list(cli: &Cli, study: Option<&str>) -> Result<ExitCode> {
    let reader = Reader::open(&cli.data)?;
    let (mut rows, mut objects) = (Vec::new(), Vec::new());
    for study in studies(&reader, study).await? {
        for rendition in reader.renditions_of_study(&study).await? {
            rows.push(row(&rendition));
            objects.push(to_json(&study, &rendition));
        }
    }
    if !rows.is_empty() {
        let head = ["source", "kind", "profile", "bytes", "largest error", "PSNR dB", "ratio"];
        say!("{}", output::table(&head, &rows));
    }
    say!("{} renditions", rows.len());
    Ok(output::finish(cli.json, json!({ "renditions": objects })))
}

async fn make(cli: &Cli, study: Option<&str>, remake: bool, policy: Option<&Path>) -> Result<ExitCode> {
    let house = wiring::open(&cli.data).await?;
    let renderer = house.renderer(wiring::policy(policy)?);
    let mut made = Made::default();
    for study in studies(&house.reader, study).await? {
        made.merge(&study, renderer.make(&study, &crate::clock::now(), remake).await);
    }
    print_made(&made);
    say!("{} derivatives and {} viewing copies made", made.derivatives, made.viewing_copies);
    Ok(output::finish(cli.json, made_to_json(&made)))
}

async fn delete(cli: &Cli, study: Option<&str>) -> Result<ExitCode> {
    let house = wiring::open(&cli.data).await?;
    let mut deleted = 0;
    for study in studies(&house.reader, study).await? {
        deleted += house.writer.delete_renditions(&study, &[]).await?;
    }
    say!("Deleted: renditions in {deleted} objects; what was received is untouched");
    Ok(output::finish(cli.json, json!({ "deleted": deleted })))
}

/// The study named, or all there are.
async fn studies(reader: &Reader, study: Option<&str>) -> Result<Vec<String>> {
    if let Some(study) = study {
        return Ok(vec![study.to_owned()]);
    }
    let mut found = Vec::new();
    loop {
        let offset = u32::try_from(found.len())?;
        let query = Query { order: Order::TakenIn, limit: STUDIES_AT_ONCE, offset, ..Query::default() };
        let page = reader.search_studies(query).await?;
        if page.is_empty() {
            return Ok(found);
        }
        found.extend(page.into_iter().map(|row| row.attributes.study_instance_uid));
    }
}

/// Says what packing made besides, if anything, and what it could not.
pub fn print_made(made: &Made) {
    if made.derivatives > 0 {
        let (light, held) = (megabytes(made.derivative_bytes), megabytes(made.source_bytes));
        say!("Light derivatives: {} of {light} MB beside {held} MB held without loss", made.derivatives);
    }
    if made.viewing_copies > 0 {
        say!("Viewing copies: {} of {} MB", made.viewing_copies, megabytes(made.viewing_copy_bytes));
    }
    for missing in &made.not_made {
        say!("no rendition: {}: {}", missing.file, missing.reason);
    }
}

/// The same for programs.
pub fn made_to_json(made: &Made) -> Value {
    let not_made: Vec<Value> =
        made.not_made.iter().map(|one| json!({ "file": one.file, "reason": one.reason })).collect();
    json!({
        "derivatives": made.derivatives, "derivative_bytes": made.derivative_bytes, "source_bytes": made.source_bytes,
        "viewing_copies": made.viewing_copies, "viewing_copy_bytes": made.viewing_copy_bytes, "not_made": not_made,
    })
}

fn row(rendition: &Rendition) -> Vec<String> {
    let (record, loss) = (&rendition.record, rendition.record.loss.as_ref());
    let decimal = |number: Option<f64>| number.map_or_else(|| "-".into(), |number| format!("{number:.1}"));
    vec![
        record.source_sop_instance_uid.clone(),
        record.kind.name().into(),
        record.profile.clone(),
        rendition.part10_bytes.to_string(),
        loss.map_or_else(|| "-".into(), |loss| loss.largest_error.to_string()),
        decimal(loss.and_then(|loss| loss.psnr_db)),
        decimal(loss.map(|loss| loss.ratio)),
    ]
}

fn to_json(study: &str, rendition: &Rendition) -> Value {
    let (record, set) = (&rendition.record, &rendition.set);
    json!({
        "study": study, "source": record.source_sop_instance_uid, "kind": record.kind.name(), "profile": record.profile,
        "sop_instance_uid": record.sop_instance_uid, "series_instance_uid": record.series_instance_uid,
        "transfer_syntax_uid": record.transfer_syntax_uid, "bytes": rendition.part10_bytes,
        "largest_error": record.loss.map(|loss| loss.largest_error), "psnr_db": record.loss.and_then(|loss| loss.psnr_db),
        "ratio": record.loss.map(|loss| loss.ratio), "policy": set.policy, "coder": set.coder, "made_at": set.created_at,
    })
}
