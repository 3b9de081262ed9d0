//! The codestream syntax (T.800 Annex A and B, T.814 Annex A): markers, tile-parts, packets.
