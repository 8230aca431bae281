//! `pg_tview_running`: stored groups of a TVIEW. They are moved to the snapshot of a transaction before that
//! transaction recomputes rows, and groups that it computed are added afterwards.
//!
//! Moving happens under the exclusive lock of the TVIEW. Wherever the new state of groups is not certain, they
//! are deleted.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use pgrx::pg_sys::{self, Oid};

use super::forget::throw_away;
use super::moving;
use super::net;
use super::noted::{self, Group, Noted};
use super::statements::Statements;
use super::{Level, Table};
use crate::capture;
use crate::catalog::session_statement::SessionStatement;
use crate::catalog::statements as texts;
use crate::postgres::run_as::{self, planned_once, run_internal};
use crate::postgres::spi::{self, Access, Rows, Value};
use crate::postgres::{extension, transaction};
use crate::queue::position::Position;
use crate::refresh::current::Now;
use crate::refresh::one_refresh::Refresh;
use crate::refresh::plan::Plan;
use crate::settings;
use crate::statement;

thread_local! {
    /// How often stored groups of TVIEWs were read since this was last added up.
    static HELPED: RefCell<HashMap<Oid, i64>> = RefCell::default();
    static READ: SessionStatement = const { SessionStatement::new() };
    static POSITION: SessionStatement = const { SessionStatement::new() };
    static MOVE: SessionStatement = const { SessionStatement::new() };
}

/// All groups are counted again after so many were added.
const UNCOUNTED: usize = 1_000;

/// If more tables of a join have changed since the last move, its groups are thrown away: each doubles the work.
const TOGETHER: usize = 4;
/// So many pairs of changed rows of several tables are joined at most. With more, computing the groups costs less.
const PAIRS: i64 = 100_000;

/// Changes of a source that stored groups have not absorbed.
struct Change {
    source: Oid,
    /// All groups are in doubt.
    all: bool,
    /// Change keys (`jsonb[]`) of the transactions whose net changes are not known, or NULL.
    keys: Value,
    /// Net changes (`json[]`), or NULL.
    net: Value,
    /// How many rows the net changes have.
    images: i64,
}

impl Refresh<'_> {
    /// Moves stored groups to the snapshot of this transaction, or deletes them. Returns the snapshot if
    /// statements may read stored groups. Before rows are recomputed, inside an SPI session.
    pub fn move_on(&self, plan: &Plan, now: &Now) -> Option<Position> {
        if plan.stage.is_some()
            || plan.running.is_empty()
            || settings::running_threshold() == 0
            || extension::is_before_0_3()
        {
            return None;
        }
        if let Some((position, levels)) = position(self.tview) {
            let is_valid = levels == fingerprint(plan)
                && now
                    .position
                    .as_ref()
                    .is_some_and(|of_tview| position.is_at_or_ahead_of(of_tview));
            let moved = is_valid && {
                let moved = transaction::attempt(|| self.move_from(plan, &position, now));
                moved.unwrap_or(false)
            };
            if !moved {
                throw_away(self.tview);
            }
        }
        Some(now.snapshot.clone())
    }

    /// Moves stored groups from their position to the snapshot of this transaction. False: all groups are in
    /// doubt.
    fn move_from(&self, plan: &Plan, position: &Position, now: &Now) -> bool {
        spi::session(|| {
            let changes = changes(plan, position);
            if changes.iter().any(|change| change.all) {
                return false;
            }
            let levels = plan.running.iter().zip(plan.stored.levels(&plan.running));
            let is_moved = changes.is_empty()
                || self.as_owner(plan, || {
                    run_as::set("plan_cache_mode", "force_generic_plan");
                    levels
                        .into_iter()
                        .all(|(level, statements)| move_level(self.tview, level, statements, &changes))
                });
            if is_moved {
                let helped = HELPED.with_borrow_mut(|helped| helped.remove(&self.tview));
                move_position(self.tview, &now.snapshot, helped.unwrap_or(0));
            }
            is_moved
        })
    }
}

