//! No kernel reads or writes beyond what it was given: every input ends, or begins, at a page that may not be touched.

#![cfg(all(unix, not(miri)))]
#![allow(unsafe_code, reason = "guard pages are made by mmap and mprotect")]

use htj2k::block::decode::{BlockDecoder, BlockJob};
use htj2k::block::encode::BlockEncoder;
use htj2k::simd::Level;
use htj2k::{
    Alone, Coefficient, DecodeOptions, Decoder, EncodeParameters, Encoder, Quality, Samples, SamplesMut, Shape,
};

use crate::pictures::{Content, picture};

/// Memory between two pages that may not be touched.
struct Guarded {
    map: *mut libc::c_void,
    bytes: usize,
    page: usize,
}

/// Which end of the memory touches the page that may not be touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Front,
    Back,
}

const ENDS: [End; 2] = [End::Front, End::Back];

impl Guarded {
    fn new(bytes: usize) -> Guarded {
        // SAFETY: an anonymous private mapping of a fresh address; its first and last page lose all rights.
        unsafe {
            let page = libc::sysconf(libc::_SC_PAGESIZE) as usize;
            let inside = bytes.next_multiple_of(page).max(page);
            let rights = libc::PROT_READ | libc::PROT_WRITE;
            let map = libc::mmap(
                std::ptr::null_mut(),
                inside + 2 * page,
                rights,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            );
            assert!(map != libc::MAP_FAILED);
            let last = map.cast::<u8>().add(page + inside);
            assert_eq!(libc::mprotect(map, page, libc::PROT_NONE), 0);
            assert_eq!(libc::mprotect(last.cast(), page, libc::PROT_NONE), 0);
            Guarded { map, bytes: inside, page }
        }
    }

    /// `count` values at one end, zero until they are written.
    fn values<T: Plain>(&mut self, count: usize, end: End) -> &mut [T] {
        let bytes = count * size_of::<T>();
        assert!(bytes <= self.bytes);
        let skipped = if end == End::Back { self.bytes - bytes } else { 0 };
        // SAFETY: inside the mapping between the two pages, aligned since pages and sizes are, and any bytes are a T.
        unsafe {
            let start = self.map.cast::<u8>().add(self.page + skipped).cast::<T>();
            std::slice::from_raw_parts_mut(start, count)
        }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // SAFETY: the mapping of `new`, which nobody borrows any more.
        unsafe { libc::munmap(self.map, self.bytes + 2 * self.page) };
    }
}

/// Numbers that any bytes are.
trait Plain: Copy {}
impl Plain for u8 {}
impl Plain for i16 {}
impl Plain for u16 {}
impl Plain for i32 {}
impl Plain for f32 {}

/// Puts a copy of `values` at one end of guarded memory.
fn guarded<T: Plain>(values: &[T], end: End, work: impl FnOnce(&mut [T])) {
    let mut memory = Guarded::new(size_of_val(values));
    let inside = memory.values::<T>(values.len(), end);
    inside.copy_from_slice(values);
    work(inside);
}

#[test]
fn pictures_are_read_and_written_within_their_bounds() {
    let sizes = [1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 67, 127, 129];
    let shape = |(width, height), components, bits| Shape { width, height, components, bits, signed: false };
    for (number, &width) in sizes.iter().enumerate() {
        let size = (width, sizes[(number * 7 + 3) % sizes.len()]);
        for (components, bits) in [(1, 8), (3, 8), (1, 12), (3, 12), (2, 16), (1, 16), (4, 7)] {
            for quality in [Quality::Lossless, Quality::Step(0.5)] {
                there_and_back(&shape(size, components, bits), quality);
            }
        }
    }
}

