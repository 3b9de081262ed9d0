//! The decoder for WebAssembly: a few functions that any language with pointers can call; `js/htj2k.mjs` wraps them.
//!
//! ```text
//! RUSTFLAGS="-Ctarget-feature=+simd128 -Cllvm-args=-inline-threshold=80" cargo rustc -p htj2k --lib \
//!     --crate-type cdylib --profile wasm --target wasm32-unknown-unknown
//! ```
//!
//! The viewer keeps what this builds: viewer-api/web/viewer/image/htj2k.wasm. tests/wasm compares the two, and with
//! `UPDATE_MODULE` in the environment writes it anew.
//!
//! Without `simd128` it works as well, at a fraction of the speed; the threshold takes a twentieth of the size and no time.
//!
//! | function | answer |
//! |---|---|
//! | `htj2k_new(samples_max)` | a decoder; pictures of more samples are refused (0: 2^28) |
//! | `htj2k_free(decoder)` | |
//! | `htj2k_clear(decoder)` | forgets the codestream and keeps its memory: the next one begins |
//! | `htj2k_reserve(decoder, bytes)` | 0, or a code: room for a codestream of so many bytes, so that it need not move |
//! | `htj2k_push(decoder, bytes)` | where to write the next so many bytes of the codestream, which count from now on; 0 is an error |
//! | `htj2k_info(decoder)` | words about the codestream as far as it is here (below); 0 is an error |
//! | `htj2k_decode(decoder, reduce, x0, y0, x1, y1, prefix)` | words about the decoded picture (below); 0 is an error |
//! | `htj2k_error_code(decoder)` | of the last call: 0, or 1 damaged, 2 not supported, 3 not HTJ2K, 4 too large, 5 bad parameters, 6 no memory |
//! | `htj2k_error_message(decoder)`, `htj2k_error_length(decoder)` | a sentence in UTF-8 |
//!
//! `reduce` resolution levels are left out; the region counts columns and rows of the reduced picture, and `x1 = 0` asks
//! for all of it; with `prefix` 1 a truncated codestream gives what it holds. Info: columns, rows, components, bits, signed,
//! decompositions, reversible, whether bytes are missing, tiles, how many ends follow, and of each resolution level, lowest
//! first, the byte after which it is complete: of all levels where TLM announces them, else of those that are here. Picture:
//! columns, rows, components, bits, signed, bytes a sample (1 up to 8 bits, else 2), whole resolution levels, pointer and
//! bytes of the samples, which stand row by row, the components of a pixel beside each other.
//!
//! All numbers are 32 bits wide; words stand behind each other. Pointers hold until the next call with this decoder, and
//! memory may have grown in any call. Nothing is left half done by an error. A trap (memory at an end inside the decoder)
//! ends the whole instance: make another from the same module.
#![allow(unsafe_code, reason = "the functions are called from outside, with pointers that they gave out")]

use crate::codestream::{Codestream, contiguous};
use crate::error::{Error, Result};
use crate::geometry::Rect;
use crate::{Alone, DecodeOptions, Decoder, Info, SAMPLES_MAX, Shape, Values};

/// Words before the byte ends of resolution levels.
const INFO_WORDS: usize = 10;
/// Resolution levels that a codestream may have (T.800 A.6.1).
const LEVELS_MAX: usize = 33;

/// One codestream after the other, and the picture decoded last.
pub struct Session {
    decoder: Decoder,
    samples_max: u64,
    codestream: Vec<u8>,
    values: Values,
    info: [u32; INFO_WORDS + LEVELS_MAX],
    picture: [u32; 9],
    code: u32,
    message: String,
}

impl Session {
    fn new(samples_max: u32) -> Session {
        Session {
            decoder: Decoder::new(),
            samples_max: if samples_max == 0 { SAMPLES_MAX } else { samples_max.into() },
            codestream: Vec::new(),
            values: Values::U16(Vec::new()),
            info: [0; INFO_WORDS + LEVELS_MAX],
            picture: [0; 9],
            code: 0,
            message: String::new(),
        }
    }

    /// Keeps what went wrong; whether nothing did.
    fn keep(&mut self, result: Result<()>) -> bool {
        self.code = 0;
        self.message.clear();
        let Err(error) = result else { return true };
        self.code = match error {
            Error::Damaged { .. } => 1,
            Error::Unsupported { .. } => 2,
            Error::NotHighThroughput { .. } => 3,
            Error::TooLarge { what: OUT_OF_MEMORY, .. } => 6,
            Error::TooLarge { .. } => 4,
            Error::BadParameters(_) => 5,
        };
        self.message = error.to_string();
        false
    }

    fn reserve(&mut self, bytes: usize) -> Result<()> {
        let more = bytes.saturating_sub(self.codestream.len());
        self.codestream.try_reserve_exact(more).map_err(|_| no_memory(bytes))
    }

    /// Where `bytes` more begin.
    fn push(&mut self, bytes: usize) -> Result<*mut u8> {
        let start = self.codestream.len();
        self.codestream.try_reserve(bytes).map_err(|_| no_memory(start.saturating_add(bytes)))?;
        // SAFETY: there is room for them, all bytes of a module's memory have a value, and the caller writes these now.
        unsafe { self.codestream.set_len(start + bytes) };
        Ok(self.codestream[start..].as_mut_ptr())
    }

