//! The one integration-test binary: one link step on a small machine. Every file here is a module of it.

mod browser;
mod client;
mod crash;
mod damage;
mod dimse;
mod faults;
mod faulty_disk;
mod gateway;
mod house;
mod killed;
mod large;
mod mfer;
mod outside;
mod papers;
mod program;
mod readings;
mod recorder;
mod renditions;
mod repack;
mod second_opinion;
mod sqlite_vfs;
mod tiles;
mod viewers;
mod whole_corpus;
