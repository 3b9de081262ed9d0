//! How fast is our HTJ2K codec beside the fastest others on the same machine, in the same run?
//!
//! `cargo bench --bench codec -- [--rounds 5] [--threads 1] [--dir DIR] [--peer NAME=PROGRAM]... [--no-openjph] [--json]`
//!
//! Lossless, in memory, from samples to codestream and back, frame by frame, in turn with OpenJPH (PyPI imagecodecs in
//! `.venv`, see `.ci/outside-tools`) and with any program that is given by `--peer`: it is called with
//! `--raw W,H,C,BITS,u|s FILE` and prints one line of JSON with `encode_mb_s` and `decode_mb_s`. Frames are real ones of
//! `../shared/datasets` where those are, else drawn ones. MB/s are raw bytes (two a sample above 8 bits) over the
//! median time of a round, and of the rounds the median again.

mod frames;
mod peers;

use std::time::Instant;

use frames::Frame;
use htj2k::{Alone, DecodeOptions, Decoder, EncodeParameters, Encoder, Values, Workers};
use peers::Peer;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Seconds spent on one direction of one frame in one round.
const ROUND_S: f64 = 0.2;

struct Options {
    rounds: usize,
    threads: usize,
    dir: std::path::PathBuf,
    peers: Vec<Peer>,
    json: bool,
}

/// MB/s of raw bytes.
#[derive(Clone, Copy, Debug)]
struct Speed {
    encode: f64,
    decode: f64,
}

fn main() -> Result<()> {
    if !std::env::args().any(|arg| arg == "--bench") {
        println!("run it with: cargo bench --bench codec");
        return Ok(());
    }
    let options = options(std::env::args().skip(1))?;
    let frames = frames::gather()?;
    let workers = threads(options.threads)?;
    println!("Load of the machine before: {}\n", load());
    let names: Vec<&str> = options.peers.iter().map(|peer| peer.name.as_str()).collect();
    println!("| frame | ours encode, decode MB/s | {} |", names.join(" | "));
    println!("| --- | --: |{}", " --: |".repeat(names.len()));
    let mut all = vec![Vec::new(); names.len() + 1];
    for frame in &frames {
        let speeds = race(&options, frame, &*workers)?;
        let cells: Vec<String> = speeds.iter().map(|s| format!("{:.0}, {:.0}", s.encode, s.decode)).collect();
        println!("| {} | {} |", frame.name, cells.join(" | "));
        all.iter_mut().zip(&speeds).for_each(|(all, speed)| all.push(*speed));
    }
    summary(&options, &names, &all);
    println!("\nLoad of the machine after: {}", load());
    Ok(())
}

/// Geometric means, and ours over each peer's.
fn summary(options: &Options, names: &[&str], all: &[Vec<Speed>]) {
    let mean = |speeds: &[Speed], of: fn(&Speed) -> f64| {
        (speeds.iter().map(|speed| of(speed).ln()).sum::<f64>() / speeds.len().max(1) as f64).exp()
    };
    let means: Vec<Speed> = all
        .iter()
        .map(|speeds| Speed { encode: mean(speeds, |s| s.encode), decode: mean(speeds, |s| s.decode) })
        .collect();
    let ours = means[0];
    println!("\nGeometric means: ours {:.0}, {:.0} MB/s", ours.encode, ours.decode);
    let mut parts = Vec::new();
    for (name, peer) in names.iter().zip(&means[1..]) {
        let (encode, decode) = (ours.encode / peer.encode, ours.decode / peer.decode);
        println!("{name} {:.0}, {:.0} MB/s: ours is {encode:.2}x, {decode:.2}x", peer.encode, peer.decode);
        parts.push(format!("\"{name}\":{{\"encode_ratio\":{encode:.3},\"decode_ratio\":{decode:.3}}}"));
    }
    if options.json {
        let Speed { encode, decode } = ours;
        println!("{{\"encode_mb_s\":{encode:.1},\"decode_mb_s\":{decode:.1},\"peers\":{{{}}}}}", parts.join(","));
    }
}

