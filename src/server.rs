//! The running archive: HTTP and DICOM listeners, and packing behind them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use archive::EventLog;
use ingest::{CentresByAe, ScpLimits, StorageScp, Stow, StowLimits};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use viewer_api::{Options, Principal, SystemClock, Tokens, ViewerState};

use crate::wiring::{House, Result};

/// Where DICOMweb lies.
pub const DICOM_WEB: &str = "/dicom-web";
/// How often the backlog is looked at; oftener where studies are to be packed sooner than that.
const PACK_EVERY: Duration = Duration::from_secs(5);
/// But not oftener than this.
const PACK_EVERY_MIN: Duration = Duration::from_millis(200);
/// How often what was packed goes into the catalogue: a few large files, not many small ones.
const CATALOGUE_EVERY: Duration = Duration::from_secs(300);
/// How often the event logs are copied among the objects; at the end of the program too.
const SNAPSHOT_EVERY: Duration = Duration::from_secs(24 * 3600);

/// A server that listens.
pub struct Server {
    /// Where it listens for HTTP.
    pub http: SocketAddr,
    /// The read side, for sign-in links.
    pub viewer: ViewerState,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

/// Which DICOM peers may store, and where we listen for them.
#[derive(Clone, Debug, Default)]
pub struct Dimse {
    /// Where to listen.
    pub listen: Option<SocketAddr>,
    /// Our AE title.
    pub ae_title: String,
    /// Centre by calling AE title.
    pub centres: BTreeMap<String, String>,
    /// Centre of any other AE title; refused if `None`.
    pub any: Option<String>,
}

/// What is done with packs behind the listeners.
#[derive(Clone, Copy, Debug, Default)]
pub struct Packing {
    /// How long a study is to be quiet before it is packed; `None` leaves packs alone.
    pub pack_after_s: Option<u64>,
    /// How long a pack is kept that another replaced.
    pub replaced_keep_s: u64,
}

impl Server {
    /// Starts listening.
    pub async fn start(
        house: Arc<House>,
        http: SocketAddr,
        dimse: Dimse,
        packing: Packing,
        options: Options,
    ) -> Result<Server> {
        let layout = house.reader.layout().clone();
        let tokens = Tokens::open(layout.event_log("tokens"))?;
        let audit = Arc::new(EventLog::open(&layout.event_log("audit"))?);
        let viewer = ViewerState::new(house.reader.clone(), audit, tokens, Arc::new(SystemClock), options);
        let (stop, stopped) = watch::channel(false);
        let listener = TcpListener::bind(http).await.map_err(|e| format!("{http}: {e}"))?;
        let http = listener.local_addr()?;
        let router = router(&house, &viewer);
        let mut until = stopped.clone();
        let serve = async move {
            let until = async move { drop(until.wait_for(|stop| *stop).await) };
            if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(until).await {
                tracing::error!(%error, "the HTTP listener ended");
            }
        };
        let mut tasks = vec![tokio::spawn(serve)];
        if let Some(listen) = dimse.listen {
            let listener = TcpListener::bind(listen).await.map_err(|e| format!("{listen}: {e}"))?;
            tasks.push(tokio::spawn(storage_scp(&house, dimse).serve(listener, stopped.clone())));
        }
        if let Some(seconds) = packing.pack_after_s {
            tasks.push(tokio::spawn(pack_quiet_studies(house, seconds, packing.replaced_keep_s, stopped)));
        }
        Ok(Server { http, viewer, stop, tasks })
    }

    /// Stops listening, finishes what is under way, and writes the audit's last counts.
    pub async fn stop(self) -> Result<()> {
        let _ = self.stop.send(true);
        for task in self.tasks {
            // A client that never ends may not hold the program for ever.
            let _ = tokio::time::timeout(Duration::from_secs(30), task).await;
        }
        Ok(self.viewer.close().await?)
    }
}

fn router(house: &House, viewer: &ViewerState) -> axum::Router {
    let stow = Stow {
        door: house.doorway(),
        batches: Arc::new(house.intake.clone()),
        limits: StowLimits::default(),
        base: DICOM_WEB.into(),
        public_url: None,
    };
    let admitted = |principal: &Principal, extensions: &mut axum::http::Extensions| {
        let principal = ingest::Principal { centre: principal.centre.clone(), name: principal.name.clone() };
        extensions.insert(principal);
    };
    let upload = viewer_api::require_upload(ingest::router(stow), viewer, admitted);
    viewer_api::router(viewer.clone()).merge(axum::Router::new().nest(DICOM_WEB, upload))
}

fn storage_scp(house: &House, dimse: Dimse) -> StorageScp {
    StorageScp {
        door: house.doorway(),
        calling: Arc::new(CentresByAe { centres: dimse.centres, promiscuous: dimse.any }),
        ae_title: Some(dimse.ae_title),
        limits: ScpLimits::default(),
    }
}

async fn pack_quiet_studies(
    house: Arc<House>,
    pack_after_s: u64,
    replaced_keep_s: u64,
    mut stopped: watch::Receiver<bool>,
) {
    let (mut catalogued, mut snapshot) = (Instant::now(), Instant::now());
    let every = Duration::from_secs(pack_after_s).clamp(PACK_EVERY_MIN, PACK_EVERY);
    while tokio::time::timeout(every, stopped.wait_for(|stop| *stop)).await.is_err() {
        let since = crate::clock::seconds_ago(pack_after_s);
        match house.pack(Some(&since), &|_| {}).await {
            Ok(summary) if summary.packs > 0 => tracing::info!(packs = summary.packs, "packed"),
            Ok(_) => {}
            Err(error) => tracing::error!(%error, "packing failed; it is tried again"),
        }
        if catalogued.elapsed() >= CATALOGUE_EVERY {
            fill_catalogue(&house).await;
            remove_replaced(&house, replaced_keep_s).await;
            remind(&house);
            catalogued = Instant::now();
        }
        if snapshot.elapsed() >= SNAPSHOT_EVERY {
            snapshot_logs(&house).await;
            snapshot = Instant::now();
        }
    }
    fill_catalogue(&house).await;
    snapshot_logs(&house).await;
}

/// An alarm is no alarm if it is said once and scrolls away.
fn remind(house: &House) {
    if let Some(why) = house.packer.stopped() {
        tracing::error!(why, "packing has stopped until this program is started again; taking in and serving go on");
    }
}

async fn remove_replaced(house: &House, replaced_keep_s: u64) {
    match house.remove_replaced(replaced_keep_s).await {
        Ok(0) => {}
        Ok(packs) => tracing::info!(packs, "replaced packs were removed"),
        Err(error) => tracing::error!(%error, "replaced packs could not be removed; it is tried again"),
    }
}

/// Copies the event logs, which no image could bring back, among the objects.
async fn snapshot_logs(house: &House) {
    for name in ["audit", "receipts", "tokens"] {
        if let Err(error) = house.reader.snapshot_log(name).await {
            tracing::error!(%error, name, "the event log could not be copied; it is tried again");
        }
    }
}

async fn fill_catalogue(house: &House) {
    if let Err(error) = house.fill_catalogue().await {
        tracing::error!(%error, "the catalogue could not be appended to; it is tried again");
    }
}
