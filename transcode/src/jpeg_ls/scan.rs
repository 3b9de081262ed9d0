//! Coded data to samples, line by line (T.87 Annex A; what several components share, Annex B).

use super::bits::Bits;
use super::damaged;
use super::parameters::Parameters;
use crate::error::Result;

/// J: the logarithms of run lengths (A.2.1).
const RUN_BITS: [u32; 32] =
    [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 9, 10, 11, 12, 13, 14, 15];
/// Contexts of the regular mode: 9 · 9 · 9 triples of gradients, of which a triple and its negative are one.
const CONTEXTS: usize = 365;

/// Two lines of a component, with a sample beyond either end, and its place in the table of run lengths.
pub(super) struct Plane {
    /// The line before, from the sample left of the first on.
    above: Vec<i32>,
    line: Vec<i32>,
    run_index: usize,
}

impl Plane {
    pub fn new(width: usize) -> Plane {
        Plane { above: vec![0; width + 2], line: vec![0; width + 2], run_index: 0 }
    }

    /// A.2.1, Figure A.1: left of a line stands the first sample above, right of the line above its last.
    fn begin_line(&mut self) {
        let last = self.above.len() - 1;
        self.above[last] = self.above[last - 1];
        self.line[0] = self.above[1];
    }

    /// The line that was decoded; it is the one above from now on.
    pub fn finish_line(&mut self) -> &[i32] {
        std::mem::swap(&mut self.above, &mut self.line);
        &self.above[1..self.above.len() - 1]
    }

    /// Ra, Rb, Rc, Rd of the sample at `x`, counted from 1.
    fn around(&self, x: usize) -> [i32; 4] {
        [self.line[x - 1], self.above[x], self.above[x - 1], self.above[x + 1]]
    }
}

/// What is known of a context (A.2.1): A, B, C, N.
#[derive(Clone, Copy)]
struct Context {
    magnitude: u64,
    bias: i32,
    correction: i32,
    count: u32,
}

/// A context of run interruption (A.2.1): A, N, Nn.
#[derive(Clone, Copy)]
struct RunContext {
    magnitude: u64,
    count: u32,
    negative: u32,
}

/// One scan being decoded.
pub(super) struct Scan<'a> {
    p: Parameters,
    bits: Bits<'a>,
    contexts: Vec<Context>,
    run_contexts: [RunContext; 2],
}

