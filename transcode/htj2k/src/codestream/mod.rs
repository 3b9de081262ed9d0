//! The codestream syntax (T.800 Annex A and B, T.814 Annex A): markers, tile-parts, packets.
//!
//! [`Codestream::parse`] reads headers and lists tile-parts, [`Codestream::read_tile`] walks the packets of one tile
//! into a [`TileBlocks`]; [`Writer`] goes the other way. Nothing here knows what is inside a code-block's bytes.

mod bits;
mod boxes;
mod cap;
mod cod;
mod cursor;
mod header;
mod levels;
pub mod marker;
mod packet;
mod parse;
mod part2;
mod progression;
mod qcd;
mod siz;
mod sort;
mod stream;
mod tag_tree;
mod tile;
mod write;

pub use boxes::contiguous;
pub use cap::{Cap, CodeBlocks};
pub use cod::{Cod, Coding, STYLE_HIGH_THROUGHPUT, STYLE_VERTICALLY_CAUSAL};
pub use progression::{Change, Progression, TILE_PRECINCTS_MAX};
pub use qcd::{Qcd, Steps};
pub use siz::{COMPONENTS_PARSED_MAX, ComponentSize, Siz, TILES_MAX};
pub use stream::{Codestream, TilePart};
pub use tile::{BlockData, COMPONENTS_READ_MAX, Span, TILE_BLOCKS_READ_MAX, TileBlocks};
pub use write::{CLEANUP_BYTES_MAX, CodedBlock, Writer, WriterOptions};

#[cfg(test)]
mod tests;
