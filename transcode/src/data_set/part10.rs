//! The file around the Data Set: preamble, File Meta Information, transfer syntax (PS3.10 §7).

use std::io::{BufReader, Read, Seek, SeekFrom};

use flate2::bufread::{DeflateDecoder, ZlibDecoder};

use super::element::DataSet;
use super::encoding::{Encoding, sniff};
use super::input::{Input, Sought, Streamed};
use super::looks::looks_like;
use super::scanner::{Budget, Scanner, Until};
use super::{Error, Limits, tags};

/// Bytes looked at to tell what a file is.
const HEAD_BYTES: usize = 4096;
const PREAMBLE_BYTES: usize = 128;
const MAGIC: &[u8] = b"DICM";

/// The 128 bytes before `DICM`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preamble {
    /// There is none.
    Absent,
    /// All zero.
    Zero,
    /// Something else, a TIFF header perhaps.
    Other,
}

/// A scanned file.
#[derive(Clone, Debug, PartialEq)]
pub struct Part10 {
    /// Its preamble.
    pub preamble: Preamble,
    /// File Meta Information, group 0002; empty where the file has none.
    pub meta: DataSet,
    /// Transfer Syntax UID (0002,0010), or of the encoding that was found where none is given.
    pub transfer_syntax_uid: String,
    /// Whether the file itself names its transfer syntax.
    pub transfer_syntax_given: bool,
    /// The encoding the elements really have.
    pub encoding: Encoding,
    /// First byte of the Data Set in the file.
    pub data_set_offset: u64,
    /// The Data Set.
    pub data_set: DataSet,
    /// End of the last element; what follows is padding. Of a deflated Data Set, in the inflated stream.
    pub data_set_end: u64,
    /// The Data Set is deflated: offsets of its elements are bytes of the inflated stream, see [`inflate`].
    pub deflated: bool,
    /// Bytes of the file.
    pub length: u64,
}

/// Scans a file from its first byte.
///
/// # Errors
/// [`Error::NotDicom`] with what it looks like instead; [`Error::Truncated`] where an element runs past the end;
/// the other variants where a limit is met or elements make no sense. Every one names the byte.
///
/// Source: PS3.10 §7.1, PS3.5 §7.
pub fn scan(source: &mut (impl Read + Seek), limits: &Limits) -> Result<Part10, Error> {
    let length = source.seek(SeekFrom::End(0))?;
    source.seek(SeekFrom::Start(0))?;
    let mut input = Input::of_length(Sought(&mut *source), 0, length);
    let head = input.peek(HEAD_BYTES)?;
    let (preamble, start) = locate(head, length).ok_or_else(|| Error::NotDicom { looks_like: looks_like(head) })?;
    input.skip(start)?;

    let mut budget = Budget::default();
    let walk = Scanner::new(&mut input, limits, &mut budget, Until::MetaEnd);
    let meta = walk.run(Encoding::ExplicitLittle)?.data_set;
    let data_set_offset = input.position();
    let given = meta.uid(tags::TRANSFER_SYNTAX_UID).map(str::to_owned);
    let first = input.peek(12)?.to_vec();
    let found = sniff(&first, length.saturating_sub(data_set_offset));
    let deflated = given.as_deref().is_some_and(is_deflated) && found != Some(Encoding::ExplicitLittle);
    let declared = given.as_deref().map(Encoding::of);
    let encoding = match (declared, found) {
        _ if deflated => Encoding::ExplicitLittle,
        (Some(declared), found) => found.unwrap_or(declared),
        (None, found) => found.unwrap_or(Encoding::ImplicitLittle),
    };
    let scanned = if deflated {
        source.seek(SeekFrom::Start(data_set_offset))?;
        let inflating = inflater(BufReader::new(source), &first);
        let mut input = Input::unbounded(Streamed(inflating), limits.inflated_bytes_max);
        Scanner::new(&mut input, limits, &mut budget, Until::End).run(encoding)?
    } else {
        Scanner::new(&mut input, limits, &mut budget, Until::End).run(encoding)?
    };
    Ok(Part10 {
        preamble,
        meta,
        transfer_syntax_given: given.is_some(),
        transfer_syntax_uid: given.unwrap_or_else(|| encoding.transfer_syntax_uid().to_owned()),
        encoding,
        data_set_offset,
        data_set: scanned.data_set,
        data_set_end: scanned.end,
        deflated,
        length,
    })
}

/// The inflated Data Set of a deflated file, which the offsets of its elements are of.
///
/// # Errors
/// [`Error::InflatedTooBig`] past the limit, [`Error::Io`] if the stream is damaged.
pub fn inflate(part10: &Part10, source: &mut (impl Read + Seek), limits: &Limits) -> Result<Vec<u8>, Error> {
    source.seek(SeekFrom::Start(part10.data_set_offset))?;
    let mut first = [0; 2];
    source.read_exact(&mut first)?;
    source.seek(SeekFrom::Start(part10.data_set_offset))?;
    let inflated_bytes_max = limits.inflated_bytes_max;
    let mut inflated = Vec::new();
    let mut inflating = inflater(BufReader::new(source), &first).take(inflated_bytes_max.saturating_add(1));
    inflating.read_to_end(&mut inflated)?;
    match inflated.len() as u64 {
        bytes if bytes > inflated_bytes_max => Err(Error::InflatedTooBig { inflated_bytes_max }),
        _ => Ok(inflated),
    }
}

/// Where the elements begin: after `DICM` at byte 128, after `DICM` at 0, or at 0 where the file just begins.
fn locate(head: &[u8], length: u64) -> Option<(Preamble, u64)> {
    let magic = head.get(PREAMBLE_BYTES..).is_some_and(|rest| rest.starts_with(MAGIC));
    let zero = head.iter().take(PREAMBLE_BYTES).all(|byte| *byte == 0);
    let kind = if zero { Preamble::Zero } else { Preamble::Other };
    let begins = |at: usize| {
        let rest = head.get(at..).unwrap_or_default();
        rest.is_empty() || sniff(rest, length.saturating_sub(at as u64)).is_some()
    };
    if magic && (begins(PREAMBLE_BYTES + 4) || !begins(0)) {
        return Some((kind, PREAMBLE_BYTES as u64 + 4));
    }
    if head.starts_with(MAGIC) && begins(4) {
        return Some((Preamble::Absent, 4));
    }
    begins_as_data_set(head, length).then_some((Preamble::Absent, 0))
}

/// Without `DICM` only the groups a file can begin with are believed, and only a length that fits.
fn begins_as_data_set(head: &[u8], length: u64) -> bool {
    match sniff(head, length.saturating_sub(8)) {
        Some(Encoding::ExplicitBig) => head.starts_with(&[0, 8]),
        Some(_) => head.starts_with(&[2, 0]) || head.starts_with(&[8, 0]),
        None => false,
    }
}

/// Deflated Explicit VR Little Endian (PS3.5 §A.5) and the two JPIP referenced deflated ones (§A.7, §A.12).
fn is_deflated(transfer_syntax_uid: &str) -> bool {
    [super::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"]
        .contains(&transfer_syntax_uid)
}

/// Raw deflate as PS3.5 §A.5 wants it, or zlib as some senders write it.
fn inflater<'a, R: Read + 'a>(source: BufReader<R>, first: &[u8]) -> Box<dyn Read + 'a> {
    match first {
        [0x78, flags, ..] if (0x7800 + u16::from(*flags)).is_multiple_of(31) => Box::new(ZlibDecoder::new(source)),
        _ => Box::new(DeflateDecoder::new(source)),
    }
}
