//! The three segments of a cleanup pass and how they are joined (T.814 7.1.1, Figure 1).

use super::bits::BitBuffer;
use super::mel::Mel;
use super::stuffing::Stuffing;

/// More than a code-block of 4096 coefficients of 32 bits can have.
const MAGSGN_BYTES_MAX: usize = 4096 * 4;
/// More than 1300 quads can have: a block of odd width has up to so many, each at most 7 bits CxtVLC and 8 bits U-VLC.
const VLC_BYTES_MAX: usize = 1300 * 15 / 8 + 1;
/// What the 12 bits of Scup may say (T.814 7.1.1).
const SUFFIX_BYTES_MAX: usize = 4079;

/// The segments while a code-block is coded; used again for the next.
pub(super) struct Segments {
    /// MagSgn bits, not yet stuffed.
    pub(super) magsgn: BitBuffer,
    /// VLC bits, not yet stuffed; a reader takes them from the end of the codeword segment backwards.
    pub(super) vlc: BitBuffer,
    /// MEL bytes.
    pub(super) mel: Mel,
    vlc_stuffed: Vec<u8>,
}

impl Segments {
    pub(super) fn new() -> Segments {
        Segments {
            magsgn: BitBuffer::with_room(MAGSGN_BYTES_MAX),
            vlc: BitBuffer::with_room(VLC_BYTES_MAX),
            mel: Mel::new(),
            vlc_stuffed: Vec::with_capacity(VLC_BYTES_MAX * 8 / 7 + 128),
        }
    }

    /// Begins a code-block. The VLC segment begins with four ones where the low bits of Scup will stand.
    pub(super) fn clear(&mut self) {
        self.magsgn.clear();
        self.vlc.clear();
        self.vlc.append(0xF, 4);
        self.mel.clear();
        self.vlc_stuffed.clear();
    }

    /// Appends the codeword segment to `out`: MagSgn, MEL, VLC backwards, Scup in the last 12 bits.
    pub(super) fn finish(&mut self, stuffing: &Stuffing, out: &mut Vec<u8>) {
        let length = self.magsgn.finish(true);
        (stuffing.magsgn)(&self.magsgn.bytes, length, out);
        let length = self.vlc.finish(false);
        let (vlc_partial, vlc_bits) = (stuffing.vlc)(&self.vlc.bytes, length, &mut self.vlc_stuffed);
        self.join(vlc_partial, vlc_bits);
        let suffix = self.mel.bytes.len() + self.vlc_stuffed.len() + 1;
        assert!(suffix <= SUFFIX_BYTES_MAX, "MEL and VLC of 4096 coefficients fit");
        self.vlc_stuffed[0] = self.vlc_stuffed[0] & 0xF0 | (suffix & 0xF) as u8;
        out.extend_from_slice(&self.mel.bytes);
        out.extend(self.vlc_stuffed.iter().rev());
        out.push((suffix >> 4) as u8);
    }

    /// Puts the unfinished bytes of MEL and VLC in one where they do not contradict each other, in two else. The VLC byte
    /// that holds bits of Scup is no place for MEL.
    fn join(&mut self, vlc_partial: u8, vlc_bits: u32) {
        let (mel_partial, mel_mask) = self.mel.finish();
        let vlc_mask = ((1u32 << vlc_bits) - 1) as u8;
        if mel_mask | vlc_mask == 0 {
            return;
        }
        let both = mel_partial | vlc_partial;
        let agree = (both ^ mel_partial) & mel_mask | (both ^ vlc_partial) & vlc_mask == 0;
        self.mel.bytes.push(mel_partial);
        if agree && both != 0xFF && !self.vlc_stuffed.is_empty() {
            *self.mel.bytes.last_mut().unwrap_or(&mut 0) = both;
        } else {
            self.vlc_stuffed.push(vlc_partial);
        }
    }
}
