//! Load by pgbench, which comes with PostgreSQL and takes little of the machine for itself.

use std::process::{Child, Stdio};
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
        }
    }

    /// At `rate` transactions per second.
    pub fn at(mut self, rate: u32) -> Self {
        self.rate = Some(rate);
        self
    }

    /// Runs for a while; transactions per second.
    pub fn run(&self, time: Duration) -> f64 {
        Self::finish(self.start(time))
    }

    /// Starts it; [`Load::finish`] waits for the end.
    pub fn start(&self, time: Duration) -> Child {
        let mut pgbench = self.cluster.program("pgbench", std::path::Path::new("/"));
        pgbench.args(["-n", "-M", "prepared", "-f", &self.folder.join("script.sql")]);
        pgbench.args(["-c", &self.clients.to_string(), "-j", &self.clients.to_string()]);
        // pgbench counts whole seconds; shorter runs would all be the same.
        pgbench.args(["-T", &time.as_secs().max(1).to_string()]);
        if let Some(rate) = self.rate {
            pgbench.args(["-R", &rate.to_string()]);
        }
        pgbench.arg(self.database);
        pgbench.stdout(Stdio::piped()).stderr(Stdio::piped());
        pgbench.spawn().expect("pgbench starts")
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
