//! The whole router over a small archive.

mod access;
mod audit;
pub(crate) mod fixture;
mod retrieve;
mod search;
