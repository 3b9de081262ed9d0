//! An encoder written from the standard's text, bit by bit and with no regard to speed.

use crate::block::cxtvlc::{FIRST_ROW, OTHER_ROWS, Row};
use crate::block::decode::{BlockJob, tables};

/// A code-block's coefficients.
#[derive(Clone, Debug)]
pub(super) struct Block {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) samples: Vec<i32>,
}

impl Block {
    fn at(&self, x: isize, y: isize) -> i32 {
        let inside = (0..self.width as isize).contains(&x) && (0..self.height as isize).contains(&y);
        if inside { self.samples[y as usize * self.width + x as usize] } else { 0 }
    }
}

/// A block's segments with its first `passes` passes, the cleanup pass at `bit_plane`.
#[derive(Clone, Debug)]
pub(super) struct Coded {
    pub(super) cleanup: Vec<u8>,
    pub(super) refinement: Vec<u8>,
    pub(super) passes: u8,
    pub(super) bit_plane: u8,
    pub(super) causal: bool,
    pub(super) width: usize,
    pub(super) height: usize,
}

impl Coded {
    pub(super) fn job(&self, offset: usize) -> BlockJob<'_> {
        BlockJob {
            cleanup: &self.cleanup,
            refinement: &self.refinement,
            passes: self.passes,
            bit_plane: self.bit_plane,
            causal: self.causal,
            width: self.width,
            height: self.height,
            offset,
        }
    }
}

/// Bits forwards, one left out after 0xFF: MagSgn and significance propagation.
#[derive(Default)]
struct ForwardWriter {
    bytes: Vec<u8>,
    byte: u8,
    count: u8,
}

impl ForwardWriter {
    fn put(&mut self, bits: u32, count: u32) {
        for n in 0..count {
            self.byte |= ((bits >> n & 1) as u8) << self.count;
            self.count += 1;
            if self.count == if self.bytes.last() == Some(&0xFF) { 7 } else { 8 } {
                self.bytes.push(std::mem::take(&mut self.byte));
                self.count = 0;
            }
        }
    }

    fn finish(mut self, fill: u32) -> Vec<u8> {
        while self.count > 0 {
            self.put(fill, 1);
        }
        if fill == 1 && self.bytes.last() == Some(&0xFF) {
            self.bytes.pop();
        }
        self.bytes
    }
}

/// Bits backwards: VLC and magnitude refinement. The bytes come out in reading order.
struct ReverseWriter {
    bytes: Vec<u8>,
    byte: u8,
    count: u8,
    last: u8,
}

impl ReverseWriter {
    fn put(&mut self, bits: u32, count: u32) {
        for n in 0..count {
            self.byte |= ((bits >> n & 1) as u8) << self.count;
            self.count += 1;
            if self.count == 8 || (self.count == 7 && self.last > 0x8F && self.byte == 0x7F) {
                self.flush();
            }
        }
    }

    fn flush(&mut self) {
        self.last = self.byte;
        self.bytes.push(std::mem::take(&mut self.byte));
        self.count = 0;
    }

    fn finish(mut self) -> Vec<u8> {
        if self.count > 0 {
            self.flush();
        }
        self.bytes
    }
}

#[derive(Default)]
struct MelWriter {
    bytes: Vec<u8>,
    byte: u8,
    count: u8,
    state: usize,
    run: u32,
}

impl MelWriter {
    fn bit(&mut self, bit: u32) {
        self.byte = self.byte << 1 | bit as u8;
        self.count += 1;
        if self.count == if self.bytes.last() == Some(&0xFF) { 7 } else { 8 } {
            self.bytes.push(std::mem::take(&mut self.byte));
            self.count = 0;
        }
    }

    fn event(&mut self, event: bool) {
        let exponent = tables::MEL_EXPONENTS[self.state];
        if event {
            self.bit(0);
            (0..exponent).rev().for_each(|n| self.bit(self.run >> n & 1));
            self.state = self.state.saturating_sub(1);
            self.run = 0;
            return;
        }
        self.run += 1;
        if self.run == 1 << exponent {
            self.bit(1);
            self.state = (self.state + 1).min(12);
            self.run = 0;
        }
    }

    fn finish(mut self) -> Vec<u8> {
        if self.run > 0 {
            self.bit(1);
        }
        while self.count > 0 || self.bytes.last() == Some(&0xFF) {
            self.bit(0);
        }
        self.bytes
    }
}

/// One quad to code: magnitudes are those of the cleanup pass.
struct Quad {
    rho: u32,
    exponents: [u32; 4],
    coded: [u32; 4],
}

