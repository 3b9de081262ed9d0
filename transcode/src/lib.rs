//! Pixels, and where they lie: scans a Part 10 file, decodes and encodes frames, makes and follows recipes, renders.
//!
//! Absent on purpose: storage, clock, network.

mod assemble;
mod bits;
pub mod codec;
pub mod data_set;
pub mod derivative;
pub mod described;
mod description;
mod encapsulate;
mod error;
mod frames;
mod gif;
mod instance;
mod jpeg;
mod jpeg_ls;
mod layout;
pub mod outgoing;
pub mod policy;
pub mod recipe;
mod region;
mod render;
mod rle;
mod samples;
mod source;
pub mod text_report;
mod uid;
pub mod viewing_copy;
pub mod waveform;
mod witness;

pub use description::PixelDescription;
pub use encapsulate::{Encapsulated, encapsulate};
pub use error::{Error, Result};
pub use frames::{Frame, decode_frame};
pub use recipe::WhyNot;
pub use region::{Region, decode_region, is_high_throughput, is_shown_by_browsers, reductions};
pub use render::{
    Crop, ENLARGED_PIXELS_MAX, Palette, Picture, Rendering, VoiLutFunction, Window, found_window, render,
};
pub use samples::{SAMPLES_MAX, Samples, Values};
pub use source::{Source, encode_frames, encode_frames_with, packable};
pub use witness::{Disagreement, Witness};
