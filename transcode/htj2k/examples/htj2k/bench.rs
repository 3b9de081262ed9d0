//! How fast, in memory: medians of several runs in each direction, and the CPU time of the process.

use std::time::{Duration, Instant};

use htj2k::{Alone, Decoder, Encoder, Info, Values};

use crate::picture;
use crate::threads::Threads;
use crate::{Arguments, read};

/// Runs of one direction at least, whatever they take.
const RUNS_MIN: usize = 5;

/// What one direction took.
struct Timing {
    /// Median of a run. Seconds.
    wall_s: f64,
    /// CPU time of a run, all threads. Seconds.
    cpu_s: f64,
}

pub fn run(arguments: &Arguments) -> Result<(), String> {
    if arguments.files.is_empty() {
        return Err("bench needs at least one FILE".into());
    }
    if arguments.apart {
        return all_apart(arguments);
    }
    let mut lines = Vec::new();
    for file in &arguments.files {
        lines.push(one(arguments, file)?);
    }
    let mean = |of: fn(&Line) -> f64| (lines.iter().map(|line| of(line).ln()).sum::<f64>() / lines.len() as f64).exp();
    let all = Line {
        encode_mb_s: mean(|line| line.encode_mb_s),
        decode_mb_s: mean(|line| line.decode_mb_s),
        encode_cpu_s: lines.iter().map(|line| line.encode_cpu_s).sum(),
        decode_cpu_s: lines.iter().map(|line| line.decode_cpu_s).sum(),
        ratio: mean(|line| line.ratio),
    };
    if lines.len() > 1 {
        all.print("geometric mean");
    }
    if arguments.json {
        let Line { encode_mb_s, decode_mb_s, encode_cpu_s, decode_cpu_s, ratio } = all;
        println!(
            "{{\"encode_mb_s\":{encode_mb_s:.1},\"decode_mb_s\":{decode_mb_s:.1},\"encode_cpu_s\":{encode_cpu_s:.6},\
             \"decode_cpu_s\":{decode_cpu_s:.6},\"ratio\":{ratio:.4}}}"
        );
    }
    Ok(())
}

/// Figures of one file, or of all.
struct Line {
    encode_mb_s: f64,
    decode_mb_s: f64,
    encode_cpu_s: f64,
    decode_cpu_s: f64,
    ratio: f64,
}

impl Line {
    fn print(&self, name: &str) {
        println!(
            "{name}: encode {:.1} MB/s ({:.4} CPU s), decode {:.1} MB/s ({:.4} CPU s), ratio {:.3}",
            self.encode_mb_s, self.encode_cpu_s, self.decode_mb_s, self.decode_cpu_s, self.ratio
        );
    }
}

/// `--apart`: of each file a frame for each thread at a time, each with coders of its own.
fn all_apart(arguments: &Arguments) -> Result<(), String> {
    let mut logarithms = [0.0; 2];
    for file in &arguments.files {
        let [encode, decode] = apart(arguments, file).map_err(|e| format!("{file}: {e}"))?;
        println!("{file}: {} at a time: encode {encode:.1} MB/s, decode {decode:.1} MB/s", arguments.threads.max(1));
        logarithms[0] += encode.ln();
        logarithms[1] += decode.ln();
    }
    if arguments.json {
        let [encode, decode] = logarithms.map(|sum| (sum / arguments.files.len() as f64).exp());
        println!("{{\"encode_mb_s\":{encode:.1},\"decode_mb_s\":{decode:.1}}}");
    }
    Ok(())
}

/// MB/s of all threads together, encode and decode.
fn apart(arguments: &Arguments, file: &str) -> Result<[f64; 2], String> {
    let picture = picture::read(&read(file)?, arguments.raw).map_err(|e| e.to_string())?;
    let raw_mb = picture.shape.raw_bytes() as f64 / 1e6;
    let mut speeds = [0.0; 2];
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..arguments.threads.max(1)).map(|_| scope.spawn(|| own(arguments, &picture))).collect();
        for thread in threads {
            let (encode_s, decode_s) = thread.join().map_err(|_| "a thread panicked")?.map_err(|e| e.to_string())?;
            speeds[0] += raw_mb / encode_s;
            speeds[1] += raw_mb / decode_s;
        }
        Ok(speeds)
    })
}

/// Median seconds of an encode and of a decode on the calling thread.
fn own(arguments: &Arguments, picture: &picture::Picture) -> htj2k::Result<(f64, f64)> {
    let (mut encoder, mut decoder, mut codestream) = (Encoder::new(), Decoder::new(), Vec::new());
    let encode = timed(arguments.seconds, || {
        codestream.clear();
        encoder.encode(&picture.shape, picture.values.samples(), &arguments.encode, &Alone, &mut codestream)
    })?;
    let mut values = Values::zeros(&picture.shape);
    let decode = timed(arguments.seconds, || {
        decoder.decode(&codestream, &htj2k::DecodeOptions::default(), &Alone, values.samples_mut()).map(|_| ())
    })?;
    Ok((encode.wall_s, decode.wall_s))
}

fn one(arguments: &Arguments, file: &str) -> Result<Line, String> {
    let named = |e: htj2k::Error| format!("{file}: {e}");
    let picture = picture::read(&read(file)?, arguments.raw).map_err(|e| format!("{file}: {e}"))?;
    let threads = Threads::new(arguments.threads);
    let (mut encoder, mut decoder) = (Encoder::new(), Decoder::new());
    let mut codestream = Vec::new();
    let encode = timed(arguments.seconds, || {
        codestream.clear();
        encoder.encode(&picture.shape, picture.values.samples(), &arguments.encode, &threads, &mut codestream)
    });
    let encode = encode.map_err(named)?;
    let shape = Info::read(&codestream).map_err(named)?.shape(&arguments.decode).unwrap_or(picture.shape);
    let mut values = Values::zeros(&shape);
    let decode = timed(arguments.seconds, || {
        decoder.decode(&codestream, &arguments.decode, &threads, values.samples_mut()).map(|_| ())
    });
    let decode = decode.map_err(named)?;
    let whole = arguments.decode == htj2k::DecodeOptions::default();
    if whole && arguments.encode.quality == htj2k::Quality::Lossless && values != picture.values {
        return Err(format!("{file}: decoding gave other samples"));
    }
    let raw_bytes = picture.shape.raw_bytes() as f64;
    let line = Line {
        encode_mb_s: raw_bytes / encode.wall_s / 1e6,
        decode_mb_s: raw_bytes / decode.wall_s / 1e6,
        encode_cpu_s: encode.cpu_s,
        decode_cpu_s: decode.cpu_s,
        ratio: raw_bytes / codestream.len() as f64,
    };
    line.print(file);
    Ok(line)
}

fn timed(seconds: f64, mut run: impl FnMut() -> htj2k::Result<()>) -> htj2k::Result<Timing> {
    run()?;
    let (began, cpu) = (Instant::now(), process_cpu());
    let mut walls = Vec::new();
    while walls.len() < RUNS_MIN || began.elapsed().as_secs_f64() < seconds {
        let start = Instant::now();
        run()?;
        walls.push(start.elapsed());
    }
    let cpu_s = process_cpu().saturating_sub(cpu).as_secs_f64() / walls.len() as f64;
    walls.sort();
    Ok(Timing { wall_s: walls[walls.len() / 2].as_secs_f64(), cpu_s })
}

/// User and system time of this process, from /proc; zero where there is none.
fn process_cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    // Fields 14 and 15 of proc(5), counted from the one after the name; 100 ticks a second on Linux.
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}
