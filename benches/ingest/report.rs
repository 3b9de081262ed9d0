//! The table: medians, the spread of MB/s, and ours over Orthanc's.

use std::fmt;

use serde_json::{Value, json};

use crate::corpus::Corpus;
use crate::packing::Packed;

/// One measurement.
#[derive(Clone, Copy, Debug)]
pub struct Measure {
    /// Megabytes acknowledged a second.
    pub mb_s: f64,
    /// Instances acknowledged a second.
    pub instances_s: f64,
    /// CPU seconds of the server, user and system, a gigabyte.
    pub cpu_s_gb: f64,
    /// The most memory the server had, in MB.
    pub rss_mb: f64,
}

/// Medians over runs, and the least and greatest MB/s.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    median: Measure,
    mb_s_min: f64,
    mb_s_max: f64,
    cpu_s_gb_min: f64,
    cpu_s_gb_max: f64,
}

impl Spread {
    /// Of at least one run; of none, all is zero.
    pub fn of(runs: &[Measure]) -> Spread {
        let sorted = |pick: fn(&Measure) -> f64| {
            let mut values: Vec<f64> = runs.iter().map(pick).collect();
            values.sort_by(f64::total_cmp);
            values
        };
        let median = |pick: fn(&Measure) -> f64| {
            let values = sorted(pick);
            let half = values.len() / 2;
            match values.len() {
                0 => 0.0,
                n if n % 2 == 1 => values[half],
                _ => (values[half - 1] + values[half]) / 2.0,
            }
        };
        let (mb_s, cpu_s_gb) = (sorted(|run| run.mb_s), sorted(|run| run.cpu_s_gb));
        let at = |value: Option<&f64>| value.copied().unwrap_or_default();
        Spread {
            median: Measure {
                mb_s: median(|run| run.mb_s),
                instances_s: median(|run| run.instances_s),
                cpu_s_gb: median(|run| run.cpu_s_gb),
                rss_mb: median(|run| run.rss_mb),
            },
            mb_s_min: at(mb_s.first()),
            mb_s_max: at(mb_s.last()),
            cpu_s_gb_min: at(cpu_s_gb.first()),
            cpu_s_gb_max: at(cpu_s_gb.last()),
        }
    }

    /// For programs.
    pub fn json(&self) -> Value {
        json!({
            "mb_s": round(self.median.mb_s), "mb_s_min": round(self.mb_s_min), "mb_s_max": round(self.mb_s_max),
            "instances_s": round(self.median.instances_s), "cpu_s_gb": round(self.median.cpu_s_gb),
            "cpu_s_gb_min": round(self.cpu_s_gb_min), "cpu_s_gb_max": round(self.cpu_s_gb_max),
            "peak_rss_mb": round(self.median.rss_mb),
        })
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Measure { mb_s, instances_s, cpu_s_gb, rss_mb } = self.median;
        let (low, high) = (self.mb_s_min, self.mb_s_max);
        write!(f, "{mb_s:.1} MB/s ({low:.1} to {high:.1}), {instances_s:.1} inst/s, {cpu_s_gb:.2} CPU s/GB ")?;
        write!(f, "({:.2} to {:.2}), peak {rss_mb:.0} MB", self.cpu_s_gb_min, self.cpu_s_gb_max)
    }
}

/// One door at one number of clients, all runs.
pub struct Row {
    pub door: &'static str,
    pub clients: usize,
    pub ours: Vec<Measure>,
    /// Empty where Orthanc is not installed.
    pub orthanc: Vec<Measure>,
}

/// The head of the table.
pub fn head(runs: usize) {
    println!("Medians of {runs} runs; in brackets the least and greatest MB/s.\n");
    println!("| door | clients | server | MB/s | instances/s | CPU s/GB | peak RSS MB |");
    println!("| --- | --: | --- | --: | --: | --: | --: |");
}

impl Row {
    /// Its lines of the table.
    pub fn print(&self) {
        self.line("tsunagu", &Spread::of(&self.ours));
        if !self.orthanc.is_empty() {
            self.line("Orthanc", &Spread::of(&self.orthanc));
            let (ours, orthanc) = (Spread::of(&self.ours).median, Spread::of(&self.orthanc).median);
            println!(
                "| {} | {} | *ours/Orthanc* | *{:.2}* | *{:.2}* | *{:.2}* | *{:.2}* |",
                self.door,
                self.clients,
                ours.mb_s / orthanc.mb_s,
                ours.instances_s / orthanc.instances_s,
                ours.cpu_s_gb / orthanc.cpu_s_gb,
                ours.rss_mb / orthanc.rss_mb
            );
        }
    }

    fn line(&self, server: &str, spread: &Spread) {
        let Measure { mb_s, instances_s, cpu_s_gb, rss_mb } = spread.median;
        println!(
            "| {} | {} | {server} | {mb_s:.1} ({:.1} to {:.1}) | {instances_s:.1} | {cpu_s_gb:.2} | {rss_mb:.0} |",
            self.door, self.clients, spread.mb_s_min, spread.mb_s_max
        );
    }
}

/// The last line.
pub fn json(corpus: &Corpus, rows: &[Row], packed: Option<&Packed>) -> Value {
    let rows: Vec<Value> = rows
        .iter()
        .map(|row| {
            let orthanc = (!row.orthanc.is_empty()).then(|| Spread::of(&row.orthanc).json());
            json!({
                "door": row.door, "clients": row.clients, "tsunagu": Spread::of(&row.ours).json(), "orthanc": orthanc,
            })
        })
        .collect();
    json!({
        "corpus_bytes": corpus.bytes(), "corpus_instances": corpus.instances(), "rows": rows, "packing": packed.map(Packed::json),
    })
}

fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
