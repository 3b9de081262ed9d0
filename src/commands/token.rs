//! `tsunagu token`: issues and revokes access tokens. A running server sees the change at once.

use std::process::ExitCode;

use archive::Layout;
use serde_json::{Value, json};
use viewer_api::{NewToken, Tokens};

use crate::cli::{self, Cli, TokenAct};
use crate::output;
use crate::wiring::Result;

/// Carries out the sub-command.
pub async fn run(cli: &Cli, args: &cli::Token) -> Result<ExitCode> {
    let layout = Layout::new(&cli.data)?;
    std::fs::create_dir_all(layout.events())?;
    let tokens = Tokens::open(layout.event_log("tokens"))?;
    match &args.act {
        TokenAct::Issue { name, role, centre, original, reads, results, days } => {
            let new = NewToken {
                name: name.clone(),
                centre: centre.clone(),
                role: role_of(*role),
                original: *original,
                reads: *reads,
                results: *results,
                expires_at: days.map(expiry).transpose()?,
            };
            let token = tokens.issue(&new, jiff::Timestamp::now())?;
            say!("{token}");
            eprintln!("This is shown once: only its SHA-256 is kept.");
            Ok(output::finish(cli.json, json!({ "token": token, "name": name, "role": new.role.word() })))
        }
        TokenAct::List => list(cli, &tokens),
        TokenAct::Revoke { id } => {
            if !tokens.revoke(id, jiff::Timestamp::now())? {
                return Err(format!("there is no valid token {id}; see tsunagu token list").into());
            }
            say!("revoked {id}");
            Ok(output::finish(cli.json, json!({ "revoked": id })))
        }
    }
}

/// The role as the access layer has it.
pub fn role_of(role: cli::Role) -> viewer_api::Role {
    match role {
        cli::Role::Uploader => viewer_api::Role::Uploader,
        cli::Role::Reader => viewer_api::Role::Reader,
        cli::Role::Admin => viewer_api::Role::Admin,
    }
}

fn expiry(days: u32) -> Result<jiff::Timestamp> {
    Ok(jiff::Timestamp::now().checked_add(jiff::SignedDuration::from_hours(24 * i64::from(days)))?)
}

fn list(cli: &Cli, tokens: &Tokens) -> Result<ExitCode> {
    let issued = tokens.list()?;
    let expires = |at: &Option<jiff::Timestamp>| at.map_or("-".to_owned(), |at| at.to_string());
    let rows: Vec<Vec<String>> = issued
        .iter()
        .map(|t| {
            let state = if t.revoked { "revoked" } else { "valid" };
            vec![
                t.id.clone(),
                t.name.clone(),
                t.role.word().into(),
                t.centre.clone(),
                expires(&t.expires_at),
                state.into(),
            ]
        })
        .collect();
    say!("{}", output::table(&["id", "name", "role", "centre", "expires", "state"], &rows));
    let items: Vec<Value> = issued
        .iter()
        .map(|t| {
            json!({
                "id": t.id, "name": t.name, "role": t.role.word(), "centre": t.centre, "original": t.original,
                "reads": t.reads, "results": t.results,
                "expires_at": t.expires_at.map(|at| at.to_string()), "revoked": t.revoked,
            })
        })
        .collect();
    Ok(output::finish(cli.json, json!({ "tokens": items })))
}
