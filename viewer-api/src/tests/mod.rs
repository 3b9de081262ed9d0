//! The whole router over a small archive.

mod access;
mod audit;
mod changes;
mod corpus;
pub(crate) mod fixture;
mod frames;
mod iiif;
mod list;
mod manifest;
mod qido;
mod qido_answers;
mod reading;
mod rendered;
mod retrieve;
mod search;
mod uri;
mod wado;
