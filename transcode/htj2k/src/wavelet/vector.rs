//! The row kernels, written once for vectors of any width.

#![allow(unsafe_code, reason = "vectors need instructions that the caller has to vouch for")]

use super::kernels::Lift;
use std::slice::ChunksMut;

/// The most lanes of all vectors: 16-bit numbers in 512 bits.
const LANES_MAX: usize = 32;

/// Numbers side by side in one register.
///
/// # Safety
/// Every method asks that the machine has the instructions of the type; loads and stores also that the slice holds
/// [`Vector::LANES`] numbers.
pub(super) trait Vector: Copy {
    /// What a lane holds.
    type Number: Lift;
    /// Lanes, a power of two from 4 to [`LANES_MAX`].
    const LANES: usize;
    /// The first lanes of a slice.
    unsafe fn load(from: &[Self::Number]) -> Self;
    /// To the first lanes of a slice.
    unsafe fn store(self, to: &mut [Self::Number]);
    /// The same as [`Lift::lift`] in every lane.
    unsafe fn lift<const STEP: usize>(self, before: Self, after: Self) -> Self;
    /// The same as [`Lift::times`] in every lane.
    unsafe fn times(self, gain: f32) -> Self;
    /// The even and the odd positions of two vectors behind each other.
    unsafe fn part(self, following: Self) -> (Self, Self);
    /// The way back from [`Vector::part`].
    unsafe fn interleave(self, odd: Self) -> (Self, Self);
    /// One place on: from the second lane on, then the first of `following`.
    unsafe fn next(self, following: Self) -> Self;
    /// One place back: the last lane of `preceding`, then all but the last.
    unsafe fn prev(self, preceding: Self) -> Self;
    /// The first lane in all.
    unsafe fn first(self) -> Self;
}

/// [`super::scalar::ladder2`].
#[inline(always)]
pub(super) unsafe fn ladder2<V: Vector, const A: usize, const B: usize>(rows: [&mut [V::Number]; 4]) {
    let [r0, r1, r2, r3] = rows;
    let width = r0.len().min(r1.len()).min(r2.len()).min(r3.len());
    let whole = width - width % V::LANES;
    let vectors = r0[..whole].chunks_exact(V::LANES).zip(r1[..whole].chunks_exact_mut(V::LANES));
    let vectors = vectors.zip(r2[..whole].chunks_exact_mut(V::LANES)).zip(r3[..whole].chunks_exact(V::LANES));
    for (((r0, r1), r2), r3) in vectors {
        // SAFETY: the chunks are as long as a vector, and our caller vouches for the machine.
        unsafe {
            let second = V::load(r2).lift::<A>(V::load(r3), V::load(r1));
            V::load(r1).lift::<B>(second, V::load(r0)).store(r1);
            second.store(r2);
        }
    }
    super::scalar::ladder2::<_, A, B>([&mut r0[whole..], &mut r1[whole..], &mut r2[whole..], &mut r3[whole..]]);
}

/// [`super::scalar::ladder4`].
#[inline(always)]
pub(super) unsafe fn ladder4<V: Vector, const A: usize, const B: usize, const C: usize, const D: usize>(
    rows: [&mut [V::Number]; 6],
) {
    let [r0, r1, r2, r3, r4, r5] = rows;
    let width = r0.len().min(r1.len()).min(r2.len()).min(r3.len()).min(r4.len()).min(r5.len());
    let whole = width - width % V::LANES;
    let vectors = r0[..whole].chunks_exact(V::LANES).zip(r1[..whole].chunks_exact_mut(V::LANES));
    let vectors = vectors.zip(r2[..whole].chunks_exact_mut(V::LANES)).zip(r3[..whole].chunks_exact_mut(V::LANES));
    let vectors = vectors.zip(r4[..whole].chunks_exact_mut(V::LANES)).zip(r5[..whole].chunks_exact(V::LANES));
    for (((((r0, r1), r2), r3), r4), r5) in vectors {
        // SAFETY: the chunks are as long as a vector, and our caller vouches for the machine.
        unsafe {
            let fourth = V::load(r4).lift::<A>(V::load(r5), V::load(r3));
            let third = V::load(r3).lift::<B>(fourth, V::load(r2));
            let second = V::load(r2).lift::<C>(third, V::load(r1));
            V::load(r1).lift::<D>(second, V::load(r0)).store(r1);
            second.store(r2);
            third.store(r3);
            fourth.store(r4);
        }
    }
    let rest = [r0, r1, r2, r3, r4, r5].map(|row| &mut row[whole..]);
    super::scalar::ladder4::<_, A, B, C, D>(rest);
}