fn quad(block: &Block, x: usize, y: usize) -> Quad {
    let mut quad = Quad { rho: 0, exponents: [0; 4], coded: [0; 4] };
    for n in 0..4 {
        let sample = block.at((x + n / 2) as isize, (y + n % 2) as isize);
        if sample != 0 {
            quad.rho |= 1 << n;
            quad.exponents[n] = 32 - (2 * sample.unsigned_abs() - 1).leading_zeros();
            quad.coded[n] = (2 * (sample.unsigned_abs() - 1)) | u32::from(sample < 0);
        }
    }
    quad
}

fn exponent(block: &Block, x: isize, y: isize) -> u32 {
    let sample = block.at(x, y).unsigned_abs();
    if sample == 0 { 0 } else { 32 - (2 * sample - 1).leading_zeros() }
}

fn context(block: &Block, x: usize, y: usize) -> u32 {
    let (x, y) = (x as isize, y as isize);
    let any = |places: &[(isize, isize)]| u32::from(places.iter().any(|&(dx, dy)| block.at(x + dx, y + dy) != 0));
    if y == 0 {
        return any(&[(-2, 0), (-2, 1)]) | any(&[(-1, 0)]) << 1 | any(&[(-1, 1)]) << 2;
    }
    any(&[(-1, -1), (0, -1)]) | any(&[(-1, 0), (-1, 1)]) << 1 | any(&[(1, -1), (2, -1)]) << 2
}

/// What a u is coded as: prefix and suffix, each with its length.
fn uvlc(u: u32) -> [(u32, u32); 2] {
    match u {
        0 => [(0, 0), (0, 0)],
        1 => [(1, 1), (0, 0)],
        2 => [(2, 2), (0, 0)],
        3 | 4 => [(4, 3), (u - 3, 1)],
        5..=32 => [(0, 3), (u - 5, 5)],
        _ => unreachable!("a u of {u} does not occur in 31 bits"),
    }
}

fn cleanup(block: &Block) -> Vec<u8> {
    let mut magsgn = ForwardWriter::default();
    let mut mel = MelWriter::default();
    let mut vlc = ReverseWriter { bytes: vec![], byte: 15, count: 4, last: 0xFF };
    for y in (0..block.height).step_by(2) {
        let mut left_pending: Vec<u32> = vec![];
        for x in (0..block.width).step_by(2) {
            let quad = quad(block, x, y);
            let context = context(block, x, y);
            let column = x as isize;
            let above = (-1..=2).map(|dx| exponent(block, column + dx, y as isize - 1)).max().unwrap();
            let kappa = if quad.rho.count_ones() > 1 { above.saturating_sub(1).max(1) } else { 1 };
            let bound = quad.exponents.into_iter().max().unwrap().max(kappa);
            let u = if quad.rho == 0 { 0 } else { bound - kappa };
            let tops = (0..4).fold(0, |tops, n| tops | u32::from(quad.exponents[n] == bound) << n);
            if context == 0 {
                mel.event(quad.rho != 0);
            }
            let table: &[Row] = if y == 0 { &FIRST_ROW } else { &OTHER_ROWS };
            let fits = |row: &&Row| {
                let same = u32::from(row.0) == context && u32::from(row.1) == quad.rho;
                same && row.2 == u8::from(u > 0) && u32::from(row.4) == tops & u32::from(row.3)
            };
            let mut e_k = 0;
            if context != 0 || quad.rho != 0 {
                let row = table.iter().filter(fits).max_by_key(|row| row.3.count_ones()).unwrap();
                vlc.put(u32::from(row.5), u32::from(row.6));
                e_k = u32::from(row.3);
            }
            for n in 0..4 {
                if quad.rho >> n & 1 == 1 {
                    let bits = bound - (e_k >> n & 1);
                    magsgn.put(quad.coded[n] & ((1 << bits) - 1), bits);
                }
            }
            left_pending.push(u);
            if left_pending.len() == 2 || x + 2 >= block.width {
                left_pending.resize(2, 0);
                residuals(&mut vlc, &mut mel, [left_pending[0], left_pending[1]], y == 0);
                left_pending.clear();
            }
        }
    }
    assemble(magsgn.finish(1), mel.finish(), vlc.finish())
}

fn residuals(vlc: &mut ReverseWriter, mel: &mut MelWriter, [first, second]: [u32; 2], first_row: bool) {
    let mut codes = [uvlc(first), uvlc(second)];
    if first_row && first > 0 && second > 0 {
        let large = first > 2 && second > 2;
        mel.event(large);
        if large {
            codes = [uvlc(first - 2), uvlc(second - 2)];
        } else if first > 2 {
            codes[1] = [(second - 1, 1), (0, 0)];
        }
    }
    for part in 0..2 {
        codes.iter().for_each(|code| vlc.put(code[part].0, code[part].1));
    }
}

