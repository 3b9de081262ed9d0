//! Big-endian reading that knows where it is, so that every complaint can name the byte.

use crate::error::{Error, Result};

/// Reads the parameters of one marker segment; offsets stay those of the codestream.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'a> {
    /// The codestream up to the end of the segment.
    bytes: &'a [u8],
    /// Next byte to read.
    at: usize,
    /// Whose parameters these are.
    name: &'static str,
}

impl<'a> Cursor<'a> {
    /// Parameters from `start` to the end of `bytes`.
    pub(crate) fn new(bytes: &'a [u8], start: usize, name: &'static str) -> Cursor<'a> {
        Cursor { bytes, at: start.min(bytes.len()), name }
    }

    pub(crate) fn offset(&self) -> usize {
        self.at
    }

    pub(crate) fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub(crate) fn u8(&mut self) -> Result<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Result<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// A component number: one byte below 257 components, else two (T.800 Tables A.23, A.24, A.31, A.32).
    pub(crate) fn component(&mut self, components: usize) -> Result<u16> {
        if components < 257 { self.u8().map(u16::from) } else { self.u16() }
    }

    /// [`Error::Damaged`] at this place.
    pub(crate) fn damaged(&self, detail: impl std::fmt::Display) -> Error {
        Error::damaged(self.at, format!("{}: {detail}", self.name))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        match self.bytes[self.at..].first_chunk::<N>() {
            Some(found) => {
                self.at += N;
                Ok(*found)
            }
            None => Err(self.damaged("the marker segment is too short for its parameters")),
        }
    }
}
