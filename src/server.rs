//! The running archive: HTTP and DICOM listeners, and packing behind them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use archive::EventLog;
use ingest::{Stow, StowLimits, Uploads};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use viewer_api::{Options, Permission, Principal, SystemClock, Tokens, ViewerState};

use crate::dimse::DimseOptions;
use crate::listener::{HttpLimits, HttpListener};
use crate::reading::ReportsToIntake;
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

/// What is done with packs behind the listeners.
#[derive(Clone, Copy, Debug, Default)]
pub struct Packing {
    /// How long a study is to be quiet before it is packed; `None` leaves packs alone.
    pub pack_after_s: Option<u64>,
    /// How long a pack is kept that another replaced.
    pub replaced_keep_s: u64,
}

/// What is listened for, and what is done behind it.
#[derive(Clone)]
pub struct Serving {
    /// Where to listen for HTTP.
    pub http: SocketAddr,
    /// Where to listen for DICOM peers.
    pub dimse: DimseOptions,
    /// What is done with packs.
    pub packing: Packing,
    /// Origins whose pages may call DICOMweb.
    pub cors_origins: Vec<String>,
    /// Bounds of the read side.
    pub viewer: Options,
}

impl Serving {
    /// At this address, for HTTP alone; packs are left alone.
    pub fn at(http: SocketAddr) -> Serving {
        let (dimse, packing) = (DimseOptions::default(), Packing::default());
        Serving { http, dimse, packing, cors_origins: Vec::new(), viewer: Options::default() }
    }
}

impl Server {
    /// Starts listening.
    pub async fn start(house: Arc<House>, serving: Serving) -> Result<Server> {
        let Serving { http, dimse, packing, cors_origins, viewer } = serving;
        let layout = house.reader.layout().clone();
        let tokens = Tokens::open(layout.event_log("tokens"))?;
        let audit = Arc::new(EventLog::open(&layout.event_log("audit"))?);
        let public_url = viewer.public_url.clone();
        let viewer = ViewerState::new(house.reader.clone(), audit, tokens, Arc::new(SystemClock), viewer);
        let (stop, stopped) = watch::channel(false);
        let listener = TcpListener::bind(http).await.map_err(|e| format!("{http}: {e}"))?;
        let http = listener.local_addr()?;
        let router = viewer_api::cors(router(&house, &viewer, public_url), &cors_origins);
        let serving = HttpListener::new(router, HttpLimits::default()).serve(listener, stopped.clone());
        let mut tasks = vec![tokio::spawn(serving), tokio::task::spawn_blocking(viewer_api::prepare_page)];
        match house.change_feed() {
            Ok(feed) => tasks.push(tokio::spawn(feed.run(stopped.clone()))),
            // Taking in and serving do not depend on it; whoever follows it has to be told.
            Err(error) => tracing::error!(%error, "THE CHANGE FEED CANNOT BE WRITTEN; tsunagu audit verify says more"),
        }
        let reports = Arc::new(ReportsToIntake::new(&house));
        tasks.push(tokio::spawn(viewer_api::reading::store_reports(viewer.clone(), reports, stopped.clone())));
        tasks.extend(crate::dimse::start(&house, &viewer, dimse, stopped.clone()).await?);
        if let Some(seconds) = packing.pack_after_s {
            let (packed, to_render) = mpsc::unbounded_channel();
            tasks.push(tokio::spawn(render_packed_studies(Arc::clone(&house), to_render, stopped.clone())));
            tasks.push(tokio::spawn(pack_quiet_studies(house, seconds, packing.replaced_keep_s, packed, stopped)));
        }
        Ok(Server { http, viewer, stop, tasks })
    }

    /// Stops listening, finishes what is under way, and writes the audit's last counts.
    pub async fn stop(self) -> Result<()> {
        let _ = self.stop.send(true);
        self.viewer.stop_streams();
        for task in self.tasks {
            // A client that never ends may not hold the program for ever.
            let _ = tokio::time::timeout(Duration::from_secs(30), task).await;
        }
        Ok(self.viewer.close().await?)
    }
}

fn router(house: &House, viewer: &ViewerState, public_url: Option<String>) -> axum::Router {
    let stow = Stow {
        door: house.doorway(),
        annotations: Arc::new(house.intake.of_annotations()),
        batches: Arc::new(house.intake.clone()),
        limits: StowLimits::default(),
        base: DICOM_WEB.into(),
        public_url,
        uploads: Uploads::default(),
    };
    let admitted = |principal: &Principal, extensions: &mut axum::http::Extensions| {
        let sender = ingest::Principal { centre: principal.centre.clone(), name: principal.name.clone() };
        if principal.permissions.has(Permission::Upload) {
            extensions.insert(sender);
        } else {
            extensions.insert(ingest::Annotator(sender));
        }
    };
    let upload = viewer_api::require_store(ingest::router(stow), viewer, admitted);
    viewer_api::router(viewer.clone()).merge(axum::Router::new().nest(DICOM_WEB, upload))
}

async fn pack_quiet_studies(
    house: Arc<House>,
    pack_after_s: u64,
    replaced_keep_s: u64,
    packed: mpsc::UnboundedSender<String>,
    mut stopped: watch::Receiver<bool>,
) {
    let (mut catalogued, mut snapshot) = (Instant::now(), Instant::now());
    let every = Duration::from_secs(pack_after_s).clamp(PACK_EVERY_MIN, PACK_EVERY);
    while tokio::time::timeout(every, stopped.wait_for(|stop| *stop)).await.is_err() {
        let since = crate::clock::seconds_ago(pack_after_s);
        match house.packer.pack_ready(Some(&since), &crate::clock::now, &|_| {}).await {
            Ok(summary) => {
                if summary.packs > 0 {
                    tracing::info!(packs = summary.packs, "packed");
                }
                // Nobody listens where there are to be no renditions.
                summary.studies.into_iter().for_each(|study| drop(packed.send(study)));
            }
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

/// Makes renditions study by study, while nothing waits to be packed.
async fn render_packed_studies(
    house: Arc<House>,
    mut packed: mpsc::UnboundedReceiver<String>,
    mut stopped: watch::Receiver<bool>,
) {
    let Some(renderer) = house.packer.renderer() else { return };
    let work = async {
        while let Some(study) = packed.recv().await {
            let mut made = ingest::renditions::Made::default();
            made.merge(&study, renderer.make(&study, &crate::clock::now(), false).await);
        }
    };
    // What is not made now can be made at any time: `tsunagu renditions make`.
    tokio::select! {
        () = work => {}
        _ = stopped.wait_for(|stop| *stop) => {}
    }
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
    for name in crate::wiring::EVENT_LOGS {
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
