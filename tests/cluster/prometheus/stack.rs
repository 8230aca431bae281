//! Prometheus and postgres_exporter on loopback, with free ports and a folder of their own.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::{repository, Folder, WAIT};

/// The folder with the programs; None, with a message on the terminal, if they are not here.
pub fn programs() -> Option<PathBuf> {
    let script = repository().join("scripts/monitoring.sh");
    let found = Command::new("bash").arg(script).arg("--find").output();
    let found = found.map(|found| String::from_utf8_lossy(&found.stdout).trim().to_owned());
    let folder = found.unwrap_or_default();
    if folder.is_empty() {
        // Not by a macro, whose output is shown only if the test fails.
        let text = "\n*** monitoring/ is NOT tested with Prometheus, which is not here (make cluster fetches it on Debian) ***\n";
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
    (!folder.is_empty()).then(|| PathBuf::from(folder))
}

/// What is at a path of a local server; None if nobody answers.
fn get(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(WAIT)).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned())
}

/// A program that is ended with the test.
struct Process(Child);

impl Process {
    fn start(command: &mut Command, log: &str) -> Self {
        let log = fs::File::create(log).expect("a log can be written");
        let command = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log);
        Self(
            command
                .spawn()
                .unwrap_or_else(|error| panic!("cannot run {command:?}: {error}")),
        )
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Both programs. The folder goes last.
pub struct Stack {
    exporter_port: u16,
    prometheus_port: u16,
    _exporter: Process,
    _prometheus: Process,
    folder: Folder,
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}

/// The rules with short times: what would take an hour takes seconds.
fn rules() -> String {
    let text = fs::read_to_string(repository().join("monitoring/alerts.yml")).expect("the rules can be read");
    let lines = text
        .lines()
        .map(|line| match line.trim_start().starts_with("for: ") {
            true => "        for: 0s".to_owned(),
            false => line.to_owned(),
        });
    let mut text = lines.collect::<Vec<_>>().join("\n");
    for (usual, short) in [
        ("> 3600", "> 4"),
        ("> 268435456", "> 200000"),
        ("[30m]", "[10s]"),
        ("[1h]", "[10s]"),
    ] {
        assert!(text.contains(usual), "the rules have no {usual}");
        text = text.replace(usual, short);
    }
    text
}

impl Stack {
    /// Starts both, for the database that `connection` names.
    pub fn start(programs: &Path, connection: &str) -> Self {
        let folder = Folder::new();
        let (exporter_port, prometheus_port) = (free_port(), free_port());
        let config = format!(
            "global: {{scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 500ms}}
rule_files: [rules.yml]
scrape_configs:
  - job_name: pg_tviews
    static_configs: [{{targets: ['127.0.0.1:{exporter_port}']}}]
"
        );
        fs::write(folder.join("prometheus.yml"), config).expect("a file can be written");
        fs::write(folder.join("rules.yml"), rules()).expect("a file can be written");
        let exporter = Process::start(
            Command::new(programs.join("prometheus-postgres-exporter"))
                .env("DATA_SOURCE_NAME", format!("{connection} sslmode=disable"))
                .arg(format!("--web.listen-address=127.0.0.1:{exporter_port}"))
                .arg(format!(
                    "--extend.query-path={}",
                    repository().join("monitoring/postgres_exporter.yml").display()
                ))
                .args(["--disable-default-metrics", "--disable-settings-metrics"]),
            &folder.join("exporter.log"),
        );
        let prometheus = Process::start(
            Command::new(programs.join("prometheus"))
                .arg(format!("--config.file={}", folder.join("prometheus.yml")))
                .arg(format!("--storage.tsdb.path={}", folder.join("data")))
                .arg(format!("--web.listen-address=127.0.0.1:{prometheus_port}"))
                .arg("--log.level=warn"),
            &folder.join("prometheus.log"),
        );
        Self {
            exporter_port,
            prometheus_port,
            _exporter: exporter,
            _prometheus: prometheus,
            folder,
        }
    }

    /// The names that postgres_exporter exports, once it does. Of a histogram, those of its series.
    pub fn exported(&self) -> Vec<String> {
        let deadline = Instant::now() + WAIT;
        loop {
            let text = get(self.exporter_port, "/metrics").unwrap_or_default();
            let names = text.lines().filter(|line| line.starts_with("pg_tview_"));
            let mut names: Vec<String> = names
                .filter_map(|line| line.split(['{', ' ']).next().map(str::to_owned))
                .collect();
            names.sort();
            names.dedup();
            if names.iter().any(|name| name.starts_with("pg_tview_server_"))
                && names.iter().any(|name| name == "pg_tview_lag_seconds")
            {
                return names;
            }
            if Instant::now() > deadline {
                self.report();
                panic!("nothing is exported: {names:?}");
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// What Prometheus answers to a query; the error, if it is none.
    pub fn query(&self, query: &str) -> Result<Value, String> {
        let encoded: String = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let path = format!("/api/v1/query?query={encoded}");
        let (mut answer, deadline) = (None, Instant::now() + WAIT);
        // It may not be ready yet.
        while answer.is_none() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(50));
            answer = get(self.prometheus_port, &path).filter(|answer| answer.starts_with('{'));
        }
        let answer: Value =
            serde_json::from_str(&answer.ok_or("no answer")?).map_err(|error| error.to_string())?;
        match answer["status"].as_str() {
            Some("success") => Ok(answer["data"]["result"].clone()),
            _ => Err(answer["error"].to_string()),
        }
    }

    /// The alerts that fire now, without those of other reasons twice.
    fn firing(&self) -> Vec<String> {
        let answer = get(self.prometheus_port, "/api/v1/alerts").unwrap_or_default();
        let answer: Value = serde_json::from_str(&answer).unwrap_or_default();
        let alerts = answer["data"]["alerts"].as_array().cloned().unwrap_or_default();
        let names = alerts.iter().filter(|alert| alert["state"] == "firing");
        let mut names: Vec<String> = names
            .filter_map(|alert| alert["labels"]["alertname"].as_str().map(str::to_owned))
            .collect();
        names.sort();
        names.dedup();
        names
    }

    /// Waits until exactly these alerts fire. Meanwhile none fires but these and `passing` ones. `still`: what is done
    /// again and again until then.
    pub fn await_alerts(&self, expected: &[&str], passing: &[&str], mut still: impl FnMut()) {
        let deadline = Instant::now() + 2 * WAIT;
        loop {
            let firing = self.firing();
            if firing == expected {
                return;
            }
            let other = firing
                .iter()
                .find(|name| !expected.contains(&name.as_str()) && !passing.contains(&name.as_str()));
            if other.is_some() || Instant::now() > deadline {
                self.report();
                panic!("{expected:?} should fire, and {firing:?} do");
            }
            still();
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn report(&self) {
        for log in ["exporter.log", "prometheus.log"] {
            let text = fs::read_to_string(self.folder.join(log)).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            eprintln!(
                "--- {log}\n{}",
                lines[lines.len().saturating_sub(20)..].join("\n")
            );
        }
        let server = self.query("{__name__=~\"pg_tview_server_.*|pg_tview_lag_seconds|pg_up|up\"}");
        eprintln!("--- {server:?}");
    }
}
