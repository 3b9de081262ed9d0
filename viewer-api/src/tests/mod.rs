//! The whole router over a small archive.

mod access;
mod audit;
mod fixture;
mod qido;
mod qido_answers;
mod retrieve;
mod search;
