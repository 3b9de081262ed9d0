//! `tsunagu openapi`: prints the description of what is served.

use std::process::ExitCode;

use crate::wiring::Result;

/// Prints it.
pub fn run() -> Result<ExitCode> {
    say!("{}", viewer_api::openapi());
    Ok(ExitCode::SUCCESS)
}
