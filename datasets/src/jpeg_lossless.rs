//! JPEG Lossless, process 14 with Selection Value 1 (ITU-T T.81 Annex H), as X-ray devices send it. Encoder only.

/// Code lengths given to difference categories from the most frequent to the rarest. Their Kraft sum stays below 1,
/// so that no code is all ones (T.81 §C).
const LENGTHS: [u8; 17] = [2, 2, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];

/// Codes 16-bit little-endian words of `precision` significant bits.
pub(crate) fn encode(words: &[u8], columns: usize, rows: usize, precision: u8) -> Vec<u8> {
    let differences = differences(words, columns, precision);
    let mut counts = [0u32; 17];
    differences.iter().for_each(|difference| counts[category(*difference)] += 1);
    let mut order: Vec<usize> = (0..17).filter(|category| counts[*category] > 0).collect();
    order.sort_by_key(|category| std::cmp::Reverse(counts[*category]));
    let mut out = header(columns, rows, precision, &order);
    scan(&differences, &codes(order.len(), &order), &mut out);
    out.extend_from_slice(&[0xFF, 0xD9]);
    out
}

/// Differences modulo 2^16 from the sample to the left; from above in the first column (T.81 §H.1.2.1).
fn differences(words: &[u8], columns: usize, precision: u8) -> Vec<i16> {
    let sample = |i: usize| u16::from_le_bytes([words[2 * i], words[2 * i + 1]]);
    let prediction = |i: usize| match (i / columns, i % columns) {
        (0, 0) => 1 << (precision - 1),
        (_, 0) => sample(i - columns),
        _ => sample(i - 1),
    };
    (0..words.len() / 2).map(|i| sample(i).wrapping_sub(prediction(i)) as i16).collect()
}

/// SSSS: bits of the magnitude (T.81 Table H.2); −32768 is category 16, without further bits.
fn category(difference: i16) -> usize {
    (16 - difference.unsigned_abs().leading_zeros()) as usize
}

/// Canonical codes by category, as (code, length).
fn codes(symbols: usize, order: &[usize]) -> [(u32, u32); 17] {
    let mut codes = [(0, 0); 17];
    let (mut code, mut length) = (0u32, 0u32);
    for (category, bits) in order.iter().zip(&LENGTHS[..symbols]) {
        code <<= u32::from(*bits) - length;
        length = u32::from(*bits);
        codes[*category] = (code, length);
        code += 1;
    }
    codes
}

fn header(columns: usize, rows: usize, precision: u8, order: &[usize]) -> Vec<u8> {
    let mut out = vec![0xFF, 0xD8, 0xFF, 0xC3, 0, 11, precision];
    out.extend_from_slice(&(rows as u16).to_be_bytes());
    out.extend_from_slice(&(columns as u16).to_be_bytes());
    out.extend_from_slice(&[1, 1, 0x11, 0]);
    out.extend_from_slice(&[0xFF, 0xC4, 0, (19 + order.len()) as u8, 0]);
    out.extend((1..=16).map(|bits| LENGTHS[..order.len()].iter().filter(|length| **length == bits).count() as u8));
    out.extend(order.iter().map(|category| *category as u8));
    out.extend_from_slice(&[0xFF, 0xDA, 0, 8, 1, 1, 0, 1, 0, 0]);
    out
}

fn scan(differences: &[i16], codes: &[(u32, u32); 17], out: &mut Vec<u8>) {
    let (mut bits, mut held) = (0u64, 0u32);
    let mut put = |value: u32, length: u32| {
        bits = (bits << length) | u64::from(value);
        held += length;
        while held >= 8 {
            held -= 8;
            let byte = (bits >> held) as u8;
            out.push(byte);
            if byte == 0xFF {
                out.push(0);
            }
        }
    };
    for difference in differences {
        let category = category(*difference) as u32;
        let (code, length) = codes[category as usize];
        put(code, length);
        if category > 0 && category < 16 {
            let value = if *difference < 0 { difference.wrapping_sub(1) } else { *difference };
            put(u32::from(value as u16) & ((1 << category) - 1), category);
        }
    }
    put(0x7F, 7);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn categories_are_those_of_table_h_2() {
        for (difference, expected) in [(0, 0), (1, 1), (-1, 1), (3, 2), (-4, 3), (i16::MAX, 15), (i16::MIN, 16)] {
            assert_eq!(category(difference), expected, "{difference}");
        }
    }

    #[test]
    fn codes_are_free_of_prefixes_and_never_all_ones() {
        let order: Vec<usize> = (0..17).collect();
        let codes = codes(17, &order);
        for (i, (a, la)) in codes.iter().enumerate() {
            assert_ne!(*a, (1 << la) - 1);
            for (b, lb) in &codes[i + 1..] {
                assert_ne!(*a, b >> (lb - la));
            }
        }
    }
}
