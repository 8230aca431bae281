//! What a process has in memory: as the system counts it, and as PostgreSQL does.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use postgres::Client;

use super::{Ask, Cluster, WAIT};

/// A number of kB in /proc about a process, such as `RssAnon`: its memory without what it shares.
pub fn process_status(pid: i32, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let line = status.lines().find(|line| line.starts_with(name));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    number
        .and_then(|number| number.parse().ok())
        .expect("a number of kB")
}

/// Bytes in use in all memory contexts of a process. (What a process has of the system's memory depends on more than
/// what it keeps.)
pub fn in_contexts(cluster: &Cluster, client: &mut Client, pid: i32) -> i64 {
    let totals = |log: &str| -> Vec<i64> {
        let of_process = format!("[{pid}]");
        let lines = log.lines().filter(|line| line.contains(&of_process));
        let totals = lines.filter_map(|line| line.split_once("Grand total: "));
        let used =
            totals.filter_map(|(_, total)| total.strip_suffix(" used")?.rsplit(' ').next()?.parse().ok());
        used.collect()
    };
    let before = totals(&cluster.read_log()).len();
    assert!(client.one::<bool>(&format!("SELECT pg_log_backend_memory_contexts({pid})")));
    let ends = Instant::now() + WAIT;
    loop {
        let totals = totals(&cluster.read_log());
        if totals.len() > before {
            return totals[before];
        }
        assert!(
            Instant::now() < ends,
            "process {pid} has not logged its memory contexts"
        );
        thread::sleep(Duration::from_millis(20));
    }
}
