//! Checks of the server: library, settings, launcher and workers.

use super::fault::Faults;
use super::fault::Level::{self, Error, Warning};
use super::tviews::Inspection;
use crate::catalog::definition;
use crate::catalog::version::{self, Fit};
use crate::postgres::spi::{self, Access};
use crate::postgres::{quote, transaction};
use crate::wake::health::{health, tracks_all, Health};
use crate::wake::slots::usage;
use crate::{settings, statement};

/// Whether the library is preloaded, and has the version of the extension.
pub fn library(_inspection: &Inspection) -> Faults {
    let mut faults = Faults::new();
    faults.extend(version_fault());
    if !health().preloaded {
        let present =
            ask("SELECT pg_catalog.current_setting('shared_preload_libraries')").unwrap_or_default();
        let list: Vec<String> = present
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .chain(["pg_tviews"])
            .map(quote::literal)
            .collect();
        faults.push((
            Error,
            format!(
                "the library is not preloaded: there are no workers. ALTER SYSTEM SET shared_preload_libraries = {}; and restart the server. Until then CALL pg_tviews_drain(); applies changes.",
                list.join(", ")
            ),
        ));
    }
    faults
}

/// Whether library and extension differ in version.
fn version_fault() -> Option<(Level, String)> {
    let (version, fit) = version::of_extension()?;
    let (level, what, action) = match fit {
        Fit::Same => return None,
        Fit::Older => (Warning, "", "ALTER EXTENSION pg_tviews UPDATE;".to_string()),
        Fit::TooOld => (
            Error,
            ": changes wait",
            "ALTER EXTENSION pg_tviews UPDATE;".to_string(),
        ),
        Fit::Newer => (Warning, "", install(&version)),
        Fit::TooNew => (Error, ": changes wait", install(&version)),
    };
    let library = version::LIBRARY;
    Some((
        level,
        format!("the library is of version {library}, the extension of version {version}{what}. {action}"),
    ))
}

fn install(version: &str) -> String {
    format!("Install the package of version {version}, and restart the server.")
}

/// Whether settings keep workers from refreshing, or leave no room for databases or TVIEWs.
pub fn settings(_inspection: &Inspection) -> Faults {
    let mut faults = Faults::new();
    let (level, when) = if transaction::in_recovery() {
        (Warning, " on this standby: once it is promoted changes will")
    } else {
        (Error, ": changes")
    };
    if !settings::enabled() {
        faults.push((
            level,
            format!("pg_tviews.enabled is off{when} wait. ALTER SYSTEM SET pg_tviews.enabled = on; SELECT pg_reload_conf();"),
        ));
    }
    if settings::workers() == 0 {
        faults.push((
            level,
            format!("pg_tviews.workers is 0{when} wait. ALTER SYSTEM SET pg_tviews.workers = 2; SELECT pg_reload_conf();"),
        ));
    }
    if !settings::capture() {
        faults.push((
            Warning,
            "pg_tviews.capture is off in this session: every TVIEW of a table it writes is compared in full. SET pg_tviews.capture = on;".to_string(),
        ));
    }
    let deadlock_timeout = ask(&statement!("health_deadlock_timeout")).and_then(|ms| ms.parse().ok());
    if deadlock_timeout.is_none_or(|ms: u128| settings::lock_timeout().as_millis() >= ms) {
        faults.push((
            Warning,
            "pg_tviews.lock_timeout is not less than deadlock_timeout: in a deadlock with a refresh the session may be the one that fails. ALTER SYSTEM SET pg_tviews.lock_timeout = '200ms'; SELECT pg_reload_conf(); and set deadlock_timeout to more than that.".to_string(),
        ));
    }
    faults.extend(room());
    faults
}

/// Whether there is room for every database and TVIEW in shared memory.
fn room() -> Faults {
    let mut faults = Faults::new();
    let health = health();
    if health.databases_full {
        let (level, what) = if health.known {
            (Warning, "another database has no workers")
        } else {
            (Error, "this database has no workers")
        };
        let now = settings::max_databases();
        faults.push((
            level,
            format!(
                "{what}: pg_tviews.max_databases is used up. ALTER SYSTEM SET pg_tviews.max_databases = {}; and restart the server.",
                2 * now
            ),
        ));
    }
    let tviews = definition::load_all();
    let tracked = tviews.iter().filter(|definition| definition.state.may_refresh());
    if health.preloaded && !tracks_all(tracked.map(|definition| definition.tview)) {
        let now = settings::max_tviews();
        faults.push((
            Warning,
            format!(
                "pg_tviews.max_tviews is used up: some TVIEWs of this database are checked on every wake. ALTER SYSTEM SET pg_tviews.max_tviews = {}; and restart the server.",
                2 * now
            ),
        ));
    }
    faults
}

/// Whether launcher and workers run.
pub fn workers(_inspection: &Inspection) -> Faults {
    // A standby replays what the workers of the primary do.
    if transaction::in_recovery() {
        return Faults::new();
    }
    let health = health();
    let wanted = settings::workers();
    let running = health.workers.len();
    let all = settings::enabled() && running >= wanted && running > 0;
    if all && health.launcher_running {
        return Faults::new();
    }
    let what = match running {
        0 => "no refresh worker is running in this database".to_string(),
        _ if !settings::enabled() => "the refresh workers of this database do nothing".to_string(),
        _ => format!("{running} of {wanted} refresh workers are running in this database"),
    };
    // A database without changes gets a worker when something changes; one that waits for a slot gets it
    // soon.
    let comes = health.at_rest || !health.starves_here && usage().is_short();
    let served = running > 0 || comes && health.launcher_running && !health.excluded;
    let level = if served && settings::enabled() && !health.starves_here {
        Warning
    } else {
        Error
    };
    vec![(level, format!("{what}{}", reason(&health)))]
}

/// Why workers are missing, and what to do about it.
fn reason(health: &Health) -> String {
    if !health.preloaded || !settings::enabled() || settings::workers() == 0 {
        return ". CALL pg_tviews_drain(); applies what waits.".to_string();
    }
    let usage = usage();
    let raise = format!(
        "ALTER SYSTEM SET max_worker_processes = {}; and restart the server.",
        usage.needed()
    );
    if !health.launcher_running {
        return format!(", nor is the launcher. The server log says why; if it found no slot: {raise}");
    }
    if health.excluded {
        let name = ask("SELECT pg_catalog.quote_ident(pg_catalog.current_database())").unwrap_or_default();
        return format!(
            ": it is a template or closed to connections. ALTER DATABASE {name} IS_TEMPLATE false ALLOW_CONNECTIONS true;"
        );
    }
    if usage.is_short() {
        let turns = if health.starves {
            "Databases wait for a worker."
        } else {
            "Idle workers lend their slots: changes are applied, a little later."
        };
        return format!(": no slot is free for more: {} {turns} {raise}", usage.describe());
    }
    ". They are started again automatically; if not, the server log says why. CALL pg_tviews_drain(); applies what waits.".to_string()
}

fn ask(sql: &str) -> Option<String> {
    spi::session(|| spi::run(sql, Access::Snapshot, &[]).one())
}
