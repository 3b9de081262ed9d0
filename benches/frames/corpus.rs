//! What is served: one chest CT and one brain MR, generated.

use datasets::{File, Kind, Scale, Study, night};

/// The files of both studies, at most so many slices of each.
pub fn generate(seed: u64, slices: usize) -> Vec<File> {
    let mut files = Vec::new();
    for kind in [Kind::ChestCt, Kind::BrainMr] {
        // The longest of a few: studies of thick slices are short.
        let of_kind = night(10_000, seed, Scale::Full).filter(|study| study.kind == kind).take(4);
        let longest = of_kind.max_by_key(|study: &Study| study.files().count());
        files.extend(longest.iter().flat_map(Study::files).take(slices));
    }
    files
}
