//! What a reader keeps in memory of packs: their directories, and the DICOM JSON of series that are looked at.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;

use crate::pack::PackDirectory;

/// Instances whose pack directories are kept in memory at the most (one pack may have more): about 1.5 kB each.
const DIRECTORY_INSTANCES_MAX: usize = 50_000;

/// Bytes of DICOM JSON that are kept once decompressed: of a series that is looked at, it is asked for again and again.
const DOCUMENT_BYTES_MAX: usize = 32 << 20;

/// Pack directories by number, the oldest forgotten first. Packs are immutable, so an entry is never wrong.
#[derive(Debug, Default)]
pub(super) struct Directories {
    by_number: HashMap<u64, Arc<PackDirectory>>,
    order: VecDeque<u64>,
    instances: usize,
}

impl Directories {
    pub(super) fn find(&self, number: u64) -> Option<Arc<PackDirectory>> {
        self.by_number.get(&number).map(Arc::clone)
    }

    pub(super) fn keep(&mut self, number: u64, directory: &Arc<PackDirectory>) {
        if self.by_number.insert(number, Arc::clone(directory)).is_none() {
            self.order.push_back(number);
            self.instances += directory.instances.len();
        }
        while self.instances > DIRECTORY_INSTANCES_MAX && self.order.len() > 1 {
            let oldest = self.order.pop_front().and_then(|oldest| self.by_number.remove(&oldest));
            self.instances -= oldest.map_or(0, |oldest| oldest.instances.len());
        }
    }
}

/// The DICOM JSON objects of a series in a pack: pack, series document.
pub(super) type SeriesKey = (u64, u32);

/// Decompressed series documents, the longest unused forgotten first. Packs are immutable, so an entry is never wrong.
#[derive(Debug, Default)]
pub(super) struct Documents {
    kept: VecDeque<(SeriesKey, Arc<[Bytes]>)>,
    bytes: usize,
}

impl Documents {
    pub(super) fn find(&mut self, key: SeriesKey) -> Option<Arc<[Bytes]>> {
        let at = self.kept.iter().position(|(of, _)| *of == key)?;
        let found = self.kept.remove(at)?;
        let documents = Arc::clone(&found.1);
        self.kept.push_front(found);
        Some(documents)
    }

    pub(super) fn keep(&mut self, key: SeriesKey, documents: &Arc<[Bytes]>) {
        if size(documents) > DOCUMENT_BYTES_MAX || self.kept.iter().any(|(of, _)| *of == key) {
            return;
        }
        self.bytes += size(documents);
        self.kept.push_front((key, Arc::clone(documents)));
        while self.bytes > DOCUMENT_BYTES_MAX {
            let Some((_, oldest)) = self.kept.pop_back() else { break };
            self.bytes -= size(&oldest);
        }
    }
}

fn size(documents: &[Bytes]) -> usize {
    documents.iter().map(Bytes::len).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_kept_up_to_so_many_bytes_the_last_used_longest() {
        // Proves the bound of the cache, and that what is asked for again stays.
        let series = |bytes: usize| -> Arc<[Bytes]> { vec![Bytes::from(vec![0; bytes])].into() };
        let mut cache = Documents::default();
        let third = DOCUMENT_BYTES_MAX / 3;
        for number in 0..3 {
            cache.keep((number, 0), &series(third));
        }
        assert!(cache.find((0, 0)).is_some());
        cache.keep((3, 0), &series(third));
        assert_eq!((cache.find((1, 0)).is_some(), cache.find((0, 0)).is_some(), cache.kept.len()), (false, true, 3));
        cache.keep((4, 0), &series(DOCUMENT_BYTES_MAX + 1));
        assert!(cache.find((4, 0)).is_none() && cache.bytes <= DOCUMENT_BYTES_MAX);
    }
}
