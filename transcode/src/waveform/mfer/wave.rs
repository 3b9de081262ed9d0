//! Samples of a waveform: for each sequence, for each channel, a block of its samples.

use std::ops::Range;

use super::cursor::Cursor;
use super::definition::{DataType, Definition};
use super::warn;
use crate::waveform::{Channel, Error, Interval, Samples, Warning};

/// Bytes of samples that all waveforms of a file may be short of what was declared, or as many as the file has: no more
/// is allocated for what is not there.
const MISSING_BYTES_MAX: u64 = 1 << 20;

/// Bytes that were declared and are not there, of all waveforms of a file.
#[derive(Debug)]
pub(super) struct Absent {
    bytes: u64,
    at_most: u64,
}

impl Absent {
    /// Of a file of so many bytes.
    pub fn of(file_bytes: usize) -> Absent {
        Absent { bytes: 0, at_most: MISSING_BYTES_MAX.max(file_bytes as u64) }
    }

    /// Whether so many more may be absent.
    fn takes(&mut self, bytes: u64) -> bool {
        self.bytes = self.bytes.saturating_add(bytes);
        self.bytes <= self.at_most
    }
}

/// How a channel lies in the waveform.
struct Lane {
    block: usize,
    sequences: usize,
    data_type: DataType,
    samples: Samples,
    null: Option<f64>,
    missing: Vec<Range<u32>>,
}

/// Reads the channels of a waveform.
pub(super) fn channels(
    element: &Cursor<'_>,
    definitions: Vec<Definition>,
    absent: &mut Absent,
    warnings: &mut Vec<Warning>,
) -> Result<Vec<Channel>, Error> {
    let bytes = element.value.len() as u64;
    let block_bytes = |definition: &Definition| {
        u64::from(definition.block.unwrap_or(1)) * definition.data_type.unwrap_or_default().bytes() as u64
    };
    let a_sequence: u64 = definitions.iter().map(block_bytes).sum();
    if a_sequence == 0 {
        return Err(element.malformed("has no samples in a block"));
    }
    let by_length = bytes.div_ceil(a_sequence);
    let mut declared = 0u64;
    for definition in &definitions {
        let sequences = definition.sequences.map_or(by_length, u64::from);
        declared = declared.saturating_add(block_bytes(definition).saturating_mul(sequences));
    }
    if !absent.takes(declared.saturating_sub(bytes)) {
        return Err(element.malformed("is far shorter than its blocks and sequences say"));
    }
    if declared > bytes {
        warn(warnings, element.offset, "a waveform is shorter than declared: its last samples are missing");
    } else if declared < bytes {
        warn(warnings, element.offset, "a waveform is longer than declared: the rest was passed over");
    }
    let mut lanes: Vec<Lane> = definitions.iter().map(|definition| Lane::of(definition, by_length)).collect();
    fill(&mut lanes, element);
    Ok(definitions.into_iter().zip(lanes).map(|(definition, lane)| channel(definition, lane)).collect())
}

/// A channel that has fewer sequences than others drops out of the later ones.
fn fill(lanes: &mut [Lane], element: &Cursor<'_>) {
    let sequences = lanes.iter().map(|lane| lane.sequences).max().unwrap_or(0);
    let mut rest = element.value;
    for sequence in 0..sequences {
        for lane in lanes.iter_mut().filter(|lane| sequence < lane.sequences) {
            let wanted = lane.block.saturating_mul(lane.data_type.bytes());
            let (block, after) = rest.split_at(wanted.min(rest.len()));
            lane.push(block, element.big_endian);
            rest = after;
        }
    }
}

impl Lane {
    fn of(definition: &Definition, by_length: u64) -> Lane {
        let data_type = definition.data_type.unwrap_or_default();
        let block = definition.block.unwrap_or(1) as usize;
        // Unsigned 32-bit samples are looked at again once all are there.
        let is_real = matches!(data_type, DataType::Float32 | DataType::Float64 | DataType::Uint32);
        // A channel without samples has no sequences to be walked through.
        let sequences = if block == 0 { 0 } else { definition.sequences.map_or(by_length, u64::from) as usize };
        // What was declared is there, or in the allowance for what is not.
        let length = block.saturating_mul(sequences);
        Lane {
            block,
            sequences,
            data_type,
            samples: if is_real {
                Samples::Reals(Vec::with_capacity(length))
            } else {
                Samples::Integers(Vec::with_capacity(length))
            },
            null: definition.null.map(|null| null.value(data_type)),
            missing: Vec::new(),
        }
    }

