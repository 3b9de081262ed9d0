//! `tsunagu demo`: the whole main job on generated studies, through the real doors of a temporary archive.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use ingest::PushOptions;
use ingest::packing::Summary;
use serde_json::json;
use viewer_api::{NewToken, Permissions, Principal, Role, Tokens};

use super::{pack, receipt, serve};
use crate::cli::{Cli, Demo};
use crate::output::{self, megabytes};
use crate::progress::Bar;
use crate::server::{DICOM_WEB, Server, Serving};
use crate::wiring::{self, House, Result};

const CENTRE: &str = "demo-centre";
/// How long the link to the viewer is good. Seconds.
const LINK_SECONDS: u64 = 12 * 3600;

/// Generates, pushes, packs, proves, prints, serves.
pub async fn run(cli: &Cli, args: &Demo) -> Result<ExitCode> {
    let temporary = tempfile::tempdir()?;
    let (files, data) = (temporary.path().join("files"), temporary.path().join("archive"));
    let studies = generate(args, &files).await?;
    let house = Arc::new(wiring::open(&data).await?);
    let server = Server::start(Arc::clone(&house), Serving::at(args.listen)).await?;

    let started = Instant::now();
    let receipt = push(&server, &house, &files).await?;
    let ingest_s = started.elapsed().as_secs_f64();
    let packed = pack::pack_all(&house).await?;
    let seconds = started.elapsed().as_secs_f64();
    let verified = verify(&house).await?;

    receipt::print(&receipt);
    pack::print(&packed);
    if let Some(why) = packed.stopped {
        return Err(format!("packing has stopped: {why}").into());
    }
    let figures = Figures::of(&packed, studies, ingest_s, seconds);
    figures.print();
    if !verified.findings.is_empty() {
        return Err(format!("verification found {} faults: {:?}", verified.findings.len(), verified.findings).into());
    }
    say!(
        "Verified: all {} instances given back equal to what was sent, {} of them rebuilt from pack and recipe",
        verified.instances,
        verified.rebuilt
    );
    let object = json!({
        "studies": studies, "instances": receipt.stored, "received_bytes": figures.received_bytes,
        "held_bytes": figures.held_bytes, "quarantined": receipt.quarantined.len(), "seconds": seconds,
        "rebuilt_identical": verified.instances, "from_recipe": verified.rebuilt,
    });
    if !args.exit {
        let reader = Principal { name: "demo".into(), centre: CENTRE.into(), permissions: everything() };
        say!("\nOpen the viewer: http://{}{}", server.http, server.viewer.sign_in_path(reader, LINK_SECONDS));
        say!("The link works once. Ctrl-C ends the demo and deletes its archive.");
        serve::until_stopped().await;
    }
    server.stop().await?;
    Ok(output::finish(cli.json, object))
}

fn everything() -> Permissions {
    Role::Admin.permissions()
}

async fn generate(args: &Demo, dir: &Path) -> Result<u64> {
    let (dir, seed, small) = (dir.to_owned(), args.seed, args.small);
    let write = move || {
        let bar = Bar::bytes("generate");
        let profile = if small { datasets::Profile::DemoSmall } else { datasets::Profile::Demo };
        let mut each = |file: &datasets::File| {
            bar.add_bytes(file.bytes.len() as u64);
            bar.add_file();
        };
        let summary = datasets::write_night(&dir, profile, 15, seed, &mut each)?;
        // The manifest is ours, not the centre's: it is not sent.
        std::fs::remove_file(dir.join("manifest.json")).map_err(|e| e.to_string())?;
        bar.finish();
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(summary.studies)
    };
    tokio::task::spawn_blocking(write).await?
}

/// Through the STOW-RS door, as a centre would.
async fn push(server: &Server, house: &House, files: &Path) -> Result<archive::Receipt> {
    let tokens = Tokens::open(house.reader.layout().event_log("tokens"))?;
    let uploader = NewToken {
        name: "demo upload".into(),
        centre: CENTRE.into(),
        role: Role::Uploader,
        original: false,
        reads: false,
        results: false,
        expires_at: None,
    };
    let mut options = PushOptions::new(format!("http://{}{DICOM_WEB}", server.http), "demo", "dock");
    options.token = Some(tokens.issue(&uploader, jiff::Timestamp::now())?);
    let bar = Bar::bytes("push");
    let result = ingest::push(vec![files.to_owned()], &options, &bar).await?;
    bar.finish();
    if let Some(failed) = result.failed.first() {
        return Err(format!("{} files could not be sent, the first: {failed:?}", result.failed.len()).into());
    }
    Ok(house.reader.receipt(CENTRE, "demo").await?.unwrap_or_default())
}

async fn verify(house: &House) -> Result<archive::Verified> {
    let bar = Bar::bytes("verify");
    let [.., instances, bytes] = house.reader.totals().await?;
    bar.set_total(instances, bytes);
    let each = |held: &archive::Held| bar.add_bytes(held.record.received_bytes);
    let rebuild = |part10: &[u8], recipe: &[u8]| transcode::recipe::rebuild(part10, recipe).map_err(|e| e.to_string());
    let verified = archive::verify(&house.reader, &rebuild, &each).await?;
    bar.finish();
    Ok(verified)
}

struct Figures {
    received_bytes: u64,
    held_bytes: u64,
    ingest_mb_s: f64,
    studies_per_hour: f64,
}

impl Figures {
    fn of(packed: &Summary, studies: u64, ingest_s: f64, seconds: f64) -> Figures {
        let received_bytes: u64 = packed.modalities.values().map(|c| c.received_bytes).sum();
        Figures {
            received_bytes,
            held_bytes: packed.modalities.values().map(|c| c.held_bytes).sum(),
            ingest_mb_s: received_bytes as f64 / 1e6 / ingest_s,
            studies_per_hour: studies as f64 / seconds * 3600.0,
        }
    }

    fn print(&self) {
        say!(
            "Received {} MB, held {} MB; acknowledged at {:.0} MB/s; received, packed and proven: {:.0} studies/h",
            megabytes(self.received_bytes),
            megabytes(self.held_bytes),
            self.ingest_mb_s,
            self.studies_per_hour
        );
    }
}
