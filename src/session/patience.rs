//! How long a session waits for refreshes; an error if no worker will apply them.

use std::time::{Duration, Instant};

use pgrx::PgSqlErrorCode;

use crate::error::Problem;
use crate::postgres::process::latch;
use crate::settings;
use crate::wake::slots;
use crate::wake::undrained::{undrained, Cause};

const FIRST_PAUSE: Duration = Duration::from_micros(500);
const LONGEST_PAUSE: Duration = Duration::from_millis(10);

/// How long to wait, and how soon to check again.
pub struct Patience {
    started: Instant,
    timeout: Option<Duration>,
    pause: Duration,
    undrained_since: Option<Instant>,
}

impl Patience {
    pub fn new(timeout: Option<Duration>) -> Patience {
        Patience {
            started: Instant::now(),
            timeout,
            pause: FIRST_PAUSE,
            undrained_since: None,
        }
    }

    /// Starts with short pauses again.
    pub fn renew(&mut self) {
        self.pause = FIRST_PAUSE;
    }

    /// Pauses; false when the time is over. An ERROR if no worker is there to apply changes.
    pub fn go_on(&mut self) -> bool {
        match undrained() {
            None => self.undrained_since = None,
            Some((cause, certain_after)) => {
                let since = *self.undrained_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= certain_after {
                    futile(cause).raise();
                }
            }
        }
        self.pause()
    }

    /// Pauses; false when the time is over.
    pub fn pause(&mut self) -> bool {
        let left = self
            .timeout
            .map(|timeout| timeout.saturating_sub(self.started.elapsed()));
        if left == Some(Duration::ZERO) {
            return false;
        }
        latch::pause_or_raise(left.map_or(self.pause, |left| left.min(self.pause)));
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        true
    }
}

/// "Nothing is applying changes", with the reason.
fn futile(cause: Cause) -> Problem {
    let (detail, remedy) = match cause {
        Cause::NotPreloaded => (
            "No refresh worker is running: the server does not preload the library.".to_string(),
            "set shared_preload_libraries = 'pg_tviews' and restart the server.".to_string(),
        ),
        Cause::Disabled => (
            "Refresh workers do nothing: pg_tviews.enabled is off.".to_string(),
            "run ALTER SYSTEM SET pg_tviews.enabled = on; SELECT pg_reload_conf();".to_string(),
        ),
        Cause::NoWorkers => (
            "No refresh worker is running: pg_tviews.workers is 0.".to_string(),
            "run ALTER SYSTEM SET pg_tviews.workers = 2; SELECT pg_reload_conf();".to_string(),
        ),
        Cause::NoPlace => (
            format!(
                "No refresh worker is running: pg_tviews.max_databases is {}, and as many databases have workers.",
                settings::max_databases()
            ),
            format!(
                "run ALTER SYSTEM SET pg_tviews.max_databases = {}; and restart the server.",
                2 * settings::max_databases()
            ),
        ),
        Cause::NoLauncher => (
            "No refresh worker is running: nor is the launcher of pg_tviews, which starts them.".to_string(),
            "check the server log for why it has ended.".to_string(),
        ),
        Cause::Excluded => (
            "No refresh worker is running: the database is a template, or closed to connections.".to_string(),
            "run ALTER DATABASE ... IS_TEMPLATE false ALLOW_CONNECTIONS true;".to_string(),
        ),
        Cause::Failing => (
            "No refresh worker is running: those that were started have ended immediately.".to_string(),
            "check the server log for why.".to_string(),
        ),
        Cause::NoSlot => {
            let usage = slots::usage();
            (
                format!("No refresh worker is running: {}", usage.describe()),
                format!(
                    "run ALTER SYSTEM SET max_worker_processes = {}; and restart the server.",
                    usage.needed()
                ),
            )
        }
    };
    Problem::new(
        PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
        "nothing is applying changes in this database",
    )
    .detail(detail)
    .hint(format!("Run CALL pg_tviews_drain(); or {remedy}"))
}
