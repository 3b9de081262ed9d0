//! Progress bars for people who watch; nothing where nobody does.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar of files and bytes on standard error, hidden where that is no terminal.
pub struct Bar {
    bar: ProgressBar,
    files_total: std::sync::atomic::AtomicU64,
    files_done: std::sync::atomic::AtomicU64,
}

impl Bar {
    /// A bar of bytes, under a word for what is done.
    pub fn bytes(what: &'static str) -> Bar {
        let bar = if std::io::stderr().is_terminal() { ProgressBar::new(0) } else { ProgressBar::hidden() };
        let style = "{prefix} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} left {eta} {msg}";
        bar.set_style(ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_prefix(what);
        Bar { bar, files_total: 0.into(), files_done: 0.into() }
    }

    /// Says how many bytes there are in all.
    pub fn set_total(&self, files: u64, bytes: u64) {
        self.files_total.store(files, std::sync::atomic::Ordering::Relaxed);
        self.bar.set_length(bytes);
    }

    /// So many bytes more are done.
    pub fn add_bytes(&self, bytes: u64) {
        self.bar.inc(bytes);
    }

    /// One file more is done.
    pub fn add_file(&self) {
        let done = self.files_done.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
        let total = self.files_total.load(std::sync::atomic::Ordering::Relaxed);
        self.bar.set_message(if total > 0 { format!("{done}/{total} files") } else { format!("{done} files") });
    }

    /// A line above the bar.
    pub fn note(&self, text: &str) {
        self.bar.suspend(|| eprintln!("{text}"));
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl ingest::Progress for Bar {
    fn total(&self, files: u64, bytes: u64) {
        self.set_total(files, bytes);
    }

    fn bytes(&self, bytes: u64) {
        self.add_bytes(bytes);
    }

    fn done(&self, _file: &str) {
        self.add_file();
    }

    fn note(&self, text: &str) {
        Bar::note(self, text);
    }
}
