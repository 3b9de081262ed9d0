//! Metadata and bulk data of one request until they are whole: an instance is built the moment its last part is there,
//! and its parts let go of.

use std::collections::BTreeMap;

use archive::Body;

use crate::door::InstanceUids;
use crate::error::CANNOT_UNDERSTAND;

use super::metadata::{
    self, Attribute, Attributes, Bulk, Content, Fault, Location, PIXEL_DATA, Segment, part10, parts_expected, pixels,
};

/// What is there so far.
#[derive(Debug, Default)]
pub struct Assembly {
    pending: Vec<Option<Pending>>,
    /// By URI: frame, if named, and part, in the order they came.
    parts: BTreeMap<String, Vec<(Option<u32>, Bulk)>>,
    /// The instances that still want a URI.
    wanted: BTreeMap<String, Vec<usize>>,
    memory_bytes: u64,
}

/// An instance that waits for its parts.
#[derive(Debug)]
struct Pending {
    attributes: Attributes,
    uris: Vec<String>,
    pixels: Option<String>,
}

/// An instance with all its parts: what [`Whole::build`] needs, away from the async threads.
#[derive(Debug)]
pub struct Whole {
    attributes: Attributes,
    pixels: Vec<Bulk>,
    bulk: BTreeMap<String, Vec<(Option<u32>, Bulk)>>,
}

/// Why an instance was not built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotBuilt {
    /// Failure Reason (0008,1197).
    pub code: u16,
    /// What is wrong with it.
    pub fault: Fault,
    /// What it says it is.
    pub uids: InstanceUids,
}

impl Assembly {
    /// Bytes of parts that are held in memory.
    pub fn memory_bytes(&self) -> u64 {
        self.memory_bytes
    }

    /// Adds an instance; answers it if it wants nothing more.
    pub fn instance(&mut self, attributes: Attributes) -> Option<Whole> {
        let mut uris: Vec<String> =
            metadata::uris(&attributes).into_iter().map(|uri| Location::of(uri).uri().to_owned()).collect();
        uris.sort_unstable();
        uris.dedup();
        let pixels = match attributes.get(&PIXEL_DATA) {
            Some(Attribute { content: Content::Bulk(uri), .. }) => Some(Location::of(uri).uri().to_owned()),
            _ => None,
        };
        for uri in &uris {
            self.wanted.entry(uri.clone()).or_default().push(self.pending.len());
        }
        self.pending.push(Some(Pending { attributes, uris, pixels }));
        self.take_if_whole(self.pending.len() - 1)
    }

    /// Adds a part; answers the instances that are whole by it.
    pub fn part(&mut self, location: &Location, bulk: Bulk) -> Vec<Whole> {
        self.memory_bytes += in_memory(&bulk.body);
        self.parts.entry(location.uri().to_owned()).or_default().push((location.frame(), bulk));
        let touched = self.wanted.get(location.uri()).cloned().unwrap_or_default();
        touched.into_iter().filter_map(|at| self.take_if_whole(at)).collect()
    }

    /// What is still waiting when no part comes any more; building it says what is missing.
    pub fn rest(mut self) -> Vec<Whole> {
        (0..self.pending.len()).filter_map(|at| self.take(at)).collect()
    }

    fn take_if_whole(&mut self, at: usize) -> Option<Whole> {
        let pending = self.pending.get(at)?.as_ref()?;
        let there = |uri: &String| {
            let parts = self.parts.get(uri).map_or(&[][..], Vec::as_slice);
            let expected = match parts.first() {
                Some((_, first)) if pending.pixels.as_ref() == Some(uri) => {
                    parts_expected(&pending.attributes, &first.kind)
                }
                _ => 1,
            };
            parts.len() >= expected
        };
        if pending.uris.iter().all(there) { self.take(at) } else { None }
    }

    fn take(&mut self, at: usize) -> Option<Whole> {
        let Pending { attributes, uris, pixels } = self.pending.get_mut(at)?.take()?;
        let mut bulk = BTreeMap::new();
        for uri in uris {
            let wanted = self.wanted.get_mut(&uri).is_some_and(|wanted| {
                wanted.retain(|one| *one != at);
                !wanted.is_empty()
            });
            let parts = if !wanted { self.parts.remove(&uri) } else { self.parts.get(&uri).cloned() };
            if !wanted {
                let freed: u64 = parts.iter().flatten().map(|(_, bulk)| in_memory(&bulk.body)).sum();
                self.memory_bytes = self.memory_bytes.saturating_sub(freed);
            }
            bulk.insert(uri, parts.unwrap_or_default());
        }
        let mut frames = pixels.and_then(|uri| bulk.get(&uri).cloned()).unwrap_or_default();
        frames.sort_by_key(|(frame, _)| *frame);
        Some(Whole { attributes, pixels: frames.into_iter().map(|(_, part)| part).collect(), bulk })
    }
}

fn in_memory(body: &Body) -> u64 {
    match body {
        Body::Memory(bytes) => bytes.len() as u64,
        Body::Spooled(..) => 0,
    }
}

impl Whole {
    /// The file. Reads and perhaps decodes: not for an async thread.
    ///
    /// # Errors
    /// What is missing or wrong.
    pub fn build(mut self) -> Result<Vec<Segment>, Box<NotBuilt>> {
        let uids = uids_of(&self.attributes);
        let not_built = |code, fault| Box::new(NotBuilt { code, fault, uids: uids.clone() });
        let pixels = pixels(&mut self.attributes, &self.pixels).map_err(|(code, fault)| not_built(code, fault))?;
        let find = |uri: &str| {
            let parts = self.bulk.get(Location::of(uri).uri())?;
            parts.first().map(|(_, bulk)| bulk.body.clone())
        };
        part10(&self.attributes, pixels.as_ref(), &find).map_err(|fault| not_built(CANNOT_UNDERSTAND, fault))
    }
}

/// What an instance's metadata say it is.
fn uids_of(attributes: &Attributes) -> InstanceUids {
    let uid = |group, element| {
        let uid = metadata::text(attributes, transcode::data_set::Tag(group, element));
        if crate::admit::is_key(uid) { uid.to_owned() } else { String::new() }
    };
    InstanceUids {
        sop_class_uid: uid(0x0008, 0x0016),
        sop_instance_uid: uid(0x0008, 0x0018),
        study_instance_uid: uid(0x0020, 0x000D),
        series_instance_uid: uid(0x0020, 0x000E),
    }
}
