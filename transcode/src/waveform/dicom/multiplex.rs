//! Multiplex groups: channels of one rate and one length, interleaved sample by sample (PS3.3 C.10.9).

use super::codes;
use super::set::{Set, decimal, shortened};
use crate::data_set::{Tag, VR};
use crate::waveform::{Channel, Error, Group, Interval, Samples};

/// Powers of two that floating-point samples are tried with: 2^-15 is the last that DS writes exactly.
const BINARY_PLACES_MAX: u32 = 15;
/// Values that are tried for missing samples.
const PADDINGS_MAX: usize = 256;

/// One multiplex group: integers of channels of one rate.
pub(super) struct Multiplex {
    pub waveform: u16,
    /// In root sampling intervals.
    pub start: u64,
    /// Samples a second.
    pub rate: f64,
    /// Samples a channel.
    pub length: usize,
    pub channels: Vec<Lane>,
    /// Byte of its waveform in the MFER file.
    pub offset: usize,
}

/// A channel of integers.
pub(super) struct Lane {
    /// Its number in the waveform, from 0.
    pub number: usize,
    pub channel: Channel,
    integers: Vec<i32>,
    /// Samples are integers · 2^-places.
    binary_places: u32,
    filters: Filters,
}

/// Frequencies in Hz as the file writes them.
#[derive(Default)]
struct Filters {
    low: Option<String>,
    high: Option<String>,
    notch: Option<String>,
}

/// The multiplex groups of the waveforms of a file, in its order.
///
/// # Errors
/// [`Error::NotDicom`] for samples that no integer of 32 bits holds exactly, and for those that lie along a length.
pub(super) fn groups(groups: Vec<Group>, root: Interval) -> Result<Vec<Multiplex>, Error> {
    let mut out: Vec<Multiplex> = Vec::new();
    for group in joined(groups, root) {
        let first = out.len();
        if is_length(root) || group.channels.iter().any(|channel| is_length(channel.interval)) {
            let what = "its sampling interval is a length, and only samples in time have a Sampling Frequency";
            return Err(Error::NotDicom { offset: group.offset, what });
        }
        let channels = group.channels.into_iter().enumerate();
        for (number, channel) in channels.filter(|(_, channel)| !channel.samples.is_empty()) {
            let (rate, length) = (channel.interval.rate(), channel.samples.len());
            let lane = Lane::of(number, channel, &group.filters, group.offset)?;
            let like = |one: &&mut Multiplex| one.rate.to_bits() == rate.to_bits() && one.length == length;
            match out.get_mut(first..).unwrap_or_default().iter_mut().find(like) {
                Some(multiplex) => multiplex.channels.push(lane),
                None => out.push(Multiplex {
                    waveform: group.waveform,
                    start: group.start,
                    rate,
                    length,
                    channels: vec![lane],
                    offset: group.offset,
                }),
            }
        }
    }
    Ok(out)
}

/// Metres (IVL).
fn is_length(interval: Interval) -> bool {
    interval.unit == 2
}

/// Waveforms that go on where the one before ends, with the same definitions, are one.
fn joined(groups: Vec<Group>, root: Interval) -> Vec<Group> {
    let mut out: Vec<Group> = Vec::new();
    for group in groups {
        match out.last_mut() {
            Some(last) if continues(last, &group, root) => {
                for (before, after) in last.channels.iter_mut().zip(group.channels) {
                    append(before, after);
                }
            }
            _ => out.push(group),
        }
    }
    out
}

fn continues(last: &Group, next: &Group, root: Interval) -> bool {
    let ends = |channel: &Channel| {
        let length = channel.samples.len() as f64 / channel.interval.rate() * root.rate();
        (last.start as f64 + length - next.start as f64).abs() < 1e-6
    };
    let same = |a: &Channel, b: &Channel| {
        let one_kind = matches!(
            (&a.samples, &b.samples),
            (Samples::Integers(_), Samples::Integers(_)) | (Samples::Reals(_), Samples::Reals(_))
        );
        let bare = |channel: &Channel| {
            (channel.lead, channel.interval, channel.sensitivity, channel.baseline.to_bits(), channel.skew_ns)
        };
        one_kind && bare(a) == bare(b) && a.name == b.name && a.filters == b.filters
    };
    // An average beat is whole: the next is another.
    !codes::label(last.waveform).1
        && last.waveform == next.waveform
        && last.filters == next.filters
        && last.channels.len() == next.channels.len()
        && last.channels.iter().all(ends)
        && last.channels.iter().zip(&next.channels).all(|(a, b)| same(a, b))
}

fn append(before: &mut Channel, after: Channel) {
    let base = before.samples.len() as u32;
    let moved = after.missing.into_iter().map(|range| range.start + base..range.end + base);
    before.missing.extend(moved);
    match (&mut before.samples, after.samples) {
        (Samples::Integers(before), Samples::Integers(after)) => before.extend(after),
        (Samples::Reals(before), Samples::Reals(after)) => before.extend(after),
        // `continues` has seen that they are of one kind.
        _ => {}
    }
}

