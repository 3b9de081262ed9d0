//! Any bytes into `ingest::fuzzing::mfer`. `cargo +nightly fuzz run mfer`, in `ingest`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ingest::fuzzing::mfer(data));
