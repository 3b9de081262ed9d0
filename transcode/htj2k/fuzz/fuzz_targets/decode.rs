//! Any bytes into the decoder. `cargo +nightly fuzz run decode`, in `transcode/htj2k`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| htj2k_fuzz::decode(data));
