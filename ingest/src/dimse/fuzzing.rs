//! Parsers of an association, for the fuzz targets.

use super::command::Command;

/// Reads a command set.
pub fn command(data: &[u8]) {
    let _ = Command::read(data, "fuzz");
}
