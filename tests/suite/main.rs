//! The one integration-test binary: one link step on a small machine. Every file here is a module of it.

mod browser;
mod client;
mod crash;
mod damage;
mod faults;
mod faulty_disk;
mod house;
mod killed;
mod large;
mod outside;
mod papers;
mod program;
mod recorder;
mod renditions;
mod repack;
mod second_opinion;
mod sqlite_vfs;
mod viewers;
mod whole_corpus;
