//! The log against torn ends, forgers, failing disks and several writers.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;

use super::*;

const AT: &str = "2026-01-02T03:04:05Z";

fn log_of(dir: &Path, count: u64) -> (PathBuf, EventLog) {
    let path = dir.join("audit.jsonl");
    let log = EventLog::open(&path).unwrap();
    for n in 1..=count {
        assert_eq!(log.append(AT, &[json!({ "n": n })]).unwrap(), n);
    }
    (path, log)
}

#[test]
fn events_come_back_in_order_from_any_number() {
    // Proves append, group append, reopening, reading from a number, and that a reader goes on after more was written.
    let dir = tempfile::tempdir().unwrap();
    let (path, log) = log_of(&dir.path().join("new/below"), 3);
    let mut reader = Events::of(Arc::new(LocalDisk), &path, 2);
    let seen = |reader: &mut Events| reader.by_ref().map(|event| event.unwrap().seq).collect::<Vec<_>>();
    assert_eq!(seen(&mut reader), [2, 3]);
    assert_eq!(log.append(AT, &[json!({"n": 4}), json!({"n": 5})]).unwrap(), 5);
    assert_eq!(log.append(AT, &[]).unwrap(), 5);
    assert_eq!(seen(&mut reader), [4, 5]);
    drop(log);
    let log = EventLog::open(&path).unwrap();
    assert_eq!(log.append(AT, &[json!({"n": 6})]).unwrap(), 6);
    let events: Vec<_> = log.read_from(1).map(|event| event.unwrap()).collect();
    assert!(events.iter().all(|event| event.event == json!({ "n": event.seq }) && event.at == AT));
    let verified = EventLog::verify(&path).unwrap();
    assert_eq!((verified.events, verified.head_hash), (6, events[5].hash));
    assert_eq!(verified.bytes, std::fs::metadata(&path).unwrap().len());
    assert!(Events::of(Arc::new(LocalDisk), &dir.path().join("absent"), 1).next().is_none());
}

#[test]
fn a_log_cut_at_any_byte_opens_with_its_whole_lines() {
    // Proves that a torn end is repaired at every possible byte, and that no whole line goes with it.
    let dir = tempfile::tempdir().unwrap();
    let (path, _) = log_of(dir.path(), 3);
    let bytes = std::fs::read(&path).unwrap();
    for cut in 0..=bytes.len() {
        std::fs::write(&path, &bytes[..cut]).unwrap();
        let whole = bytes[..cut].iter().filter(|byte| **byte == b'\n').count() as u64;
        let log = EventLog::open(&path).unwrap();
        assert_eq!(log.append(AT, &[json!({})]).unwrap(), whole + 1, "cut at {cut}");
        assert_eq!(EventLog::verify(&path).unwrap().events, whole + 1);
    }
    std::fs::write(&path, [&bytes[..], &[0; 5000]].concat()).unwrap();
    assert_eq!(EventLog::open(&path).unwrap().last_seq(), 3);
    std::fs::write(&path, b"PK\x03\x04 another file").unwrap();
    assert!(EventLog::open(&path).is_err());
}