/// Ours first, then the peers, round after round; the median of each.
fn race(options: &Options, frame: &Frame, workers: &dyn Workers) -> Result<Vec<Speed>> {
    let file = options.dir.join(format!("{}.raw", frame.name.replace(['/', ' '], "-")));
    std::fs::write(&file, frame.bytes())?;
    let mut rounds = vec![Vec::new(); options.peers.len() + 1];
    for _ in 0..options.rounds {
        rounds[0].push(ours(frame, workers)?);
        for (peer, rounds) in options.peers.iter().zip(&mut rounds[1..]) {
            rounds.push(peer.run(frame, &file)?);
        }
    }
    std::fs::remove_file(&file)?;
    Ok(rounds.iter().map(|speeds| middle(speeds)).collect())
}

fn middle(speeds: &[Speed]) -> Speed {
    let median = |of: fn(&Speed) -> f64| {
        let mut values: Vec<f64> = speeds.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    Speed { encode: median(|s| s.encode), decode: median(|s| s.decode) }
}

fn ours(frame: &Frame, workers: &dyn Workers) -> Result<Speed> {
    let (mut encoder, mut decoder, mut codestream) = (Encoder::new(), Decoder::new(), Vec::new());
    let mut back = Values::zeros(&frame.shape);
    let encode = timed(|| {
        codestream.clear();
        let parameters = EncodeParameters::default();
        encoder.encode(&frame.shape, frame.values.samples(), &parameters, workers, &mut codestream)
    })?;
    let decode =
        timed(|| decoder.decode(&codestream, &DecodeOptions::default(), workers, back.samples_mut()).map(|_| ()))?;
    if back != frame.values {
        return Err(format!("{}: decoded to other samples", frame.name).into());
    }
    let megabytes = frame.shape.raw_bytes() as f64 / 1e6;
    Ok(Speed { encode: megabytes / encode, decode: megabytes / decode })
}

/// Median seconds of a run, after one that does not count.
fn timed(mut run: impl FnMut() -> htj2k::Result<()>) -> Result<f64> {
    run()?;
    let (began, mut seconds) = (Instant::now(), Vec::new());
    while seconds.len() < 3 || began.elapsed().as_secs_f64() < ROUND_S {
        let start = Instant::now();
        run()?;
        seconds.push(start.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    Ok(seconds[seconds.len() / 2])
}

/// Rayon's threads, or the calling one.
struct Pool(rayon::ThreadPool);

impl Workers for Pool {
    fn count(&self) -> usize {
        self.0.current_num_threads()
    }

    fn run(&self, tasks: usize, task: &(dyn Fn(usize) + Sync)) {
        self.0.scope(|scope| (0..tasks).for_each(|n| scope.spawn(move |_| task(n))));
    }
}

fn threads(count: usize) -> Result<Box<dyn Workers>> {
    if count < 2 {
        return Ok(Box::new(Alone));
    }
    Ok(Box::new(Pool(rayon::ThreadPoolBuilder::new().num_threads(count).build()?)))
}

fn options(mut words: impl Iterator<Item = String>) -> Result<Options> {
    let dir = std::env::temp_dir();
    let mut options = Options { rounds: 5, threads: 1, dir, peers: Vec::new(), json: false };
    let mut openjph = true;
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            "--bench" => {}
            "--rounds" => options.rounds = value()?.parse()?,
            "--threads" => options.threads = value()?.parse()?,
            "--dir" => options.dir = value()?.into(),
            "--peer" => options.peers.push(Peer::program(&value()?)?),
            "--no-openjph" => openjph = false,
            "--json" => options.json = true,
            _ => return Err(format!("{word} is no option of this bench").into()),
        }
    }
    match Peer::openjph() {
        Some(peer) if openjph => options.peers.insert(0, peer),
        None if openjph => println!("imagecodecs is not installed: no figures of OpenJPH (.ci/outside-tools)."),
        _ => {}
    }
    Ok(options)
}

fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}
