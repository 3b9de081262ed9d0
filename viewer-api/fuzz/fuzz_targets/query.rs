//! Any query of a search. `cargo +nightly fuzz run query`, in `viewer-api`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| viewer_api::fuzzing::query(data));