/// Position `position` of a signal of `length` samples and its mirror image beyond the end (T.800 F.3.7).
fn mirrored(position: usize, length: usize) -> usize {
    let period = 2 * (length - 1);
    if position < length {
        position
    } else if position <= period {
        period - position
    } else {
        let phase = position % period;
        phase.min(period - phase)
    }
}

/// Stores what fits: the last vector of a row may be cut, and vectors beyond it are dropped.
#[inline(always)]
unsafe fn put<V: Vector>(value: V, to: Option<&mut [V::Number]>) {
    let Some(to) = to else { return };
    if to.len() >= V::LANES {
        // SAFETY: it fits, and our caller vouches for the machine.
        return unsafe { value.store(to) };
    }
    let mut whole = [V::Number::default(); LANES_MAX];
    // SAFETY: no vector has more lanes.
    unsafe { value.store(&mut whole) };
    to.copy_from_slice(&whole[..to.len()]);
}

/// The horizontal analysis on its way along a row. The lifted neighbours reach one vector ahead for every two steps, so
/// that results leave one or two vectors late.
struct Split<'a, V: Vector> {
    low: ChunksMut<'a, V::Number>,
    high: ChunksMut<'a, V::Number>,
    gains: [f32; 2],
    taken: usize,
    /// The vectors taken last, not lifted yet.
    even: V,
    odd: V,
    /// Those before them, after two steps.
    low_late: V,
    high_late: V,
    /// Those before them, after all steps.
    high_done: V,
}

impl<V: Vector> Split<'_, V> {
    /// Takes two vectors of the row and lifts what is ready.
    #[inline(always)]
    unsafe fn take(&mut self, pair: &[V::Number]) {
        // SAFETY: `pair` is as long as two vectors, and our caller vouches for the machine.
        unsafe {
            let (even, odd) = V::load(&pair[..V::LANES]).part(V::load(&pair[V::LANES..]));
            if self.taken > 0 {
                self.lift(self.even.next(even));
            }
            (self.even, self.odd) = (even, odd);
        }
        self.taken += 1;
    }

    /// The first two steps of the vectors taken last, for four steps also the other two of those before.
    #[inline(always)]
    unsafe fn lift(&mut self, even_next: V) {
        // SAFETY: our caller vouches for the machine.
        unsafe {
            let high = self.odd.lift::<0>(self.even, even_next);
            let before = if self.taken == 1 { high.first() } else { self.high_late };
            let low = self.even.lift::<1>(high.prev(before), high);
            if V::Number::STEPS == 2 {
                put(low, self.low.next());
                put(high, self.high.next());
            } else if self.taken > 1 {
                let done = self.high_late.lift::<2>(self.low_late, self.low_late.next(low));
                let before = if self.taken == 2 { done.first() } else { self.high_done };
                let low_done = self.low_late.lift::<3>(done.prev(before), done);
                put(low_done.times(self.gains[0]), self.low.next());
                put(done.times(self.gains[1]), self.high.next());
                self.high_done = done;
            }
            (self.low_late, self.high_late) = (low, high);
        }
    }
}

