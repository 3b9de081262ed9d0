//! The HT block coder (T.814 Clause 7, Annex B and C): one code-block's coefficients to bytes and back.

mod cxtvlc;
pub mod decode;
pub mod encode;
mod tables;