/// Adds changes to the stored groups of a level. As the owner of the TVIEW. False: all groups are in doubt.
fn move_level(tview: Oid, level: &Level, statements: &Statements, changes: &[Change]) -> bool {
    let of_level = || changes.iter().filter(|change| level.reads(change.source));
    if !of_level().all(|change| forget_named(tview, level, statements, change)) {
        return false;
    }
    let of_table = |table: &Table| of_level().find(|change| change.source == table.oid);
    let nets: Vec<Value> = level
        .tables
        .iter()
        .map(|table| of_table(table).filter(|change| change.images > 0))
        .map(|change| change.map_or(Value::NULL, |change| change.net))
        .collect();
    let changed: Vec<usize> = (0..nets.len()).filter(|at| !nets[*at].is_null()).collect();
    if changed.is_empty() {
        return true;
    }
    let images = changed
        .iter()
        .filter_map(|at| of_table(&level.tables[*at]))
        .map(|change| change.images);
    let pairs = images.fold(1_i64, i64::saturating_mul);
    if changed.len() > TOGETHER
        || changed.len() > 1 && pairs > PAIRS
        || level.tables.len() > 1 && is_changed_here(level)
    {
        return false;
    }
    let few = of_level().all(|change| change.images <= net::FEW);
    let net = statements.net(level, &changed, few);
    let added = net.run(Access::Snapshot, &nets, 1).value(0, 0);
    if !added.is_null() {
        add(tview, level, statements, added);
    }
    true
}

/// Deletes the groups of a level that transactions with unknown net changes have changed. False: all groups
/// are in doubt.
fn forget_named(tview: Oid, level: &Level, statements: &Statements, change: &Change) -> bool {
    if change.keys.is_null() {
        return true;
    }
    let Some(named) = &statements.named else {
        return false;
    };
    let rows = named.run(Access::Snapshot, &[change.keys], 1);
    if rows.is_empty() || rows.get::<bool>(0, 1) == Some(false) {
        return false;
    }
    let groups = rows.value(0, 0);
    if !groups.is_null() {
        forget_groups(tview, level, groups);
    }
    true
}

/// Adds what net changes add to the stored groups of a level.
fn add(tview: Oid, level: &Level, statements: &Statements, added: Value) {
    run_internal(|| {
        planned_once();
        // Few groups are looked up, each by its key.
        run_as::set("enable_hashjoin", "off");
        run_as::set("enable_mergejoin", "off");
        let moving = statements.moving.get(
            || moving::moving(level, &texts::schema()),
            &[pg_sys::OIDOID, pg_sys::INT4OID, pg_sys::JSONBOID],
        );
        moving.run(
            Access::Current,
            &[Value::of(tview), Value::of(level.number), added],
            0,
        );
    });
}

/// Whether this transaction has changed a table of a level. Its snapshot as a position does not cover that.
fn is_changed_here(level: &Level) -> bool {
    capture::pending_sources()
        .into_iter()
        .any(|source| level.reads(source))
}

fn forget_groups(tview: Oid, level: &Level, groups: Value) {
    let args = [
        (pg_sys::OIDOID, Value::of(tview)),
        (pg_sys::INT4OID, Value::of(level.number)),
        (pg_sys::JSONBOID, groups),
    ];
    run_internal(|| spi::run(&statement!("running_forget_groups"), Access::Current, &args));
}

/// The position of the stored groups of a TVIEW, and the fingerprint of their levels; None if nothing is
/// stored.
fn position(tview: Oid) -> Option<(Position, String)> {
    run_internal(|| {
        planned_once();
        let read = POSITION.with(|s| s.get(|| statement!("running_position_read"), &[pg_sys::OIDOID]));
        let rows = read.run(Access::Snapshot, &[Value::of(tview)], 1);
        if rows.is_empty() {
            return None;
        }
        Some((rows.get::<String>(0, 0)?.parse().ok()?, rows.get(0, 1)?))
    })
}

fn move_position(tview: Oid, snapshot: &Position, helped: i64) {
    let types = [pg_sys::OIDOID, pg_sys::TEXTOID, pg_sys::INT8OID];
    let args = [
        Value::of(tview),
        Value::of(snapshot.to_string()),
        Value::of(helped),
    ];
    run_internal(|| {
        planned_once();
        MOVE.with(|s| s.get(|| statement!("running_position_move"), &types))
            .run(Access::Current, &args, 0)
    });
}

