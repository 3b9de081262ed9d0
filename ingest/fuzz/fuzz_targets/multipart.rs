//! Any bytes into `ingest::fuzzing::multipart`. `cargo +nightly fuzz run multipart`, in `ingest`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ingest::fuzzing::multipart(data));