#[test]
fn a_forger_is_named_by_line_byte_and_deed() {
    // Proves each kind of forgery is told from the others, whether or not the forger made the line's own hash right.
    let dir = tempfile::tempdir().unwrap();
    let (path, _) = log_of(dir.path(), 6);
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let forged = |after: usize| {
        let head = match after {
            0 => Head::default(),
            n => Line::parse(lines[n - 1].trim_end().as_bytes()).unwrap().head(),
        };
        let mut out = Vec::new();
        Line::encode(head, AT, &json!({"forged": true}), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    let altered = lines[2].replace("\"n\":3", "\"n\":9");
    let (second, first) = (forged(1), forged(0));
    let check = |lines: &[&str], line: usize, deed: &str| {
        std::fs::write(&path, lines.concat()).unwrap();
        let byte: usize = lines[..line - 1].iter().map(|line| line.len()).sum();
        let message = EventLog::verify(&path).unwrap_err().to_string();
        assert!(message.contains(&format!("line {line} (byte {byte}): {deed}")), "{message}");
        assert!(EventLog::open(&path).unwrap().read_from(1).any(|event| event.is_err()), "{deed}");
    };
    let [a, b, c, d, e, f] = lines[..] else { panic!("six lines") };
    check(&[a, b, &altered, d, e, f], 3, "altered");
    check(&[a, &second, c, d, e, f], 2, "altered"); // hash made right: only the next line tells
    check(&[&first, b, c], 1, "altered");
    check(&[a, c, d, e, f], 2, "removed: events 2 to 2");
    check(&[b, c, d], 1, "removed: events 1 to 1");
    check(&[a, b, f], 3, "removed: events 3 to 5");
    check(&[a, b, &altered, c, d], 3, "inserted");
    check(&[a, &second, b, c], 2, "inserted");
    check(&[a, b, &second, c], 3, "inserted");
    check(&[a, b, b, c], 3, "inserted: it repeats");
    check(&[a, b, c, a, d], 4, "inserted");
    check(&[a, c, b, d], 2, "reordered");
    check(&[a, b, d, e, c, f], 3, "reordered");
    check(&[a, "\n", b], 2, "inserted");
    check(&[a, "not json\n", c], 2, "altered");
}

#[test]
fn several_handles_append_to_one_chain() {
    // Proves that handles that do not know of each other, as in several processes, make one sound chain, and that a
    // torn line left by one that died is cut off by the next.
    let dir = tempfile::tempdir().unwrap();
    let (path, log) = log_of(dir.path(), 1);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let path = &path;
            scope.spawn(move || {
                let log = EventLog::open(path).unwrap();
                for n in 0..10 {
                    log.append(AT, &[json!({"thread": thread, "n": n}), json!({})]).unwrap();
                }
            });
        }
    });
    LocalDisk.open_append(&path).unwrap().append(&[IoSlice::new(b"{\"seq\":82,\"at")]).unwrap();
    assert_eq!(log.append(AT, &[json!({})]).unwrap(), 82);
    assert_eq!(EventLog::verify(&path).unwrap().events, 82);
    std::fs::write(&path, b"").unwrap();
    assert!(log.append(AT, &[json!({})]).unwrap_err().to_string().contains("cut off"));
}

#[test]
fn what_is_no_event_is_refused_and_leaves_no_trace() {
    let dir = tempfile::tempdir().unwrap();
    let (path, log) = log_of(dir.path(), 1);
    let length = std::fs::metadata(&path).unwrap().len();
    for (at, event) in [("2026-01-02", json!({})), ("2026-01-02T03:04:05+09:00", json!({})), (AT, json!([1]))] {
        assert!(matches!(log.append(at, &[json!({}), event]), Err(Error::Refused(_))), "{at}");
    }
    assert_eq!(std::fs::metadata(&path).unwrap().len(), length);
}

/// A local disk whose n-th append tears, or n-th sync fails, from then on counting down only once.
#[derive(Debug, Default)]
struct Failing {
    append: Arc<AtomicU64>,
    sync: Arc<AtomicU64>,
}

#[derive(Debug)]
struct FailingFile(Box<dyn DiskFile>, Arc<AtomicU64>, Arc<AtomicU64>);

fn due(counter: &AtomicU64) -> bool {
    counter.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)) == Ok(1)
}

