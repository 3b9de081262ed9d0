//! Any Accept header. `cargo +nightly fuzz run accept`, in `viewer-api`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| viewer_api::fuzzing::accept(data));
