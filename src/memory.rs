//! How much freed memory the allocator keeps.
//!
//! glibc gives every few threads an arena of their own and keeps what is freed in each: with frames of tens of megabytes freed by
//! other threads than took them, half of the peak is memory that nobody uses (docs/performance.md). How many arenas there
//! are is read from the environment as the process begins, so the program begins once more with it set.

/// Begins the program anew with few arenas, as the same process; returns where that is not possible or not wanted:
/// another allocator, or the operator has said how many.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn keep_few_arenas() {
    use std::os::unix::process::CommandExt;

    /// Intake, packing and answers hardly ever ask at the same instant.
    const ARENAS: &str = "2";
    const VARIABLE: &str = "MALLOC_ARENA_MAX";

    if std::env::var_os(VARIABLE).is_some() {
        return;
    }
    let Ok(program) = std::env::current_exe() else { return };
    let mut arguments = std::env::args_os();
    let mut command = std::process::Command::new(program);
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    let error = command.args(arguments).env(VARIABLE, ARENAS).exec();
    tracing::debug!("the allocator keeps its many arenas: {error}");
}

/// Nothing to do: the variable is glibc's.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn keep_few_arenas() {}
