//! What people and programs are shown: sentences, or one JSON object on the last line.

use std::process::ExitCode;

/// Prints a line on standard output. That nobody reads it any more (`tsunagu serve | head`) stops nothing.
macro_rules! say {
    ($($text:tt)*) => {{
        use std::io::Write;
        let _ = writeln!(std::io::stdout(), $($text)*);
    }};
}

use serde_json::{Value, json};

/// Prints the JSON object that ends a command's output, where it was asked for.
pub fn finish(as_json: bool, object: Value) -> ExitCode {
    if as_json {
        say!("{object}");
    }
    ExitCode::SUCCESS
}

/// As [`finish`], for a command that did its work and found something wrong.
pub fn finish_with_findings(as_json: bool, object: Value) -> ExitCode {
    finish(as_json, object);
    ExitCode::from(2)
}

/// Says what went wrong and answers the exit code for it.
pub fn fail(as_json: bool, sentence: &str) -> ExitCode {
    eprintln!("tsunagu: {sentence}");
    if as_json {
        say!("{}", json!({ "error": sentence }));
    }
    ExitCode::FAILURE
}

/// A table of text, its columns as wide as they need to be; all but the first are aligned to the right.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([head[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: Vec<&str>| {
        let cells = cells.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
            if column == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let mut out = vec![line(head.to_vec())];
    out.extend(rows.iter().map(|row| line(row.iter().map(String::as_str).collect())));
    out.join("\n")
}

/// Megabytes (10^6 bytes) with one digit behind the point.
pub fn megabytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / 1e6)
}
