//! The passes as T.814 7.3 to 7.5 write them, quad by quad and sample by sample: what tests hold every level against.

pub(super) mod readers;
mod refinement;

use super::output::{Area, Output};
use super::tables::{ABOVE, CONTEXT, EVENT, FIRST_QUADS, MEL_EXPONENTS, OTHER_QUADS, PREFIXES, WEST};
use super::{BlockJob, Cleanup, DamagedBlock, Met, TOO_LARGE, VLC_OVERRUN};
use readers::{Forward, Reverse};

/// As [`super::BlockDecoder::decode`], one job after the other.
pub(super) fn batch<O: Output>(
    jobs: &[BlockJob<'_>],
    out: &mut [O],
    stride: usize,
    scale: impl Fn(&BlockJob<'_>) -> O::Scale,
) -> Result<u8, DamagedBlock> {
    let mut scratch = Scratch::default();
    let mut met = Met::default();
    for job in jobs {
        let mut area = Area::new(out, job.offset, stride, job.width, job.height);
        let bits = match Cleanup::new(job) {
            Ok(Some(segment)) => decode(&mut scratch, &segment, &mut area, scale(job)),
            Ok(None) => Ok(0),
            Err(detail) => Err(detail),
        };
        if bits == Ok(0) || bits.is_err() {
            area.clear();
        } else if job.refined() {
            refinement::refine(&scratch.rho, job, &mut area, scale(job));
        }
        met.add::<O>(bits, scale(job));
    }
    met.result()
}

/// What is kept between code-blocks.
#[derive(Debug, Default)]
struct Scratch {
    /// Significance of every quad, row by row; rows are [`quads_wide`] long.
    rho: Vec<u16>,
    /// What the next quad row's contexts need of the row above: exponents of its lower samples, by column from 1.
    exponents: Vec<u8>,
}

/// Quads of a row, made even, for VLC takes them in pairs.
fn quads_wide(width: usize) -> usize {
    width.div_ceil(4) * 2
}

/// One quad as VLC tells of it.
#[derive(Clone, Copy, Debug, Default)]
struct Quad {
    /// rho, e_k, e_1 and u_off, four bits each.
    said: u32,
    /// u_q.
    u: u32,
}

/// Decodes one cleanup segment; the most bits that a magnitude may have, or what contradicts the standard.
fn decode<O: Output>(
    scratch: &mut Scratch,
    segment: &Cleanup<'_>,
    area: &mut Area<'_, O>,
    scale: O::Scale,
) -> Result<u8, &'static str> {
    let (width, height) = (area.width(), area.height());
    let (wide, in_row) = (quads_wide(width), width.div_ceil(2));
    scratch.rho.clear();
    scratch.rho.resize(wide * height.div_ceil(2), 0);
    scratch.exponents.clear();
    scratch.exponents.resize(2 * wide + 2, 0);
    let mut vlc = Suffix::new(segment.suffix);
    let mut magsgn = Forward::new(segment.magsgn, 0xFF);
    let mut row = [Quad::default(); 512];
    let mut met = 0;
    for y in 0..height.div_ceil(2) {
        let (above, current) = scratch.rho.split_at_mut(y * wide);
        let row = &mut row[..wide];
        if y == 0 {
            vlc.first_row(row, in_row);
        } else {
            vlc.other_row(row, in_row, &above[(y - 1) * wide..]);
        }
        for (rho, quad) in current.iter_mut().zip(&*row) {
            *rho = (quad.said & 15) as u16;
        }
        let bits = magsgn_row(&mut magsgn, row, &mut scratch.exponents, y, area, scale)?;
        met = met.max(bits);
    }
    if vlc.vlc.overrun() { Err(VLC_OVERRUN) } else { Ok(met) }
}

/// MEL and VLC of one code-block.
struct Suffix<'a> {
    mel: Mel<'a>,
    vlc: Reverse<'a>,
}

