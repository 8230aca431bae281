//! Checks of single TVIEWs: those whose owner's rights the caller has; all for members of pg_monitor.

use std::cell::OnceCell;

use pgrx::pg_sys::{self, Oid};

use super::fault::Faults;
use super::fault::Level::{self, Error, Warning};
use crate::postgres::spi::{self, Access, Rows, Value};
use crate::postgres::{quote, transaction};
use crate::{settings, statement};

/// A backlog that is so many times older than the bound, and older than [`LATE`], is an error.
const TOO_LATE: f64 = 10.0;
/// In seconds.
const LATE: f64 = 10.0;

/// The caller, and what several checks read.
pub(super) struct Inspection {
    /// Stored, because the checks run with other rights.
    pub(super) caller: Oid,
    pub(super) tviews: OnceCell<Vec<Tview>>,
}

/// A TVIEW as the checks see it.
pub(super) struct Tview {
    /// With its schema, quoted.
    name: String,
    state: String,
    view: String,
    view_exists: bool,
    /// Of the oldest change it has not absorbed, in seconds.
    age: Option<f64>,
    /// For how long its rows stand still, in seconds.
    still: Option<f64>,
    /// In seconds.
    bound: f64,
    dead_keys: i64,
    /// Why one of them is dead.
    dead_because: Option<String>,
    /// How its last refresh failed.
    failure: Option<String>,
    /// Which rows its last refresh left out.
    left_out: Option<String>,
    /// What would help.
    hint: Option<String>,
}

impl Tview {
    fn argument(&self) -> String {
        quote::literal(&self.name)
    }
}

impl Inspection {
    fn tviews(&self) -> &[Tview] {
        self.tviews.get_or_init(|| {
            let args = [
                (pg_sys::OIDOID, Value::of(self.caller)),
                (
                    pg_sys::FLOAT8OID,
                    Value::of(settings::max_latency().as_secs_f64()),
                ),
            ];
            read(&statement!("health_tviews"), &args, |rows, row| {
                Some(Tview {
                    name: rows.get(row, 0)?,
                    state: rows.get(row, 1)?,
                    view: rows.get(row, 2)?,
                    view_exists: rows.get(row, 3)?,
                    age: rows.get(row, 4),
                    still: rows.get(row, 5),
                    bound: rows.get(row, 6)?,
                    dead_keys: rows.get(row, 7)?,
                    dead_because: rows.get(row, 8),
                    failure: rows.get(row, 9),
                    left_out: rows.get(row, 10),
                    hint: rows.get(row, 11),
                })
            })
        })
    }

    fn faults(&self, fault: impl Fn(&Tview) -> Option<(Level, String)>) -> Faults {
        self.tviews().iter().filter_map(fault).collect()
    }
}

/// Triggers that notice DDL, updates of definitions, and what replication sends.
pub(super) fn own_triggers(_inspection: &Inspection) -> Faults {
    read(&statement!("health_own_triggers"), &[], |rows, row| {
        let (what, command): (String, String) = (rows.get(row, 0)?, rows.get(row, 1)?);
        Some((Error, format!("{what}. {command}")))
    })
}

/// Whether every source has its capture triggers. Changes of a source without them are lost.
pub(super) fn capture_triggers(inspection: &Inspection) -> Faults {
    let args = [(pg_sys::OIDOID, Value::of(inspection.caller))];
    read(&statement!("health_triggers"), &args, |rows, row| {
        let (source, tview): (String, String) = (rows.get(row, 0)?, rows.get(row, 1)?);
        let name = quote::literal(&tview);
        if rows.get(row, 2)? {
            let table = quote::literal(&source);
            return Some((
                Warning,
                format!("{tview} is still to be populated: triggers on {source} are created as soon as no transaction that writes there is open. SELECT pid, state, query FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE relation = {table}::regclass AND mode = 'RowExclusiveLock'; shows these transactions."),
            ));
        }
        Some((
            Error,
            format!("changes of {source} are not captured: a trigger of pg_tviews is missing there, or not ENABLE ALWAYS. SELECT pg_tviews_create({name}); repairs that and brings {tview} up to date; do so with every TVIEW that reads {source}."),
        ))
    })
}

