//! Significance propagation and magnitude refinement (T.814 7.4 and 7.5), sample by sample.

use super::quads_wide;
use super::readers::{Forward, Reverse};
use crate::block::decode::BlockJob;
use crate::block::decode::output::{Area, Output};

/// Both passes, as far as the job has them; `rho` is what the cleanup pass has found.
pub(super) fn refine<O: Output>(rho: &[u16], job: &BlockJob<'_>, area: &mut Area<'_, O>, scale: O::Scale) {
    let quads = quads_wide(job.width);
    let cleanup: Vec<bool> = (0..job.width * job.height)
        .map(|place| {
            let (x, y) = (place % job.width, place / job.width);
            rho[y / 2 * quads + x / 2] >> (2 * (x % 2) + y % 2) & 1 == 1
        })
        .collect();
    propagate(&cleanup, job, area, scale);
    if job.passes > 2 {
        let mut bits = Reverse::new(job.refinement, 0xFF);
        for (x, y) in groups(job).flatten().filter(|&(x, y)| cleanup[y * job.width + x]) {
            let sample = area.sample(x, y);
            *sample = sample.refine(bits.take(1) == 1, scale);
        }
    }
}

/// Samples in scan order, in groups of four columns of a stripe of four rows.
fn groups(job: &BlockJob<'_>) -> impl Iterator<Item = Vec<(usize, usize)>> + use<> {
    let (width, height) = (job.width, job.height);
    let corners = (0..height).step_by(4).flat_map(move |y| (0..width).step_by(4).map(move |x| (x, y)));
    corners.map(move |(left, top)| {
        let rows = top..(top + 4).min(height);
        (left..(left + 4).min(width)).flat_map(|x| rows.clone().map(move |y| (x, y))).collect()
    })
}

fn propagate<O: Output>(cleanup: &[bool], job: &BlockJob<'_>, area: &mut Area<'_, O>, scale: O::Scale) {
    let mut bits = Forward::new(job.refinement, 0);
    let mut now = cleanup.to_vec();
    for group in groups(job) {
        let stripe_end = if job.causal { group[0].1 + 4 } else { job.height };
        let mut new = vec![];
        for (x, y) in group {
            let rows = y.saturating_sub(1)..(y + 2).min(job.height).min(stripe_end);
            let columns = x.saturating_sub(1)..(x + 2).min(job.width);
            let member = rows.into_iter().any(|y| columns.clone().any(|x| now[y * job.width + x]));
            if !now[y * job.width + x] && member && bits.take(1) == 1 {
                now[y * job.width + x] = true;
                new.push((x, y));
            }
        }
        for (x, y) in new {
            *area.sample(x, y) = O::propagate(bits.take(1) == 1, scale);
        }
    }
}