fn assemble(magsgn: Vec<u8>, mel: Vec<u8>, vlc: Vec<u8>) -> Vec<u8> {
    let suffix = mel.len() + vlc.len() + 1;
    let mut bytes = [magsgn, mel, vlc.into_iter().rev().collect()].concat();
    let last = bytes.last_mut().unwrap();
    *last = *last & 0xF0 | (suffix & 15) as u8;
    bytes.push((suffix >> 4) as u8);
    bytes
}

/// The refinement segment for the bit-plane below `cleanup`, and what both together tell of every sample: 0, or the
/// magnitude doubled with the bit below, and how many halves of the bit-plane are left open.
fn refinement(full: &Block, coded: &Block, plane: u8, passes: u8, causal: bool) -> (Vec<u8>, Vec<i32>) {
    let below = plane - 1;
    let bit = |x: usize, y: usize| full.samples[y * full.width + x].unsigned_abs() >> below & 1;
    let reached = |magnitude: u32| ((magnitude << below) | (1 << below >> 1)) as i32;
    let mut now: Vec<bool> = coded.samples.iter().map(|&sample| sample != 0).collect();
    let mut values: Vec<i32> =
        coded.samples.iter().map(|&s| s.signum() * (s.abs() << plane | 1 << plane >> 1)).collect();
    values.iter_mut().zip(&coded.samples).filter(|(_, coded)| **coded == 0).for_each(|(value, _)| *value = 0);
    let mut propagated = ForwardWriter::default();
    for (stripe, group) in groups(full) {
        let mut signs = vec![];
        for (x, y) in group_samples(full, stripe, group) {
            let neighbour = (-1..=1).flat_map(|dy| (-1..=1).map(move |dx| (dx, dy))).any(|(dx, dy)| {
                let (nx, ny) = (x as isize + dx, y as isize + dy);
                let inside = (0..full.width as isize).contains(&nx) && (0..full.height as isize).contains(&ny);
                inside && !(causal && ny as usize >= stripe + 4) && now[ny as usize * full.width + nx as usize]
            });
            if now[y * full.width + x] || !neighbour {
                continue;
            }
            propagated.put(bit(x, y), 1);
            if bit(x, y) == 1 {
                now[y * full.width + x] = true;
                signs.push((x, y));
            }
        }
        for (x, y) in signs {
            let negative = full.samples[y * full.width + x] < 0;
            propagated.put(u32::from(negative), 1);
            values[y * full.width + x] = if negative { -reached(1) } else { reached(1) };
        }
    }
    let mut bytes = propagated.finish(0);
    if passes > 2 {
        let mut refined = ReverseWriter { bytes: vec![], byte: 0, count: 0, last: 0xFF };
        for (x, y) in groups(full).flat_map(|(stripe, group)| group_samples(full, stripe, group)) {
            let place = y * full.width + x;
            if coded.samples[place] != 0 {
                refined.put(bit(x, y), 1);
                let magnitude = reached((2 * coded.samples[place].unsigned_abs()) | bit(x, y));
                values[place] = magnitude * coded.samples[place].signum();
            }
        }
        bytes.extend(refined.finish().into_iter().rev());
    }
    (bytes, values)
}

/// Stripes of four rows and in them groups of four columns.
fn groups(block: &Block) -> impl Iterator<Item = (usize, usize)> + use<> {
    let (width, height) = (block.width, block.height);
    (0..height).step_by(4).flat_map(move |y| (0..width).step_by(4).map(move |x| (y, x)))
}

fn group_samples(block: &Block, stripe: usize, group: usize) -> impl Iterator<Item = (usize, usize)> + use<> {
    let (width, height) = (block.width, block.height);
    let rows = stripe..(stripe + 4).min(height);
    (group..(group + 4).min(width)).flat_map(move |x| rows.clone().map(move |y| (x, y)))
}

/// Encodes; the values that a decoder must find come with it.
pub(super) fn encode(block: &Block, bit_plane: u8, passes: u8, causal: bool) -> (Coded, Vec<i32>) {
    let samples = block.samples.iter().map(|&s| s.signum() * (s.abs() >> bit_plane)).collect();
    let coarse = Block { samples, ..block.clone() };
    let middle = 1 << bit_plane >> 1;
    let exact = |&s: &i32| if s == 0 { 0 } else { s.signum() * (s.abs() << bit_plane | middle) };
    let (refinement, values) = match passes {
        1 => (vec![], coarse.samples.iter().map(exact).collect()),
        _ => refinement(block, &coarse, bit_plane, passes, causal),
    };
    // An empty refinement segment would be taken for none.
    let passes = if refinement.is_empty() { 1 } else { passes };
    let (width, height) = (block.width, block.height);
    (Coded { cleanup: cleanup(&coarse), refinement, passes, bit_plane, causal, width, height }, values)
}
