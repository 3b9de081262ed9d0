//! Writes a folder of generated files: `generate PROFILE STUDIES SEED DIR`, PROFILE one of night, night-small, demo, school.

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use datasets::{Profile, write_night};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [profile, studies, seed, dir] = arguments.as_slice() else {
        eprintln!("usage: generate night|night-small|demo|school STUDIES SEED DIR");
        return ExitCode::FAILURE;
    };
    let profile = match profile.as_str() {
        "night" => Profile::Night,
        "night-small" => Profile::NightSmall,
        "school" => Profile::School,
        _ => Profile::Demo,
    };
    let (Ok(studies), Ok(seed)) = (studies.parse(), seed.parse()) else {
        eprintln!("STUDIES and SEED are whole numbers");
        return ExitCode::FAILURE;
    };
    let start = Instant::now();
    match write_night(Path::new(dir), profile, studies, seed, &mut |_| ()) {
        Ok(summary) => println!("{summary:?} in {:.1} s", start.elapsed().as_secs_f64()),
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
