//! Pixels, and where they lie: scans a Part 10 file, decodes and encodes frames, makes and follows recipes, renders.
//!
//! Absent on purpose: storage, clock, network.

pub mod data_set;
mod description;

pub use description::PixelDescription;
