//! The keys of a TVIEW whose rows are behind in the active snapshot: changes of other transactions that the
//! position does not cover, and changes of the running transaction. For a query that is in progress: anything
//! that cannot be told means that all rows are behind.

use pgrx::pg_sys::Oid;

use super::pending::{beginning, unfilled};
use crate::capture::change_history::Changes;
use crate::capture::{self, shown};
use crate::catalog::tview_cache;
use crate::postgres::hooks::executor;
use crate::postgres::privileges;
use crate::postgres::query_tree::Select;
use crate::postgres::recursion;
use crate::postgres::run_as::{has_settings, run_internal};
use crate::postgres::transaction;
use crate::preview::own_changes;
use crate::queue::is_announced::is_announced;
use crate::queue::is_pending::is_pending;
use crate::queue::read;
use crate::refresh::affected_keys::{self, Affected};
use crate::refresh::current::{self, Now};
use crate::refresh::failing::dead_letter;
use crate::refresh::keys;
use crate::refresh::plan::key::Key;
use crate::refresh::plan::Plan;

/// The maximum number of keys in a list.
const MAX_KEYS: usize = 100_000;
/// The maximum size of these keys, in bytes.
const MAX_BYTES: usize = 16 << 20;

/// Which rows are behind, as far as that can be told without key queries.
pub enum PendingKeys {
    None,
    Some,
    All,
}

/// Whether rows of a TVIEW are behind. `any`: whether that is so for another TVIEW. Inside an SPI session.
pub fn look(plan: &Plan, any: fn(Oid) -> bool) -> PendingKeys {
    let tview = plan.definition.tview;
    let Some(now) = current::now(tview).filter(|now| !is_everything(plan, now)) else {
        return PendingKeys::All;
    };
    if is_fed_by_rows_behind(plan, any) {
        return PendingKeys::All;
    }
    let Some(own) = own(plan) else {
        return PendingKeys::All;
    };
    let is_behind = run_internal(|| is_pending(tview, &now.snapshot));
    if own.is_none() && !now.has_dead_keys && !is_behind {
        return PendingKeys::None;
    }
    // Committed DDL that this session may not know of yet.
    let is_known =
        || run_internal(|| is_announced(now.position.as_ref(), &followed(plan), false)) && plan.is_current();
    if is_behind && !is_known() {
        return PendingKeys::All;
    }
    // Other keys are found by their equality operator only.
    if plan.shape.one_text_per_key() {
        PendingKeys::Some
    } else {
        PendingKeys::All
    }
}

/// The keys of all rows that are behind, some of them perhaps twice; None: all rows. After [`look`].
pub fn list(plan: &Plan) -> Option<Vec<Key>> {
    let now = current::now(plan.definition.tview)?;
    let position = now.position.clone().unwrap_or_else(beginning);
    let mut pending = run_internal(|| read::since(&position, &followed(plan), plan.definition.tview));
    if let Some(own) = own(plan)? {
        pending.extend(own_changes::pending(&own));
    }
    let found = plan.as_owner(|| match affected_keys::at_most(plan, &pending, MAX_KEYS) {
        Affected::Keys(keys) if !keys.null_key => Some(keys.into_rows()),
        _ => None,
    });
    let mut keys = found?;
    if now.has_dead_keys {
        keys.extend(dead_letter::read(plan).all);
    }
    let bytes: usize = keys.iter().map(|key| keys::bytes(key)).sum();
    (bytes <= MAX_BYTES).then_some(keys)
}

/// What the TVIEW finds in the queue: changes of its sources, and requests.
fn followed(plan: &Plan) -> Vec<Oid> {
    let sources = plan.source_oids().into_iter();
    sources.chain([plan.definition.tview]).collect()
}

/// Whether any row may be behind, whatever its key.
fn is_everything(plan: &Plan, now: &Now) -> bool {
    // Rows of the table have no predicate locks on what they were computed from.
    transaction::is_serializable()
        || plan.permit().is_err()
        // Rows that have no place in the table.
        || now.left_out.is_some()
        || plan.unmatched.is_some()
        || now.comparing.is_some()
        || unfilled(plan, now).is_some()
        // The view returns other rows or values in this session than refreshes write.
        || reads_under_policies(plan)
        || !has_settings(&plan.definition.pinned) && depends_on_settings(plan)
}

/// Whether a TVIEW whose table this one reads has rows that are behind. Which rows that will affect is known
/// after its refresh.
fn is_fed_by_rows_behind(plan: &Plan, any: fn(Oid) -> bool) -> bool {
    recursion::step();
    let own = plan.definition.tview;
    let Ok(known) = tview_cache::all() else {
        return true;
    };
    let mut feeders = plan.source_oids().into_iter();
    feeders.any(|source| source != own && known.contains_key(&source) && any(source))
}

/// The changes of the running transaction, None if it has made none; no answer, if they may affect all rows.
fn own(plan: &Plan) -> Option<Option<Changes>> {
    // A preview has written rows by changes that may lead to other keys by now.
    if executor::sees_unfinished_writes() || capture::is_ending() || shown::to(plan.definition.tview) {
        return None;
    }
    let own = shown::all_of(&plan.source_oids());
    let names_all = |changes: &Changes| changes.sources.iter().all(|source| source.keys.is_some());
    own.as_ref().is_none_or(names_all).then_some(own)
}

/// Whether values of the view can depend on settings.
fn depends_on_settings(plan: &Plan) -> bool {
    *plan.depends_on_settings.get_or_init(|| {
        let shape = &plan.shape;
        let is_plain = |name: &str, value: &str| value == format!("v.{name}");
        !shape
            .content
            .iter()
            .all(|column| is_plain(&column.name, &column.value))
            || plan
                .view_oids()
                .any(|view| Select::of_view(view).depends_on_settings())
    })
}

/// Whether policies decide which rows of a source the view reads: they may ask who the reader is.
fn reads_under_policies(plan: &Plan) -> bool {
    let readers = plan.readers();
    plan.source_oids().into_iter().any(|table| {
        let mut readers = readers.iter();
        readers.any(|reader| privileges::hides_rows_from(table, *reader))
    })
}
