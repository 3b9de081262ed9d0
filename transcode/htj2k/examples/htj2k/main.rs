//! The codec on the command line: `encode`, `decode`, `info` and `bench` on PGM, PPM, PGX and raw numbers.

#![allow(missing_docs)]

mod bench;
mod picture;
mod threads;

use std::process::ExitCode;

use htj2k::{DecodeOptions, Decoder, EncodeParameters, Encoder, Info, Order, Quality, Shape, Values};
use picture::Picture;
use threads::Threads;

const HELP: &str = "htj2k encode FILE -o OUT.j2c   samples to a codestream
htj2k decode FILE -o OUT       a codestream to .pgm, .ppm, .pgx, or raw little-endian numbers
htj2k info FILE                what the headers say
htj2k bench FILE...            MB/s of raw bytes, encode and decode, in memory

  --raw W,H,C,BITS,u|s   the input of encode and bench is raw little-endian numbers
  --threads N            threads inside one picture (1)
  --apart                bench: as many pictures at a time as threads, instead of threads inside one
  --decompositions N     levels (the least that bring the longer edge to 64)
  --block W,H            code-block, powers of two (64,64)
  --precincts W,H[,W,H]  powers of two by resolution level, lowest first
  --tile W,H             tiles (one)
  --order LRCP|RPCL      progression order (RPCL)
  --one-tile-part        one tile-part a tile instead of one a resolution level
  --no-colour-transform  components as they are
  --step S | --error N | --psnr DB | --ratio R   lossy, by 9/7
  --reduce N             decode without the N highest resolution levels
  --region X,Y,W,H       decode a part, in columns and rows of the reduced picture
  --prefix               decode what a truncated codestream holds
  --seconds S            bench: time for each direction and file (1)
  --json                 bench: one last line of JSON";

/// Everything that stands on the command line.
struct Arguments {
    command: String,
    files: Vec<String>,
    output: Option<String>,
    raw: Option<Shape>,
    threads: usize,
    apart: bool,
    encode: EncodeParameters,
    decode: DecodeOptions,
    seconds: f64,
    json: bool,
}

fn main() -> ExitCode {
    match arguments(std::env::args().skip(1)).and_then(|arguments| run(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("{sentence}");
            ExitCode::FAILURE
        }
    }
}

fn arguments(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let command = words.next().ok_or(HELP)?;
    let mut found = Arguments {
        command,
        files: Vec::new(),
        output: None,
        raw: None,
        threads: 1,
        apart: false,
        encode: EncodeParameters::default(),
        decode: DecodeOptions::default(),
        seconds: 1.0,
        json: false,
    };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            "-o" => found.output = Some(value()?),
            "--raw" => found.raw = Some(picture::parse_shape(&value()?)?),
            "--threads" => found.threads = number(&word, &value()?)?,
            "--decompositions" => found.encode.decompositions = Some(number(&word, &value()?)?),
            "--block" => found.encode.block_log2 = powers(&word, &value()?)?[0],
            "--precincts" => found.encode.precincts_log2 = powers(&word, &value()?)?,
            "--tile" => found.encode.tile = Some(pair(&word, &value()?)?),
            "--order" => found.encode.order = order(&value()?)?,
            "--one-tile-part" => found.encode.tile_part_by_resolution = false,
            "--no-colour-transform" => found.encode.colour_transform = false,
            "--step" => found.encode.quality = Quality::Step(number(&word, &value()?)?),
            "--error" => found.encode.quality = Quality::LargestError(number(&word, &value()?)?),
            "--psnr" => found.encode.quality = Quality::Psnr(number(&word, &value()?)?),
            "--ratio" => found.encode.quality = Quality::Ratio(number(&word, &value()?)?),
            "--reduce" => found.decode.reduce = number(&word, &value()?)?,
            "--region" => found.decode.region = Some(region(&word, &value()?)?),
            "--prefix" => found.decode.prefix = true,
            "--seconds" => found.seconds = number(&word, &value()?)?,
            "--json" => found.json = true,
            "--apart" => found.apart = true,
            "--help" | "-h" => return Err(HELP.into()),
            _ if word.starts_with('-') => return Err(format!("{word} is no option\n{HELP}")),
            _ => found.files.push(word),
        }
    }
    Ok(found)
}

fn number<N: std::str::FromStr>(word: &str, text: &str) -> Result<N, String> {
    text.parse().map_err(|_| format!("{word} {text}: a number is needed"))
}

fn numbers(word: &str, text: &str) -> Result<Vec<u32>, String> {
    text.split(',').map(|part| number(word, part)).collect()
}

fn pair(word: &str, text: &str) -> Result<(u32, u32), String> {
    match numbers(word, text)?[..] {
        [width, height] => Ok((width, height)),
        _ => Err(format!("{word} {text}: W,H is needed")),
    }
}

