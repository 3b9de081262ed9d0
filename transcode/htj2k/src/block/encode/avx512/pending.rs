//! Words that a group of quads has made and that are not yet appended.

use super::super::segments::Segments;
use crate::block::encode::append::Appender;

/// Words of one kind in order, and their lengths.
#[repr(C, align(64))]
pub(super) struct Words<const N: usize> {
    pub(super) words: [u64; N],
    pub(super) bits: [u16; N],
    /// How many there are; the others have stale words.
    pub(super) count: usize,
}

impl<const N: usize> Words<N> {
    fn none() -> Words<N> {
        Words { words: [0; N], bits: [0; N], count: 0 }
    }

    /// Appends the words of eighth-group `group` that there are.
    ///
    /// # Safety
    /// The buffer has room for them, and 8 bytes more.
    #[inline(always)]
    unsafe fn append(&self, group: usize, to: &mut Appender) {
        let (words, bits) = (&self.words[8 * group..][..8], &self.bits[8 * group..][..8]);
        let append = |range: std::ops::Range<usize>, to: &mut Appender| {
            // SAFETY: as the caller promises.
            range.for_each(|i| unsafe { to.append(words[i], u32::from(bits[i])) });
        };
        match self.count.saturating_sub(8 * group) {
            8.. => append(0..8, to),
            fewer => append(0..fewer, to),
        }
    }
}

/// The words of the group before, which are appended while the next is computed: the two have nothing to do with each
/// other, so neither waits.
pub(super) struct Pending {
    pub(super) vlc: Words<8>,
    pub(super) magsgn: Words<32>,
    to_vlc: Appender,
    to_magsgn: Appender,
}

impl Pending {
    pub(super) fn of(segments: &mut Segments) -> Pending {
        Pending {
            vlc: Words::none(),
            magsgn: Words::none(),
            to_vlc: Appender::of(&mut segments.vlc),
            to_magsgn: Appender::of(&mut segments.magsgn),
        }
    }

    /// Appends words 8 * `group` to 8 * `group` + 7 of MagSgn.
    ///
    /// # Safety
    /// The segments have room for them, and 8 bytes more.
    #[inline(always)]
    pub(super) unsafe fn append_magsgn(&mut self, group: usize) {
        // SAFETY: as the caller promises.
        unsafe { self.magsgn.append(group, &mut self.to_magsgn) }
    }

    /// Appends all words of VLC.
    ///
    /// # Safety
    /// As [`Pending::append_magsgn`].
    #[inline(always)]
    pub(super) unsafe fn append_vlc(&mut self) {
        // SAFETY: as the caller promises.
        unsafe { self.vlc.append(0, &mut self.to_vlc) }
    }

    pub(super) fn put_back(self, segments: &mut Segments) {
        self.to_magsgn.put_back(&mut segments.magsgn);
        self.to_vlc.put_back(&mut segments.vlc);
    }
}
