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

mod broken;
mod canvas;
mod ct;
mod document;
mod ecg;
mod endoscopy;
mod error;
mod field;
mod fundus;
mod image;
mod jpeg_lossless;
mod mammogram;
mod mr;
mod names;
mod night;
mod noise;
mod pet;
mod radiograph;
mod study;
mod tags;
mod ultrasound;
mod writer;

pub use broken::broken;
pub use error::Error;
pub use names::Person;
pub use night::{Entry, Profile, Summary, demo, night, write_night};
pub use study::{File, Kind, Scale, Study};
