//! Tag trees (T.800 B.10.2): a table of small numbers, told piece by piece from the root of its minima.

use super::bits::{BitReader, BitWriter, Ended};

/// Levels of a table with at most 2^24 leaves.
const LEVELS_MAX: usize = 25;

/// One number of the tree, as far as it has been told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Node {
    /// The number if `known`, else a bound from below.
    low: u16,
    known: bool,
    /// What it is: writers only.
    value: u16,
}

/// Where the levels of a tree lie among its nodes: leaves first, row by row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TreeShape {
    levels: usize,
    starts: [u32; LEVELS_MAX],
    widths: [u32; LEVELS_MAX],
    nodes: usize,
}

impl TreeShape {
    /// A tree over `width * height` leaves: at least 1, at most 2^24.
    pub(crate) fn new(width: u32, height: u32) -> TreeShape {
        let (mut starts, mut widths) = ([0; LEVELS_MAX], [0; LEVELS_MAX]);
        let (mut levels, mut nodes, mut wide, mut high) = (0, 0, width, height);
        loop {
            (starts[levels], widths[levels]) = (nodes, wide);
            nodes += wide * high;
            levels += 1;
            if wide * high <= 1 {
                break;
            }
            (wide, high) = (wide.div_ceil(2), high.div_ceil(2));
        }
        TreeShape { levels, starts, widths, nodes: nodes as usize }
    }

    /// Nodes of all levels.
    pub(crate) fn nodes(&self) -> usize {
        self.nodes
    }

    #[inline]
    fn index(&self, level: usize, x: u32, y: u32) -> usize {
        (self.starts[level] + (y >> level) * self.widths[level] + (x >> level)) as usize
    }

    /// The leaf's number if it is below `threshold`, after reading what is needed to know.
    pub(crate) fn read(
        &self,
        nodes: &mut [Node],
        (x, y): (u32, u32),
        threshold: u16,
        bits: &mut BitReader,
    ) -> Result<Option<u16>, Ended> {
        let mut low = 0;
        let mut known = false;
        for level in (0..self.levels).rev() {
            let node = &mut nodes[self.index(level, x, y)];
            node.low = node.low.max(low);
            while !node.known && node.low < threshold {
                if bits.bit()? == 1 {
                    node.known = true;
                } else {
                    node.low += 1;
                }
            }
            (low, known) = (node.low, node.known);
        }
        Ok((known && low < threshold).then_some(low))
    }

    /// Sets the leaf's number; [`TreeShape::fill`] follows when all are set.
    pub(crate) fn set(&self, nodes: &mut [Node], (x, y): (u32, u32), value: u16) {
        nodes[self.index(0, x, y)] = Node { low: 0, known: false, value };
    }

    /// Gives every node above the leaves its minimum.
    pub(crate) fn fill(&self, nodes: &mut [Node]) {
        for level in 1..self.levels {
            let (below, wide) = (self.starts[level - 1] as usize, self.widths[level - 1]);
            let (start, above) = (self.starts[level] as usize, self.widths[level]);
            let end =
                self.starts.get(level + 1).filter(|_| level + 1 < self.levels).map_or(self.nodes, |&n| n as usize);
            nodes[start..end].fill(Node { low: 0, known: false, value: u16::MAX });
            for place in 0..start - below {
                let (x, y) = (place as u32 % wide, place as u32 / wide);
                let value = nodes[below + place].value;
                let parent = &mut nodes[start + ((y >> 1) * above + (x >> 1)) as usize];
                parent.value = parent.value.min(value);
            }
        }
    }

    /// Tells whether the leaf's number is below `threshold`, and which it is.
    pub(crate) fn write(&self, nodes: &mut [Node], (x, y): (u32, u32), threshold: u16, bits: &mut BitWriter) {
        let mut low = 0;
        for level in (0..self.levels).rev() {
            let node = &mut nodes[self.index(level, x, y)];
            node.low = node.low.max(low);
            while !node.known && node.low < threshold {
                node.known = node.low >= node.value;
                bits.bit(node.known);
                node.low += u16::from(!node.known);
            }
            low = node.low;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The example of T.800 B.10.2: 6 by 3 leaves, whose first four numbers take the bits given there.
    #[test]
    fn the_example_of_the_standard() {
        let values = [1, 3, 2, 3, 2, 3, 2, 2, 1, 4, 3, 2, 2, 2, 2, 2, 1, 2];
        let shape = TreeShape::new(6, 3);
        let mut nodes = vec![Node::default(); shape.nodes()];
        for (place, &value) in values.iter().enumerate() {
            shape.set(&mut nodes, (place as u32 % 6, place as u32 / 6), value);
        }
        shape.fill(&mut nodes);
        let mut out = Vec::new();
        let mut bits = BitWriter::new(&mut out);
        for x in 0..3 {
            shape.write(&mut nodes, (x, 0), u16::MAX, &mut bits);
        }
        bits.finish();
        // 01111 001 101, as printed under Figure B.13.
        assert_eq!(out, [0b0111_1001, 0b1010_0000]);
    }

    proptest! {
        /// Any table comes back through growing thresholds, as inclusion in layers is told.
        #[test]
        fn what_is_written_is_read(width in 1u32..9, height in 1u32..9, seed in prop::collection::vec(0u16..6, 64)) {
            let shape = TreeShape::new(width, height);
            let leaves: Vec<(u32, u32)> = (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).collect();
            let mut nodes = vec![Node::default(); shape.nodes()];
            leaves.iter().zip(&seed).for_each(|(&leaf, &value)| shape.set(&mut nodes, leaf, value));
            shape.fill(&mut nodes);
            let mut out = Vec::new();
            let mut bits = BitWriter::new(&mut out);
            for threshold in 1..=6 {
                leaves.iter().for_each(|&leaf| shape.write(&mut nodes, leaf, threshold, &mut bits));
            }
            bits.finish();
            let mut bits = BitReader::new(&out);
            let mut nodes = vec![Node::default(); shape.nodes()];
            for threshold in 1..=6 {
                for (&leaf, &value) in leaves.iter().zip(&seed) {
                    let told = shape.read(&mut nodes, leaf, threshold, &mut bits).unwrap();
                    prop_assert_eq!(told, (value < threshold).then_some(value));
                }
            }
            prop_assert_eq!(bits.finish(), Ok(out.len()));
        }
    }
}