/// [`Lift::split`] of a row whose first position is even; `TAIL` is the length of four vectors.
#[inline(always)]
pub(super) unsafe fn split<V: Vector, const TAIL: usize>(
    gains: [f32; 2],
    row: &[V::Number],
    low: &mut [V::Number],
    high: &mut [V::Number],
) {
    let pair = 2 * V::LANES;
    let beyond = V::Number::STEPS;
    let (whole, rest) = row.split_at(row.len() - row.len() % pair);
    let mut tail = [V::Number::default(); TAIL];
    tail[..rest.len()].copy_from_slice(rest);
    for extra in 0..beyond {
        tail[rest.len() + extra] = row[mirrored(row.len() + extra, row.len())];
    }
    let tail = &tail[..(rest.len() + beyond).next_multiple_of(pair)];
    let nothing = [V::Number::default(); TAIL];
    // SAFETY: all slices taken are as long as two vectors, and our caller vouches for the machine.
    unsafe {
        let zero = V::load(&nothing);
        let (low, high) = (low.chunks_mut(V::LANES), high.chunks_mut(V::LANES));
        let (low_late, high_late, high_done) = (zero, zero, zero);
        let mut split = Split { low, high, gains, taken: 0, even: zero, odd: zero, low_late, high_late, high_done };
        for pair in whole.chunks_exact(pair) {
            split.take(pair);
        }
        for pair in tail.chunks_exact(pair) {
            split.take(pair);
        }
        for _ in 0..V::Number::STEPS / 2 {
            split.take(&nothing[..pair]);
        }
    }
}

/// The horizontal synthesis on its way along a row; late like [`Split`].
struct Join<'a, V: Vector> {
    row: ChunksMut<'a, V::Number>,
    gains: [f32; 2],
    taken: usize,
    /// The vectors taken last: low after one step, high before any.
    low: V,
    high: V,
    /// Those before them after three steps and two.
    low_late: V,
    high_late: V,
}

impl<V: Vector> Join<'_, V> {
    /// Takes a vector of each half and lifts what is ready.
    #[inline(always)]
    unsafe fn take(&mut self, low: &[V::Number], high: &[V::Number]) {
        // SAFETY: both are as long as a vector, and our caller vouches for the machine.
        unsafe {
            let (mut low, mut high) = (V::load(low), V::load(high));
            if V::Number::STEPS == 4 {
                (low, high) = (low.times(self.gains[0]), high.times(self.gains[1]));
            }
            let before = if self.taken == 0 { high.first() } else { self.high };
            let lifted = if V::Number::STEPS == 2 {
                low.lift::<2>(high.prev(before), high)
            } else {
                low.lift::<4>(high.prev(before), high)
            };
            if self.taken > 0 {
                self.lift(self.low.next(lifted));
            }
            (self.low, self.high) = (lifted, high);
        }
        self.taken += 1;
    }

    /// The second step of the vectors taken last, for four steps also the other two.
    #[inline(always)]
    unsafe fn lift(&mut self, low_next: V) {
        // SAFETY: our caller vouches for the machine.
        unsafe {
            if V::Number::STEPS == 2 {
                let high = self.high.lift::<3>(self.low, low_next);
                return self.give(self.low, high);
            }
            let high = self.high.lift::<5>(self.low, low_next);
            let before = if self.taken == 1 { high.first() } else { self.high_late };
            let low = self.low.lift::<6>(high.prev(before), high);
            if self.taken > 1 {
                let done = self.high_late.lift::<7>(self.low_late, self.low_late.next(low));
                self.give(self.low_late, done);
            }
            (self.low_late, self.high_late) = (low, high);
        }
    }

    #[inline(always)]
    unsafe fn give(&mut self, low: V, high: V) {
        // SAFETY: our caller vouches for the machine.
        unsafe {
            let (first, second) = low.interleave(high);
            put(first, self.row.next());
            put(second, self.row.next());
        }
    }
}

