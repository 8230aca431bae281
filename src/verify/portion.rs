//! The rows of one slice: which they are, and which of them differ.

use pgrx::pg_sys;

use super::walk::{Method, Walk};
use crate::postgres::query_tree::Select;
use crate::postgres::spi::{self, Access, Value};
use crate::refresh::batch::Batch;
use crate::refresh::comparison::key_order::KeyOrder;
use crate::refresh::comparison::method;
use crate::refresh::comparison::next_keys::{keys_after, parameters};
use crate::refresh::current::Now;
use crate::refresh::equal_keys;
use crate::refresh::failing::dead_letter;
use crate::refresh::one_refresh::Refresh;
use crate::refresh::plan::key::{key_values, Key};
use crate::refresh::plan::sql::Reach;
use crate::refresh::plan::Plan;
use crate::refresh::planner_settings::few_rows;

/// Ranges are chosen if so many keys cost about their share of the whole view.
const TYPICAL: usize = 1_000;
/// Maximum number of suspects of a slice.
pub const MAXIMUM_SUSPECTS: usize = 1_000;

/// The rows of one slice.
enum Rows {
    All,
    /// After the first key, up to the second.
    Range(Option<Key>, Option<Key>),
    Keys(Vec<Key>),
}

/// One slice.
pub struct Portion {
    rows: Rows,
    /// The last key.
    pub last: Option<Key>,
    /// Further keys follow.
    pub more: bool,
}

/// What comparing a slice has found.
pub struct Found {
    /// Rows of the view.
    pub rows: i64,
    /// Keys of rows that differ.
    pub keys: Vec<Key>,
    /// There are more than these.
    pub more: bool,
}

/// How the rows of a TVIEW are compared.
pub fn method(refresh: &Refresh, plan: &Plan) -> Method {
    match refresh.as_owner(plan, || method::in_batches_of(plan, TYPICAL)) {
        None => Method::All,
        Some(method) if method.by_range => Method::Ranges,
        Some(_) => Method::Keys,
    }
}

/// The next rows of a walk.
pub fn next(refresh: &Refresh, plan: &Plan, now: &Now, walk: &Walk) -> Portion {
    let all = Portion {
        rows: Rows::All,
        last: None,
        more: false,
    };
    if walk.method == Method::All && !now.has_dead_keys {
        return all;
    }
    // Computing a range would fail at a dead key.
    let by_key = walk.method == Method::Keys || now.has_dead_keys;
    let after = walk.verified_to.as_ref();
    let next = refresh.as_owner(plan, || {
        few_rows(false);
        let order = KeyOrder::of(plan)?;
        Some(keys_after(plan, &order, after, walk.keys_at_once, by_key))
    });
    let Some(next) = next else { return all };
    let last = next.keys.first().cloned();
    if next.more && last.as_ref() == after {
        return all;
    }
    let rows = if by_key {
        Rows::Keys(without_dead(refresh, plan, next.keys))
    } else {
        Rows::Range(after.cloned(), last.clone().filter(|_| next.more))
    };
    Portion {
        rows,
        last,
        more: next.more,
    }
}

fn without_dead(refresh: &Refresh, plan: &Plan, keys: Vec<Key>) -> Vec<Key> {
    let dead = dead_letter::read(plan).all;
    without(refresh, plan, keys, &dead)
}

/// The keys that are not among others.
pub fn without(refresh: &Refresh, plan: &Plan, mut keys: Vec<Key>, others: &[Key]) -> Vec<Key> {
    let pairs = refresh.as_owner(plan, || equal_keys::pairs(plan, &keys, others));
    let mut stays = vec![true; keys.len()];
    for (place, _) in pairs {
        stays[place] = false;
    }
    let mut stays = stays.into_iter();
    keys.retain(|_| stays.next() == Some(true));
    keys
}

/// Whether the contents of rows can be compared: they are the same whatever the order in which rows are read.
pub fn has_one_content(plan: &Plan) -> bool {
    let depends = |view| Select::of_view(view).depends_on_row_order();
    !plan.view_oids().any(depends)
}

/// Which rows of a slice differ.
pub fn differing(refresh: &Refresh, plan: &Plan, portion: &Portion) -> Found {
    let shape = &plan.shape;
    let contents = has_one_content(plan);
    refresh.as_owner(plan, || {
        few_rows(false);
        let (statement, mut args) = match &portion.rows {
            Rows::All => (shape.differing(Reach::Everything, None, contents), Vec::new()),
            Rows::Range(after, upto) => {
                let Some(order) = KeyOrder::of(plan) else {
                    return Found::NOTHING;
                };
                let range = shape.range(&order, after.is_some(), upto.is_some());
                let ends = after.iter().chain(upto);
                let args = ends.flat_map(|key| parameters(plan, key)).collect();
                (shape.differing(Reach::Everything, Some(&range), contents), args)
            }
            Rows::Keys(keys) if keys.is_empty() => return Found::NOTHING,
            Rows::Keys(keys) => (
                shape.differing(Reach::AllKeys, None, contents),
                Batch::from(&keys[..]).typed(plan),
            ),
        };
        let maximum = format!("${}", args.len() + 1);
        args.push((pg_sys::INT8OID, Value::of(MAXIMUM_SUSPECTS as i64 + 1)));
        let rows = spi::run(&format!("{statement} LIMIT {maximum}"), Access::Snapshot, &args);
        let mut keys: Vec<Key> = (0..rows.len())
            .filter_map(|row| key_values(shape, &rows, row, 1).into_iter().collect())
            .collect();
        let more = keys.len() > MAXIMUM_SUSPECTS;
        keys.truncate(MAXIMUM_SUSPECTS);
        Found {
            rows: if rows.is_empty() {
                0
            } else {
                rows.get(0, 0).unwrap_or(0)
            },
            keys,
            more,
        }
    })
}

impl Found {
    const NOTHING: Found = Found {
        rows: 0,
        keys: Vec::new(),
        more: false,
    };
}
