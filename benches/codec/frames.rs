//! What is raced on: real grey frames where they are, else drawn ones.

use std::io::Cursor;
use std::path::Path;

use htj2k::{Shape, Values};
use transcode::data_set::{Limits, pixel_description, scan};
use transcode::decode_frame;

use crate::Result;

/// Grey frames of ../shared/datasets, of 256 x 256 and more.
const REAL: [&str; 14] = [
    "ct-series/wg04/CT1_UNC",
    "ct-series/gantry-tilt/IM-0001-0002.dcm",
    "ct-series/phantom-head-study/S2020/I680",
    "mr-series/wg04/MR1_J2KR",
    "multi-frame/philips_enhanced/anatomical/001/IM-0001-0170-0001.dcm",
    "multi-frame/MOVEKNEE.dcm",
    "dr/wg04/RG2_J2KR",
    "dr/CR-ModalitySequenceLUT.dcm",
    "mammography/MG1_J2KI",
    "mammography/OutOfBoundsOverlay.dcm",
    "angiography/wg04/XA1_J2KR",
    "nuclear/wg04/NM1_UNC",
    "ultrasound/JPGLosslessP14SV1_1s_1f_8b.dcm",
    "fundus/sample-op.dcm",
];

/// One frame.
pub struct Frame {
    pub name: String,
    pub shape: Shape,
    pub values: Values,
}

impl Frame {
    /// The numbers, little-endian.
    pub fn bytes(&self) -> Vec<u8> {
        match &self.values {
            Values::U8(values) => values.clone(),
            Values::I8(values) => values.iter().map(|&value| value as u8).collect(),
            Values::U16(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            Values::I16(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        }
    }
}

/// The real frames if there are at least eight, else drawn ones.
pub fn gather() -> Result<Vec<Frame>> {
    let datasets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/datasets");
    let real: Vec<Frame> = REAL.iter().filter_map(|name| read(&datasets, name).ok()).collect();
    if real.len() >= 8 {
        println!("{} real frames of ../shared/datasets, and a drawn mammogram", real.len());
        return Ok(real.into_iter().chain([drawn("drawn mammogram", 4096, 6144, 12)]).collect());
    }
    println!("../shared/datasets is not here: drawn frames");
    let sizes =
        [("small", 256, 256, 12), ("slice", 512, 512, 12), ("chest", 2128, 2000, 12), ("eight bits", 1024, 768, 8)];
    Ok(sizes.map(|(name, width, height, bits)| drawn(name, width, height, bits)).into())
}

/// The first frame of a file.
fn read(datasets: &Path, name: &str) -> Result<Frame> {
    let bytes = std::fs::read(datasets.join(name))?;
    let mut cursor = Cursor::new(&bytes);
    let part10 = scan(&mut cursor, &Limits::default())?;
    let description = pixel_description(&part10.data_set).ok_or("no pixels")?;
    let spans = transcode::data_set::frame_spans(&part10, &mut cursor)?;
    let first = spans.first().ok_or("no frame")?;
    let coded = bytes.get(first.offset as usize..(first.offset + first.length) as usize).ok_or("a frame outside")?;
    let frame = decode_frame(&part10.transfer_syntax_uid, &description, coded)?.samples;
    let values = match frame.values() {
        transcode::Values::U8(values) => Values::U8(values.clone()),
        transcode::Values::U16(values) => Values::U16(values.clone()),
        transcode::Values::I16(values) => Values::I16(values.clone()),
    };
    let (width, height, components) = (frame.width(), frame.height(), frame.components());
    let shape = Shape { width, height, components, bits: frame.bits(), signed: frame.signed() };
    Ok(Frame { name: name.into(), shape, values })
}

/// Tissue: smooth shapes, texture and the noise of a detector.
fn drawn(name: &str, width: u32, height: u32, bits: u8) -> Frame {
    let top = f64::from((1u32 << bits) - 1);
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    let mut noise = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / f64::from(1u32 << 24) - 0.5
    };
    let mut values = Vec::with_capacity(width as usize * height as usize);
    for y in 0..height {
        for x in 0..width {
            let (u, v) = (f64::from(x) / f64::from(width) - 0.4, f64::from(y) / f64::from(height) - 0.5);
            let body = (1.0 - (u * u * 4.0 + v * v * 5.0)).max(0.02);
            let texture = 0.05 * (u * 61.0).sin() * (v * 47.0).cos() + 0.02 * (u * 411.0 + v * 293.0).sin();
            let level = top * (0.15 + 0.6 * body * (1.0 + texture));
            // Three draws make the noise nearly normal; its spread grows with the dose as a detector's does.
            values.push((level + (noise() + noise() + noise()) * level.sqrt() * 0.6).clamp(0.0, top));
        }
    }
    let values = if bits > 8 {
        Values::U16(values.into_iter().map(|value| value as u16).collect())
    } else {
        Values::U8(values.into_iter().map(|value| value as u8).collect())
    };
    Frame { name: name.into(), shape: Shape { width, height, components: 1, bits, signed: false }, values }
}
