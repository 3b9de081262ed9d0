//! How many frames a second does the archive serve as held, access check and audit on, beside nginx with the same bytes as
//! static files and Orthanc with the same instances, in one run on one machine?
//!
//! `cargo bench --bench frames -- [--seconds 3] [--runs 3] [--clients 1,4,16] [--slices 300] [--seed 1] [--dir DIR]
//! [--program FILE] [--no-orthanc] [--no-nginx]`
//! (`--program`: another build of tsunagu than this one, for before and after)
//!
//! The corpus is generated: a chest CT (frames of 150 to 250 kB as held) and a brain MR (small ones). Each client is a thread
//! with one kept-alive connection that asks for one frame after another, as Cornerstone3D asks. What nginx serves was
//! fetched from ours first, byte for byte. Orthanc has the files as they were sent and serves its frames as it holds them: not
//! compressed, so that each is two to four times as long. The three take turns, so that what else the machine does meets all.

mod corpus;
mod load;
#[allow(dead_code, reason = "shared with the other bench, which uses all of it")]
#[path = "../ingest/process.rs"]
mod process;
mod servers;

use std::path::PathBuf;
use std::time::Duration;

use load::{Measure, Target};
use servers::{Nginx, Orthanc, Ours};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

struct Options {
    seconds: f64,
    runs: usize,
    clients: Vec<usize>,
    slices: usize,
    seed: u64,
    dir: PathBuf,
    orthanc: bool,
    nginx: bool,
}

fn main() -> Result<()> {
    if !std::env::args().any(|arg| arg == "--bench") {
        println!("run it with: cargo bench --bench frames");
        return Ok(());
    }
    let options = options(std::env::args().skip(1))?;
    let files = corpus::generate(options.seed, options.slices);
    let ours = Ours::start(&options.dir, &files)?;
    let frames = ours.frames()?;
    println!("{}", ours.manifest(&frames, "CT")?);
    let nginx = options.nginx.then(|| Nginx::start(&options.dir, &ours, &frames)).transpose()?;
    let orthanc = options.orthanc.then(|| Orthanc::start(&options.dir, &files)).transpose()?;
    println!("Load of the machine before: {}", process::load());
    println!("{} a figure, {} runs, median. CPU is that of the server.\n", seconds(&options), options.runs);
    println!("| frames | clients | server | req/s | MB/s | CPU ms/req | peak RSS MB | ours/it |");
    println!("| --- | --: | --- | --: | --: | --: | --: | --: |");
    for kind in ["CT", "MR", "CT, resolution 0"] {
        let mut targets = vec![ours.target(&frames, kind)];
        targets.extend(nginx.as_ref().map(|nginx| nginx.target(&frames, kind)));
        targets.extend(orthanc.as_ref().filter(|_| !kind.contains("resolution")).map(|it| it.target(&frames, kind)));
        for clients in &options.clients {
            report(kind, *clients, &targets, &options)?;
        }
    }
    println!("\nLoad of the machine after: {}", process::load());
    Ok(())
}

fn seconds(options: &Options) -> String {
    format!("{} s", options.seconds)
}

fn report(kind: &str, clients: usize, targets: &[Target], options: &Options) -> Result<()> {
    let mut measured: Vec<Vec<Measure>> = targets.iter().map(|_| Vec::new()).collect();
    for _ in 0..options.runs {
        for (target, measured) in targets.iter().zip(&mut measured) {
            let _ = load::run(target, clients, Duration::from_secs_f64(options.seconds / 10.0))?;
            measured.push(load::run(target, clients, Duration::from_secs_f64(options.seconds))?);
        }
    }
    let medians: Vec<Measure> = measured.iter_mut().map(|runs| median(runs)).collect();
    let ours = medians.first().map_or(0.0, |ours| ours.requests_s);
    for (target, m) in targets.iter().zip(&medians) {
        println!(
            "| {kind} | {clients} | {} | {:.0} | {:.0} | {:.3} | {:.0} | {:.2} |",
            target.name,
            m.requests_s,
            m.mb_s,
            m.cpu_ms,
            target.peak_rss_mb()?,
            ours / m.requests_s
        );
    }
    Ok(())
}

fn median(runs: &mut [Measure]) -> Measure {
    runs.sort_by(|a, b| a.requests_s.total_cmp(&b.requests_s));
    runs[runs.len() / 2]
}

fn options(mut args: impl Iterator<Item = String>) -> Result<Options> {
    let mut options = Options {
        seconds: 3.0,
        runs: 3,
        clients: vec![1, 4, 16],
        slices: 300,
        seed: 1,
        dir: std::env::temp_dir(),
        orthanc: servers::orthanc_is_there(),
        nginx: servers::nginx_is_there(),
    };
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
        match arg.as_str() {
            "--bench" => {}
            "--seconds" => options.seconds = value()?.parse()?,
            "--runs" => options.runs = value()?.parse::<usize>()?.max(1),
            "--clients" => {
                options.clients = value()?.split(',').map(str::parse).collect::<std::result::Result<_, _>>()?
            }
            "--slices" => options.slices = value()?.parse()?,
            "--seed" => options.seed = value()?.parse()?,
            "--dir" => options.dir = value()?.into(),
            "--program" => servers::use_program(value()?.into()),
            "--no-orthanc" => options.orthanc = false,
            "--no-nginx" => options.nginx = false,
            other => return Err(format!("{other} is not known; see the first lines of benches/frames/main.rs").into()),
        }
    }
    Ok(options)
}