/// Whether every TVIEW has its backing view. A TVIEW without it is not being refreshed.
pub(super) fn backing_views(inspection: &Inspection) -> Faults {
    inspection.faults(|tview| {
        let (name, argument, view) = (&tview.name, tview.argument(), &tview.view);
        (!tview.view_exists).then(|| (
            Error,
            format!("the backing view {view} of {name} does not exist: its changes wait. CREATE VIEW {view} AS ...; or SELECT pg_tviews_drop({argument}, keep_table => true);"),
        ))
    })
}

/// TVIEWs that are paused, suspended or failing, or left rows out.
pub(super) fn states(inspection: &Inspection) -> Faults {
    inspection.faults(|tview| {
        let (name, argument) = (&tview.name, tview.argument());
        let reason = tview.failure.as_ref().map(|f| format!(": {f}")).unwrap_or_default();
        let hint = tview.hint.as_ref().map(|hint| format!(" {hint}")).unwrap_or_default();
        match (tview.state.as_str(), &tview.failure) {
            ("paused", _) => Some((
                Warning,
                format!("{name} is paused, its changes wait{reason}. SELECT pg_tviews_resume({argument});"),
            )),
            ("suspended", _) => Some((
                Error,
                format!("{name} is suspended{reason}.{hint} It goes on automatically when its view works again; SELECT pg_tviews_resume({argument}); tries immediately."),
            )),
            (_, Some(failure)) => Some((
                Warning,
                format!("the last refresh of {name} failed: {failure}.{hint} It is tried again; SELECT * FROM pg_tview_meta_audit WHERE tview_oid = {argument}::regclass ORDER BY audit_id DESC LIMIT 10; shows more."),
            )),
            (_, None) => tview.left_out.as_ref().map(|left_out| (
                Warning,
                format!("rows are missing in {name}: {left_out}. SELECT * FROM pg_tviews_check({argument}); shows which. If this stays when there are none, SELECT pg_tviews_refresh({argument});"),
            )),
        }
    })
}

/// TVIEWs with changes older than their bound.
pub(super) fn backlog(inspection: &Inspection) -> Faults {
    // A standby does not know what the primary has absorbed since.
    if transaction::in_recovery() {
        return Faults::new();
    }
    inspection.faults(|tview| {
        let (name, bound) = (&tview.name, tview.bound);
        if matches!(tview.state.as_str(), "paused" | "suspended") {
            return None;
        }
        if let Some(still) = tview.still.filter(|still| *still > bound) {
            let (still, bound) = (readable(still), readable(bound));
            return Some((
                Warning,
                format!("the rows of {name} have stood still for {still}, its bound is {bound}: all of them are being brought in line with its view. SELECT * FROM pg_tview_progress; shows how far that is."),
            ));
        }
        let age = tview.age.filter(|age| *age > bound)?;
        let level = if age > LATE && age > TOO_LATE * bound {
            Error
        } else {
            Warning
        };
        let (age, bound) = (readable(age), readable(bound));
        Some((
            level,
            format!("the oldest change that waits for {name} is {age} old, its bound is {bound}. SELECT * FROM pg_stat_activity WHERE backend_type = 'pg_tviews worker'; shows what the workers do; if all are busy, raise pg_tviews.workers."),
        ))
    })
}

/// TVIEWs with keys that could not be recomputed.
pub(super) fn dead_keys(inspection: &Inspection) -> Faults {
    inspection.faults(|tview| {
        let (name, argument) = (&tview.name, tview.argument());
        let reason = tview.dead_because.as_ref()?;
        let counted = match tview.dead_keys {
            1 => "1 key".to_string(),
            keys => format!("{keys} keys"),
        };
        Some((
            Warning,
            format!("{counted} of {name} could not be recomputed, one for {reason}. SELECT * FROM pg_tview_dead_letter WHERE tview_oid = {argument}::regclass; shows which; when that is corrected, SELECT pg_tviews_retry({argument});"),
        ))
    })
}

pub(super) fn read<T>(
    sql: &str,
    args: &[(pg_sys::Oid, Value)],
    row: impl Fn(&Rows, usize) -> Option<T>,
) -> Vec<T> {
    spi::session(|| {
        let rows = spi::run(sql, Access::Snapshot, args);
        (0..rows.len()).filter_map(|at| row(&rows, at)).collect()
    })
}

fn readable(seconds: f64) -> String {
    match seconds {
        s if s < 10.0 => format!("{:.0} ms", s * 1000.0),
        s if s < 600.0 => format!("{s:.0} s"),
        s => format!("{:.0} min", s / 60.0),
    }
}
