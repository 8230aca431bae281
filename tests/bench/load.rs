//! Load by pgbench, which comes with PostgreSQL and takes little of the machine for itself.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::harness::{Cluster, Folder};

/// A script that clients repeat.
pub struct Load<'a> {
    cluster: &'a Cluster,
    database: &'a str,
    folder: Folder,
    clients: usize,
    /// Transactions per second; none: as many as they can.
    rate: Option<u32>,
    /// Settings of the clients' sessions, as PGOPTIONS.
    options: String,
}

impl<'a> Load<'a> {
    /// `clients` that repeat `script` as fast as they can.
    pub fn new(cluster: &'a Cluster, database: &'a str, clients: usize, script: &str) -> Self {
        let folder = Folder::new();
        std::fs::write(folder.join("script.sql"), script).expect("the script is written");
        Self {
            cluster,
            database,
            folder,
            clients,
            rate: None,
            options: String::new(),
        }
    }

    /// At `rate` transactions per second, which begin at times of their own: a slow one does not hold back the next.
    pub fn at(mut self, rate: u32) -> Self {
        self.rate = Some(rate);
        self
    }

    /// With these settings (`-c name=value`) in the clients' sessions.
    pub fn with(mut self, options: &str) -> Self {
        options.clone_into(&mut self.options);
        self
    }

    /// Runs for a while; transactions per second.
    pub fn run(&self, time: Duration) -> f64 {
        Self::finish(self.start(time))
    }

    /// Runs for a while; milliseconds of each transaction, from the time it was to begin at.
    pub fn latencies(&self, time: Duration) -> Vec<f64> {
        let log = Folder::new();
        let mut pgbench = self.command(time);
        pgbench.args(["--log", "--log-prefix", &log.join("latencies")]);
        pgbench.arg(self.database);
        Self::finish(pgbench.spawn().expect("pgbench starts"));
        let mut latencies = Vec::new();
        for file in std::fs::read_dir(log.join("")).expect("the folder of the logs") {
            let lines = std::fs::read_to_string(file.expect("a log").path()).expect("a log");
            // client, number of the transaction, microseconds, ...
            let column = |line: &str| line.split(' ').nth(2)?.parse::<f64>().ok();
            latencies.extend(lines.lines().filter_map(column).map(|time| time / 1000.0));
        }
        latencies
    }

    /// Starts it; [`Load::finish`] waits for the end.
    pub fn start(&self, time: Duration) -> Child {
        let mut pgbench = self.command(time);
        pgbench.arg(self.database);
        pgbench.spawn().expect("pgbench starts")
    }

    /// Everything but the database, which comes last.
    fn command(&self, time: Duration) -> Command {
        let mut pgbench = self.cluster.program("pgbench", std::path::Path::new("/"));
        pgbench.args(["-n", "-M", "prepared", "-f", &self.folder.join("script.sql")]);
        // More threads than clients or than a small machine has cores are of no use.
        let threads = self.clients.min(2);
        pgbench.args(["-c", &self.clients.to_string(), "-j", &threads.to_string()]);
        // pgbench counts whole seconds; shorter runs would all be the same.
        pgbench.args(["-T", &time.as_secs().max(1).to_string()]);
        if let Some(rate) = self.rate {
            pgbench.args(["-R", &rate.to_string()]);
        }
        pgbench.env("PGOPTIONS", &self.options);
        pgbench.stdout(Stdio::piped()).stderr(Stdio::piped());
        pgbench
    }

    /// Waits for the end; transactions per second.
    pub fn finish(running: Child) -> f64 {
        let output = running.wait_with_output().expect("pgbench ends");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let tps = text.lines().find_map(|line| line.strip_prefix("tps = "));
        let tps = tps.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
        tps.unwrap_or_else(|| panic!("pgbench: {text}\n{}", String::from_utf8_lossy(&output.stderr)))
    }
}