/// [`Lift::join`] of a row whose first position is even; `TAIL` is the length of two vectors.
#[inline(always)]
pub(super) unsafe fn join<V: Vector, const TAIL: usize>(
    gains: [f32; 2],
    low: &[V::Number],
    high: &[V::Number],
    row: &mut [V::Number],
) {
    let length = row.len();
    let (whole_low, rest_low) = low.split_at(high.len() - high.len() % V::LANES);
    let (whole_high, rest_high) = high.split_at(whole_low.len());
    let (mut tail_low, mut tail_high) = ([V::Number::default(); TAIL], [V::Number::default(); TAIL]);
    tail_low[..rest_low.len()].copy_from_slice(rest_low);
    tail_high[..rest_high.len()].copy_from_slice(rest_high);
    for position in length..length + V::Number::STEPS {
        let (from, to) = (mirrored(position, length) / 2, position / 2 - whole_low.len());
        if position % 2 == 0 {
            tail_low[to] = low[from];
        } else {
            tail_high[to] = high[from];
        }
    }
    let tail = (rest_low.len() + V::Number::STEPS / 2).next_multiple_of(V::LANES);
    let nothing = [V::Number::default(); TAIL];
    // SAFETY: all slices taken are as long as a vector, and our caller vouches for the machine.
    unsafe {
        let zero = V::load(&nothing);
        let row = row.chunks_mut(V::LANES);
        let mut join = Join { row, gains, taken: 0, low: zero, high: zero, low_late: zero, high_late: zero };
        for (low, high) in whole_low.chunks_exact(V::LANES).zip(whole_high.chunks_exact(V::LANES)) {
            join.take(low, high);
        }
        for (low, high) in tail_low[..tail].chunks_exact(V::LANES).zip(tail_high.chunks_exact(V::LANES)) {
            join.take(low, high);
        }
        for _ in 0..V::Number::STEPS / 2 {
            join.take(&nothing[..V::LANES], &nothing[..V::LANES]);
        }
    }
}

/// Makes a module's kernels for its three vectors: `split`, `join` and the ladders under the names of the numbers.
macro_rules! kernels {
    ($features:literal, $($number:ident: $vector:ty, $lanes:literal, $ladder:ident $ladder_steps:tt;)+) => {
        $(pub(in crate::wavelet) mod $number {
            use super::*;
            use crate::wavelet::vector;

            /// # Safety
            /// The machine has the instructions; the row has two samples or more and begins at an even position.
            #[target_feature(enable = $features)]
            pub unsafe fn split(gains: [f32; 2], row: &[$number], low: &mut [$number], high: &mut [$number]) {
                // SAFETY: as our caller's.
                unsafe { vector::split::<$vector, { 4 * $lanes }>(gains, row, low, high) }
            }

            /// # Safety
            /// The machine has the instructions; the row has two samples or more and begins at an even position.
            #[target_feature(enable = $features)]
            pub unsafe fn join(gains: [f32; 2], low: &[$number], high: &[$number], row: &mut [$number]) {
                // SAFETY: as our caller's.
                unsafe { vector::join::<$vector, { 2 * $lanes }>(gains, low, high, row) }
            }

            vector::ladders!($features, $number, $vector, $ladder $ladder_steps);
        })+
    };
}

/// The two ladders of a number type.
macro_rules! ladders {
    ($features:literal, $number:ident, $vector:ty, $ladder:ident
        ($rows:literal: $($forward:literal),+; $($backward:literal),+)) => {
        /// # Safety
        /// The machine has the instructions.
        #[target_feature(enable = $features)]
        pub unsafe fn analysis(rows: [&mut [$number]; $rows]) {
            // SAFETY: as our caller's.
            unsafe { vector::$ladder::<$vector, $($forward),+>(rows) }
        }

        /// # Safety
        /// The machine has the instructions.
        #[target_feature(enable = $features)]
        pub unsafe fn synthesis(rows: [&mut [$number]; $rows]) {
            // SAFETY: as our caller's.
            unsafe { vector::$ladder::<$vector, $($backward),+>(rows) }
        }
    };
}

pub(super) use {kernels, ladders};
