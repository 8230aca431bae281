//! What the processes of a server use, as the system accounts for it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::meanwhile::meanwhile;

/// Seconds of CPU these processes have used so far.
pub fn cpu_seconds(pids: &[i32]) -> f64 {
    // Ticks per second are 100 on every Linux.
    pids.iter().map(|pid| ticks(*pid)).sum::<u64>() as f64 / 100.0
}

/// Milliseconds of CPU these processes have used so far, to the nanosecond.
pub fn cpu_milliseconds(pids: &[i32]) -> f64 {
    let of = |pid: &i32| {
        let text = std::fs::read_to_string(format!("/proc/{pid}/schedstat")).unwrap_or_default();
        let first = text.split_whitespace().next();
        first.and_then(|nanoseconds| nanoseconds.parse::<f64>().ok())
    };
    pids.iter().filter_map(of).sum::<f64>() / 1_000_000.0
}

/// Seconds of CPU that the ended children of the parent of `pid` have used: of a server's session, all sessions that
/// are over.
pub fn cpu_seconds_of_ended_siblings(pid: i32) -> f64 {
    let parent = fields_of(pid).get(1).copied().unwrap_or(0) as i32;
    fields_of(parent).iter().skip(13).take(2).sum::<u64>() as f64 / 100.0
}

fn ticks(pid: i32) -> u64 {
    fields_of(pid).iter().skip(11).take(2).sum()
}

/// Numbers of `/proc/PID/stat` after the name in parentheses: state, parent, ...; user and system time are 11 and 12, those
/// of ended children 13 and 14. What is no number counts as 0.
fn fields_of(pid: i32) -> Vec<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = stat.rsplit(") ").next().unwrap_or("").split_whitespace();
    fields.map(|field| field.parse().unwrap_or(0)).collect()
}

/// The most memory of their own (shared buffers left out) that each of the processes has while `work` runs, in bytes.
pub fn peak_memory(pids: &[i32], work: impl FnOnce()) -> Vec<u64> {
    let peaks: Vec<AtomicU64> = pids.iter().map(|_| AtomicU64::new(0)).collect();
    let look = || {
        for (pid, peak) in pids.iter().zip(&peaks) {
            peak.fetch_max(own_memory(*pid), Ordering::Relaxed);
        }
    };
    meanwhile(look, Duration::from_millis(20), work);
    peaks.iter().map(|peak| peak.load(Ordering::Relaxed)).collect()
}

fn own_memory(pid: i32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kilobytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}
