//! `tsunagu export`: writes files out, as held or as they were received.

use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;

use archive::{EventLog, Held, Reader};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::cli::{Cli, Export};
use crate::output;
use crate::progress::Bar;
use crate::wiring::Result;

/// Exports everything, or one study. Each act is audited before the first byte is written.
pub async fn run(cli: &Cli, args: &Export) -> Result<ExitCode> {
    let reader = Reader::open(&cli.data)?;
    std::fs::create_dir_all(&args.to)?;
    audit(&reader, args)?;
    let bar = Bar::bytes("export");
    let [.., instances, bytes] = reader.totals().await?;
    bar.set_total(instances, bytes);
    let (mut after, mut files, mut written, mut different) = (0, 0_u64, 0_u64, Vec::new());
    loop {
        let page = reader.walk(after, 64).await?;
        let Some(last) = page.last() else { break };
        after = last.record.sequence;
        for held in page.iter().filter(|held| wanted(held, args)) {
            let bytes = if args.original {
                ingest::received_bytes(&reader, held).await?
            } else {
                reader.read(held, None).await?
            };
            if args.original && <[u8; 32]>::from(Sha256::digest(&bytes)) != held.record.digests.file {
                different.push(held.record.origin.file.clone());
            }
            let path = args.to.join(path_of(held));
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent)?;
            }
            std::fs::write(&path, &bytes).map_err(|e| format!("{}: {e}", path.display()))?;
            files += 1;
            written += bytes.len() as u64;
            bar.add_bytes(held.record.received_bytes);
            bar.add_file();
        }
    }
    bar.finish();
    println!("Exported {files} files, {} MB, to {}", output::megabytes(written), args.to.display());
    for file in &different {
        println!("WRONG: {file} is not what was received");
    }
    let clean = different.is_empty();
    let object = json!({ "files": files, "bytes": written, "different": different });
    Ok(if clean { output::finish(cli.json, object) } else { output::finish_with_findings(cli.json, object) })
}

fn wanted(held: &Held, args: &Export) -> bool {
    args.study.as_ref().is_none_or(|uid| *uid == held.record.description.study.study_instance_uid)
}

/// Centre, then the name the sender gave; a batch sent twice under other content gets the take-in number besides.
fn path_of(held: &Held) -> PathBuf {
    let origin = &held.record.origin;
    let mut path = PathBuf::from(format!("{:09}", held.record.sequence));
    path.push(safe(Path::new(&origin.centre)));
    path.push(safe(Path::new(&origin.file)));
    path
}

/// A sender's name can hold anything: only its plain parts are used.
fn safe(path: &Path) -> PathBuf {
    let plain = path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name),
        _ => None,
    });
    let safe: PathBuf = plain.collect();
    if safe.as_os_str().is_empty() { PathBuf::from("_") } else { safe }
}

fn audit(reader: &Reader, args: &Export) -> Result<()> {
    let log = EventLog::open(&reader.layout().event_log("audit"))?;
    let event = json!({
        "act": "export", "actor": args.actor, "rendition": if args.original { "original" } else { "as-held" },
        "study": args.study, "outcome": "granted",
    });
    log.append(&crate::clock::now(), &[event])?;
    Ok(())
}
