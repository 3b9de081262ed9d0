//! A picture made smaller or larger row by row: each new pixel is the mean of those it covers, at least one. Nothing is
//! made up between the pixels of a picture that is enlarged: a reader is to see that there is no more.

use std::ops::Range;

/// Takes the rows of a picture one after the other and keeps those of the new one.
pub(crate) struct Scaler {
    from: (u32, u32),
    to: (u32, u32),
    components: usize,
    /// Sums over the rows seen so far of the new row under way.
    sums: Vec<u64>,
    /// Rows taken.
    taken: u32,
    out: Vec<u8>,
}

impl Scaler {
    /// From so many columns and rows to so many.
    pub(crate) fn new(from: (u32, u32), to: (u32, u32), components: u8) -> Scaler {
        let components = usize::from(components);
        let row = to.0 as usize * components;
        Scaler { from, to, components, sums: vec![0; row], taken: 0, out: Vec::with_capacity(row * to.1 as usize) }
    }

    /// The next rows: whole ones.
    pub(crate) fn rows(&mut self, rows: &[u8]) {
        for row in rows.chunks_exact(self.from.0 as usize * self.components) {
            self.row(row);
        }
    }

    /// The new picture, once all rows were taken.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        // Fewer rows than promised leave black.
        self.out.resize(self.to.0 as usize * self.to.1 as usize * self.components, 0);
        self.out
    }

    fn row(&mut self, row: &[u8]) {
        let at = self.taken as usize;
        self.taken += 1;
        if self.from == self.to {
            self.out.extend_from_slice(row);
            return;
        }
        let summed = across(row, self.from.0, self.to.0, self.components);
        let width = self.to.0 as usize * self.components;
        while self.out.len() < width * self.to.1 as usize {
            let rows = covered((self.out.len() / width) as u32, self.to.1, self.from.1);
            if at < rows.start {
                return;
            }
            self.sums.iter_mut().zip(&summed).for_each(|(sum, more)| *sum += more);
            if at + 1 < rows.end {
                return;
            }
            self.finish_row(rows.len() as u64);
        }
    }

    /// Divides the sums of so many rows by the pixels they are of.
    fn finish_row(&mut self, rows: u64) {
        for column in 0..self.to.0 {
            let count = rows * covered(column, self.to.0, self.from.0).len() as u64;
            let first = column as usize * self.components;
            let means = self.sums.iter().skip(first).take(self.components);
            self.out.extend(means.map(|sum| ((sum + count / 2) / count.max(1)) as u8));
        }
        self.sums.fill(0);
    }
}

/// The sums of the pixels of one row that each new column covers.
fn across(row: &[u8], from: u32, to: u32, components: usize) -> Vec<u64> {
    let mut sums = Vec::with_capacity(to as usize * components);
    for column in 0..to {
        let columns = covered(column, to, from);
        let pixels = row.get(columns.start * components..columns.end * components).unwrap_or_default();
        for component in 0..components {
            sums.push(pixels.iter().skip(component).step_by(components).map(|value| u64::from(*value)).sum());
        }
    }
    sums
}

/// The old places that new place `at` of `new` covers among `old`: at least one.
fn covered(at: u32, new: u32, old: u32) -> Range<usize> {
    let edge = |at: u32| (u64::from(at) * u64::from(old) / u64::from(new.max(1))) as usize;
    edge(at)..edge(at + 1).max(edge(at) + 1)
}

/// A picture mirrored (left and right exchanged), then turned clockwise by quarters; answers its new columns and rows too.
pub(crate) fn turned(
    bytes: Vec<u8>,
    (width, height): (u32, u32),
    components: u8,
    mirrored: bool,
    quarters: u8,
) -> (Vec<u8>, (u32, u32)) {
    if !mirrored && quarters == 0 {
        return (bytes, (width, height));
    }
    let (across, down, step) = (width as usize, height as usize, usize::from(components));
    let (new_across, new_down) = if quarters % 2 == 1 { (down, across) } else { (across, down) };
    let mut out = Vec::with_capacity(bytes.len());
    for row in 0..new_down {
        for column in 0..new_across {
            let (x, y) = match quarters {
                1 => (row, down - 1 - column),
                2 => (across - 1 - column, down - 1 - row),
                3 => (across - 1 - row, column),
                _ => (column, row),
            };
            let x = if mirrored { across - 1 - x } else { x };
            let first = (y * across + x) * step;
            out.extend_from_slice(bytes.get(first..first + step).unwrap_or_default());
        }
    }
    (out, (new_across as u32, new_down as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scaled(from: (u32, u32), to: (u32, u32), components: u8, bytes: &[u8]) -> Vec<u8> {
        let mut scaler = Scaler::new(from, to, components);
        // In uneven bands, as they come.
        let row = from.0 as usize * usize::from(components);
        let (first, rest) = bytes.split_at(row);
        scaler.rows(first);
        scaler.rows(rest);
        scaler.finish()
    }

    #[test]
    fn smaller_is_the_mean_and_larger_repeats() {
        assert_eq!(scaled((2, 2), (2, 2), 1, &[1, 2, 3, 4]), [1, 2, 3, 4]);
        assert_eq!(scaled((2, 2), (1, 1), 1, &[10, 20, 30, 40]), [25]);
        assert_eq!(scaled((4, 2), (2, 1), 1, &[0, 2, 10, 20, 4, 2, 30, 40]), [2, 25]);
        assert_eq!(scaled((2, 1), (4, 2), 1, &[7, 9]), [7, 7, 9, 9, 7, 7, 9, 9]);
        assert_eq!(scaled((2, 1), (1, 2), 3, &[0, 10, 20, 2, 20, 40]), [1, 15, 30, 1, 15, 30]);
        assert_eq!(scaled((5, 1), (2, 1), 1, &[1, 3, 5, 7, 9]), [2, 7]);
        assert_eq!(scaled((2, 3), (3, 2), 1, &[0, 4, 2, 6, 8, 8]), [0, 0, 4, 5, 5, 7]);
    }

    #[test]
    fn every_size_of_an_even_picture_is_even() {
        for from in 1..9 {
            for to in 1..9 {
                let bytes = vec![77; from * (from + 1)];
                let out = scaled((from as u32, from as u32 + 1), (to, 9 - to), 1, &bytes);
                assert_eq!(out, vec![77; (to * (9 - to)) as usize], "{from} {to}");
            }
        }
    }

    #[test]
    fn iiif_mirroring_comes_before_turning_clockwise() {
        // 1 2 3
        // 4 5 6
        let check = |mirrored, quarters, expected: [u8; 6], size| {
            assert_eq!(turned(vec![1, 2, 3, 4, 5, 6], (3, 2), 1, mirrored, quarters), (expected.to_vec(), size));
        };
        check(false, 0, [1, 2, 3, 4, 5, 6], (3, 2));
        check(false, 1, [4, 1, 5, 2, 6, 3], (2, 3));
        check(false, 2, [6, 5, 4, 3, 2, 1], (3, 2));
        check(false, 3, [3, 6, 2, 5, 1, 4], (2, 3));
        check(true, 0, [3, 2, 1, 6, 5, 4], (3, 2));
        check(true, 1, [6, 3, 5, 2, 4, 1], (2, 3));
    }
}