fn there_and_back(shape: &Shape, quality: Quality) {
    let values = picture(shape, Content::Noise, shape.width);
    let parameters = EncodeParameters { quality, decompositions: Some(3), ..EncodeParameters::default() };
    for (level, end) in Level::available().flat_map(|level| ENDS.map(|end| (level, end))) {
        let mut codestream = Vec::new();
        let mut encode = |samples: Samples<'_>| {
            Encoder::with_level(level).encode(shape, samples, &parameters, &Alone, &mut codestream).unwrap();
        };
        match &values {
            htj2k::Values::U8(values) => guarded(values, end, |values| encode(Samples::U8(values))),
            htj2k::Values::U16(values) => guarded(values, end, |values| encode(Samples::U16(values))),
            _ => unreachable!("unsigned pictures"),
        }
        guarded(&codestream, end, |codestream| {
            let decode = |out: SamplesMut<'_>| {
                Decoder::with_level(level).decode(codestream, &DecodeOptions::default(), &Alone, out).unwrap();
            };
            match &values {
                htj2k::Values::U8(values) => guarded(&vec![0u8; values.len()], end, |out| {
                    decode(SamplesMut::U8(out));
                    assert!(quality != Quality::Lossless || out == &values[..]);
                }),
                htj2k::Values::U16(values) => guarded(&vec![0u16; values.len()], end, |out| {
                    decode(SamplesMut::U16(out));
                    assert!(quality != Quality::Lossless || out == &values[..]);
                }),
                _ => unreachable!("unsigned pictures"),
            }
        });
    }
}

/// Shapes of code-blocks whose tails every kernel has to get right.
const BLOCKS: [(usize, usize); 14] = [
    (1, 1),
    (2, 2),
    (3, 1),
    (1, 7),
    (5, 3),
    (15, 9),
    (16, 16),
    (17, 5),
    (31, 4),
    (33, 31),
    (63, 64),
    (64, 63),
    (4, 1023),
    (1021, 4),
];

#[test]
fn code_blocks_are_read_and_written_within_their_bounds() {
    for (number, size) in BLOCKS.into_iter().enumerate() {
        for bits in [1, 4, 9, 14] {
            block::<i16>(size, bits, number as u32);
        }
        for bits in [2, 11, 16, 22] {
            block::<i32>(size, bits, number as u32);
        }
    }
}

/// Encodes and decodes one code-block whose rows are closer to each other than they are to anything else.
fn block<T: Coefficient + Plain + PartialEq + std::fmt::Debug + TryFrom<i32> + Default>(
    (width, height): (usize, usize),
    bits: u32,
    seed: u32,
) {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    let mut random = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 8
    };
    let mut number = || {
        let magnitude = (random() & ((1 << bits) - 1)) as i32 >> (random() % bits);
        T::try_from(if random() & 1 == 1 { -magnitude } else { magnitude }).unwrap_or_default()
    };
    let coefficients: Vec<T> = (0..width * height).map(|_| number()).collect();
    for (level, end) in Level::available().flat_map(|level| ENDS.map(|end| (level, end))) {
        let mut coded = Vec::new();
        let mut answer = None;
        guarded(&coefficients, end, |coefficients| {
            answer = BlockEncoder::new(level).encode(coefficients, width, width, height, &mut coded);
        });
        let passes = u8::from(answer.is_some());
        // A refinement segment as well, read forwards and backwards: of noise, so that it is only read.
        let noise: Vec<u8> = (0..29u8).map(|byte| byte.wrapping_mul(37) & 0x7F).collect();
        for (passes, bit_plane) in [(passes, 0), (3 * passes, 1)] {
            guarded(&coded, end, |cleanup| {
                guarded(&noise, end, |refinement| {
                    let job = BlockJob {
                        cleanup,
                        refinement: if passes > 1 { refinement } else { &[] },
                        passes,
                        bit_plane,
                        causal: false,
                        width,
                        height,
                        offset: 0,
                    };
                    guarded(&coefficients, end, |out| {
                        let done = BlockDecoder::new(level).decode(&[job], out, width);
                        assert!(done.is_ok(), "{level:?} {width} x {height}: {done:?}");
                        assert!(passes > 1 || out == &coefficients[..], "{level:?} {width} x {height}, {bits} bits");
                    });
                    guarded(&vec![0f32; width * height], end, |out| {
                        let done = BlockDecoder::new(level).decode_f32(&[job], 0.5, out, width);
                        assert!(done.is_ok(), "{level:?} {width} x {height}: {done:?}");
                    });
                });
            });
        }
    }
}
