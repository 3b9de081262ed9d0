//! `tsunagu generate`: writes synthetic studies to a directory.

use std::process::ExitCode;

use serde_json::json;

use crate::cli::{Cli, Generate, Profile};
use crate::output;
use crate::progress::Bar;
use crate::wiring::Result;

/// Generates. The same arguments give the same bytes.
pub async fn run(cli: &Cli, args: &Generate) -> Result<ExitCode> {
    std::fs::create_dir_all(&args.to)?;
    let (dir, studies, seed) = (args.to.clone(), args.studies, args.seed);
    let profile = match (args.profile, args.small) {
        (Profile::Broken, _) => return broken(cli, args),
        (Profile::Night, false) => datasets::Profile::Night,
        (Profile::Night, true) => datasets::Profile::NightSmall,
        (Profile::Viewer, _) => datasets::Profile::Viewer,
        (Profile::School, _) => datasets::Profile::School,
    };
    let write = move || {
        let bar = Bar::bytes("generate");
        let mut each = |file: &datasets::File| {
            bar.add_bytes(file.bytes.len() as u64);
            bar.add_file();
        };
        let summary = datasets::write_night(&dir, profile, studies, seed, &mut each);
        bar.finish();
        summary
    };
    let summary = tokio::task::spawn_blocking(write).await??;
    say!(
        "Generated {} studies: {} files ({} broken on purpose), {} MB, in {}",
        summary.studies,
        summary.files,
        summary.broken,
        output::megabytes(summary.bytes),
        args.to.display()
    );
    Ok(output::finish(cli.json, serde_json::to_value(&summary)?))
}

fn broken(cli: &Cli, args: &Generate) -> Result<ExitCode> {
    let files = datasets::broken(args.seed);
    for file in &files {
        let path = args.to.join(&file.path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(&path, &file.bytes)?;
        say!("{}: {}", file.path, file.broken.unwrap_or("whole"));
    }
    Ok(output::finish(cli.json, json!({ "files": files.len() })))
}
