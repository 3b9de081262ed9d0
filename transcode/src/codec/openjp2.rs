//! openjp2, from memory to memory. Its streams are made of C callbacks only; this file holds all of them.

#![allow(unsafe_code, reason = "openjp2 reads and writes memory through C callbacks and raw pointers only")]

use std::ffi::c_void;

use openjp2::openjpeg as opj;
use openjp2::{Codec, Stream, opj_image, opj_image_comptparm};

use super::{Header, damaged};
use crate::error::Result;
use crate::samples::{Samples, Values};

/// Bytes that openjp2 holds between two callbacks.
const BUFFER_BYTES: usize = 1 << 16;

/// Lossless: one tile, one quality layer of everything, the 5/3 transform; with the reversible colour transform if asked.
pub(super) fn encode(frame: &Samples, levels: u32, colour_transform: bool) -> Result<Vec<u8>> {
    let mut image = image(frame)?;
    let mut parameters = opj::opj_cparameters_t {
        tcp_numlayers: 1,
        cp_disto_alloc: 1,
        irreversible: 0,
        // RPCL, which DICOM likes better, makes openjp2 0.6 panic.
        prog_order: opj::OPJ_LRCP,
        numresolution: levels as i32 + 1,
        tcp_mct: i8::from(colour_transform && frame.components() == 3) as _,
        ..Default::default()
    };
    // Dropped last: the stream writes into it, also while it is itself dropped.
    let mut memory = Box::new(Memory { bytes: Vec::new(), at: 0 });
    let mut stream = writer(&mut memory);
    let Some(mut codec) = Codec::new_encoder(opj::OPJ_CODEC_J2K) else { return damaged("no encoder to be had") };
    let done = codec.setup_encoder(&mut parameters, &mut image) != 0
        && codec.start_compress(&mut image, &mut stream) != 0
        && codec.encode(&mut stream) != 0
        && codec.end_compress(&mut stream) != 0
        && stream.flush().is_ok();
    drop(stream);
    if done { Ok(memory.bytes) } else { damaged("openjp2 did not encode it") }
}

/// Everything or nothing: strict, so that a cut codestream is an error and not a grey picture.
pub(super) fn decode(codestream: &[u8], header: &Header) -> Result<Samples> {
    let mut input = Input { bytes: codestream, at: 0 };
    let mut stream = reader(&mut input);
    let Some(mut codec) = Codec::new_decoder(opj::OPJ_CODEC_J2K) else { return damaged("no decoder to be had") };
    if codec.setup_decoder(&mut opj::opj_dparameters_t::default()) == 0 || codec.decoder_set_strict_mode(1) == 0 {
        return damaged("openjp2 could not be set up");
    }
    let Some(mut image) = codec.read_header(&mut stream) else { return damaged("openjp2 refused its main header") };
    if codec.decode(&mut stream, &mut image) == 0 || codec.end_decompress(&mut stream) == 0 {
        return damaged("openjp2 could not decode it to the end");
    }
    samples(&image, header)
}

/// The frame as openjp2 wants it: a plane a component, 32 bits a sample.
fn image(frame: &Samples) -> Result<Box<opj_image>> {
    let component = opj_image_comptparm {
        dx: 1,
        dy: 1,
        w: frame.width(),
        h: frame.height(),
        prec: frame.bits().into(),
        sgnd: frame.signed().into(),
        ..Default::default()
    };
    let components = usize::from(frame.components());
    let space = if components == 3 { opj::OPJ_CLRSPC_SRGB } else { opj::OPJ_CLRSPC_GRAY };
    let Some(mut image) = opj_image::create(&vec![component; components], space) else {
        return damaged("no memory for the planes of openjp2");
    };
    (image.x1, image.y1) = (frame.width(), frame.height());
    for (index, plane) in image.comps_mut().unwrap_or_default().iter_mut().enumerate() {
        let plane = plane.data_mut().unwrap_or_default();
        match frame.values() {
            Values::U8(values) => fill(plane, values, index, components),
            Values::U16(values) => fill(plane, values, index, components),
            Values::I16(values) => fill(plane, values, index, components),
        }
    }
    Ok(image)
}

fn fill<T: Copy + Into<i32>>(plane: &mut [i32], values: &[T], first: usize, step: usize) {
    let values = values.iter().skip(first).step_by(step);
    plane.iter_mut().zip(values).for_each(|(to, &from)| *to = from.into());
}

fn samples(image: &opj_image, header: &Header) -> Result<Samples> {
    let count = (header.width as usize).checked_mul(header.height as usize).unwrap_or(0);
    let planes: Option<Vec<&[i32]>> =
        image.comps().unwrap_or_default().iter().map(|c| c.data().filter(|data| data.len() == count)).collect();
    let planes = match planes {
        Some(planes) if planes.len() == usize::from(header.components) => planes,
        _ => return damaged("openjp2 decoded other planes than the header promised"),
    };
    let wide = (0..count).flat_map(|pixel| planes.iter().map(move |plane| plane[pixel]));
    let values = match planes.as_slice() {
        [plane] => Values::collect(header.bits, header.signed, plane.iter().copied()),
        _ => Values::collect(header.bits, header.signed, wide),
    };
    Samples::new(header.width, header.height, header.components, header.bits, values)
}

