//! Seeded generators of realistic DICOM files, and of broken ones.
//!
//! ```no_run
//! use datasets::{Scale, night};
//!
//! for study in night(100, 7, Scale::Full) {
//!     for file in study.files() {
//!         println!("{} {} bytes", file.path, file.bytes.len());
//!     }
//! }
//! ```
//!
//! Every kind of datasets/STUDY-PROFILES.md at its real matrix and depth, with structure like anatomy and the noise of
//! a sensor, so that compression is not flattered. Files are written by a small writer of this crate, not by the
//! parser under test. The same seed gives the same bytes. Every person, institution and device is made up.
//!
//! # Ratios
//!
//! Bits a sample after prediction (tests/ratio.rs prints this table, says how it is measured and which real frames it
//! stands beside), least … greatest, and the ratio to the bits allocated of the generated ones:
//!
//! | modality | real | generated | ratio |
//! | --- | --- | --- | --- |
//! | CT | 3.38 … 5.06 | 3.74 … 4.45 | 3.8 : 1 |
//! | DX, CR | 2.16 … 9.07 | 3.26 … 4.35 | 3.9 : 1 |
//! | ES | 0.90 … 3.48 (photographs) | 1.87 … 1.91 | 4.2 : 1 |
//! | MG | 6.55 … 6.98 (a crop, and a lossy one) | 5.13 … 5.42 | 3.0 : 1 |
//! | MR | 1.44 … 6.99 | 4.61 … 4.94 | 3.4 : 1 |
//! | OP | 0.71 (one, grey) | 0.88 … 0.89 | 9.0 : 1 |
//! | PT | 5.12 (one) | 5.03 … 6.02 | 2.9 : 1 |
//! | RF | 3.02 (one, angiography) | 3.64 … 3.96 | 4.2 : 1 |
//! | US | 0.27 … 2.82 | 0.65 … 0.85 | 10.4 : 1 |
//!
//! At [`Scale::Small`] noise stays and structure shrinks, so small images compress less than these. Tomosynthesis has
//! no real counterpart to be measured against.

mod broken;
mod canvas;
mod ct;
mod document;
mod ecg;
mod endoscopy;
mod error;
mod field;
mod fundus;
mod heart;
mod image;
mod jpeg_lossless;
mod mammogram;
mod mfer;
mod mr;
mod names;
mod night;
mod noise;
mod pet;
mod radiograph;
mod school;
mod study;
mod tags;
mod ultrasound;
mod writer;

pub use broken::broken;
pub use error::Error;
pub use names::Person;
pub use night::{Entry, Profile, Summary, demo, night, write_night};
pub use school::{Child, school};
pub use study::{File, Kind, Scale, Study};
