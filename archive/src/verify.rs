//! Re-reads and re-hashes everything, and names what is wrong.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt;
use sha2::{Digest, Sha256};

use crate::batches;
use crate::error::{Error, Result};
use crate::event_log::EventLog;
use crate::intake::{self, Found, SegmentReader};
use crate::objects::Listed;
use crate::pack::{self, HeldForm};
use crate::quarantine::{self, QuarantineState};
use crate::reader::{Held, Reader, Source};
use crate::{disk::LocalDisk, index, rendition};

/// Bytes read at a time of what need not be in memory whole.
const CHUNK_BYTES: u64 = 8 << 20;

/// Rebuilds a received file from the file as held and its recipe. The archive knows no pixels: its caller does.
pub type Rebuild<'a> = &'a (dyn Fn(&[u8], &[u8]) -> std::result::Result<Vec<u8>, String> + Sync);

/// What was read, and what is wrong with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Instances whose received file was read or rebuilt, and hashed.
    pub instances: u64,
    /// Of these, rebuilt from pack and recipe.
    pub rebuilt: u64,
    /// Their bytes as received.
    pub received_bytes: u64,
    /// Packs.
    pub packs: u64,
    /// Of these, packs that another has replaced and that are not removed yet. They are not read.
    pub replaced: u64,
    /// Intake segments.
    pub segments: u64,
    /// Quarantined files that are kept.
    pub quarantined: u64,
    /// Renditions.
    pub renditions: u64,
    /// Lines of the event logs.
    pub events: u64,
    /// What is wrong; empty when all is well.
    pub findings: Vec<Finding>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which thing: a SOP Instance UID, an object, a log.
    pub what: String,
    /// What is wrong with it.
    pub detail: String,
}

impl Verified {
    fn find(&mut self, what: impl Into<String>, detail: impl Into<String>) {
        self.findings.push(Finding { what: what.into(), detail: detail.into() });
    }
}

/// Verifies the archive behind `reader`. `each` hears of every instance.
///
/// # Errors
/// When the index cannot be read at all; whatever else is wrong is a finding.
pub async fn verify(reader: &Reader, rebuild: Rebuild<'_>, each: &(dyn Fn(&Held) + Sync)) -> Result<Verified> {
    let mut verified = Verified::default();
    verify_instances(reader, rebuild, each, &mut verified).await?;
    verify_packs(reader, &mut verified).await?;
    verify_segments(reader, &mut verified)?;
    verify_quarantine(reader, &mut verified).await?;
    verified.renditions = verify_renditions(reader, &mut verified).await?;
    verify_logs(reader, &mut verified);
    verify_receipts(reader, &mut verified).await?;
    Ok(verified)
}

async fn verify_instances(
    reader: &Reader,
    rebuild: Rebuild<'_>,
    each: &(dyn Fn(&Held) + Sync),
    verified: &mut Verified,
) -> Result<()> {
    let mut after = 0;
    loop {
        let rows = reader.with_index(move |index| index::walk(index, after, 64)).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.sequence;
        for row in rows {
            match reader.resolve_row(row).await {
                Ok(held) => {
                    if index::short(&held.record.digests.file) != row.file {
                        verified.find(name(&held), "the index has another digest of it than the archive");
                    }
                    match received_digest(reader, &held, rebuild).await {
                        Ok(digest) if digest == held.record.digests.file => {}
                        Ok(_) => verified.find(name(&held), "its bytes have another SHA-256 than the file received"),
                        Err(error) => verified.find(name(&held), error.to_string()),
                    }
                    verified.instances += 1;
                    verified.rebuilt += u64::from(held.form == HeldForm::Packed);
                    verified.received_bytes += held.record.received_bytes;
                    each(&held);
                }
                Err(error) => {
                    verified.find(format!("instance with take-in number {}", row.sequence), error.to_string())
                }
            }
        }
    }
}

fn name(held: &Held) -> String {
    format!("instance {}", held.record.description.instance.sop_instance_uid)
}

async fn received_digest(reader: &Reader, held: &Held, rebuild: Rebuild<'_>) -> Result<[u8; 32]> {
    if let Some(recipe) = reader.recipe(held).await? {
        let part10 = reader.read(held, None).await?;
        let received = rebuild(&part10, &recipe).map_err(|detail| Error::damaged(name(held), detail))?;
        return Ok(Sha256::digest(&received).into());
    }
    if held.embedded().is_some() {
        // The received file says nothing of what was made of it and stands around it.
        verify_entry(reader, held).await?;
    }
    let range = held.received_range();
    if held.form == HeldForm::ReceivedZstd {
        return Ok(Sha256::digest(&reader.read(held, Some(range)).await?).into());
    }
    let mut digest = Sha256::new();
    let mut at = range.start;
    while at < range.end {
        let chunk = reader.read(held, Some(at..range.end.min(at + CHUNK_BYTES))).await?;
        if chunk.is_empty() {
            return Err(Error::damaged(name(held), format!("ends at byte {at}")));
        }
        at += chunk.len() as u64;
        digest.update(&chunk);
    }
    Ok(digest.finalize().into())
}

