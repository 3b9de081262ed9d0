//! Words that a group of quads has made and that are not yet appended.
#![allow(unsafe_code, reason = "appends into room that the caller has proven")]

use super::append::Appender;
use crate::block::encode::segments::Segments;

/// Up to `N` words of one kind in order, and their lengths.
#[repr(C, align(64))]
pub(in crate::block::encode) struct Words<const N: usize> {
    pub(in crate::block::encode) words: [u64; N],
    pub(in crate::block::encode) bits: [u32; N],
    /// From here on, words are stale. Those of quads beyond the block have no bits.
    pub(in crate::block::encode) count: usize,
}

impl<const N: usize> Words<N> {
    fn none() -> Words<N> {
        Words { words: [0; N], bits: [0; N], count: 0 }
    }

    /// Appends `SIZE` words from word `SIZE` * `group` on, unless that is stale.
    ///
    /// # Safety
    /// The buffer has room for them, and 8 bytes more.
    #[inline(always)]
    unsafe fn append<const SIZE: usize>(&self, group: usize, to: &mut Appender) {
        let start = SIZE * group;
        if start >= self.count {
            return;
        }
        for (&word, &bits) in self.words[start..][..SIZE].iter().zip(&self.bits[start..][..SIZE]) {
            // SAFETY: as the caller promises.
            unsafe { to.append(word, bits) };
        }
    }
}

/// The words of the group before, `V` of VLC and up to `M` of MagSgn, which are appended while the next is computed: the
/// two have nothing to do with each other, so neither waits.
pub(in crate::block::encode) struct Pending<const V: usize, const M: usize> {
    pub(in crate::block::encode) vlc: Words<V>,
    pub(in crate::block::encode) magsgn: Words<M>,
    to_vlc: Appender,
    to_magsgn: Appender,
}

impl<const V: usize, const M: usize> Pending<V, M> {
    pub(in crate::block::encode) fn of(segments: &mut Segments) -> Pending<V, M> {
        Pending {
            vlc: Words::none(),
            magsgn: Words::none(),
            to_vlc: Appender::of(&mut segments.vlc),
            to_magsgn: Appender::of(&mut segments.magsgn),
        }
    }

    /// Appends a quarter of the MagSgn words: `group` is 0 to 3.
    ///
    /// # Safety
    /// The segments have room for them, and 8 bytes more.
    #[inline(always)]
    pub(in crate::block::encode) unsafe fn append_magsgn<const QUARTER: usize>(&mut self, group: usize) {
        const { assert!(QUARTER * 4 == M) };
        // SAFETY: as the caller promises.
        unsafe { self.magsgn.append::<QUARTER>(group, &mut self.to_magsgn) }
    }

    /// Appends the words of VLC.
    ///
    /// # Safety
    /// As [`Pending::append_magsgn`].
    #[inline(always)]
    pub(in crate::block::encode) unsafe fn append_vlc(&mut self) {
        // SAFETY: as the caller promises.
        unsafe { self.vlc.append::<V>(0, &mut self.to_vlc) }
    }

    pub(in crate::block::encode) fn put_back(self, segments: &mut Segments) {
        self.to_magsgn.put_back(&mut segments.magsgn);
        self.to_vlc.put_back(&mut segments.vlc);
    }
}