impl<'a> Scan<'a> {
    pub fn new(p: Parameters, coded: &'a [u8]) -> Scan<'a> {
        let magnitude = ((p.range + 32) / 64).max(2) as u64;
        Scan {
            p,
            bits: Bits::new(coded),
            contexts: vec![Context { magnitude, bias: 0, correction: 0, count: 1 }; CONTEXTS],
            run_contexts: [RunContext { magnitude, count: 1, negative: 0 }; 2],
        }
    }

    /// Decodes one line of one component, or of all that take turns by sample.
    pub fn line(&mut self, planes: &mut [Plane]) -> Result<()> {
        planes.iter_mut().for_each(Plane::begin_line);
        let width = planes.first().map_or(0, |plane| plane.line.len() - 2);
        let mut x = 1;
        while x <= width {
            if planes.iter().all(|plane| self.is_flat(plane.around(x))) {
                x += self.run(planes, x, width)?;
                continue;
            }
            for plane in planes.iter_mut() {
                plane.line[x] = self.regular(plane.around(x))?;
            }
            x += 1;
        }
        Ok(())
    }

    /// A.3.2: nothing around changes by more than NEAR, so a run begins.
    fn is_flat(&self, [a, b, c, d]: [i32; 4]) -> bool {
        [d - b, b - c, c - a].iter().all(|gradient| gradient.abs() <= self.p.near)
    }

    /// A.3.3.
    fn quantized(&self, gradient: i32) -> i32 {
        let [t1, t2, t3] = self.p.thresholds;
        let size = gradient.abs();
        let region = match size {
            _ if size <= self.p.near => 0,
            _ if size < t1 => 1,
            _ if size < t2 => 2,
            _ if size < t3 => 3,
            _ => 4,
        };
        region * gradient.signum()
    }

    /// A.4 to A.6: one sample by prediction.
    fn regular(&mut self, [a, b, c, d]: [i32; 4]) -> Result<i32> {
        let triple = (self.quantized(d - b) * 9 + self.quantized(b - c)) * 9 + self.quantized(c - a);
        let sign = if triple < 0 { -1 } else { 1 };
        let place = triple.unsigned_abs() as usize;
        let context = self.contexts[place];
        let predicted = (median(a, b, c) + sign * context.correction).clamp(0, self.p.maxval);
        let k = golomb_parameter(context.count, context.magnitude);
        let mapped = self.code_word(k, self.p.limit)?;
        // A.5.2: mapped the other way round where negative errors are the likelier.
        let turned = self.p.near == 0 && k == 0 && 2 * i64::from(context.bias) <= -i64::from(context.count);
        let half = (mapped >> 1) as i32;
        let error = match (mapped & 1 == 1, turned) {
            (false, false) | (true, true) => half,
            (true, false) | (false, true) => -half - 1,
        };
        self.contexts[place].update(error, &self.p);
        Ok(self.reconstructed(predicted, sign * error))
    }

    /// A.7: a run and, if it does not end with the line, the sample that ends it. Answers how many samples those are.
    fn run(&mut self, planes: &mut [Plane], first: usize, width: usize) -> Result<usize> {
        let mut index = planes.first().map_or(0, |plane| plane.run_index);
        let mut end = first;
        let mut broken = false;
        while end <= width && !broken {
            let (whole, left) = (1usize << RUN_BITS[index], width + 1 - end);
            broken = self.bits.take(1)? == 0;
            let step = if broken { self.bits.take(RUN_BITS[index])? as usize } else { whole.min(left) };
            if broken && step >= left {
                return damaged("a run that goes on behind the end of its line");
            }
            end += step;
            index += usize::from(!broken && step == whole && index + 1 < RUN_BITS.len());
        }
        for plane in planes.iter_mut() {
            let value = plane.line[first - 1];
            plane.line[first..end].fill(value);
        }
        if broken {
            let single = planes.len() == 1;
            for plane in planes.iter_mut() {
                let [a, b, ..] = plane.around(end);
                plane.line[end] = self.interruption(a, b, single, RUN_BITS[index])?;
            }
            index = index.saturating_sub(1);
            end += 1;
        }
        planes.iter_mut().for_each(|plane| plane.run_index = index);
        Ok(end - first)
    }

    /// A.7.2: the sample that ends a run. Components that take turns by sample know one kind of it only (Annex B.3.2).
    fn interruption(&mut self, a: i32, b: i32, single: bool, run_bits: u32) -> Result<i32> {
        let alike = single && (a - b).abs() <= self.p.near;
        let (predicted, sign) = if alike { (a, 1) } else { (b, if a > b { -1 } else { 1 }) };
        let kind = u32::from(alike);
        let context = self.run_contexts[kind as usize];
        let magnitude = context.magnitude + if alike { u64::from(context.count >> 1) } else { 0 };
        let k = golomb_parameter(context.count, magnitude);
        let mapped = self.code_word(k, self.p.limit - run_bits - 1)?;
        let (odd, size) = ((mapped + kind) & 1 == 1, (mapped + kind).div_ceil(2) as i32);
        let turned = k != 0 || 2 * context.negative >= context.count;
        let error = if turned == odd { -size } else { size };
        self.run_contexts[kind as usize].update(error, (mapped + 1 - kind) >> 1, self.p.reset);
        Ok(self.reconstructed(predicted, sign * error))
    }

    /// A.5.3: a Golomb code word of at most `limit` bits. A valid error is less than RANGE, twice that when mapped.
    fn code_word(&mut self, k: u32, limit: u32) -> Result<u32> {
        let longest = limit.saturating_sub(self.p.error_bits + 1);
        let zeros = self.bits.zeros(longest)?;
        let mapped = match zeros < longest && k < 32 {
            true => u64::from(zeros) << k | u64::from(self.bits.take(k)?),
            false => u64::from(self.bits.take(self.p.error_bits)?) + 1,
        };
        if mapped > 2 * self.p.range as u64 + 2 {
            return damaged("a prediction error larger than any may be");
        }
        Ok(mapped as u32)
    }

    /// A.4.5 and A.8: the sample, the error taken modulo RANGE.
    fn reconstructed(&self, predicted: i32, error: i32) -> i32 {
        let step = 2 * self.p.near + 1;
        let value = predicted + error * step;
        let turn = self.p.range * step;
        let value = match value {
            _ if value < -self.p.near => value + turn,
            _ if value > self.p.maxval + self.p.near => value - turn,
            _ => value,
        };
        value.clamp(0, self.p.maxval)
    }
}

impl Context {
    /// A.6.
    fn update(&mut self, error: i32, p: &Parameters) {
        self.bias += error * (2 * p.near + 1);
        self.magnitude += u64::from(error.unsigned_abs());
        if self.count == p.reset {
            self.magnitude >>= 1;
            self.bias >>= 1;
            self.count >>= 1;
        }
        self.count += 1;
        let count = self.count as i32;
        if self.bias <= -count {
            self.correction = (self.correction - 1).max(-128);
            self.bias = (self.bias + count).max(1 - count);
        } else if self.bias > 0 {
            self.correction = (self.correction + 1).min(127);
            self.bias = (self.bias - count).min(0);
        }
    }
}

impl RunContext {
    /// A.7.2.2.
    fn update(&mut self, error: i32, magnitude: u32, reset: u32) {
        self.negative += u32::from(error < 0);
        self.magnitude += u64::from(magnitude);
        if self.count == reset {
            self.magnitude >>= 1;
            self.count >>= 1;
            self.negative >>= 1;
        }
        self.count += 1;
    }
}

/// A.4.1: the edge-detecting predictor.
fn median(a: i32, b: i32, c: i32) -> i32 {
    if c >= a.max(b) {
        a.min(b)
    } else if c <= a.min(b) {
        a.max(b)
    } else {
        a + b - c
    }
}

/// A.5.1: the least k with N · 2^k at least A.
fn golomb_parameter(count: u32, magnitude: u64) -> u32 {
    (0..32).find(|k| u64::from(count) << k >= magnitude).unwrap_or(32)
}
