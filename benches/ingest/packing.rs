//! The backlog into packs: every native frame encoded, decoded again, compared, rebuilt and hashed.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::corpus::Corpus;
use crate::report::{Measure, Spread};
use crate::server::{Product, Running, archive_of, tsunagu};
use crate::{Result, process, stow};

/// What packing the corpus took.
pub struct Packed {
    runs: Vec<Measure>,
    /// What the program said of the last run, summed over modalities.
    counts: Counts,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    rebuilt: u64,
    as_received: u64,
    native_as_received: u64,
    received_bytes: u64,
    held_bytes: u64,
}

/// Sends the corpus to a fresh archive, stops the server, and lets `tsunagu pack` do the rest.
pub fn measure(dir: &Path, corpus: &Corpus, runs: usize) -> Result<Packed> {
    let mut packed = Packed { runs: Vec::new(), counts: Counts::default() };
    for _ in 0..runs {
        let server = Running::start(Product::Tsunagu, dir, false)?;
        stow::send(&server, corpus, 2)?;
        let archive = server.stop()?;
        let (measure, counts) = pack(archive.path(), corpus)?;
        packed.runs.push(measure);
        packed.counts = counts;
    }
    Ok(packed)
}

fn pack(dir: &Path, corpus: &Corpus) -> Result<(Measure, Counts)> {
    let (cpu_before, started) = (process::children_cpu_s()?, Instant::now());
    let mut command = tsunagu();
    command.arg("--data").arg(archive_of(dir)).args(["--json", "pack", "--no-renditions"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let rss_mb = watch(&mut child)?;
    let seconds = started.elapsed().as_secs_f64();
    let output = child.wait_with_output()?;
    let gigabytes = corpus.bytes() as f64 / 1e9;
    let measure = Measure {
        mb_s: gigabytes * 1e3 / seconds,
        instances_s: corpus.instances() as f64 / seconds,
        cpu_s_gb: (process::children_cpu_s()? - cpu_before) / gigabytes,
        rss_mb,
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().last().unwrap_or_default();
    let counts = counts(&serde_json::from_str(last).map_err(|e| format!("tsunagu pack said {last:?}: {e}"))?);
    let instances = counts.rebuilt + counts.as_received + counts.native_as_received;
    if instances != corpus.instances() as u64 {
        return Err(format!("{instances} of {} instances were packed", corpus.instances()).into());
    }
    Ok((measure, counts))
}

/// Waits for the end; answers the most memory it had.
fn watch(child: &mut Child) -> Result<f64> {
    let mut rss_mb: f64 = 0.0;
    while child.try_wait()?.is_none() {
        rss_mb = rss_mb.max(process::peak_rss_mb(child.id()).unwrap_or_default());
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(rss_mb)
}

fn counts(said: &Value) -> Counts {
    let mut sum = Counts::default();
    for one in said["modalities"].as_object().into_iter().flat_map(|modalities| modalities.values()) {
        let count = |name: &str| one[name].as_u64().unwrap_or_default();
        sum.rebuilt += count("rebuilt");
        sum.as_received += count("as_received");
        sum.native_as_received += count("native_as_received");
        sum.received_bytes += count("received_bytes");
        sum.held_bytes += count("held_bytes");
    }
    sum
}

impl Packed {
    /// Prints it below the table.
    pub fn print(&self) {
        let spread = Spread::of(&self.runs);
        let Counts { rebuilt, as_received, native_as_received, received_bytes, held_bytes } = self.counts;
        println!("\nPacking the backlog (`tsunagu pack`): {spread}");
        println!(
            "  {rebuilt} rebuilt byte for byte, {as_received} already compressed or without pixels, \
             {native_as_received} native kept as received; held/received {:.3}",
            held_bytes as f64 / received_bytes.max(1) as f64
        );
    }

    /// The same for programs.
    pub fn json(&self) -> Value {
        let Counts { rebuilt, as_received, native_as_received, received_bytes, held_bytes } = self.counts;
        json!({
            "measured": Spread::of(&self.runs).json(), "rebuilt": rebuilt, "as_received": as_received,
            "native_as_received": native_as_received, "received_bytes": received_bytes, "held_bytes": held_bytes,
        })
    }
}
