//! `tsunagu forward`: sends studies on by rules; also inside `serve`.

use std::fs::File;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use archive::{Layout, Reader};
use ingest::forward::{Book, Forwarder, Job, JobState, LocalSource, Rules, Summary, World};
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::serve::until_stopped;
use crate::cli::{self, Cli, ForwardAct};
use crate::output;
use crate::wiring::{self, Result};

/// The log of the queue.
pub const LOG: &str = "forward";

/// Carries out the sub-command.
pub async fn run(cli: &Cli, args: &cli::Forward) -> Result<ExitCode> {
    match (&args.act, &args.rules) {
        (Some(act), _) => decide(cli, act),
        (None, Some(rules)) => send(cli, rules, args.once).await,
        (None, None) => Err("give --rules FILE, or one of list, retry, cancel".into()),
    }
}

async fn send(cli: &Cli, rules: &Path, once: bool) -> Result<ExitCode> {
    bring_feed_up_to_date(cli).await?;
    let forwarding = Forwarding::open(&Reader::open(&cli.data)?, rules)?;
    let book = forwarding.forwarder.book().clone();
    let left = if once {
        let summary = forwarding.forwarder.run_once().await?;
        summary.waiting > 0
    } else {
        let running = forwarding.start();
        until_stopped().await;
        running.stop().await;
        false
    };
    let jobs = book.jobs()?;
    let summary = Summary::of(&jobs);
    say!(
        "{} studies done, {} waiting, {} refused, {} given up",
        summary.done,
        summary.waiting,
        summary.refused,
        summary.gave_up
    );
    let object = json!(summary);
    Ok(if left { output::finish_with_findings(cli.json, object) } else { output::finish(cli.json, object) })
}

/// Where no server runs, what was imported since is told now; where one runs, it does that.
async fn bring_feed_up_to_date(cli: &Cli) -> Result<()> {
    match wiring::open(&cli.data).await {
        Ok(house) => {
            house.change_feed()?.catch_up().await?;
            Ok(())
        }
        Err(error) if matches!(error.downcast_ref(), Some(archive::Error::Locked { .. })) => Ok(()),
        Err(error) => Err(error),
    }
}

fn decide(cli: &Cli, act: &ForwardAct) -> Result<ExitCode> {
    let layout = Layout::new(&cli.data)?;
    match act {
        ForwardAct::List { all } => list(cli, &layout, *all),
        ForwardAct::Retry { job } => retry(cli, &layout, *job),
        ForwardAct::Cancel { job } => cancel(cli, &layout, *job),
    }
}

/// Lists the queue.
pub fn list(cli: &Cli, layout: &Layout, all: bool) -> Result<ExitCode> {
    let jobs = if layout.event_log(LOG).exists() { book(layout)?.jobs()? } else { Vec::new() };
    let summary = Summary::of(&jobs);
    let shown = jobs.into_iter().filter(|job| all || !matches!(job.state, JobState::Done | JobState::Cancelled));
    let shown: Vec<Job> = shown.collect();
    let head = ["job", "to", "study", "state", "sent", "refused", "attempts", "why"];
    let rows: Vec<Vec<String>> = shown.iter().map(row).collect();
    say!("{}", output::table(&head, &rows));
    for job in &shown {
        for refused in &job.refused {
            say!("  job {}: {} refused: {}", job.id, refused.instance, refused.reason);
        }
    }
    let object = json!({ "jobs": shown, "summary": summary });
    Ok(output::finish(cli.json, object))
}

fn row(job: &Job) -> Vec<String> {
    let state = json!(job.state).as_str().unwrap_or_default().to_owned();
    vec![
        job.id.to_string(),
        job.to.clone(),
        job.study.clone(),
        state,
        job.sent.to_string(),
        job.refused_instances.to_string(),
        job.attempts.to_string(),
        job.why.clone(),
    ]
}

/// Has a job tried anew.
pub fn retry(cli: &Cli, layout: &Layout, job: u64) -> Result<ExitCode> {
    let job = existing(layout)?.retry(job, &world())?;
    say!("study {} goes to {} anew", job.study, job.to);
    Ok(output::finish(cli.json, json!({ "retried": job.id })))
}

/// Has a job not sent.
pub fn cancel(cli: &Cli, layout: &Layout, job: u64) -> Result<ExitCode> {
    let job = existing(layout)?.cancel(job, &world())?;
    say!("study {} does not go to {}", job.study, job.to);
    Ok(output::finish(cli.json, json!({ "cancelled": job.id })))
}

fn existing(layout: &Layout) -> Result<Book> {
    match layout.event_log(LOG).exists() {
        true => book(layout),
        false => Err("nothing was ever queued here; is --data right?".into()),
    }
}

/// The queue of a directory.
pub fn book(layout: &Layout) -> Result<Book> {
    Ok(Book::open(&layout.event_log(LOG))?)
}

/// Clock and chance, read here and nowhere below.
pub fn world() -> World {
    let jitter = || f64::from(uuid::Uuid::new_v4().as_fields().0) / f64::from(u32::MAX);
    World { now: Arc::new(jiff::Timestamp::now), jitter: Arc::new(jitter) }
}

/// A forwarder that may be started, alone in its directory.
pub struct Forwarding {
    forwarder: Forwarder,
    alone: File,
}

/// One that runs.
pub struct Running {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
    _alone: File,
}

impl Forwarding {
    /// Of an archive, by the rules in a file.
    pub fn open(reader: &Reader, rules: &Path) -> Result<Forwarding> {
        let layout = reader.layout().clone();
        let rules = Rules::read(rules)?;
        let alone = alone(&layout, "forward.lock", "another forwarder sends from this archive; one is enough")?;
        let source = Arc::new(LocalSource::new(reader.clone()));
        let (book, spool) = (book(&layout)?, layout.spool());
        let forwarder = Forwarder::new(source, rules, book, world(), spool, "Tsunagu".into());
        Ok(Forwarding { forwarder, alone })
    }

    /// Starts it.
    pub fn start(self) -> Running {
        let (stop, stopped) = watch::channel(false);
        Running { stop, task: tokio::spawn(self.forwarder.run(stopped)), _alone: self.alone }
    }
}

impl Running {
    /// Stops it; what is under way is sent again by the next one.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        let _ = self.task.await;
    }
}

/// Holds a lock in a directory for as long as the file is open.
pub fn alone(layout: &Layout, name: &str, otherwise: &str) -> Result<File> {
    let file = File::create(layout.dir().join(name))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(otherwise.into()),
        Err(std::fs::TryLockError::Error(error)) => Err(error.into()),
    }
}