impl DiskFile for FailingFile {
    fn append(&mut self, parts: &[IoSlice<'_>]) -> io::Result<()> {
        if !due(&self.1) {
            return self.0.append(parts);
        }
        self.0.append(&[IoSlice::new(&parts[0][..parts[0].len() / 2])])?;
        Err(io::ErrorKind::StorageFull.into())
    }
    fn sync_data(&mut self) -> io::Result<()> {
        if due(&self.2) { Err(io::Error::other("no sync")) } else { self.0.sync_data() }
    }
    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.0.truncate(length)
    }
    fn length(&self) -> io::Result<u64> {
        self.0.length()
    }
    fn lock(&self) -> io::Result<()> {
        self.0.lock()
    }
    fn try_lock(&self) -> io::Result<bool> {
        self.0.try_lock()
    }
    fn unlock(&self) -> io::Result<()> {
        self.0.unlock()
    }
}

impl Disk for Failing {
    fn open_append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = LocalDisk.open_append(path)?;
        Ok(Box::new(FailingFile(file, self.append.clone(), self.sync.clone())))
    }
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        LocalDisk.create_new(path)
    }
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        LocalDisk.create_dir_all(dir)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        LocalDisk.remove(path)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        LocalDisk.sync_dir(dir)
    }
    fn read_at(&self, path: &Path, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        LocalDisk.read_at(path, offset, into)
    }
    fn len(&self, path: &Path) -> io::Result<Option<u64>> {
        LocalDisk.len(path)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        LocalDisk.list(dir)
    }
}

#[test]
fn a_failed_write_is_undone_and_a_failed_sync_ends_writing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log.jsonl");
    let disk = Failing::default();
    let (append, sync) = (disk.append.clone(), disk.sync.clone());
    let log = EventLog::open_on(Arc::new(disk), &path).unwrap();
    append.store(2, Ordering::SeqCst);
    assert_eq!(log.append(AT, &[json!({"n": 1})]).unwrap(), 1);
    assert!(matches!(log.append(AT, &[json!({"n": 2})]), Err(Error::Io { .. })));
    assert_eq!(log.append(AT, &[json!({"n": 2})]).unwrap(), 2);
    sync.store(1, Ordering::SeqCst);
    for _ in 0..2 {
        assert!(matches!(log.append(AT, &[json!({"n": 3})]), Err(Error::Poisoned(_))));
    }
    assert_eq!(EventLog::verify(&path).unwrap().events, 2);
}

#[tokio::test]
async fn a_snapshot_holds_the_log_and_its_head() {
    let dir = tempfile::tempdir().unwrap();
    let (path, log) = log_of(dir.path(), 5);
    let objects = Objects::over(Arc::new(object_store::memory::InMemory::new()));
    let verified = log.snapshot(&objects, "logs/audit-1.jsonl").await.unwrap();
    assert_eq!(verified.events, 5);
    assert_eq!(objects.get("logs/audit-1.jsonl").await.unwrap(), std::fs::read(&path).unwrap());
    let head: Value = serde_json::from_slice(&objects.get("logs/audit-1.jsonl.head.json").await.unwrap()).unwrap();
    assert_eq!(head["head_hash"], crate::hex(&verified.head_hash));
    assert!(log.snapshot(&objects, "logs/audit-1.jsonl").await.is_err(), "a snapshot is never overwritten");
}

#[test]
fn the_first_form_of_a_log_is_read_for_ever() {
    // Proves that a log written by the first program is sound and means the same. The verifier of docs/archive-format.md
    // gave this head for the file. It stays as it is for ever; a new form gets a new file and leaves this test alone.
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log.jsonl");
    std::fs::write(&path, include_bytes!("fixtures/log-v1.jsonl")).unwrap();
    let verified = EventLog::verify(&path).unwrap();
    assert_eq!(verified.events, 3);
    assert_eq!(crate::hex(&verified.head_hash), "694d01d545c32b9a536185ba9fda15b13dc4c5fdb425ab17af8dc431aff3a3a6");
    let log = EventLog::open(&path).unwrap();
    let last = log.read_from(3).next().unwrap().unwrap();
    assert_eq!(last.event, json!({"act": "grant", "to": "山田太郎", "scope": ["read", 3, null, 1.5]}));
    assert_eq!(log.append(AT, &[json!({})]).unwrap(), 4);
}
