//! Bit stuffing: no two bytes of a codeword segment may look like a marker (T.814 7.1.3 and 7.1.4).

use super::bits::eight_bytes;

type VlcPass = fn(&[u8], usize, &mut Vec<u8>) -> (u8, u32);

/// The two passes, as a kernel has them.
pub(super) struct Stuffing {
    /// As [`magsgn`].
    pub(super) magsgn: fn(&[u8], usize, &mut Vec<u8>),
    /// As [`vlc`].
    pub(super) vlc: VlcPass,
}

/// The passes of this file.
pub(super) const SCALAR: Stuffing = Stuffing { magsgn, vlc };

/// Copies the first `length` bits of `bits` as the MagSgn segment: after a byte 0xFF only 7 bits are put in the next. The
/// last byte is filled with ones, which must follow in `bits`; a last 0xFF is left out, as a reader supplies it.
pub(super) fn magsgn(bits: &[u8], length: usize, out: &mut Vec<u8>) {
    let start = out.len();
    let mut position = 0;
    while position < length {
        let eight = eight_bytes(bits, position);
        if position + 64 <= length && !has_zero_byte(!eight) {
            out.extend_from_slice(&eight.to_le_bytes());
            position += 64;
            continue;
        }
        out.push(eight as u8);
        position += 8;
        if eight as u8 == 0xFF && position < length {
            out.push(eight_bytes(bits, position) as u8 & 0x7F);
            position += 7;
        }
    }
    if out.len() > start && out.last() == Some(&0xFF) {
        out.pop();
    }
}

/// A necessary and sufficient test, as nothing is asked about which byte.
fn has_zero_byte(word: u64) -> bool {
    word.wrapping_sub(0x0101_0101_0101_0101) & !word & 0x8080_8080_8080_8080 != 0
}

/// Copies the first `length` bits of `bits` as the VLC segment, in the order in which a reader takes its bytes (which is
/// backwards): after a byte above 0x8F, one whose low 7 bits are ones holds no more. Answers the byte that is not yet full
/// and how many bits it has, 0 to 7.
pub(super) fn vlc(bits: &[u8], length: usize, out: &mut Vec<u8>) -> (u8, u32) {
    let mut position = 0;
    // The byte before the first holds the upper bits of Scup; a writer takes it for 0xFF (T.814 7.1.4).
    let mut last = 0xFF;
    while length - position >= 8 {
        let eight = eight_bytes(bits, position);
        if length - position >= 64 && !any_stuffed(eight, last) {
            out.extend_from_slice(&eight.to_le_bytes());
            position += 64;
            last = (eight >> 56) as u8;
            continue;
        }
        last = vlc_byte(bits, &mut position, last);
        out.push(last);
    }
    let rest = (length - position) as u32;
    let partial = eight_bytes(bits, position) as u8 & ((1u32 << rest) - 1) as u8;
    if rest == 7 && partial == 0x7F && last > 0x8F {
        out.push(partial);
        return (0, 0);
    }
    (partial, rest)
}

/// Whether some of eight bytes has seven ones and follows one above 0x8F.
fn any_stuffed(eight: u64, last: u8) -> bool {
    const LOW: u64 = 0x7F7F_7F7F_7F7F_7F7F;
    const TOP: u64 = 0x8080_8080_8080_8080;
    let before = eight << 8 | u64::from(last);
    let ones = (eight & LOW) + 0x0101_0101_0101_0101;
    let above = before & ((before & LOW) + 0x7070_7070_7070_7070);
    ones & above & TOP != 0
}

fn vlc_byte(bits: &[u8], position: &mut usize, last: u8) -> u8 {
    let byte = eight_bytes(bits, *position) as u8;
    if last > 0x8F && byte & 0x7F == 0x7F {
        *position += 7;
        return 0x7F;
    }
    *position += 8;
    byte
}
