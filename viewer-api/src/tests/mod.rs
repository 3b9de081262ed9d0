//! The whole router over a small archive.

mod access;
mod audit;
mod changes;
mod fixture;
mod retrieve;
mod search;