impl Lane {
    fn of(number: usize, mut channel: Channel, of_all: &[String], offset: usize) -> Result<Lane, Error> {
        let (integers, binary_places) = match std::mem::take(&mut channel.samples) {
            Samples::Integers(samples) => (samples, 0),
            Samples::Reals(samples) => {
                let what = "its samples are numbers that no integer of 32 bits holds exactly";
                exact(&samples, &channel.missing).ok_or(Error::NotDicom { offset, what })?
            }
        };
        let filters = Filters::of(of_all.iter().chain(channel.filters.iter()));
        Ok(Lane { number, channel, integers, binary_places, filters })
    }

    /// The samples that are there.
    fn present(&self) -> impl Iterator<Item = i32> {
        let mut missing = self.channel.missing.iter().peekable();
        self.integers.iter().enumerate().filter_map(move |(at, value)| {
            while missing.next_if(|range| range.end as usize <= at).is_some() {}
            let is_missing = missing.peek().is_some_and(|range| range.start as usize <= at);
            (!is_missing).then_some(*value)
        })
    }
}

/// Integers that are the numbers times a power of two, none of them rounded.
fn exact(samples: &[f64], missing: &[std::ops::Range<u32>]) -> Option<(Vec<i32>, u32)> {
    let mut present = samples.to_vec();
    for range in missing {
        present.get_mut(range.start as usize..range.end as usize)?.fill(0.0);
    }
    (0..=BINARY_PLACES_MAX).find_map(|places| {
        let scale = f64::from(1u32 << places);
        let integer = |value: &f64| {
            let scaled = value * scale;
            let range = f64::from(i32::MIN)..=f64::from(i32::MAX);
            (scaled.fract() == 0.0 && range.contains(&scaled)).then_some(scaled as i32)
        };
        present.iter().map(integer).collect::<Option<Vec<i32>>>().map(|integers| (integers, places))
    })
}

impl Filters {
    /// `HPF=0.05`, `LPF=150`, `BEF=50^Hum filter`: only a frequency is taken over, the last of each kind.
    fn of<'a>(texts: impl Iterator<Item = &'a String>) -> Filters {
        let mut filters = Filters::default();
        for text in texts {
            let (name, value) = text.split_once('=').unwrap_or((text, ""));
            let value = value.split('^').next().unwrap_or_default().trim().trim_end_matches("Hz").trim();
            let value = Some(value)
                .filter(|value| value.len() <= 16 && value.parse::<f64>().is_ok_and(|v| v >= 0.0 && v.is_finite()));
            let value = value.map(str::to_owned);
            match name.trim() {
                "HPF" => filters.low = value,
                "LPF" => filters.high = value,
                "BEF" => filters.notch = value,
                _ => {}
            }
        }
        filters
    }
}

impl Multiplex {
    /// Whether 16 bits hold every sample, and one value that no sample has where samples are missing.
    pub fn fits_sixteen_bits(&self) -> bool {
        let fits = |value: i32| i16::try_from(value).is_ok();
        let whole = self.channels.iter().all(|lane| lane.present().all(fits));
        whole && (!self.misses() || self.padding(true).is_some())
    }

    fn misses(&self) -> bool {
        self.channels.iter().any(|lane| !lane.channel.missing.is_empty())
    }

    /// A value that no sample has, of the lowest there are: where a file says "no data" it is mostly the lowest.
    fn padding(&self, sixteen: bool) -> Option<i32> {
        let lowest = if sixteen { i32::from(i16::MIN) } else { i32::MIN };
        let range = lowest..lowest + PADDINGS_MAX as i32;
        let mut used = [false; PADDINGS_MAX];
        for value in self.channels.iter().flat_map(Lane::present).filter(|value| range.contains(value)) {
            if let Some(used) = used.get_mut((value - lowest) as usize) {
                *used = true;
            }
        }
        used.iter().position(|used| !used).map(|place| lowest + place as i32)
    }