    /// One block, or what is left of it.
    fn push(&mut self, block: &[u8], big_endian: bool) {
        let width = self.data_type.bytes();
        for sample in block.chunks_exact(width) {
            let value = decode(sample, self.data_type, big_endian);
            // A floating-point sample that is no number is none that could be drawn either.
            if self.null == Some(value) || !value.is_finite() {
                miss(&mut self.missing, self.samples.len(), 1);
            }
            match &mut self.samples {
                Samples::Integers(samples) => samples.push(value as i32),
                Samples::Reals(samples) => samples.push(value),
            }
        }
        let absent = self.block - block.len() / width;
        if absent > 0 {
            let at = self.samples.len();
            miss(&mut self.missing, at, absent);
            match &mut self.samples {
                Samples::Integers(samples) => samples.resize(at + absent, 0),
                Samples::Reals(samples) => samples.resize(at + absent, 0.0),
            }
        }
    }

    /// Unsigned 32-bit samples are integers where all are in the range of signed ones.
    fn into_samples(self) -> (Samples, Vec<Range<u32>>) {
        let samples = match self.samples {
            Samples::Reals(samples)
                if self.data_type == DataType::Uint32
                    && samples.iter().all(|sample| *sample <= f64::from(i32::MAX)) =>
            {
                Samples::Integers(samples.into_iter().map(|sample| sample as i32).collect())
            }
            samples => samples,
        };
        (samples, self.missing)
    }
}

fn miss(missing: &mut Vec<Range<u32>>, at: usize, count: usize) {
    // A waveform has fewer samples than the file may have bytes, and than may be missing.
    let (start, end) = (at as u32, (at + count) as u32);
    match missing.last_mut() {
        Some(last) if last.end == start => last.end = end,
        _ => missing.push(start..end),
    }
}

/// Every type of up to 32 bits is exact in a double.
fn decode(sample: &[u8], data_type: DataType, big_endian: bool) -> f64 {
    let mut bytes = [0; 8];
    bytes.iter_mut().zip(sample).for_each(|(to, from)| *to = *from);
    if big_endian && let Some(sample) = bytes.get_mut(..sample.len()) {
        sample.reverse();
    }
    let [a, b, c, d, ..] = bytes;
    match data_type {
        DataType::Int8 => f64::from(i8::from_le_bytes([a])),
        DataType::Uint8 => f64::from(a),
        DataType::Int16 => f64::from(i16::from_le_bytes([a, b])),
        DataType::Uint16 | DataType::Status16 => f64::from(u16::from_le_bytes([a, b])),
        DataType::Int32 => f64::from(i32::from_le_bytes([a, b, c, d])),
        DataType::Uint32 => f64::from(u32::from_le_bytes([a, b, c, d])),
        DataType::Float32 => f64::from(f32::from_le_bytes([a, b, c, d])),
        DataType::Float64 => f64::from_le_bytes(bytes),
    }
}

fn channel(definition: Definition, lane: Lane) -> Channel {
    let data_type = lane.data_type;
    let (samples, missing) = lane.into_samples();
    Channel {
        lead: definition.lead.unwrap_or(0),
        name: definition.name,
        interval: definition.interval.unwrap_or_default(),
        sensitivity: definition.sensitivity,
        baseline: definition.offset.map_or(0.0, |offset| offset.value(data_type)),
        skew_ns: definition.skew_ns.unwrap_or(0),
        filters: definition.filters,
        samples,
        missing,
    }
}

/// How long the longest channel is in root intervals, rounded.
pub(super) fn root_intervals(channels: &[Channel], root: Interval) -> u64 {
    let length = |channel: &Channel| (channel.samples.len() as f64 / channel.interval.rate() * root.rate()).round();
    let longest = channels.iter().map(length).filter(|length| length.is_finite()).fold(0.0, f64::max);
    // A number beyond the range becomes its end.
    longest as u64
}