    fn read_info(&mut self) -> Result<()> {
        let bare = contiguous(&self.codestream)?;
        let before = self.codestream.len() - bare.len();
        let stream = Codestream::parse(bare)?;
        let info = Info::of(&stream);
        let ends = match stream.announced_resolution_ends() {
            Some(ends) => ends,
            None => stream.resolution_ends()?,
        };
        let first = info.components.first();
        let count = ends.len().min(LEVELS_MAX);
        self.info[..INFO_WORDS].copy_from_slice(&[
            info.image.width(),
            info.image.height(),
            info.components.len() as u32,
            first.map_or(0, |component| component.bits.into()),
            first.is_some_and(|component| component.signed).into(),
            info.decompositions.into(),
            info.reversible.into(),
            info.is_truncated.into(),
            info.tiles,
            count as u32,
        ]);
        self.info[INFO_WORDS..].iter_mut().zip(ends).for_each(|(word, end)| *word = (before + end) as u32);
        Ok(())
    }

    fn decode(&mut self, reduce: u32, region: Option<Rect>, prefix: bool) -> Result<()> {
        let reduce = u8::try_from(reduce).unwrap_or(u8::MAX);
        let options = DecodeOptions { reduce, region, prefix, samples_max: self.samples_max };
        let info = Info::read(&self.codestream)?;
        info.check(&options)?;
        let Some(shape) = info.shape(&options) else {
            return Err(Error::unsupported(0, "a picture whose components differ, or have more than 16 bits"));
        };
        fit(&mut self.values, &shape)?;
        let decoded = self.decoder.decode(&self.codestream, &options, &Alone, self.values.samples_mut())?;
        let start = match &self.values {
            Values::U8(values) => values.as_ptr() as usize,
            Values::I8(values) => values.as_ptr() as usize,
            Values::U16(values) => values.as_ptr() as usize,
            Values::I16(values) => values.as_ptr() as usize,
        };
        self.picture = [
            decoded.width,
            decoded.height,
            shape.components.into(),
            shape.bits.into(),
            shape.signed.into(),
            if shape.bits > 8 { 2 } else { 1 },
            decoded.complete_resolutions.into(),
            start as u32,
            shape.raw_bytes() as u32,
        ];
        Ok(())
    }
}

/// What [`Error::TooLarge`] says where it means the machine.
const OUT_OF_MEMORY: &str = "bytes that memory has no room for";

fn no_memory(bytes: usize) -> Error {
    Error::TooLarge { what: OUT_OF_MEMORY, claimed: bytes as u64, limit: u64::from(u32::MAX) }
}

/// Makes `values` as many as a picture of `shape` has, in its type; memory that is there is used again.
fn fit(values: &mut Values, shape: &Shape) -> Result<()> {
    macro_rules! fit {
        ($kind:ident) => {{
            let mut numbers = match values {
                Values::$kind(numbers) => std::mem::take(numbers),
                _ => Vec::new(),
            };
            // The other type's memory goes before this one's is asked for.
            *values = Values::$kind(Vec::new());
            let count = shape.samples() as usize;
            let more = count.saturating_sub(numbers.len());
            numbers.try_reserve_exact(more).map_err(|_| no_memory(shape.raw_bytes() as usize))?;
            numbers.resize(count, 0);
            *values = Values::$kind(numbers);
        }};
    }
    match (shape.signed, shape.bits) {
        (false, ..=8) => fit!(U8),
        (true, ..=8) => fit!(I8),
        (false, _) => fit!(U16),
        (true, _) => fit!(I16),
    }
    Ok(())
}

/// See the table above.
#[unsafe(no_mangle)]
pub extern "C" fn htj2k_new(samples_max: u32) -> *mut Session {
    Box::into_raw(Box::new(Session::new(samples_max)))
}

/// See the table above.
///
/// # Safety
/// `decoder` is of [`htj2k_new`], and not used after.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn htj2k_free(decoder: *mut Session) {
    // SAFETY: it was made by `Box::into_raw`, and the caller gives it back once.
    drop(unsafe { Box::from_raw(decoder) });
}

/// Exported functions on a decoder.
macro_rules! exports {
    ($($name:ident($session:ident $(, $argument:ident: $type:ty)*) $(-> $answer:ty)? $body:block)+) => {$(
        /// See the table above.
        ///
        /// # Safety
        /// `decoder` is of [`htj2k_new`] and was not freed.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(decoder: *mut Session $(, $argument: $type)*) $(-> $answer)? {
            // SAFETY: it is alive, and there is one thread.
            let $session = unsafe { &mut *decoder };
            $body
        }
    )+};
}

exports! {
    htj2k_clear(session) {
        session.codestream.clear();
    }

    htj2k_reserve(session, bytes: usize) -> u32 {
        let result = session.reserve(bytes);
        session.keep(result);
        session.code
    }

    htj2k_push(session, bytes: usize) -> *mut u8 {
        let mut start = std::ptr::null_mut();
        let result = session.push(bytes).map(|place| start = place);
        session.keep(result);
        start
    }

    htj2k_info(session) -> *const u32 {
        let result = session.read_info();
        if session.keep(result) { session.info.as_ptr() } else { std::ptr::null() }
    }

    htj2k_decode(session, reduce: u32, x0: u32, y0: u32, x1: u32, y1: u32, prefix: u32) -> *const u32 {
        let region = (x1 > 0).then_some(Rect { x0, y0, x1, y1 });
        let result = session.decode(reduce, region, prefix != 0);
        if session.keep(result) { session.picture.as_ptr() } else { std::ptr::null() }
    }

    htj2k_error_code(session) -> u32 {
        session.code
    }

    htj2k_error_message(session) -> *const u8 {
        session.message.as_ptr()
    }

    htj2k_error_length(session) -> usize {
        session.message.len()
    }
}