    /// The item of the Waveform Sequence.
    ///
    /// # Errors
    /// [`Error::NotDicom`] where samples are missing and every value that could say so is one of a sample.
    pub fn item(self, sixteen: bool, root: Interval) -> Result<Set, Error> {
        let padding = if self.misses() {
            let what = "samples are missing, and every value that could say so is one of a sample";
            Some(self.padding(sixteen).ok_or(Error::NotDicom { offset: self.offset, what })?)
        } else {
            None
        };
        let (label, derived) = codes::label(self.waveform);
        let mut item = Set::default();
        let offset_ms = self.start as f64 / root.rate() * 1000.0;
        item.text(Tag(0x0018, 0x1068), VR::DS, &shortened(if derived { 0.0 } else { offset_ms }));
        item.text(Tag(0x003A, 0x0004), VR::CS, if derived { "DERIVED" } else { "ORIGINAL" });
        item.short(Tag(0x003A, 0x0005), &[self.channels.len() as u16]);
        item.long(Tag(0x003A, 0x0010), &[self.length as u32]);
        item.text(Tag(0x003A, 0x001A), VR::DS, &shortened(nearest(self.rate)));
        item.text(Tag(0x003A, 0x0020), VR::SH, label);
        let bits: u16 = if sixteen { 16 } else { 32 };
        let channels = self.channels.iter().zip(1..).map(|(lane, number)| self.channel(lane, number, bits));
        item.items(Tag(0x003A, 0x0200), channels.collect());
        item.short(Tag(0x5400, 0x1004), &[bits]);
        item.text(Tag(0x5400, 0x1006), VR::CS, if sixteen { "SS" } else { "SL" });
        let written = |value: i32| {
            let bytes = value.to_le_bytes();
            if sixteen { bytes[..2].to_vec() } else { bytes.to_vec() }
        };
        if let Some(padding) = padding {
            item.bytes(Tag(0x5400, 0x100A), VR::OW, written(padding));
        }
        item.bytes(Tag(0x5400, 0x1010), VR::OW, self.interleaved(sixteen, padding.unwrap_or(0)));
        Ok(item)
    }

    /// C1S1 C2S1 … CnS1 C1S2 …, little-endian (PS3.5 §8.3).
    fn interleaved(self, sixteen: bool, padding: i32) -> Vec<u8> {
        let (width, count) = (if sixteen { 2 } else { 4 }, self.channels.len());
        let mut out = vec![0; self.length * count * width];
        for (place, mut lane) in self.channels.into_iter().enumerate() {
            for range in &lane.channel.missing {
                if let Some(missing) = lane.integers.get_mut(range.start as usize..range.end as usize) {
                    missing.fill(padding);
                }
            }
            let samples = out.chunks_exact_mut(count * width).zip(&lane.integers);
            for (row, value) in samples {
                let to = row.iter_mut().skip(place * width);
                to.zip(value.to_le_bytes()).take(width).for_each(|(to, from)| *to = from);
            }
        }
        out
    }

    /// An item of the Channel Definition Sequence.
    fn channel(&self, lane: &Lane, number: u32, bits: u16) -> Set {
        let channel = &lane.channel;
        let mut item = Set::default();
        let (code, scheme, meaning) = codes::source(channel);
        item.text(Tag(0x003A, 0x0202), VR::IS, &number.to_string());
        item.text(Tag(0x003A, 0x0203), VR::SH, if channel.name.is_empty() { &meaning } else { &channel.name });
        item.code(Tag(0x003A, 0x0208), &code, scheme, &meaning);
        let unit = channel.sensitivity.and_then(|of| codes::unit(of.unit).map(|unit| (of, unit)));
        if let Some((sensitivity, (ucum, meaning, power))) = unit {
            let (mantissa, exponent) = (i128::from(sensitivity.mantissa), i32::from(sensitivity.exponent) + power);
            item.text(Tag(0x003A, 0x0210), VR::DS, &decimal(mantissa, exponent));
            item.code(Tag(0x003A, 0x0211), ucum, "UCUM", meaning);
            item.text(Tag(0x003A, 0x0212), VR::DS, &two_to_the_minus(lane.binary_places));
            // MFER: (sample + OFF) · SEN; DICOM: sample · sensitivity + baseline.
            let whole = channel.baseline.fract() == 0.0 && channel.baseline.abs() < 1e18;
            let baseline = if whole {
                decimal(channel.baseline as i128 * mantissa, exponent)
            } else {
                shortened(channel.baseline * sensitivity.mantissa as f64 * 10f64.powi(exponent))
            };
            item.text(Tag(0x003A, 0x0213), VR::DS, &baseline);
        }
        match channel.skew_ns {
            0 => item.text(Tag(0x003A, 0x0215), VR::DS, "0"),
            skew => item.text(Tag(0x003A, 0x0214), VR::DS, &decimal(i128::from(skew), -9)),
        };
        item.short(Tag(0x003A, 0x021A), &[bits]);
        let Filters { low, high, notch } = &lane.filters;
        for (element, frequency) in [(0x0220, low), (0x0221, high), (0x0222, notch)] {
            item.text_if_any(Tag(0x003A, element), VR::DS, frequency.as_deref().unwrap_or_default());
        }
        item
    }
}

/// 2^-places, exactly.
fn two_to_the_minus(places: u32) -> String {
    decimal(5i128.pow(places), -(places as i32))
}

/// A rate that is a whole number but for the rounding of one division is that number.
fn nearest(rate: f64) -> f64 {
    if (rate - rate.round()).abs() < rate * 1e-12 { rate.round() } else { rate }
}