impl Suffix<'_> {
    fn new(suffix: &[u8]) -> Suffix<'_> {
        let (bytes, last_two) = suffix.split_at(suffix.len() - 2);
        let mut vlc = Reverse::new(bytes, last_two[0] | 15);
        // The upper half of the byte that holds the low half of Scup begins VLC; its lower half reads as ones.
        let upper = u64::from(last_two[0] >> 4);
        vlc.put(upper, if upper & 7 == 7 { 3 } else { 4 });
        Suffix { mel: Mel::new(bytes, last_two[0] | 15), vlc }
    }

    /// One quad in the context of index bits 7 to 9; its entry.
    fn quad(&mut self, table: &[u32; 2048], context: u32) -> u32 {
        let event = if context == 0 { self.mel.event() } else { true };
        let entry = table[(self.vlc.peek() as u32 & 127 | context | if event { EVENT } else { 0 }) as usize];
        self.vlc.skip(entry & 63);
        entry
    }

    /// T.814 7.3.5 and 7.3.6 in the first quad row.
    fn first_row(&mut self, row: &mut [Quad], quads: usize) {
        let mut context = 0;
        for pair in 0..row.len() / 2 {
            let mut entries = [0; 2];
            for entry in entries.iter_mut().take(quads - 2 * pair) {
                *entry = self.quad(&FIRST_QUADS, context);
                context = *entry & CONTEXT;
            }
            let off = entries.map(|entry| entry >> 28);
            let u = match off {
                [1, 1] if self.mel.event() => self.residuals(off).map(|u| u + 2),
                [1, 1] => self.first_residuals(),
                _ => self.residuals(off),
            };
            for (n, quad) in row[2 * pair..][..2].iter_mut().enumerate() {
                *quad = Quad { said: entries[n] >> 16, u: u[n] };
            }
        }
    }

    /// T.814 7.3.5 and 7.3.6 in all other quad rows.
    fn other_row(&mut self, row: &mut [Quad], quads: usize, above: &[u16]) {
        let lower = |column: isize| -> u32 {
            let quad = usize::try_from(column >> 1).ok().and_then(|quad| above.get(quad)).copied().unwrap_or(0);
            u32::from(quad) >> (if column & 1 == 0 { 1 } else { 3 }) & 1
        };
        let mut west = 0;
        for pair in 0..row.len() / 2 {
            let mut entries = [0; 2];
            for (n, entry) in entries.iter_mut().enumerate().take(quads - 2 * pair) {
                let column = 2 * (2 * pair + n) as isize;
                let north = (lower(column - 1) | lower(column)) << 7 | (lower(column + 1) | lower(column + 2)) << 8;
                *entry = self.quad(&OTHER_QUADS, north & ABOVE | west);
                west = *entry & WEST;
            }
            let u = self.residuals(entries.map(|entry| entry >> 28));
            for (n, quad) in row[2 * pair..][..2].iter_mut().enumerate() {
                *quad = Quad { said: entries[n] >> 16, u: u[n] };
            }
        }
    }

    /// Both u of a pair, whose prefixes come before the suffixes (T.814 7.3.6).
    fn residuals(&mut self, off: [u32; 2]) -> [u32; 2] {
        let prefixes = off.map(|off| if off == 1 { self.prefix() } else { (0, 0) });
        prefixes.map(|prefix| self.suffix(prefix))
    }

    /// Both u of a pair of the first quad row where MEL says that not both are above 2.
    fn first_residuals(&mut self) -> [u32; 2] {
        let first = self.prefix();
        if first.1 <= 2 {
            let second = self.prefix();
            return [first, second].map(|prefix| self.suffix(prefix));
        }
        let second = self.vlc.take(1) as u32 + 1;
        [self.suffix(first), second]
    }

    /// Length of the suffix, and what the prefix says.
    fn prefix(&mut self) -> (u32, u32) {
        let (length, suffix, value) = PREFIXES[self.vlc.peek() as usize & 7];
        self.vlc.skip(u32::from(length));
        (u32::from(suffix), u32::from(value))
    }

    /// A u of more than 32, for which four bits more would follow, is beyond what any sample may have (see
    /// `exponent_bound_max`): it is left at that.
    fn suffix(&mut self, (length, value): (u32, u32)) -> u32 {
        value + self.vlc.take(length) as u32
    }
}