/// The entry of a pack is the one that was written. What is in intake has a checksum of its record.
async fn verify_entry(reader: &Reader, held: &Held) -> Result<()> {
    let (Some(bytes), Source::Pack { directory, entry }) = (reader.entry_bytes(held)?, &held.source) else {
        return Ok(());
    };
    let written = directory.instance(*entry)?.held_sha256;
    let (mut digest, mut at) = (Sha256::new(), 0);
    while at < bytes {
        let chunk = reader.read_entry(held, at..bytes.min(at + CHUNK_BYTES)).await?;
        if chunk.is_empty() {
            break;
        }
        at += chunk.len() as u64;
        digest.update(&chunk);
    }
    let same = digest.finalize().as_slice() == written;
    if same { Ok(()) } else { Err(Error::damaged(name(held), "its entry has another SHA-256 than pack.json says")) }
}

/// Every pack that is there is in the index with as many instances, and the other way round; none of one that another
/// replaced. Every number was given to a pack.
async fn verify_packs(reader: &Reader, verified: &mut Verified) -> Result<()> {
    let mut indexed: BTreeMap<u64, u64> = reader.with_index(index::instances_by_pack).await?;
    let known = reader.with_index(index::numbers).await?;
    let through = reader.with_index(|index| index::mark(index, "packs_through")).await?;
    let mut missing: BTreeSet<u64> = (1..=through).filter(|number| !known.contains_key(number)).collect();
    for Listed { key, .. } in reader.objects().list(pack::PREFIX).await? {
        verified.packs += 1;
        if let Some(number) = pack::number(&key) {
            missing.remove(&number);
            if let Some((Some(by), removed)) = known.get(&number).copied().filter(|_| !indexed.contains_key(&number)) {
                verified.replaced += 1;
                if removed {
                    verified.find(&key, format!("pack {by} replaced it and it was removed; it is there again"));
                }
                continue;
            }
        }
        match pack::read_directory(reader.objects(), &key).await {
            Ok(directory) => match indexed.remove(&directory.number) {
                Some(count) if count == directory.instances.len() as u64 => {}
                Some(count) => verified.find(&key, format!("the index has {count} of its instances")),
                None => verified.find(&key, "is not in the index; run tsunagu rebuild"),
            },
            Err(error) => verified.find(&key, error.to_string()),
        }
    }
    for (number, count) in indexed {
        verified.find(pack::key(number), format!("is not there; {count} instances are said to be in it"));
        missing.remove(&number);
    }
    for number in missing {
        verified.find(pack::key(number), "is not there, and no pack says that it replaced it");
    }
    Ok(())
}

fn verify_segments(reader: &Reader, verified: &mut Verified) -> Result<()> {
    let dir = reader.layout().intake();
    for number in intake::list(&LocalDisk, &dir)? {
        let Some(segment) = SegmentReader::open(&dir, number)? else { continue };
        verified.segments += 1;
        let mut offset = 0;
        while offset < segment.length() {
            let what = || format!("intake segment {number} at byte {offset}");
            offset = match segment.at(offset) {
                Ok(Found::Record(_, end) | Found::Unfinished(end)) => end,
                Ok(Found::Damaged(next, detail)) => {
                    verified.find(what(), format!("{detail}; bytes up to {next} are kept but cannot be used"));
                    next
                }
                Err(error) => {
                    verified.find(what(), error.to_string());
                    break;
                }
            };
        }
    }
    Ok(())
}

async fn verify_quarantine(reader: &Reader, verified: &mut Verified) -> Result<()> {
    let known = reader.quarantined(None).await?;
    for (record, state) in &known {
        if *state == QuarantineState::Discarded {
            continue;
        }
        verified.quarantined += 1;
        match object_digest(reader, &quarantine::body_key(&record.digest)).await {
            Ok(digest) if crate::hex(&digest) == record.digest => {}
            Ok(_) => verified.find(quarantine::body_key(&record.digest), "has another SHA-256 than its name says"),
            Err(error) => verified.find(quarantine::body_key(&record.digest), error.to_string()),
        }
    }
    let known: BTreeSet<String> = known.into_iter().map(|(record, _)| quarantine::record_key(&record.digest)).collect();
    for Listed { key, .. } in reader.objects().list(quarantine::PREFIX).await? {
        if key.ends_with(".json") && !known.contains(&key) {
            verified.find(key, "is not in the index; run tsunagu rebuild");
        }
    }
    Ok(())
}

async fn verify_renditions(reader: &Reader, verified: &mut Verified) -> Result<u64> {
    rendition::verify(reader, &mut |what, detail| verified.find(what, detail)).await
}

/// The SHA-256 of an object of any length.
async fn object_digest(reader: &Reader, key: &str) -> Result<[u8; 32]> {
    let mut digest = Sha256::new();
    let mut blocks = reader.objects().stream(key).await?;
    while let Some(block) = blocks.next().await {
        digest.update(&block?);
    }
    Ok(digest.finalize().into())
}

/// Whatever a receipt says is stored is held.
async fn verify_receipts(reader: &Reader, verified: &mut Verified) -> Result<()> {
    for (batch, file) in reader.with_index(batches::stored_but_not_held).await? {
        verified.find(format!("batch {batch}"), format!("{file} is on its receipt as stored and is not held"));
    }
    Ok(())
}

fn verify_logs(reader: &Reader, verified: &mut Verified) {
    let dir = reader.layout().events();
    let Ok(entries) = std::fs::read_dir(&dir) else { return };
    for path in
        entries.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "jsonl"))
    {
        match EventLog::verify(&path) {
            Ok(log) => verified.events += log.events,
            Err(error) => verified.find(format!("event log {}", path.display()), error.to_string()),
        }
    }
}
