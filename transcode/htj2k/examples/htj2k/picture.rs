//! Pictures as files: PGM and PPM (P5, P6), PGX of the conformance streams (T.803), and raw little-endian numbers.

use htj2k::{Shape, Values};

/// A picture with its numbers in the narrowest type.
pub struct Picture {
    pub shape: Shape,
    pub values: Values,
}

/// All numbers as bytes, 16 bits in the order that `to_bytes` gives.
fn bytes_of(values: &Values, to_bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    match values {
        Values::U8(values) => values.clone(),
        Values::I8(values) => values.iter().map(|&value| value as u8).collect(),
        Values::U16(values) => values.iter().flat_map(|&value| to_bytes(value)).collect(),
        Values::I16(values) => values.iter().flat_map(|&value| to_bytes(value as u16)).collect(),
    }
}

/// Numbers out of bytes.
fn values_of(shape: &Shape, bytes: &[u8], from_bytes: fn([u8; 2]) -> u16) -> Result<Values, String> {
    shape.check().map_err(|e| e.to_string())?;
    let wanted = shape.raw_bytes() as usize;
    let bytes = bytes.get(..wanted).ok_or(format!("{} bytes of samples, and {wanted} are needed", bytes.len()))?;
    let wide = || bytes.as_chunks::<2>().0.iter().map(|&pair| from_bytes(pair));
    Ok(match (shape.signed, shape.bits) {
        (false, ..=8) => Values::U8(bytes.to_vec()),
        (true, ..=8) => Values::I8(bytes.iter().map(|&value| value as i8).collect()),
        (false, _) => Values::U16(wide().collect()),
        (true, _) => Values::I16(wide().map(|value| value as i16).collect()),
    })
}

/// `W,H,C,BITS,u|s`.
pub fn parse_shape(text: &str) -> Result<Shape, String> {
    let wrong = || format!("--raw {text}: W,H,C,BITS,u or W,H,C,BITS,s is needed");
    let [width, height, components, bits, sign] = text.split(',').collect::<Vec<_>>()[..] else {
        return Err(wrong());
    };
    Ok(Shape {
        width: width.parse().map_err(|_| wrong())?,
        height: height.parse().map_err(|_| wrong())?,
        components: components.parse().map_err(|_| wrong())?,
        bits: bits.parse().map_err(|_| wrong())?,
        signed: match sign {
            "u" => false,
            "s" => true,
            _ => return Err(wrong()),
        },
    })
}

/// Reads raw numbers when `raw` gives their shape, else PGM, PPM or PGX by the first bytes.
pub fn read(bytes: &[u8], raw: Option<Shape>) -> Result<Picture, String> {
    if let Some(shape) = raw {
        return Ok(Picture { shape, values: values_of(&shape, bytes, u16::from_le_bytes)? });
    }
    match bytes {
        [b'P', b'5', ..] => read_pnm(bytes, 1),
        [b'P', b'6', ..] => read_pnm(bytes, 3),
        [b'P', b'G', ..] => read_pgx(bytes),
        _ => Err("neither PGM (P5), PPM (P6) nor PGX; raw numbers need --raw W,H,C,BITS,u|s".into()),
    }
}

fn read_pnm(bytes: &[u8], components: u8) -> Result<Picture, String> {
    let mut at = 2;
    let mut number = || -> Result<u32, String> {
        loop {
            match bytes.get(at) {
                Some(b'#') => at += bytes[at..].iter().position(|&b| b == b'\n').unwrap_or(bytes.len() - at),
                Some(b) if b.is_ascii_whitespace() => at += 1,
                _ => break,
            }
        }
        let digits = bytes[at.min(bytes.len())..].iter().take_while(|b| b.is_ascii_digit()).count();
        let text = std::str::from_utf8(&bytes[at..at + digits]).unwrap_or("");
        at += digits;
        text.parse().map_err(|_| format!("byte {at}: a number was expected in the PNM header"))
    };
    let (width, height, maximum) = (number()?, number()?, number()?);
    if !(1..=65535).contains(&maximum) {
        return Err(format!("a largest value of {maximum} is not PNM"));
    }
    let shape = Shape { width, height, components, bits: (maximum.ilog2() + 1) as u8, signed: false };
    let samples = bytes.get(at + 1..).unwrap_or(&[]);
    Ok(Picture { shape, values: values_of(&shape, samples, u16::from_be_bytes)? })
}

/// `PG ML +12 W H\n`, then the numbers, most significant byte first where it says ML (T.803 Annex).
fn read_pgx(bytes: &[u8]) -> Result<Picture, String> {
    let wrong = || "a PGX header reads: PG ML +BITS WIDTH HEIGHT".to_string();
    let line = bytes.iter().position(|&b| b == b'\n').ok_or_else(wrong)?;
    let text = std::str::from_utf8(&bytes[..line]).map_err(|_| wrong())?.replace('+', " ").replace('-', " -");
    let [_, order, bits, width, height] = text.split_whitespace().collect::<Vec<_>>()[..] else { return Err(wrong()) };
    let signed = bits.starts_with('-');
    let bits = bits.trim_start_matches('-').parse().map_err(|_| wrong())?;
    let (width, height) = (width.parse().map_err(|_| wrong())?, height.parse().map_err(|_| wrong())?);
    let shape = Shape { width, height, components: 1, bits, signed };
    let order = if order == "LM" { u16::from_le_bytes } else { u16::from_be_bytes };
    Ok(Picture { shape, values: values_of(&shape, &bytes[line + 1..], order)? })
}

/// The bytes of a file whose kind its name tells: .pgm, .ppm, .pgx, else raw little-endian numbers.
pub fn write(picture: &Picture, name: &str) -> Result<Vec<u8>, String> {
    let Shape { width, height, components, bits, signed } = picture.shape;
    let kind = name.rsplit('.').next().unwrap_or("");
    let (header, order): (String, fn(u16) -> [u8; 2]) = match (kind, components, signed) {
        ("pgm", 1, false) => (format!("P5\n{width} {height}\n{}\n", (1u32 << bits) - 1), u16::to_be_bytes),
        ("ppm", 3, false) => (format!("P6\n{width} {height}\n{}\n", (1u32 << bits) - 1), u16::to_be_bytes),
        ("pgx", 1, _) => {
            (format!("PG ML {}{bits} {width} {height}\n", if signed { '-' } else { '+' }), u16::to_be_bytes)
        }
        ("pgm" | "ppm" | "pgx", ..) => {
            return Err(format!(".{kind} cannot hold {components} components, signed: {signed}; name the output .raw"));
        }
        _ => (String::new(), u16::to_le_bytes),
    };
    Ok([header.into_bytes(), bytes_of(&picture.values, order)].concat())
}
