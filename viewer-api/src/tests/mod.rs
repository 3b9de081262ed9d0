//! The whole router over a small archive.

mod access;
mod audit;
mod fixture;
mod frames;
mod manifest;
mod retrieve;
mod search;
