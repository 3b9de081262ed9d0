//! The other coders, each a program that is given a frame and says its MB/s.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::frames::Frame;
use crate::{Result, Speed};

/// One of them.
pub struct Peer {
    pub name: String,
    program: PathBuf,
    first: Option<PathBuf>,
}

impl Peer {
    /// OpenJPH as PyPI's imagecodecs holds it, if that is installed.
    pub fn openjph() -> Option<Peer> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = root.join(".venv/bin/python");
        let there = Command::new(&python).args(["-c", "import imagecodecs"]).output().ok()?.status.success();
        let first = Some(root.join("benches/codec/openjph.py"));
        there.then_some(Peer { name: "OpenJPH (imagecodecs)".into(), program: python, first })
    }

    /// `NAME=PROGRAM`.
    pub fn program(text: &str) -> Result<Peer> {
        let (name, program) = text.split_once('=').ok_or("--peer NAME=PROGRAM")?;
        Ok(Peer { name: name.into(), program: program.into(), first: None })
    }

    /// One round.
    pub fn run(&self, frame: &Frame, file: &Path) -> Result<Speed> {
        let shape = &frame.shape;
        let sign = if shape.signed { 's' } else { 'u' };
        let raw = format!("{},{},{},{},{sign}", shape.width, shape.height, shape.components, shape.bits);
        let output = Command::new(&self.program).args(&self.first).args(["--raw", &raw]).arg(file).output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let line = text.lines().rev().find(|line| line.starts_with('{'));
        let failed = || format!("{}: {}: {}", self.name, frame.name, String::from_utf8_lossy(&output.stderr));
        let said: serde_json::Value = serde_json::from_str(line.ok_or_else(failed)?)?;
        let number = |key: &str| said[key].as_f64().ok_or_else(failed);
        Ok(Speed { encode: number("encode_mb_s")?, decode: number("decode_mb_s")? })
    }
}
