//! The one integration-test binary. Every file here is a module of it.
//!
//! Under Miri: `MIRIFLAGS=-Zmiri-disable-isolation cargo +nightly miri test -p htj2k --test suite`. Pictures and counts of
//! cases are small there, files are not read and there are no guard pages; the kernels are the scalar ones, since Miri
//! shows no instructions of a machine. It takes tens of minutes.

#![allow(missing_docs)]

mod allocator;
mod conformance;
mod datasets;
mod guard;
mod hostile;
mod pictures;
mod prefix;
mod properties;
mod region;
mod replay;