/// Changes that the stored groups have not absorbed. The values live as long as the SPI session.
fn changes(plan: &Plan, position: &Position) -> Vec<Change> {
    let types = [pg_sys::OIDARRAYOID, pg_sys::TEXTOID, pg_sys::OIDOID];
    let tview = plan.definition.tview;
    let tables = plan.running.iter().flat_map(|level| &level.tables);
    let mut sources: Vec<Oid> = tables.map(|table| table.oid).collect();
    sources.sort_by_key(|source| source.to_u32());
    sources.dedup();
    sources.push(tview);
    let args = [
        Value::of(sources),
        Value::of(position.to_string()),
        Value::of(tview),
    ];
    let rows = run_internal(|| {
        planned_once();
        READ.with(|s| s.get(|| statement!("running_read"), &types))
            .run(Access::Snapshot, &args, 0)
    });
    (0..rows.len()).map(|row| change(&rows, row)).collect()
}

fn change(rows: &Rows, row: usize) -> Change {
    Change {
        source: rows.get(row, 0).unwrap_or(Oid::INVALID),
        all: rows.get(row, 1).unwrap_or(true),
        keys: rows.value(row, 2),
        net: rows.value(row, 3),
        images: rows.get(row, 4).unwrap_or(i64::MAX),
    }
}

/// Stores groups that this transaction computed under `snapshot`. Not those of a transaction that has changed
/// a source: it sees its own changes, which the snapshot as a position does not cover.
pub fn keep(plan: &Plan, snapshot: &Position, noted: &Noted) {
    if noted.helped > 0 {
        HELPED.with_borrow_mut(|helped| *helped.entry(plan.definition.tview).or_default() += noted.helped);
    }
    let mut groups: Vec<&Group> = noted.computed.iter().collect();
    if !noted.small.is_empty() {
        let number = (noted.computed.len() + noted.small.len()) as i64;
        if visited(plan) / number >= settings::running_threshold() {
            groups.extend(&noted.small);
        }
    }
    if groups.is_empty() {
        return;
    }
    if plan.running.iter().any(is_changed_here) {
        return;
    }
    let tview = (pg_sys::OIDOID, Value::of(plan.definition.tview));
    let number = groups.len();
    let groups = groups
        .into_iter()
        .map(|group| serde_json::json!([group.level, group.rows, group.key, group.state]));
    let groups = serde_json::Value::Array(groups.collect()).to_string();
    let run = |sql: String, more: &[(Oid, Value)]| {
        let args = [tview].into_iter().chain(more.iter().copied());
        spi::run(&sql, Access::Current, &args.collect::<Vec<_>>());
    };
    run_internal(|| {
        run(
            statement!("running_position_add"),
            &[
                (pg_sys::TEXTOID, Value::of(snapshot.to_string())),
                (pg_sys::TEXTOID, Value::of(fingerprint(plan))),
            ],
        );
        run(statement!("running_add"), &[(pg_sys::TEXTOID, Value::of(groups))]);
        let added = plan.stored.added.get().map(|added| added + number);
        plan.stored.added.set(Some(added.unwrap_or(0)));
        if added.is_none_or(|added| added >= UNCOUNTED) {
            let maximum = (noted::MAXIMUM - UNCOUNTED) as i64;
            run(
                statement!("running_evict"),
                &[(pg_sys::INT8OID, Value::of(maximum))],
            );
            plan.stored.added.set(Some(0));
        }
    });
}

/// How many rows of the tables of its levels this transaction has visited.
fn visited(plan: &Plan) -> i64 {
    let tables = plan.running.iter().flat_map(|level| &level.tables);
    let mut tables: Vec<Oid> = tables.map(|table| table.oid).collect();
    tables.sort_by_key(|table| table.to_u32());
    tables.dedup();
    let args = [(pg_sys::OIDARRAYOID, Value::of(tables))];
    let visited =
        run_internal(|| spi::run(&statement!("running_visited"), Access::Snapshot, &args).one::<i64>());
    visited.unwrap_or(0)
}

/// Distinguishes sets of levels, and the settings that texts of values depend on.
fn fingerprint(plan: &Plan) -> String {
    let mut hasher = DefaultHasher::new();
    format!("{:?}{:?}", plan.running, plan.definition.pinned).hash(&mut hasher);
    format!("{}:{:016x}", plan.hash, hasher.finish())
}
