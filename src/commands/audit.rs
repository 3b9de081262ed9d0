//! `tsunagu audit`: looks after the audit log.

use std::process::ExitCode;

use archive::{EventLog, Layout};
use serde_json::{Value, json};

use crate::cli::{self, AuditAct, Cli};
use crate::output;
use crate::wiring::{self, Result};

/// Carries out the sub-command.
pub async fn run(cli: &Cli, args: &cli::Audit) -> Result<ExitCode> {
    match args.act {
        AuditAct::Verify => verify(cli),
    }
}

/// Checks the chain of every log; exit code 2 where one is broken.
fn verify(cli: &Cli) -> Result<ExitCode> {
    let layout = Layout::new(&cli.data)?;
    let (mut logs, mut clean) = (Vec::<Value>::new(), true);
    for name in wiring::EVENT_LOGS {
        let path = layout.event_log(name);
        if !path.exists() {
            continue;
        }
        match EventLog::verify(&path) {
            Ok(log) => {
                let head = archive::hex(&log.head_hash);
                say!("{name}: {} events, whole, head {head}", log.events);
                logs.push(json!({ "log": name, "events": log.events, "head": head }));
            }
            Err(error) => {
                clean = false;
                say!("{name}: BROKEN: {error}");
                logs.push(json!({ "log": name, "broken": error.to_string() }));
            }
        }
    }
    let object = json!({ "logs": logs, "whole": clean });
    Ok(if clean { output::finish(cli.json, object) } else { output::finish_with_findings(cli.json, object) })
}
