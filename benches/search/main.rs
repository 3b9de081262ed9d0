//! How long does a search take in an index of 10,000 and of 1,000,000 studies, and what does a study cost to add?
//!
//! `cargo bench --bench search -- [--studies 10000,1000000] [--runs 200] [--dir DIR] [--seed 1]`
//!
//! The index is filled as the writer fills it, without files. Each kind of query is asked with other values every time,
//! as QIDO-RS asks: one row more than the page, then how many remain. Beside the time on the clock stands the time on a
//! core, which other work on the machine does not lengthen. What HTTP and the audit's sync add is measured from outside.
//! `--dir` keeps the indexes, and uses those that are there.

mod people;

use std::path::{Path, PathBuf};
use std::time::Instant;

use archive::fold::Name;
use archive::{Column, Match, Order, Query, Range, Reader, Test};

use people::Random;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Studies added in one transaction.
const GROUP: u64 = 1_000;
/// Answers a page.
const LIMIT: u32 = 100;
/// Further ones that are counted.
const COUNT_MAX: u32 = 99;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().collect();
    if !args.iter().any(|arg| arg == "--bench") {
        println!("run it with: cargo bench --bench search");
        return Ok(());
    }
    let option = |name: &str, otherwise: &str| {
        let at = args.iter().position(|arg| arg == name);
        at.and_then(|at| args.get(at + 1)).map_or(otherwise, String::as_str).to_owned()
    };
    let runs: usize = option("--runs", "200").parse()?;
    let seed: u64 = option("--seed", "1").parse()?;
    let temporary = tempfile::tempdir()?;
    let dir = match option("--dir", "").as_str() {
        "" => temporary.path().to_owned(),
        dir => PathBuf::from(dir),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    for studies in option("--studies", "10000,1000000").split(',') {
        let studies: u64 = studies.parse()?;
        let dir = dir.join(studies.to_string());
        std::fs::create_dir_all(&dir)?;
        fill(&dir, studies, seed)?;
        runtime.block_on(measure(&dir, studies, runs, seed))?;
    }
    Ok(())
}

/// Fills the index, if it is not there.
fn fill(dir: &Path, studies: u64, seed: u64) -> Result<()> {
    let index = archive::Layout::new(dir)?.index();
    if !index.exists() {
        let (to, from) = std::sync::mpsc::sync_channel(4);
        std::thread::spawn(move || {
            let mut random = Random::new(seed);
            for first in (0..studies).step_by(GROUP as usize) {
                let group = (first..studies.min(first + GROUP)).map(|n| people::study(&mut random, n, studies));
                // Nobody listens any more once the filling failed.
                let _ = to.send(group.collect::<Vec<_>>());
            }
        });
        let (mut all, mut last) = (0.0, 0.0);
        for group in from {
            let since = Instant::now();
            archive::fill_index(dir, group)?;
            last = since.elapsed().as_secs_f64();
            all += last;
        }
        let (all, last) = (studies as f64 / all, GROUP as f64 / last);
        println!("{studies} studies: {all:.0} studies/s added, {last:.0} the last thousand");
    }
    println!("{studies} studies: {} bytes a study", std::fs::metadata(index)?.len() / studies);
    Ok(())
}

/// A query of a kind.
type Make = fn(&mut Random, u64) -> (Vec<(Column, Test)>, u32);