/// What an encoder writes into.
struct Memory {
    bytes: Vec<u8>,
    at: usize,
}

/// What a decoder reads from.
struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// A stream into `memory`, which must outlive it.
fn writer(memory: &mut Memory) -> Stream {
    let mut stream = Stream::new_custom(BUFFER_BYTES, false);
    let handle = (&raw mut stream).cast::<opj::opj_stream_t>();
    // SAFETY: `handle` is this very stream, alive; the callbacks take user data to be a `Memory`, and it is one. The
    // free function is none, so the stream never frees it.
    unsafe {
        opj::opj_stream_set_user_data(handle, (&raw mut *memory).cast(), None);
        opj::opj_stream_set_write_function(handle, Some(write));
        opj::opj_stream_set_skip_function(handle, Some(write_skip));
        opj::opj_stream_set_seek_function(handle, Some(write_seek));
    }
    stream
}

/// A stream out of `input`, which must outlive it.
fn reader(input: &mut Input) -> Stream {
    let mut stream = Stream::new_custom(BUFFER_BYTES, true);
    let handle = (&raw mut stream).cast::<opj::opj_stream_t>();
    // SAFETY: as in `writer`, with an `Input`.
    unsafe {
        opj::opj_stream_set_user_data(handle, (&raw mut *input).cast(), None);
        opj::opj_stream_set_user_data_length(handle, input.bytes.len() as u64);
        opj::opj_stream_set_read_function(handle, Some(read));
        opj::opj_stream_set_skip_function(handle, Some(read_skip));
        opj::opj_stream_set_seek_function(handle, Some(read_seek));
    }
    stream
}

// No callback may panic: it would unwind into `extern "C"` and abort the process. So they use `get` and `checked_*`.

unsafe extern "C" fn read(to: *mut c_void, length: usize, user: *mut c_void) -> usize {
    // SAFETY: `reader` set `user` to a living `Input`, and nobody else holds it during the call.
    let input = unsafe { &mut *user.cast::<Input>() };
    let rest = input.bytes.get(input.at..).unwrap_or_default();
    let count = rest.len().min(length);
    // SAFETY: openjp2 gives `length` writable bytes at `to`; `count` is no more, and no more than `rest` has.
    unsafe { std::ptr::copy_nonoverlapping(rest.as_ptr(), to.cast(), count) };
    input.at += count;
    count
}

unsafe extern "C" fn read_skip(by: i64, user: *mut c_void) -> i64 {
    // SAFETY: as in `read`.
    let input = unsafe { &mut *user.cast::<Input>() };
    moved(&mut input.at, by, input.bytes.len())
}

unsafe extern "C" fn read_seek(to: i64, user: *mut c_void) -> i32 {
    // SAFETY: as in `read`.
    let input = unsafe { &mut *user.cast::<Input>() };
    sought(&mut input.at, to, input.bytes.len())
}

unsafe extern "C" fn write(from: *mut c_void, length: usize, user: *mut c_void) -> usize {
    // SAFETY: `writer` set `user` to a living `Memory`, and nobody else holds it during the call.
    let memory = unsafe { &mut *user.cast::<Memory>() };
    // SAFETY: openjp2 gives `length` readable bytes at `from`.
    let from = unsafe { std::slice::from_raw_parts(from.cast::<u8>(), length) };
    let over = memory.bytes.len().saturating_sub(memory.at).min(length);
    let (old, new) = from.split_at_checked(over).unwrap_or((from, &[]));
    if let Some(place) = memory.bytes.get_mut(memory.at..memory.at + old.len()) {
        place.copy_from_slice(old);
    }
    memory.bytes.extend_from_slice(new);
    memory.at += length;
    length
}

unsafe extern "C" fn write_skip(by: i64, user: *mut c_void) -> i64 {
    // SAFETY: as in `write`.
    let memory = unsafe { &mut *user.cast::<Memory>() };
    moved(&mut memory.at, by, memory.bytes.len())
}

unsafe extern "C" fn write_seek(to: i64, user: *mut c_void) -> i32 {
    // SAFETY: as in `write`.
    let memory = unsafe { &mut *user.cast::<Memory>() };
    sought(&mut memory.at, to, memory.bytes.len())
}

/// Moves a place within `length` bytes; -1 and no move beyond them.
fn moved(at: &mut usize, by: i64, length: usize) -> i64 {
    let target = (*at as i64).checked_add(by);
    match target.and_then(|target| usize::try_from(target).ok()).filter(|&target| target <= length) {
        Some(target) => {
            *at = target;
            by
        }
        None => -1,
    }
}

/// Sets a place within `length` bytes; 0 and no move beyond them.
fn sought(at: &mut usize, to: i64, length: usize) -> i32 {
    let target = usize::try_from(to).ok().filter(|&target| target <= length);
    *at = target.unwrap_or(*at);
    i32::from(target.is_some())
}
