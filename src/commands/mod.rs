//! Sub-commands, one file each.

mod audit;
mod demo;
mod export;
mod forward;
mod gateway;
mod generate;
mod import;
mod openapi;
mod pack;
mod push;
mod quarantine;
mod reading;
mod rebuild;
mod receipt;
mod renditions;
mod repack;
mod serve;
mod token;
mod verify;

use std::process::ExitCode;

use crate::cli::{Cli, Command};
use crate::wiring::Result;

/// Carries out what the command line says.
pub async fn run(cli: &Cli) -> Result<ExitCode> {
    match &cli.command {
        Command::Demo(args) => demo::run(cli, args).await,
        Command::Serve(args) => serve::run(cli, args).await,
        Command::Import(args) => import::run(cli, args).await,
        Command::Push(args) => push::run(cli, args).await,
        Command::Forward(args) => forward::run(cli, args).await,
        Command::Gateway(args) => gateway::run(cli, args).await,
        Command::Export(args) => export::run(cli, args).await,
        Command::Receipt(args) => receipt::run(cli, args).await,
        Command::Quarantine(args) => quarantine::run(cli, args).await,
        Command::Token(args) => token::run(cli, args).await,
        Command::Reading(args) => reading::run(cli, args).await,
        Command::Audit(args) => audit::run(cli, args).await,
        Command::Pack(args) => pack::run(cli, args).await,
        Command::Renditions(args) => renditions::run(cli, args).await,
        Command::Repack(args) => repack::run(cli, args).await,
        Command::Rebuild => rebuild::run(cli).await,
        Command::Verify => verify::run(cli).await,
        Command::Openapi => openapi::run(),
        Command::Generate(args) => generate::run(cli, args).await,
    }
}