const KINDS: &[(&str, Make)] = &[
    ("no key, first page", |_, _| (vec![], 0)),
    ("no key, any page", |random, studies| (vec![], random.below(studies) as u32)),
    ("Study Instance UID", |random, studies| {
        (vec![single(Column::StudyInstanceUid, people::study_uid(random.below(studies)))], 0)
    }),
    ("Patient ID", |random, studies| (vec![single(Column::PatientId, people::patient_id(random.below(studies)))], 0)),
    ("Patient ID, its first letters", |random, studies| {
        let id = people::patient_id(random.below(studies));
        (vec![(Column::PatientId, Test::Match(Match::Wildcard(format!("{}*", &id[..7]))))], 0)
    }),
    ("Accession Number", |random, studies| {
        (vec![single(Column::AccessionNumber, people::accession(random.below(studies)))], 0)
    }),
    ("name, whole, kanji", |random, _| (vec![name(&people::kanji(random), false)], 0)),
    ("name, family and *, kanji", |random, _| (vec![name(&format!("{}*", people::family(random).1), false)], 0)),
    ("name, family and *, romaji", |random, _| (vec![name(&format!("{}*", people::family(random).0), false)], 0)),
    ("name, two kana and *", |random, _| {
        let kana: String = people::family(random).2.chars().take(2).collect();
        (vec![name(&format!("{kana}*"), false)], 0)
    }),
    ("name, family and *, a week", |random, _| {
        (vec![name(&format!("{}*", people::family(random).1), false), dates(random, 7)], 0)
    }),
    ("name, fuzzy, given and family", |random, _| (vec![name(&people::backwards(random), true)], 0)),
    ("name, *given (no index)", |random, _| (vec![name(&format!("*{}", people::given(random).1), false)], 0)),
    ("a day", |random, _| (vec![dates(random, 1)], 0)),
    ("a month, any page", |random, studies| (vec![dates(random, 28)], random.below(studies / 200 + 1) as u32)),
    ("modality", |random, _| (vec![single(Column::ModalitiesInStudy, people::modality(random).into())], 0)),
    ("modality, a week", |random, _| {
        (vec![single(Column::ModalitiesInStudy, people::modality(random).into()), dates(random, 7)], 0)
    }),
    ("modality MG, 50,000 further on", |_, studies| {
        (vec![single(Column::ModalitiesInStudy, "MG".into())], (studies / 20) as u32)
    }),
];

fn single(column: Column, value: String) -> (Column, Test) {
    (column, Test::Match(Match::Single(value)))
}

fn name(text: &str, fuzzy: bool) -> (Column, Test) {
    (Column::PatientName, Test::Name(Name { text: text.into(), fuzzy }))
}

fn dates(random: &mut Random, days: u64) -> (Column, Test) {
    let first = random.below(people::DAYS - days);
    let range = Range { from: Some(people::date(first)), to: Some(people::date(first + days - 1)) };
    (Column::StudyDate, Test::Within(range))
}

async fn measure(dir: &Path, studies: u64, runs: usize, seed: u64) -> Result<()> {
    let reader = Reader::open(dir)?;
    let columns = ["p50 ms", "p99 ms", "core p50", "core p99", "rows"];
    print!("{:<34}", format!("{studies} studies"));
    columns.iter().for_each(|column| print!(" {column:>9}"));
    println!();
    for (kind, make) in KINDS {
        let mut random = Random::new(seed ^ 0x5EED);
        let (mut times, mut core, mut rows) = (Vec::with_capacity(runs), Vec::with_capacity(runs), 0);
        for run in 0..runs + runs / 10 {
            let (terms, offset) = make(&mut random, studies);
            let (since, core_since) = (Instant::now(), core_ms());
            let query = Query { terms, order: Order::Newest, limit: LIMIT + 1, offset };
            let (found, _) = reader.study_page(query, COUNT_MAX).await?;
            // The first ones fill caches.
            if run >= runs / 10 {
                times.push(since.elapsed().as_secs_f64() * 1e3);
                core.push(core_ms() - core_since);
                rows += found.len();
            }
        }
        print!("{kind:<34}");
        for times in [&mut times, &mut core] {
            times.sort_by(f64::total_cmp);
            let at = |part: f64| times.get(((times.len() - 1) as f64 * part).ceil() as usize).copied().unwrap_or(0.0);
            print!(" {:>9.2} {:>9.2}", at(0.5), at(0.99));
        }
        println!(" {:>9}", rows / runs);
    }
    Ok(())
}

/// Milliseconds that the threads of this process have been on a core, by Linux's count of each; else nothing.
fn core_ms() -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let nanoseconds = tasks.filter_map(|task| {
        let line = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        line.split(' ').next()?.parse::<f64>().ok()
    });
    nanoseconds.sum::<f64>() / 1e6
}
