//! `tsunagu gateway`: at a centre, what comes by C-STORE goes to the exchange; at a hospital, what the exchange has for it
//! goes to the local PACS.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use archive::{EventLog, Layout};
use ingest::dimse::{Dimse, Listening, Peer, Peers};
use ingest::forward::{Forwarder, Rules, Summary};
use ingest::gateway::{Backlog, Exchange, Outbox, Pusher, PusherSettings, RemoteSource};
use ingest::{Doorway, ReceiveLimits, Receiver};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::forward::{alone, book, cancel, list, retry, world};
use super::serve::until_stopped;
use crate::cli::{self, Cli, GatewayAct};
use crate::output;
use crate::wiring::Result;

/// Carries out the sub-command.
pub async fn run(cli: &Cli, args: &cli::Gateway) -> Result<ExitCode> {
    let layout = Layout::new(&cli.data)?;
    match &args.act {
        Some(GatewayAct::Status) => status(cli, &layout),
        Some(GatewayAct::List { all }) => list(cli, &layout, *all),
        Some(GatewayAct::Retry { job }) => retry(cli, &layout, *job),
        Some(GatewayAct::Cancel { job }) => cancel(cli, &layout, *job),
        None => serve(cli, &layout, args).await,
    }
}

/// The folders of a gateway, beside the event logs.
struct Folders {
    outbox: PathBuf,
    receipts: PathBuf,
    spool: PathBuf,
}

impl Folders {
    fn of(layout: &Layout) -> Folders {
        let dir = layout.dir();
        Folders { outbox: dir.join("outbox"), receipts: dir.join("receipts"), spool: layout.spool() }
    }

    fn make(&self) -> std::io::Result<()> {
        if self.spool.exists() {
            // What lay there was never answered.
            std::fs::remove_dir_all(&self.spool)?;
        }
        [&self.outbox, &self.receipts, &self.spool].into_iter().try_for_each(std::fs::create_dir_all)
    }
}

async fn serve(cli: &Cli, layout: &Layout, args: &cli::Gateway) -> Result<ExitCode> {
    let (Some(url), Some(token_file)) = (&args.exchange, &args.token_file) else {
        return Err("give --exchange URL and --token-file FILE; or one of status, list, retry, cancel".into());
    };
    if args.dimse.is_none() && args.rules.is_none() {
        return Err(
            "give --dimse ADDRESS to take over what is stored here, --rules FILE to deliver here, or both".into()
        );
    }
    if layout.index().exists() {
        return Err(format!("{} is an archive; give the gateway a directory of its own", layout.dir().display()).into());
    }
    std::fs::create_dir_all(layout.dir())?;
    let _alone = alone(layout, "gateway.lock", "another gateway runs in this directory")?;
    let folders = Folders::of(layout);
    folders.make()?;
    let exchange = Exchange::new(url, token_file.clone())?;
    let (stop, stopped) = watch::channel(false);
    let mut tasks = JoinSet::new();
    let outbox = Outbox::open(&folders.outbox)?;
    if let Some(listen) = args.dimse {
        let listener = TcpListener::bind(listen).await.map_err(|error| format!("{listen}: {error}"))?;
        say!("DICOM     {}@{}", args.aet, listener.local_addr()?);
        tasks.spawn(door(args, &outbox, &folders).serve(listener, Listening::Plain, stopped.clone()));
    }
    tasks.spawn(pusher(layout, args, &outbox, &exchange, &folders)?.run(stopped.clone()));
    if let Some(rules) = &args.rules {
        let source = RemoteSource::new(exchange, Receiver::new(ReceiveLimits::default(), &folders.spool));
        let (rules, book) = (Rules::read(rules)?, book(layout)?);
        let forwarder =
            Forwarder::new(Arc::new(source), rules, book, world(), folders.spool.clone(), args.system.clone());
        tasks.spawn(forwarder.run(stopped));
    }
    say!("Exchange  {url}");
    until_stopped().await;
    let _ = stop.send(true);
    while tasks.join_next().await.is_some() {}
    status(cli, layout)
}

fn door(args: &cli::Gateway, outbox: &Outbox, folders: &Folders) -> Dimse {
    // Which centre it is, the exchange knows by the token.
    let peer = |aet: &str| Peer::storing(aet, "here");
    let peers = Peers::new(args.peers.iter().map(|aet| peer(aet)), args.any_peer.then(|| peer("")));
    let receiver = Receiver::new(ReceiveLimits::default(), &folders.spool);
    let door = Doorway { gate: Arc::new(outbox.clone()), receiver, now: crate::clock::shared() };
    Dimse::storing(door, peers, Some(args.aet.clone()))
}

fn pusher(
    layout: &Layout,
    args: &cli::Gateway,
    outbox: &Outbox,
    exchange: &Exchange,
    folders: &Folders,
) -> Result<Pusher> {
    let settings = PusherSettings {
        programme: args.programme.code().into(),
        quiet: Duration::from_secs(args.quiet_s),
        age_max: Duration::from_secs(args.age_s),
        ..PusherSettings::default()
    };
    Ok(Pusher {
        outbox: outbox.clone(),
        exchange: exchange.clone(),
        settings,
        receipts: folders.receipts.clone(),
        log: Arc::new(EventLog::open(&layout.event_log("gateway"))?),
        world: world(),
    })
}

/// What is still to be done, here and by whom.
fn status(cli: &Cli, layout: &Layout) -> Result<ExitCode> {
    let folders = Folders::of(layout);
    let backlog: Backlog = Outbox::backlog_in(&folders.outbox)?;
    let receipts = std::fs::read_dir(&folders.receipts).map_or(0, |entries| {
        entries.flatten().filter(|entry| entry.path().extension().is_some_and(|e| e == "json")).count()
    });
    let jobs = if layout.event_log("forward").exists() { book(layout)?.jobs()? } else { Vec::new() };
    let deliveries = Summary::of(&jobs);
    let held = jobs.iter().filter(|job| job.why.starts_with("held back")).count();
    let batched: u64 = backlog.batches.iter().map(|batch| batch.files).sum();
    say!("To be sent: {} files in no batch yet, {batched} in {} batches", backlog.open_files, backlog.batches.len());
    say!("Receipts:   {receipts}");
    say!(
        "Deliveries: {} done, {} waiting ({held} held back), {} refused, {} given up",
        deliveries.done,
        deliveries.waiting,
        deliveries.refused,
        deliveries.gave_up
    );
    let object = json!({ "backlog": backlog, "receipts": receipts, "deliveries": deliveries, "held_back": held });
    let wants_somebody = held as u64 + deliveries.refused + deliveries.gave_up > 0;
    Ok(if wants_somebody { output::finish_with_findings(cli.json, object) } else { output::finish(cli.json, object) })
}
