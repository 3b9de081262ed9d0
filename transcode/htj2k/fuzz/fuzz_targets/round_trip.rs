//! Any picture, there and back. `cargo +nightly fuzz run round_trip`, in `transcode/htj2k`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| htj2k_fuzz::round_trip(data));
