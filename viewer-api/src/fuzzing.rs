//! What the fuzz targets in `viewer-api/fuzz` do with bytes from outside. Not for programs.

use crate::find::{Level, plan::Plan, project};
use crate::qido::parameters;
use crate::wado::accept_of;

/// A query of any level: read or refused, without a panic; a refusal repeats no value.
pub fn query(data: &[u8]) {
    let Some((level, query)) = data.split_first() else { return };
    let level = [Level::Study, Level::Series, Level::Instance].get(usize::from(level % 3)).copied();
    let (Some(level), Ok(query)) = (level, std::str::from_utf8(query)) else { return };
    let Ok(request) = parameters::parse(level, query) else { return };
    assert!(request.search.limit <= parameters::LIMIT_MAX, "limits are bounded");
    assert!(request.warnings.iter().all(|text| !text.contains(['\r', '\n', '"'])), "warnings are header values");
    if let Ok(plan) = Plan::new(&request.search) {
        let document =
            b"{\"00080020\":{\"vr\":\"DA\",\"Value\":[\"20260101\"]},\"00100010\":{\"vr\":\"PN\",\"Value\":[{}]}}";
        let data_set = project::read(document, &|_| true).unwrap_or_default();
        let _ = plan.rest.matches(&data_set);
        let mut answer = serde_json::Map::new();
        for path in &plan.wanted {
            project::copy(&data_set, path, Some(&plan.rest), &mut answer);
        }
        let _ = transcode::data_set::native_model(&answer);
    }
}

/// An Accept header: ranges come best first, and none is refused by weight.
pub fn accept(data: &[u8]) {
    let Ok(header) = std::str::from_utf8(data) else { return };
    for range in accept_of(header) {
        let _ = (range.covers("application/dicom+json"), range.is_multipart(), range.inner().len());
        let _ = (range.transfer_syntax(), range.takes_any_transfer_syntax(), range.is_any());
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// Replays the kept corpus: what fuzzing once found stays found without a nightly compiler.
    #[test]
    fn the_kept_corpus_makes_nothing_fail() {
        for (target, run) in [("query", super::query as fn(&[u8])), ("accept", super::accept)] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
            let mut replayed = 0;
            for file in std::fs::read_dir(&folder).unwrap() {
                run(&std::fs::read(file.unwrap().path()).unwrap());
                replayed += 1;
            }
            assert!(replayed > 10, "{target}: {replayed} files in {}", folder.display());
        }
    }
}
