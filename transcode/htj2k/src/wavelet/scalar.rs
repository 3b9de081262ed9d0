//! The kernels in plain Rust: the reference of every level, and loops that the vectoriser can take.

use super::kernels::Lift;

/// One lifting step over a row: every `target` by the two beside it.
#[inline(always)]
pub(super) fn step<T: Lift, const STEP: usize>(target: &mut [T], before: &[T], after: &[T]) {
    for ((target, before), after) in target.iter_mut().zip(before).zip(after) {
        *target = T::lift::<STEP>(*target, *before, *after);
    }
}

/// Two lifting steps at once down a column: `rows[3]` is the newest, and `rows[2]` and `rows[1]` are lifted in turn.
#[inline(always)]
pub(super) fn ladder2<T: Lift, const A: usize, const B: usize>(rows: [&mut [T]; 4]) {
    let [r0, r1, r2, r3] = rows;
    let rest = r0.iter().zip(r1).zip(r2).zip(r3.iter());
    for (((r0, r1), r2), r3) in rest {
        let second = T::lift::<A>(*r2, *r3, *r1);
        *r1 = T::lift::<B>(*r1, second, *r0);
        *r2 = second;
    }
}

/// Four lifting steps at once down a column: `rows[5]` is the newest, and `rows[4]` to `rows[1]` are lifted in turn.
#[inline(always)]
pub(super) fn ladder4<T: Lift, const A: usize, const B: usize, const C: usize, const D: usize>(rows: [&mut [T]; 6]) {
    let [r0, r1, r2, r3, r4, r5] = rows;
    let rest = r0.iter().zip(r1).zip(r2).zip(r3).zip(r4).zip(r5.iter());
    for (((((r0, r1), r2), r3), r4), r5) in rest {
        let fourth = T::lift::<A>(*r4, *r5, *r3);
        let third = T::lift::<B>(*r3, fourth, *r2);
        let second = T::lift::<C>(*r2, third, *r1);
        *r1 = T::lift::<D>(*r1, second, *r0);
        (*r2, *r3, *r4) = (second, third, fourth);
    }
}

/// Parts a row: its first, third, fifth … number to `first`, the others to `second`.
#[inline(always)]
pub(super) fn part<T: Lift>(row: &[T], first: &mut [T], second: &mut [T]) {
    let (pairs, rest) = row.as_chunks::<2>();
    for ((pair, first), second) in pairs.iter().zip(first.iter_mut()).zip(second) {
        (*first, *second) = (pair[0], pair[1]);
    }
    if let ([last], Some(first)) = (rest, first.last_mut()) {
        *first = *last;
    }
}

/// The way back from [`part`].
#[inline(always)]
pub(super) fn interleave<T: Lift>(first: &[T], second: &[T], row: &mut [T]) {
    let (pairs, rest) = row.as_chunks_mut::<2>();
    for ((pair, first), second) in pairs.iter_mut().zip(first).zip(second) {
        *pair = [*first, *second];
    }
    if let ([last], Some(first)) = (rest, first.last()) {
        *last = *first;
    }
}

/// Every number of the row times `gain`, for floats.
#[inline(always)]
pub(super) fn scale<T: Lift>(row: &mut [T], gain: f32) {
    for value in row {
        *value = value.times(gain);
    }
}
