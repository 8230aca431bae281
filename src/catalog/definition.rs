//! TVIEWs as `pg_tview_definition` describes them, the table behind the view `pg_tview_meta`.

use std::time::Duration;

use pgrx::pg_sys::{self, Oid};
use pgrx::PgSqlErrorCode;

use super::name::Entity;
use crate::error::Problem;
use crate::postgres::spi::{self, Access, Rows, Value};
use crate::postgres::transaction::lock::TableLock;
use crate::postgres::transaction::with_latest_snapshot;
use crate::postgres::{extension, relation};
use crate::{settings, statement};

/// ```text
/// create -> populating -> active <-> paused (by the owner)
///              ^            |  ^
///              |            v  |
///              |         suspended (the view fails, until it works again)
///              +-- redefined, reconciled
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Populating,
    Active,
    Paused,
    Suspended,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            State::Populating => "populating",
            State::Active => "active",
            State::Paused => "paused",
            State::Suspended => "suspended",
        }
    }

    pub fn from_name(name: &str) -> Option<State> {
        [State::Populating, State::Active, State::Paused, State::Suspended]
            .into_iter()
            .find(|state| state.name() == name)
    }

    /// Whether changes are being applied.
    pub fn refreshes(self) -> bool {
        matches!(self, State::Populating | State::Active)
    }

    /// Whether a refresh may be tried.
    pub fn may_refresh(self) -> bool {
        self != State::Paused
    }
}

/// What the worker needs to schedule a TVIEW.
#[derive(Debug, Clone)]
pub struct TviewInfo {
    pub tview: Oid,
    pub name: String,
    pub max_latency: Duration,
    pub state: State,
    pub sources: Vec<Oid>,
}

/// A TVIEW's definition.
#[derive(Debug, Clone)]
pub struct Definition {
    pub tview: Oid,
    /// Whether the extension made the table.
    pub table_created: bool,
    pub entity_name: String,
    pub view_schema: String,
    pub view_name: String,
    /// Whether the extension made that very view.
    pub view_created: bool,
    pub key_columns: Vec<String>,
    pub fk_columns: Vec<String>,
    pub state: State,
    pub sources: Vec<Oid>,
    pub pinned: Vec<(String, String)>,
    pub hash: String,
    pub owner: Oid,
    pub max_latency: Option<Duration>,
    /// The backing view as it was last seen.
    pub seen_view: Oid,
}

impl Definition {
    pub fn display(&self) -> String {
        relation::display(self.tview)
    }

    /// The backing view as it is now; None while it does not exist.
    pub fn view(&self) -> Option<Oid> {
        let entity = Entity {
            schema: self.view_schema.clone(),
            name: String::new(),
        };
        entity
            .find(&self.view_name)
            .or_else(|| self.view_in_renamed_schema())
    }

    /// A definition may have been read just before its schema was renamed.
    fn view_in_renamed_schema(&self) -> Option<Oid> {
        spi::session(|| {
            spi::run(
                &statement!("view_in_renamed_schema"),
                Access::Current,
                &[
                    (pg_sys::OIDOID, Value::of(self.seen_view)),
                    (pg_sys::TEXTOID, Value::of(self.view_name.as_str())),
                    (pg_sys::TEXTOID, Value::of(self.view_schema.as_str())),
                ],
            )
            .one::<Oid>()
        })
    }
}

/// Where definitions live.
pub fn table() -> Option<Oid> {
    extension::relation(c"pg_tview_definition")
}

/// The extension's tables that a refresh reads or writes.
pub fn own_tables() -> Option<[(Oid, TableLock); 6]> {
    Some([
        (table()?, TableLock::RowExclusive),
        (
            extension::relation(c"pg_tview_meta_audit")?,
            TableLock::RowExclusive,
        ),
        (
            extension::relation(c"pg_tview_dead_letter")?,
            TableLock::RowExclusive,
        ),
        (extension::relation(c"pg_tview_queue")?, TableLock::AccessShare),
        (
            extension::relation(c"pg_tview_backlog_part")?,
            TableLock::RowExclusive,
        ),
        (
            extension::relation(c"pg_tview_comparison")?,
            TableLock::RowExclusive,
        ),
    ])
}

/// Every TVIEW of this database as of now, with the rights of the current role.
pub fn load_all() -> Vec<Definition> {
    if table().is_none() {
        return Vec::new();
    }
    read(Value::NULL)
}

/// One TVIEW.
pub fn load(tview: Oid) -> Option<Definition> {
    table()?;
    read(Value::of(tview)).pop()
}

fn read(tview: Value) -> Vec<Definition> {
    with_latest_snapshot(|| {
        spi::session(|| {
            from_rows(&spi::run(
                &statement!("meta_read"),
                Access::Snapshot,
                &[(pg_sys::OIDOID, tview)],
            ))
        })
    })
}

/// The TVIEWs a worker looks after.
pub fn infos() -> Vec<TviewInfo> {
    load_all()
        .into_iter()
        .map(|definition| TviewInfo {
            tview: definition.tview,
            name: definition.display(),
            max_latency: definition.max_latency.unwrap_or_else(settings::max_latency),
            state: definition.state,
            sources: definition.sources,
        })
        .collect()
}

fn from_rows(rows: &Rows) -> Vec<Definition> {
    (0..rows.len())
        .filter_map(|row| {
            let pinned: serde_json::Map<String, serde_json::Value> =
                serde_json::from_str(&rows.get::<String>(row, 9)?).ok()?;
            Some(Definition {
                tview: rows.get(row, 0)?,
                entity_name: rows.get(row, 1)?,
                view_schema: rows.get(row, 2)?,
                view_name: rows.get(row, 3)?,
                view_created: rows.get(row, 4)?,
                key_columns: rows.get(row, 5)?,
                fk_columns: rows.get(row, 6)?,
                state: State::from_name(&rows.get::<String>(row, 7)?)?,
                sources: rows.get(row, 8)?,
                pinned: pinned
                    .into_iter()
                    .filter_map(|(name, value)| Some((name, value.as_str()?.to_string())))
                    .collect(),
                hash: rows.get(row, 10)?,
                owner: rows.get(row, 11)?,
                seen_view: rows.get(row, 13)?,
                table_created: rows.get(row, 14)?,
                max_latency: rows
                    .get::<f64>(row, 12)
                    .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
            })
        })
        .collect()
}

/// The registered TVIEW a user means; an error where there is none. Internal rights not needed by the caller.
pub fn find(name: &str) -> Result<Definition, Problem> {
    let entity = super::name::resolve(name)?;
    let table = entity.find(&entity.table());
    table
        .and_then(|table| crate::postgres::run_as::run_internal(|| load(table)))
        .ok_or_else(|| unknown(&entity))
}

/// "There is no such TVIEW."
pub fn unknown(entity: &Entity) -> Problem {
    Problem::new(
        PgSqlErrorCode::ERRCODE_UNDEFINED_OBJECT,
        format!("TVIEW \"{}\" does not exist in schema \"{}\"", entity.name, entity.schema),
    )
    .hint("SELECT entity_name, tview_oid FROM pg_tview_meta; lists the TVIEWs. Write the schema before the name if it is not in search_path.")
}
