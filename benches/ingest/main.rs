//! How fast does the archive take studies in, at what cost of CPU, and how does Orthanc do on the same machine?
//!
//! `cargo bench --bench ingest -- [--runs 3] [--mb 400] [--clients 1,2,4,8] [--what stow,cstore,sustained,pack] [--seed 1]
//! [--dir DIR] [--program FILE] [--no-orthanc] [--json]`
//! (`--program`: another build of tsunagu than this one, for before and after)
//!
//! Each measurement has a fresh server on a fresh archive, takes the whole corpus, and counts only what was
//! acknowledged; one instance that is not ends the bench. Ours and Orthanc (Debian packages `orthanc` and
//! `orthanc-dicomweb`) take turns, so that what else the machine does meets both. Packing, which Orthanc has no
//! counterpart of, is measured by itself at the end. `sustained` is both: everything sent by STOW-RS and by C-STORE to a server
//! that packs meanwhile, and waited for until nothing is left to be packed, beside what Orthanc acknowledged.

mod corpus;
mod packing;
mod process;
mod report;
mod scu;
mod server;
mod stow;

use std::path::PathBuf;
use std::time::Instant;

use corpus::Corpus;
use report::{Measure, Row};
use server::{Product, Running};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// A way in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    Stow,
    CStore,
}

impl Door {
    fn name(self, drained: bool) -> &'static str {
        match (self, drained) {
            (Door::Stow, false) => "STOW-RS",
            (Door::CStore, false) => "C-STORE",
            (Door::Stow, true) => "STOW-RS, packed",
            (Door::CStore, true) => "C-STORE, packed",
        }
    }
}

struct Options {
    runs: usize,
    corpus_mb: u64,
    clients: Vec<usize>,
    doors: Vec<Door>,
    /// As `doors`, with the backlog drained.
    sustained: Vec<Door>,
    pack: bool,
    seed: u64,
    dir: PathBuf,
    orthanc: bool,
    json: bool,
}

fn main() -> Result<()> {
    if !std::env::args().any(|arg| arg == "--bench") {
        println!("run it with: cargo bench --bench ingest");
        return Ok(());
    }
    let options = options(std::env::args().skip(1))?;
    let corpus = Corpus::generate(options.seed, options.corpus_mb);
    println!("Corpus: {corpus}");
    let mut products = vec![Product::Tsunagu];
    match server::orthanc_version() {
        Some(version) if options.orthanc => {
            println!("Beside it in the same run: {version}");
            products.push(Product::Orthanc);
        }
        Some(_) => println!("Orthanc is left out, as asked."),
        None => println!("Orthanc is not installed: no figures beside ours (apt install orthanc orthanc-dicomweb)."),
    }
    println!("Load of the machine before: {}\n", process::load());
    report::head(options.runs);
    let mut rows = Vec::new();
    let doors =
        options.doors.iter().map(|door| (*door, false)).chain(options.sustained.iter().map(|door| (*door, true)));
    for (door, drained) in doors {
        for clients in &options.clients {
            let row = measure_row(&options, &products, &corpus, (door, drained), *clients)?;
            row.print();
            rows.push(row);
        }
    }
    let packed = options.pack.then(|| packing::measure(&options.dir, &corpus, options.runs)).transpose()?;
    packed.iter().for_each(packing::Packed::print);
    println!("Load of the machine after: {}", process::load());
    if options.json {
        println!("{}", report::json(&corpus, &rows, packed.as_ref()));
    }
    Ok(())
}

fn measure_row(
    options: &Options,
    products: &[Product],
    corpus: &Corpus,
    (door, drained): (Door, bool),
    clients: usize,
) -> Result<Row> {
    let mut row = Row { door: door.name(drained), clients, ours: Vec::new(), orthanc: Vec::new() };
    for _ in 0..options.runs {
        for product in products {
            let measured = measure(*product, &options.dir, corpus, (door, drained), clients)
                .map_err(|error| format!("{product:?}, {}, {clients} clients: {error}", door.name(drained)))?;
            match product {
                Product::Tsunagu => row.ours.push(measured),
                Product::Orthanc => row.orthanc.push(measured),
            }
        }
    }
    Ok(row)
}

fn measure(
    product: Product,
    dir: &std::path::Path,
    corpus: &Corpus,
    (door, drained): (Door, bool),
    clients: usize,
) -> Result<Measure> {
    let server = Running::start(product, dir, drained)?;
    let (cpu_before, started) = (process::cpu_s(server.pid())?, Instant::now());
    let bytes = match door {
        Door::Stow => stow::send(&server, corpus, clients)?,
        Door::CStore => scu::send(&server, corpus, clients)?,
    };
    if drained && product == Product::Tsunagu {
        server.wait_until_packed(corpus.instances())?;
    }
    let seconds = started.elapsed().as_secs_f64();
    let measured = Measure {
        mb_s: bytes as f64 / 1e6 / seconds,
        instances_s: corpus.instances() as f64 / seconds,
        cpu_s_gb: (process::cpu_s(server.pid())? - cpu_before) / (bytes as f64 / 1e9),
        rss_mb: process::peak_rss_mb(server.pid())?,
    };
    server.stop()?;
    Ok(measured)
}

fn options(mut args: impl Iterator<Item = String>) -> Result<Options> {
    let mut options = Options {
        runs: 3,
        corpus_mb: 400,
        clients: vec![1, 2, 4, 8],
        doors: vec![Door::Stow, Door::CStore],
        sustained: vec![Door::Stow, Door::CStore],
        pack: true,
        seed: 1,
        dir: std::env::temp_dir(),
        orthanc: true,
        json: false,
    };
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
        match arg.as_str() {
            "--bench" => {}
            "--json" => options.json = true,
            "--no-orthanc" => options.orthanc = false,
            "--runs" => options.runs = value()?.parse()?,
            "--mb" => options.corpus_mb = value()?.parse()?,
            "--seed" => options.seed = value()?.parse()?,
            "--program" => server::use_program(value()?.into()),
            "--dir" => options.dir = value()?.into(),
            "--clients" => {
                options.clients = value()?.split(',').map(str::parse).collect::<std::result::Result<_, _>>()?
            }
            "--what" => what(&value()?, &mut options)?,
            other => return Err(format!("{other} is no option of this bench").into()),
        }
    }
    Ok(options)
}

fn what(names: &str, options: &mut Options) -> Result<()> {
    (options.doors, options.sustained, options.pack) = (Vec::new(), Vec::new(), false);
    for name in names.split(',') {
        match name {
            "stow" => options.doors.push(Door::Stow),
            "cstore" => options.doors.push(Door::CStore),
            "sustained" => options.sustained = vec![Door::Stow, Door::CStore],
            "pack" => options.pack = true,
            other => return Err(format!("{other} is not measured here: stow, cstore, sustained, pack").into()),
        }
    }
    Ok(())
}
