//! Any bytes into `ingest::fuzzing::metadata`. `cargo +nightly fuzz run metadata`, in `ingest`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ingest::fuzzing::metadata(data));
