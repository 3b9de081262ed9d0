//! The one integration-test binary: one link step on a small machine. Every file here is a module of it.

mod browser;
mod crash;
mod house;
mod recorder;
mod sqlite_vfs;
