//! Bit stuffing, 64 bytes at a time ([`crate::block::encode::stuffing`] is the reference).

use std::arch::x86_64::*;

use crate::block::encode::bits::SLACK_BYTES;
use crate::block::encode::stuffing::Stuffing;
use crate::simd::Level;

/// The passes of this file.
pub(in crate::block::encode) const STUFFING: Stuffing = Stuffing { magsgn, vlc };

/// As [`crate::block::encode::stuffing::magsgn`].
fn magsgn(bits: &[u8], length: usize, out: &mut Vec<u8>) {
    assert!(Level::best() == Level::Avx512, "the machine has AVX-512");
    assert!(length / 8 + SLACK_BYTES / 2 <= bits.len(), "64 bytes can be read from the last bit");
    let start = out.len();
    // Each 8 bytes may grow by one; a store of 64 may begin at the last.
    out.reserve(length / 8 * 8 / 7 + 2 * 64 + 8);
    // SAFETY: the features are there, the bytes can be read, and the room is reserved.
    unsafe {
        let written = magsgn_unchecked(bits.as_ptr(), length, out.as_mut_ptr().add(start));
        out.set_len(start + written);
    }
    if out.len() > start && out.last() == Some(&0xFF) {
        out.pop();
    }
}

/// 64 bytes from bit `position` on.
///
/// # Safety
/// 72 bytes can be read there.
#[inline]
#[target_feature(enable = "avx512vbmi2,avx512vbmi,avx512cd,avx512dq,avx512vl,bmi1,bmi2,lzcnt,popcnt")]
unsafe fn window(bits: *const u8, position: usize) -> __m512i {
    // SAFETY: as the caller promises.
    let (low, high) = unsafe {
        let at = bits.add(position / 8);
        (_mm512_loadu_si512(at.cast()), _mm512_loadu_si512(at.add(8).cast()))
    };
    _mm512_shrdv_epi64(low, high, _mm512_set1_epi64((position % 8) as i64))
}

/// # Safety
/// 72 bytes can be read from the last bit on; `length` / 7 + 128 bytes can be written.
#[target_feature(enable = "avx512vbmi2,avx512vbmi,avx512cd,avx512dq,avx512vl,bmi1,bmi2,lzcnt,popcnt")]
unsafe fn magsgn_unchecked(bits: *const u8, length: usize, out: *mut u8) -> usize {
    let (mut position, mut written) = (0, 0);
    while position < length {
        // SAFETY: `position` is below `length`; `written` is at most position / 7.
        unsafe {
            let bytes = window(bits, position);
            _mm512_storeu_si512(out.add(written).cast(), bytes);
            let ones = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(-1));
            let left = (length - position).div_ceil(8);
            if ones == 0 {
                position += 512;
                written += left.min(64);
                continue;
            }
            let good = ones.trailing_zeros() as usize + 1;
            if good >= left {
                return written + left;
            }
            position += 8 * good;
            written += good;
            let next = bits.add(position / 8).cast::<u16>().read_unaligned() >> (position % 8);
            *out.add(written) = next as u8 & 0x7F;
            position += 7;
            written += 1;
        }
    }
    written
}

/// As [`crate::block::encode::stuffing::vlc`].
fn vlc(bits: &[u8], length: usize, out: &mut Vec<u8>) -> (u8, u32) {
    assert!(Level::best() == Level::Avx512, "the machine has AVX-512");
    assert!(length / 8 + SLACK_BYTES / 2 <= bits.len(), "64 bytes can be read from the last bit");
    let start = out.len();
    out.reserve(length / 8 * 8 / 7 + 2 * 64 + 8);
    // SAFETY: the features are there, the bytes can be read, and the room is reserved.
    unsafe {
        let (written, partial) = vlc_unchecked(bits.as_ptr(), length, out.as_mut_ptr().add(start));
        out.set_len(start + written);
        partial
    }
}

/// # Safety
/// As [`magsgn_unchecked`].
#[target_feature(enable = "avx512vbmi2,avx512vbmi,avx512cd,avx512dq,avx512vl,bmi1,bmi2,lzcnt,popcnt")]
unsafe fn vlc_unchecked(bits: *const u8, length: usize, out: *mut u8) -> (usize, (u8, u32)) {
    let (mut position, mut written) = (0, 0);
    let mut above = 1u64;
    loop {
        let left = (length - position) / 8;
        // SAFETY: `position` is at most `length`; `written` is at most position / 7.
        unsafe {
            let bytes = window(bits, position);
            _mm512_storeu_si512(out.add(written).cast(), bytes);
            let high = _mm512_cmpgt_epu8_mask(bytes, _mm512_set1_epi8(0x8F_u8 as i8));
            let low = _mm512_and_si512(bytes, _mm512_set1_epi8(0x7F));
            let ones = _mm512_cmpeq_epi8_mask(low, _mm512_set1_epi8(0x7F));
            let stuffed = ones & (high << 1 | above);
            let good = (stuffed.trailing_zeros() as usize).min(left);
            if good == 64 {
                position += 512;
                written += 64;
                above = high >> 63;
                continue;
            }
            position += 8 * good;
            written += good;
            let rest = (length - position) as u32;
            let next = *out.add(written);
            if stuffed >> good & 1 == 1 && rest >= 7 {
                *out.add(written) = 0x7F;
                written += 1;
                position += 7;
                above = 0;
                continue;
            }
            return (written, (next & ((1u32 << rest) - 1) as u8, rest));
        }
    }
}
