//! The whole router over a small archive.

mod access;
mod audit;
mod corpus;
mod fixture;
mod rendered;
mod retrieve;
mod search;
mod uri;
mod wado;
