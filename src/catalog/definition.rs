//! The definition of a TVIEW: a row of `pg_tview_definition`, the table behind the view `pg_tview_meta`.

use std::time::Duration;

use pgrx::pg_sys::{self, Oid};
use pgrx::PgSqlErrorCode;

use super::entity::{self, Entity};
use super::name;
use super::state::State;
use super::version;
use crate::error::Problem;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Rows, Value};
use crate::postgres::transaction::with_latest_snapshot;
use crate::postgres::{extension, relation, relation_changes};
use crate::statement;

/// A TVIEW's definition.
#[derive(Debug, Clone)]
pub struct Definition {
    pub tview: Oid,
    /// Whether the extension created the table.
    pub table_created: bool,
    pub entity_name: String,
    pub view_schema: String,
    pub view_name: String,
    /// Whether the extension created the view `seen_view`.
    pub view_created: bool,
    pub key_columns: Vec<String>,
    pub fk_columns: Vec<String>,
    pub state: State,
    pub sources: Vec<Oid>,
    /// Settings that refreshes use, as they were when the TVIEW was created.
    pub pinned: Vec<(String, String)>,
    /// The fingerprint of the view and of what the view depends on.
    pub hash: String,
    pub owner: Oid,
    pub max_latency: Option<Duration>,
    /// The OID of the backing view when the definition was written.
    pub seen_view: Oid,
    /// Rows that are written go to the change feed.
    pub feed: bool,
    /// Writers of the sources are delayed while the TVIEW is later than this.
    pub throttle_lag: Option<Duration>,
    /// The TVIEWs that it is refreshed with.
    pub refresh_group: Option<String>,
    /// A moment before the definition was read: what is made from it is out of date once the table has changed
    /// since. See [`relation_changes`].
    pub stamp: u64,
}

impl Definition {
    /// The TVIEW as messages name it: the table with its schema, even if the table was dropped.
    pub fn display(&self) -> String {
        relation::qualified_name(self.tview).unwrap_or_else(|| self.entity().display())
    }

    fn entity(&self) -> Entity {
        Entity {
            schema: self.view_schema.clone(),
            name: self.entity_name.clone(),
        }
    }

    /// The backing view as it is now; None while it does not exist.
    pub fn view(&self) -> Option<Oid> {
        entity::find(&self.view_schema, &self.view_name).or_else(|| self.view_in_renamed_schema())
    }

    /// The view, if its schema was renamed after the definition was read.
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

/// The table of definitions; None while the extension is not installed.
pub fn table() -> Option<Oid> {
    extension::relation(c"pg_tview_definition")
}

/// All definitions of this database as of now, read with the rights of the current role.
pub fn load_all() -> Vec<Definition> {
    if table().is_none() {
        return Vec::new();
    }
    read(Value::NULL)
}

/// The definition of one TVIEW.
pub fn load(tview: Oid) -> Option<Definition> {
    table()?;
    read(Value::of(tview)).pop()
}

fn read(tview: Value) -> Vec<Definition> {
    let stamp = relation_changes::stamp();
    let read = || {
        let rows = spi::run(
            &statement!("meta_read"),
            Access::Snapshot,
            &[(pg_sys::OIDOID, tview)],
        );
        (0..rows.len())
            .filter_map(|row| from_row(&rows, row, stamp))
            .collect()
    };
    with_latest_snapshot(|| spi::session(read))
}

fn from_row(rows: &Rows, row: usize, stamp: u64) -> Option<Definition> {
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
        pinned: pinned(&rows.get::<String>(row, 9)?)?,
        hash: rows.get(row, 10)?,
        owner: rows.get(row, 11)?,
        max_latency: interval(rows, row, 12),
        seen_view: rows.get(row, 13)?,
        table_created: rows.get(row, 14)?,
        feed: rows.get(row, 15)?,
        throttle_lag: interval(rows, row, 16),
        refresh_group: rows.get(row, 17),
        stamp,
    })
}

/// An interval in seconds.
fn interval(rows: &Rows, row: usize, column: usize) -> Option<Duration> {
    let seconds = rows.get::<f64>(row, column)?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// Settings that are stored as a JSON object.
fn pinned(json: &str) -> Option<Vec<(String, String)>> {
    let settings: serde_json::Map<String, serde_json::Value> = serde_json::from_str(json).ok()?;
    let settings = settings.into_iter();
    Some(
        settings
            .filter_map(|(name, value)| Some((name, value.as_str()?.to_string())))
            .collect(),
    )
}

/// The definition of the TVIEW that a user names; an error if no such TVIEW exists. The definition is read
/// with internal rights.
pub fn find(name: &str) -> Result<Definition, Problem> {
    version::check()?;
    let entity = name::resolve(name)?;
    let table = entity.find(&entity.table());
    table
        .and_then(|table| run_internal(|| load(table)))
        .ok_or_else(|| unknown(&entity))
}

/// The same for a name that may be left out; None: all TVIEWs are meant.
pub fn find_or_all(name: Option<&str>) -> Result<Option<Definition>, Problem> {
    version::check()?;
    name.map(find).transpose()
}

/// "There is no such TVIEW."
pub fn unknown(entity: &Entity) -> Problem {
    Problem::new(
        PgSqlErrorCode::ERRCODE_UNDEFINED_OBJECT,
        format!("TVIEW {} does not exist", entity.display()),
    )
    .hint("Run SELECT entity_name, tview_oid FROM pg_tview_meta; to list the TVIEWs. Write the schema before the name if search_path does not include the schema.")
}

/// "The TVIEW was dropped while its lock was waited for." `tview`: as messages name it.
pub fn dropped(tview: &str) -> Problem {
    Problem::new(
        PgSqlErrorCode::ERRCODE_UNDEFINED_OBJECT,
        format!("TVIEW {tview} was dropped meanwhile"),
    )
}
