//! What Linux says of a process: CPU seconds and memory.

use crate::Result;

/// Ticks a second in /proc: USER_HZ, 100 on every Linux we run on.
const TICKS_S: f64 = 100.0;

/// CPU seconds, user and system, of a process so far.
pub fn cpu_s(pid: u32) -> Result<f64> {
    // proc(5): utime and stime are fields 14 and 15.
    ticks(&pid.to_string(), 14)
}

/// CPU seconds of all children of this process that have ended and were waited for.
pub fn children_cpu_s() -> Result<f64> {
    // proc(5): cutime and cstime are fields 16 and 17.
    ticks("self", 16)
}

fn ticks(process: &str, field: usize) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name of the program may hold spaces and brackets; the field after it is the third.
    let (_, rest) = stat.rsplit_once(')').ok_or("/proc/PID/stat without a name")?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let tick = |field: usize| fields.get(field - 3).and_then(|text| text.parse::<f64>().ok());
    let both = tick(field).zip(tick(field + 1)).ok_or("/proc/PID/stat is cut short")?;
    Ok((both.0 + both.1) / TICKS_S)
}

/// The most memory a process has had at once, in MB.
pub fn peak_rss_mb(pid: u32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? * 1024.0 / 1e6)
}

/// Load averages over 1, 5 and 15 minutes.
pub fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}
