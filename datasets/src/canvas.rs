//! A colour frame that devices write their letters and scales into.

/// Interleaved RGB.
pub(crate) struct Canvas {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) rgb: Vec<u8>,
}

/// Three columns, five rows a glyph, top row first: digits, then A–Z.
#[rustfmt::skip]
const GLYPHS: [u16; 36] = [
    0o75557, 0o26227, 0o71747, 0o71717, 0o55711, 0o74717, 0o74757, 0o71111, 0o75757, 0o75717,
    0o25755, 0o65656, 0o34443, 0o65556, 0o74647, 0o74644, 0o34553, 0o55755, 0o72227, 0o11153, 0o55655, 0o44447,
    0o57755, 0o57775, 0o25552, 0o65644, 0o25573, 0o65655, 0o34216, 0o72222, 0o55557, 0o55552, 0o55775, 0o55255,
    0o55222, 0o71247,
];

impl Canvas {
    /// A black frame.
    pub(crate) fn new(width: usize, height: usize) -> Canvas {
        Canvas { width, height, rgb: vec![0; width * height * 3] }
    }

    /// Sets a pixel; what lies outside is left out.
    pub(crate) fn set(&mut self, x: usize, y: usize, colour: [u8; 3]) {
        if x < self.width && y < self.height {
            let at = (y * self.width + x) * 3;
            self.rgb[at..at + 3].copy_from_slice(&colour);
        }
    }

    /// Fills a rectangle.
    pub(crate) fn fill(&mut self, x: usize, y: usize, width: usize, height: usize, colour: [u8; 3]) {
        (y..y + height).for_each(|y| (x..x + width).for_each(|x| self.set(x, y, colour)));
    }

    /// Writes letters, `size` pixels a dot.
    pub(crate) fn write(&mut self, x: usize, y: usize, size: usize, colour: [u8; 3], text: &str) {
        for (place, c) in text.chars().enumerate() {
            let glyph = c.to_digit(36).map_or(0, |digit| GLYPHS[digit as usize]);
            for dot in (0..15).filter(|dot| glyph >> (14 - dot) & 1 == 1) {
                self.fill(x + (place * 4 + dot % 3) * size, y + dot / 3 * size, size, size, colour);
            }
        }
    }
}
