//! Any bytes into `ingest::fuzzing::dimse`. `cargo +nightly fuzz run dimse`, in `ingest`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ingest::fuzzing::dimse(data));
