//! `tsunagu rebuild`: index and catalogue anew, from the objects alone.

use std::process::ExitCode;

use serde_json::json;

use crate::cli::Cli;
use crate::output;
use crate::wiring::{self, Result};

/// Deletes both and makes both.
pub async fn run(cli: &Cli) -> Result<ExitCode> {
    if !cli.data.is_dir() {
        return Err(format!("there is no archive in {}", cli.data.display()).into());
    }
    archive::delete_index(&cli.data)?;
    let house = wiring::open(&cli.data).await?;
    let objects = house.reader.layout().objects();
    tokio::task::spawn_blocking(move || archive::catalogue::Catalogue::delete_all(&objects)).await??;
    house.fill_catalogue().await?;
    let [studies, series, instances, received_bytes] = house.reader.totals().await?;
    say!("Rebuilt: {studies} studies, {series} series, {instances} instances");
    let object =
        json!({ "studies": studies, "series": series, "instances": instances, "received_bytes": received_bytes });
    Ok(output::finish(cli.json, object))
}
