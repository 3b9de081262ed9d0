//! What is sent: a part of a generated night, made before any clock runs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use bytes::Bytes;
use datasets::{Scale, Study, night};

/// A parcel is one request or one association: at most so much of one study, as a sender would cut it.
const PARCEL_BYTES_MAX: usize = 32 << 20;
/// The delimiter of parts; no generated file has it.
pub const BOUNDARY: &str = "tsunagu-bench-5f0c1b7e9d3a";

/// Generated studies, ready to be sent by either door.
pub struct Corpus {
    /// In the order they are sent.
    pub parcels: Vec<Parcel>,
    /// Every (SOP Class UID, Transfer Syntax UID) there is.
    pub contexts: BTreeSet<(String, String)>,
    studies: usize,
    /// Files and bytes by kind of study.
    kinds: BTreeMap<String, (usize, u64)>,
}

/// A part of one study.
pub struct Parcel {
    /// The multipart/related body with all instances.
    pub body: Bytes,
    /// Bytes of the Part 10 files in it.
    pub bytes: u64,
    /// The instances, as slices of the body.
    pub instances: Vec<Instance>,
}

/// One instance, taken apart as C-STORE sends it.
pub struct Instance {
    /// SOP Class UID.
    pub class: String,
    /// SOP Instance UID.
    pub uid: String,
    /// Transfer Syntax UID.
    pub transfer_syntax: String,
    /// The Data Set, without preamble and group 0002.
    pub data_set: Bytes,
}

impl Corpus {
    /// Studies of a night until there are `megabytes` of them.
    pub fn generate(seed: u64, megabytes: u64) -> Corpus {
        let mut corpus = Corpus { parcels: Vec::new(), contexts: BTreeSet::new(), studies: 0, kinds: BTreeMap::new() };
        for study in night(10_000, seed, Scale::Full) {
            corpus.add(&study);
            if corpus.bytes() >= megabytes * 1_000_000 {
                break;
            }
        }
        corpus
    }

    fn add(&mut self, study: &Study) {
        let (mut files, mut gathered) = (Vec::new(), 0);
        for file in study.files() {
            let kind = self.kinds.entry(format!("{:?}", study.kind)).or_default();
            *kind = (kind.0 + 1, kind.1 + file.bytes.len() as u64);
            if gathered + file.bytes.len() > PARCEL_BYTES_MAX && !files.is_empty() {
                self.parcels.push(Parcel::new(&std::mem::take(&mut files)));
                gathered = 0;
            }
            gathered += file.bytes.len();
            files.push(file.bytes);
        }
        self.parcels.push(Parcel::new(&files));
        self.studies += 1;
        let contexts = self.parcels.iter().flat_map(|parcel| &parcel.instances);
        self.contexts.extend(contexts.map(|instance| (instance.class.clone(), instance.transfer_syntax.clone())));
    }

    /// Instances in all.
    pub fn instances(&self) -> usize {
        self.parcels.iter().map(|parcel| parcel.instances.len()).sum()
    }

    /// Bytes of all Part 10 files.
    pub fn bytes(&self) -> u64 {
        self.parcels.iter().map(|parcel| parcel.bytes).sum()
    }
}

impl fmt::Display for Corpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mb, instances) = (self.bytes() as f64 / 1e6, self.instances());
        write!(f, "{} studies, {instances} instances, {mb:.1} MB, in {} parcels:", self.studies, self.parcels.len())?;
        for (kind, (files, bytes)) in &self.kinds {
            write!(f, " {kind} {files} ({:.0} MB)", *bytes as f64 / 1e6)?;
        }
        Ok(())
    }
}

impl Parcel {
    fn new(files: &[Vec<u8>]) -> Parcel {
        let mut body = Vec::with_capacity(files.iter().map(|file| file.len() + 128).sum::<usize>() + 64);
        let mut spans = Vec::new();
        for file in files {
            body.extend_from_slice(format!("\r\n--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n").as_bytes());
            spans.push(body.len()..body.len() + file.len());
            body.extend_from_slice(file);
        }
        body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
        let body = Bytes::from(body);
        let instances = spans.into_iter().map(|span| Instance::new(body.slice(span))).collect();
        Parcel { bytes: files.iter().map(|file| file.len() as u64).sum(), body, instances }
    }
}

impl Instance {
    /// Takes a Part 10 file apart (PS3.10 §7.1). Ours is the generator, so the file is as it should be.
    fn new(file: Bytes) -> Instance {
        let group_length = u32::from_le_bytes([file[140], file[141], file[142], file[143]]) as usize;
        let group = &file[144..144 + group_length];
        let (class, uid) = (uid_of(group, 0x0002), uid_of(group, 0x0003));
        Instance { class, uid, transfer_syntax: uid_of(group, 0x0010), data_set: file.slice(144 + group_length..) }
    }
}

/// The value of (0002,element), a UI with a 16-bit length.
fn uid_of(group: &[u8], element: u8) -> String {
    let head = [2, 0, element, 0, b'U', b'I'];
    let at = group.windows(6).position(|window| window == head).expect("generated files have these");
    let length = usize::from(u16::from_le_bytes([group[at + 6], group[at + 7]]));
    String::from_utf8_lossy(&group[at + 8..at + 8 + length]).trim_end_matches('\0').to_owned()
}
