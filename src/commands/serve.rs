//! `tsunagu serve`: runs the archive until it is told to stop.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::json;
use viewer_api::Options;

use crate::cli::{Cli, Serve};
use crate::output;
use crate::server::{DICOM_WEB, Dimse, Packing, Server};
use crate::wiring::{self, Result};

/// Serves until Ctrl-C or SIGTERM.
pub async fn run(cli: &Cli, args: &Serve) -> Result<ExitCode> {
    let house = Arc::new(wiring::open(&cli.data).await?.with_renditions(&args.renditions)?);
    let dimse = Dimse {
        listen: args.dimse,
        ae_title: args.aet.clone(),
        centres: peers(&args.peers)?,
        any: args.any_peer.clone(),
    };
    let pack_after_s = (!args.no_pack).then_some(args.pack_after_s);
    let packing = Packing { pack_after_s, replaced_keep_s: args.replaced_keep_s };
    let options = Options { cache_bytes: args.cache_mib.saturating_mul(1 << 20), ..Options::default() };
    let server = Server::start(Arc::clone(&house), args.listen, dimse, packing, options).await?;
    say!("Viewer    http://{}/", server.http);
    say!("DICOMweb  http://{}{DICOM_WEB}", server.http);
    if let Some(listen) = args.dimse {
        say!("DICOM     {}@{listen}", args.aet);
    }
    say!("Tokens    tsunagu --data {} token issue NAME --role reader", cli.data.display());
    until_stopped().await;
    server.stop().await?;
    let alarm = house.packer.stopped();
    let object = json!({ "stopped": true, "packing_stopped": alarm });
    Ok(if alarm.is_none() { output::finish(cli.json, object) } else { output::finish_with_findings(cli.json, object) })
}

fn peers(given: &[String]) -> Result<BTreeMap<String, String>> {
    let pair = |text: &String| {
        let pair = text.split_once('=').filter(|(aet, centre)| !aet.is_empty() && !centre.is_empty());
        let (aet, centre) = pair.ok_or_else(|| format!("--peer {text}: write it as AET=CENTRE"))?;
        Ok((aet.to_owned(), centre.to_owned()))
    };
    given.iter().map(pair).collect()
}

/// Waits for Ctrl-C or SIGTERM.
pub async fn until_stopped() {
    let mut terminated = match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(terminated) => terminated,
        Err(_) => return drop(tokio::signal::ctrl_c().await),
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminated.recv() => {}
    }
}
