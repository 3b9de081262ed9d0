//! `tsunagu serve`: runs the archive until it is told to stop.

use std::process::ExitCode;
use std::sync::Arc;

use ingest::dimse::{Peer, Roles};
use serde_json::json;
use viewer_api::Options;

use super::forward::Forwarding;
use crate::cli::{Cli, Serve};
use crate::dimse::DimseOptions;
use crate::output;
use crate::server::{DICOM_WEB, Packing, Server, Serving};
use crate::tls::Tls;
use crate::wiring::{self, Result};

/// Serves until Ctrl-C or SIGTERM.
pub async fn run(cli: &Cli, args: &Serve) -> Result<ExitCode> {
    let house = Arc::new(wiring::open(&cli.data).await?.with_renditions(&args.renditions)?);
    let dimse = dimse(args)?;
    let pack_after_s = (!args.no_pack).then_some(args.pack_after_s);
    let packing = Packing { pack_after_s, replaced_keep_s: args.replaced_keep_s };
    let forwarding = args.forward.as_deref().map(|rules| Forwarding::open(&house.reader, rules)).transpose()?;
    let public_url = args.public_url.as_ref().map(|url| url.trim_end_matches('/').to_owned());
    let viewer = Options { public_url, cache_bytes: args.cache_mib.saturating_mul(1 << 20), ..Options::default() };
    let serving = Serving { http: args.listen, dimse, packing, cors_origins: args.cors_origins.clone(), viewer };
    let server = Server::start(Arc::clone(&house), serving).await?;
    say!("Viewer    http://{}/", server.http);
    say!("DICOMweb  http://{}{DICOM_WEB}", server.http);
    if let Some(listen) = args.dimse {
        say!("DICOM     {}@{listen}", args.aet);
    }
    if let Some(listen) = args.dimse_tls_listen {
        say!("DICOM TLS {}@{listen}", args.aet);
    }
    say!("Tokens    tsunagu --data {} token issue NAME --role reader", cli.data.display());
    let forwarding = forwarding.map(Forwarding::start);
    until_stopped().await;
    if let Some(forwarding) = forwarding {
        forwarding.stop().await;
    }
    server.stop().await?;
    let alarm = house.packer.stopped();
    let object = json!({ "stopped": true, "packing_stopped": alarm });
    Ok(if alarm.is_none() { output::finish(cli.json, object) } else { output::finish_with_findings(cli.json, object) })
}

fn dimse(args: &Serve) -> Result<DimseOptions> {
    let mut peers = stores(&args.peers)?;
    if let Some(file) = &args.peers_file {
        let named = crate::peers::read(file)?;
        // The file says more.
        peers.retain(|peer| named.iter().all(|other| other.ae_title != peer.ae_title));
        peers.extend(named);
    }
    let tls = args.tls.files().map(|files| Tls::open(&files)).transpose()?;
    Ok(DimseOptions {
        listen: args.dimse,
        tls_listen: args.dimse_tls_listen,
        tls,
        ae_title: args.aet.clone(),
        peers,
        any: args.any_peer.clone(),
    })
}

/// Those who may store, and ask whether what they stored is safe.
fn stores(given: &[String]) -> Result<Vec<Peer>> {
    let roles = Roles { store: true, commit: true, ..Roles::default() };
    let pair = |text: &String| {
        let pair = text.split_once('=').filter(|(aet, centre)| !aet.is_empty() && !centre.is_empty());
        let (aet, centre) = pair.ok_or_else(|| format!("--peer {text}: write it as AET=CENTRE"))?;
        Ok(Peer { ae_title: aet.to_owned(), centre: centre.to_owned(), roles, ..Peer::default() })
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
