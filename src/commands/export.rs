//! `tsunagu export`: writes files out, as held or as they were received.

use std::io::Write;
use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;

use archive::{EventLog, Held, HeldForm, Reader, RenditionKind};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::cli::{Cli, Export};
use crate::output;
use crate::progress::Bar;
use crate::wiring::Result;

/// Bytes read and written at a time.
const CHUNK_BYTES: u64 = 8 << 20;

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
            let path = args.to.join(path_of(held, args.original));
            if args.derivatives {
                let (derivatives, bytes) = write_derivatives(&reader, held, &path).await?;
                files += derivatives;
                written += bytes;
                bar.add_bytes(held.record.received_bytes);
                bar.add_file();
                continue;
            }
            make_parent(&path)?;
            let (bytes, digest) = write(&reader, held, args.original, &path).await?;
            if args.original && digest != held.record.digests.file {
                different.push(held.record.origin.file.clone());
            }
            files += 1;
            written += bytes;
            bar.add_bytes(held.record.received_bytes);
            bar.add_file();
        }
    }
    bar.finish();
    say!("Exported {files} files, {} MB, to {}", output::megabytes(written), args.to.display());
    for file in &different {
        say!("WRONG: {file} is not what was received");
    }
    let clean = different.is_empty();
    let object = json!({ "files": files, "bytes": written, "different": different });
    Ok(if clean { output::finish(cli.json, object) } else { output::finish_with_findings(cli.json, object) })
}

fn make_parent(path: &Path) -> Result<()> {
    Ok(path.parent().map_or(Ok(()), std::fs::create_dir_all)?)
}

/// Writes the derivatives of an instance, `NAME.PROFILE.dcm`. Answers how many and their bytes.
async fn write_derivatives(reader: &Reader, held: &Held, path: &Path) -> Result<(u64, u64)> {
    let (mut files, mut written) = (0, 0);
    for rendition in reader.renditions(held).await? {
        if rendition.record.kind != RenditionKind::Derivative {
            continue;
        }
        let bytes = reader.read_rendition(&rendition, None).await?;
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{}.dcm", rendition.record.profile));
        let path = PathBuf::from(name);
        make_parent(&path)?;
        std::fs::write(&path, &bytes).map_err(|error| format!("{}: {error}", path.display()))?;
        files += 1;
        written += bytes.len() as u64;
    }
    Ok((files, written))
}

/// Writes one file and answers its length and SHA-256. Only what has to be rebuilt is in memory whole.
async fn write(reader: &Reader, held: &Held, original: bool, path: &Path) -> Result<(u64, [u8; 32])> {
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    let mut file = std::fs::File::create(path).map_err(failed)?;
    let (mut at, mut digest) = (0, Sha256::new());
    let mut put = |chunk: &[u8]| {
        digest.update(chunk);
        file.write_all(chunk).map_err(failed)
    };
    if original && (held.form == HeldForm::Packed || held.embedded().is_some()) {
        let bytes = ingest::received_bytes(reader, held).await?;
        put(&bytes)?;
        at = bytes.len() as u64;
    } else {
        // Compressed files are not long, and a part of one costs as much as all of it.
        let step = if held.form == HeldForm::ReceivedZstd { held.part10_bytes } else { CHUNK_BYTES };
        while at < held.part10_bytes {
            let chunk = reader.read(held, Some(at..at + step)).await?;
            put(&chunk)?;
            at += chunk.len() as u64;
        }
    }
    Ok((at, digest.finalize().into()))
}

fn wanted(held: &Held, args: &Export) -> bool {
    args.study.as_ref().is_none_or(|uid| *uid == held.record.description.study.study_instance_uid)
}

/// Centre, then the name the sender gave; a batch sent twice under other content gets the take-in number besides. The DICOM
/// file that was made of another is named so.
fn path_of(held: &Held, original: bool) -> PathBuf {
    let origin = &held.record.origin;
    let mut path = PathBuf::from(format!("{:09}", held.record.sequence));
    path.push(safe(Path::new(&origin.centre)));
    path.push(safe(Path::new(&origin.file)));
    if held.embedded().is_some() && !original {
        path.as_mut_os_string().push(".dcm");
    }
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

fn rendition(args: &Export) -> &'static str {
    match args {
        Export { original: true, .. } => "original",
        Export { derivatives: true, .. } => "derivative",
        _ => "as-held",
    }
}

fn audit(reader: &Reader, args: &Export) -> Result<()> {
    let log = EventLog::open(&reader.layout().event_log("audit"))?;
    let event = json!({
        "act": "export", "actor": args.actor, "rendition": rendition(args),
        "study": args.study, "outcome": "granted",
    });
    log.append(&crate::clock::now(), &[event])?;
    Ok(())
}