/// T.814 7.3.4 and 7.3.7 for one quad row: the exponent bounds, then MagSgn.
fn magsgn_row<O: Output>(
    magsgn: &mut Forward<'_>,
    row: &[Quad],
    exponents: &mut [u8],
    y: usize,
    area: &mut Area<'_, O>,
    scale: O::Scale,
) -> Result<u8, &'static str> {
    let (width, rows) = (area.width(), area.height() - 2 * y);
    let mut met = 0;
    // Exponents of columns 2q - 1 and 2q of the row above, which this row's own replace.
    let mut left = [exponents[0], exponents[1]];
    for (q, quad) in row.iter().enumerate() {
        let rho = quad.said & 15;
        let right = [exponents[2 * q + 2], exponents[2 * q + 3]];
        let above = u32::from(left[0].max(left[1]).max(right[0]).max(right[1]));
        let kappa = if rho & rho.wrapping_sub(1) == 0 { 1 } else { above.saturating_sub(1).max(1) };
        let bound = quad.u + kappa;
        if bound > O::exponent_bound_max(scale) {
            return Err(TOO_LARGE);
        }
        left = right;
        if rho != 0 {
            met = met.max(bound);
        }
        for n in 0..4usize {
            let (x, lower) = (2 * q + n / 2, n % 2);
            let mut value = O::default();
            let mut exponent = 0;
            if rho >> n & 1 == 1 {
                let bits = bound - (quad.said >> (4 + n) & 1);
                let coded = magsgn.take(bits) as u32 | (quad.said >> (8 + n) & 1) << bits;
                value = O::reconstruct((coded >> 1) + 1, coded & 1 == 1, scale);
                exponent = 32 - (coded | 1).leading_zeros();
            }
            if lower == 1 {
                exponents[x + 1] = exponent as u8;
            }
            if x < width && lower < rows {
                *area.sample(x, 2 * y + lower) = value;
            }
        }
    }
    Ok(met as u8)
}

/// The MEL decoder (T.814 7.3.3): its bits come most significant first, and after 0xFF a byte has 7.
#[derive(Debug)]
pub(super) struct Mel<'a> {
    bytes: &'a [u8],
    /// The byte after the last of `bytes`.
    end: Option<u8>,
    byte: u8,
    count: u32,
    state: usize,
    /// Events 0 that are still to come of this run, and whether a 1 comes after.
    run: u32,
    one: bool,
}

impl<'a> Mel<'a> {
    pub(super) fn new(bytes: &'a [u8], end: u8) -> Mel<'a> {
        Mel { bytes, end: Some(end), byte: 0, count: 0, state: 0, run: 0, one: false }
    }

    fn bit(&mut self) -> u32 {
        if self.count == 0 {
            self.count = if self.byte == 0xFF { 7 } else { 8 };
            self.byte = self.bytes.split_off_first().copied().or_else(|| self.end.take()).unwrap_or(0xFF);
        }
        self.count -= 1;
        u32::from(self.byte >> self.count & 1)
    }

    pub(super) fn event(&mut self) -> bool {
        if self.run == 0 && !self.one {
            let exponent = MEL_EXPONENTS[self.state];
            if self.bit() == 1 {
                self.run = 1 << exponent;
                self.state = (self.state + 1).min(12);
            } else {
                self.run = (0..exponent).fold(0, |run, _| run << 1 | self.bit());
                self.one = true;
                self.state = self.state.saturating_sub(1);
            }
        }
        if self.run > 0 {
            self.run -= 1;
            return false;
        }
        std::mem::take(&mut self.one)
    }
}

mod tests {
    use super::*;

    /// Runs grow with every bit 1 and end where a bit 0 says how long the last was.
    #[test]
    fn mel_runs_follow_the_states() {
        let mut mel = Mel::new(&[0b1110_1100], 0xFF);
        let events: Vec<bool> = (0..8).map(|_| mel.event()).collect();
        // Three runs of one; a 0 with one bit of length, so one event 0 and a 1; in state 2 a run of one again, then
        // a run of none and its 1; beyond the end a run of one.
        assert_eq!(events, [false, false, false, false, true, false, true, false]);
    }
}
