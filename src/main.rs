//! Tsunagu, the program: sub-commands and wiring, nothing else.

#[macro_use]
mod output;

mod cli;
mod clock;
mod commands;
mod dimse;
mod listener;
mod memory;
mod peers;
mod progress;
mod reading;
mod server;
mod tls;
mod wiring;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("TSUNAGU_LOG").unwrap_or_else(|_| "warn,tsunagu=info".into()),
        )
        .with_writer(std::io::stderr)
        .init();
    let cli = cli::Cli::parse();
    memory::keep_few_arenas();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return output::fail(cli.json, &format!("the runtime cannot start: {error}")),
    };
    match runtime.block_on(commands::run(&cli)) {
        Ok(code) => code,
        Err(error) => output::fail(cli.json, &format!("{error:#}")),
    }
}
