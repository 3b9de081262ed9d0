//! How a long run tells whoever watches.

/// Told as files go by; every method may be called from several tasks at once.
pub trait Progress: Send + Sync {
    /// What there is to do, once it is known.
    fn total(&self, _files: u64, _bytes: u64) {}
    /// A file was found or begun.
    fn begun(&self, _file: &str) {}
    /// More bytes have gone.
    fn bytes(&self, _bytes: u64) {}
    /// A file is done, whatever became of it.
    fn done(&self, _file: &str) {}
    /// Something a person should read: a retry, a file that cannot be read.
    fn note(&self, _text: &str) {}
}

/// Tells nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {}
