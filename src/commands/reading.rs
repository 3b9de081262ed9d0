//! `tsunagu reading`: makes worklists, shows how far they are, writes results out. A running server sees it at once.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use archive::{EventLog, Reader};
use serde_json::{Value, json};
use viewer_api::reading::{Double, Filter, Person, Progress, Reading, Results};

use crate::cli::{self, Cli, NewWorklist, ReadingAct, ReadingResults};
use crate::output;
use crate::wiring::Result;

/// Who acts where nobody has signed in.
const COMMAND_LINE: &str = "command line";

/// Carries out the sub-command.
pub async fn run(cli: &Cli, args: &cli::Reading) -> Result<ExitCode> {
    let reader = Reader::open(&cli.data)?;
    let reading = Reading::open(&reader.layout().event_log("reading"))?;
    match &args.act {
        ReadingAct::Create(new) => create(cli, &reader, &reading, new).await,
        ReadingAct::List => {
            reading.join_new(&reader, jiff::Timestamp::now()).await?;
            list(cli, &reading.progress()?)
        }
        ReadingAct::Results(args) => results(cli, &reader, &reading, args).await,
    }
}

fn person() -> Person {
    Person { name: COMMAND_LINE.into(), centre: "local".into() }
}

/// Written down before anything is told, as on the web.
fn audit(reader: &Reader, act: &str, about: Value) -> Result<()> {
    let log = EventLog::open(&reader.layout().event_log("audit"))?;
    let event = json!({ "event": "read", "act": act, "subject": COMMAND_LINE, "centre": "local", "about": about });
    log.append(&crate::clock::now(), &[event])?;
    Ok(())
}

async fn create(cli: &Cli, reader: &Reader, reading: &Reading, new: &NewWorklist) -> Result<ExitCode> {
    let filter = Filter {
        modality: new.modality.clone(),
        from: new.from.clone(),
        to: new.to.clone(),
        centre: new.centre.clone(),
        double: match new.double {
            cli::DoubleReading::All => Double::All,
            cli::DoubleReading::DeviceAbnormal => Double::DeviceAbnormal,
            cli::DoubleReading::None => Double::None,
        },
    };
    let now = jiff::Timestamp::now();
    let id = reading.create(&new.name, &filter, &person(), now)?;
    audit(reader, "worklist-created", json!({ "worklist": id }))?;
    reading.join_new(reader, now).await?;
    let made = reading.progress()?.into_iter().find(|worklist| worklist.id == id);
    let total = made.map_or(0, |worklist| worklist.counts[0]);
    say!("{id}  {total} items");
    Ok(output::finish(cli.json, json!({ "worklist": id, "total": total })))
}

fn list(cli: &Cli, worklists: &[Progress]) -> Result<ExitCode> {
    let head = ["id", "name", "modality", "items", "unread", "2nd", "adjudication", "decided", "sent"];
    let row = |worklist: &Progress| {
        let words = [&worklist.id, &worklist.name, &worklist.modality].map(String::clone);
        words.into_iter().chain(worklist.counts.map(|count| count.to_string())).collect::<Vec<_>>()
    };
    say!("{}", output::table(&head, &worklists.iter().map(row).collect::<Vec<_>>()));
    let object = |worklist: &Progress| {
        let [total, unread, second, adjudication, decided, sent] = worklist.counts;
        json!({
            "id": worklist.id, "name": worklist.name, "modality": worklist.modality, "total": total, "unread": unread,
            "awaiting_second": second, "awaiting_adjudication": adjudication, "decided": decided, "sent": sent,
        })
    };
    Ok(output::finish(cli.json, json!({ "worklists": worklists.iter().map(object).collect::<Vec<_>>() })))
}

async fn results(cli: &Cli, reader: &Reader, reading: &Reading, args: &ReadingResults) -> Result<ExitCode> {
    // Before anything is called sent.
    let to = Target::open(&args.to)?;
    let sent = match args.export {
        Some(number) => reading.exported(&args.worklist, number)?,
        None => reading.export(reader, &args.worklist, &person(), jiff::Timestamp::now()).await?,
    };
    let about = json!({ "worklist": args.worklist, "number": sent.number, "rows": sent.rows.len() });
    let audited = audit(reader, if args.export.is_some() { "results" } else { "exported" }, about);
    let Some(number) = sent.number else {
        audited?;
        say!("There is nothing new to send.");
        return Ok(output::finish(cli.json, json!({ "export": null, "rows": 0 })));
    };
    let written = || to.write(&text(&sent, args)).map_err(|error| format!("{}: {error}", args.to.display()).into());
    // It counts as sent.
    let again = |error| format!("{error}; it is export {number}: run it again with --export {number}");
    audited.and_then(|()| written()).map_err(again)?;
    say!("Export {number}: {} rows, to {}", sent.rows.len(), args.to.display());
    if sent.more {
        say!("There are more: run it again for the next export.");
    }
    Ok(output::finish(cli.json, json!({ "export": number, "rows": sent.rows.len(), "more": sent.more })))
}

fn text(sent: &Results, args: &ReadingResults) -> String {
    match args.form {
        cli::ResultsForm::Csv => sent.csv(),
        cli::ResultsForm::Fhir => sent.fhir(&args.worklist),
    }
}

/// The file that results go to, open for writing. It is as it was until they are written.
#[derive(Debug)]
struct Target {
    file: File,
    /// Made here: taken away again where nothing is written.
    made: Option<PathBuf>,
}

impl Target {
    fn open(path: &Path) -> Result<Target> {
        let made = (!path.exists()).then(|| path.to_owned());
        let file = File::options().write(true).create(true).truncate(false).open(path);
        Ok(Target { file: file.map_err(|error| format!("{}: {error}", path.display()))?, made })
    }

    /// Durable on return.
    fn write(mut self, text: &str) -> std::io::Result<()> {
        // A pipe has no length and is not synced.
        let is_file = self.file.metadata()?.is_file();
        if is_file {
            self.file.set_len(0)?;
        }
        self.file.write_all(text.as_bytes())?;
        if is_file {
            self.file.sync_all()?;
        }
        self.made = None;
        Ok(())
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if let Some(path) = &self.made {
            // An empty file harms nobody.
            let _ = std::fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What cannot be written to is known before results are called sent, and nothing is lost by finding that out.
    #[test]
    fn a_file_is_open_before_results_are_sent_and_as_it_was_until_they_are_written() {
        let dir = tempfile::tempdir().unwrap();
        let (path, had) = (dir.path().join("new.csv"), dir.path().join("had.csv"));
        assert!(Target::open(&dir.path().join("no/where.csv")).is_err());
        drop(Target::open(&path).unwrap());
        assert!(!path.exists(), "nothing was sent");
        Target::open(&path).unwrap().write("rows").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "rows");
        std::fs::write(&had, "of yesterday, and longer").unwrap();
        drop(Target::open(&had).unwrap());
        assert_eq!(std::fs::read_to_string(&had).unwrap(), "of yesterday, and longer");
        Target::open(&had).unwrap().write("rows").unwrap();
        assert_eq!(std::fs::read_to_string(&had).unwrap(), "rows");
    }
}
