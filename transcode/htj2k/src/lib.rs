//! High-Throughput JPEG 2000 (Rec. ITU-T T.814 | ISO/IEC 15444-15 on top of T.800): samples in, codestream out, and
//! back. It knows no DICOM, no files and no threads: who calls it says which [`Workers`] carry its tasks.

pub mod block;
pub mod codestream;
mod coefficient;
pub mod convert;
mod decode;
mod encode;
mod error;
pub mod geometry;
mod image;
mod measure;
mod parameters;
mod pool;
pub mod simd;
pub mod wavelet;
mod workers;

pub use coefficient::Coefficient;
pub use decode::{ComponentInfo, Decoded, Decoder, Info, Plane};
pub use encode::Encoder;
pub use error::{Error, Result};
pub use image::{Samples, SamplesMut, Shape, Values};
pub use measure::{Measured, measure};
pub use parameters::{BASE_EDGE_MAX, DecodeOptions, EncodeParameters, Order, Quality, SAMPLES_MAX};
pub use workers::{Alone, Workers};