fn powers(word: &str, text: &str) -> Result<Vec<(u8, u8)>, String> {
    let numbers = numbers(word, text)?;
    if numbers.is_empty() || numbers.len() % 2 == 1 || numbers.iter().any(|n| !n.is_power_of_two()) {
        return Err(format!("{word} {text}: pairs of powers of two are needed"));
    }
    Ok(numbers.chunks(2).map(|pair| (pair[0].ilog2() as u8, pair[1].ilog2() as u8)).collect())
}

fn region(word: &str, text: &str) -> Result<htj2k::geometry::Rect, String> {
    match numbers(word, text)?[..] {
        [x0, y0, width, height] => {
            Ok(htj2k::geometry::Rect { x0, y0, x1: x0.saturating_add(width), y1: y0.saturating_add(height) })
        }
        _ => Err(format!("{word} {text}: X,Y,W,H is needed")),
    }
}

fn order(text: &str) -> Result<Order, String> {
    match text {
        "LRCP" => Ok(Order::Lrcp),
        "RPCL" => Ok(Order::Rpcl),
        _ => Err(format!("--order {text}: LRCP or RPCL")),
    }
}

fn run(arguments: &Arguments) -> Result<(), String> {
    match arguments.command.as_str() {
        "encode" => encode(arguments),
        "decode" => decode(arguments),
        "info" => arguments.files.iter().try_for_each(|file| info(file)),
        "bench" => bench::run(arguments),
        "--help" | "-h" | "help" => {
            println!("{HELP}");
            Ok(())
        }
        other => Err(format!("{other} is no command\n{HELP}")),
    }
}

fn read(file: &str) -> Result<Vec<u8>, String> {
    std::fs::read(file).map_err(|e| format!("{file}: {e}"))
}

fn in_and_out(arguments: &Arguments) -> Result<(&str, &str), String> {
    match (&arguments.files[..], &arguments.output) {
        ([file], Some(output)) => Ok((file, output)),
        _ => Err(format!("one FILE and -o OUT are needed\n{HELP}")),
    }
}

fn encode(arguments: &Arguments) -> Result<(), String> {
    let (file, output) = in_and_out(arguments)?;
    let named = |e: &dyn std::fmt::Display| format!("{file}: {e}");
    let picture = picture::read(&read(file)?, arguments.raw).map_err(|e| named(&e))?;
    let mut codestream = Vec::new();
    let threads = Threads::new(arguments.threads);
    Encoder::new()
        .encode(&picture.shape, picture.values.samples(), &arguments.encode, &threads, &mut codestream)
        .map_err(|e| named(&e))?;
    std::fs::write(output, codestream).map_err(|e| format!("{output}: {e}"))
}

fn decode(arguments: &Arguments) -> Result<(), String> {
    let (file, output) = in_and_out(arguments)?;
    let named = |e: &dyn std::fmt::Display| format!("{file}: {e}");
    let codestream = read(file)?;
    let info = Info::read(&codestream).map_err(|e| named(&e))?;
    let threads = Threads::new(arguments.threads);
    let mut decoder = Decoder::new();
    if let Some(shape) = info.shape(&arguments.decode) {
        let mut values = Values::zeros(&shape);
        decoder.decode(&codestream, &arguments.decode, &threads, values.samples_mut()).map_err(|e| named(&e))?;
        return write(&Picture { shape, values }, output);
    }
    let planes = decoder.decode_planes(&codestream, &arguments.decode, &threads).map_err(|e| named(&e))?;
    for (number, plane) in planes.into_iter().enumerate() {
        let shape =
            Shape { width: plane.width, height: plane.height, components: 1, bits: plane.bits, signed: plane.signed };
        let values = match plane.signed {
            false if plane.bits <= 8 => Values::U8(plane.samples.iter().map(|&value| value as u8).collect()),
            true if plane.bits <= 8 => Values::I8(plane.samples.iter().map(|&value| value as i8).collect()),
            false => Values::U16(plane.samples.iter().map(|&value| value as u16).collect()),
            true => Values::I16(plane.samples.iter().map(|&value| value as i16).collect()),
        };
        write(&Picture { shape, values }, &format!("{number}.{output}"))?;
    }
    Ok(())
}

fn write(picture: &Picture, output: &str) -> Result<(), String> {
    let bytes = picture::write(picture, output)?;
    std::fs::write(output, bytes).map_err(|e| format!("{output}: {e}"))
}

fn info(file: &str) -> Result<(), String> {
    let codestream = read(file)?;
    let info = Info::read(&codestream).map_err(|e| format!("{file}: {e}"))?;
    println!("{file}: {info}");
    let ends = Info::resolution_ends(&codestream).map_err(|e| format!("{file}: {e}"))?;
    println!("  resolution levels end at bytes {ends:?} of {}", codestream.len());
    Ok(())
}
