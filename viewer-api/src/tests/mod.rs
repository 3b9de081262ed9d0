//! The whole router over a small archive.

mod access;
mod audit;
mod fixture;
mod iiif;
mod retrieve;
mod search;
