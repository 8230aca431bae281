//! What one trigger captures of one relation. The names in the argument of the trigger are resolved to
//! columns once per process and definition.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use pgrx::pg_sys::Oid;

use super::key_set::ByHash;
use super::net_changes::MAXIMUM_IMAGE;
use crate::catalog::trigger_argument::TriggerArgument;
use crate::json::text;
use crate::postgres::column::{Column, Row};
use crate::postgres::inheritance;
use crate::postgres::triggers::capture::CaptureCall;

/// How a row change of a relation becomes a change key of a source.
pub struct CapturePlan {
    /// The table that views name: the partitioned table if the trigger is on one of its leaves.
    pub source: Oid,
    /// None: a column is missing (it was renamed, say), so every change means all keys.
    keys: Option<Vec<KeyColumn>>,
    watch: Vec<Column>,
    /// The columns of the images that net changes are made of; None: no net change is told.
    net: Option<Vec<KeyColumn>>,
    /// A TVIEW reads a system column that every update changes: `ctid`, `xmin`.
    every_update: bool,
    /// Whether keys can be made at any time: no output function runs, and no net change is told.
    is_simple: bool,
    /// Columns to read of an inserted or deleted row.
    pub key_width: usize,
    /// Columns to read of both versions of an updated row.
    pub update_width: usize,
}

struct KeyColumn {
    /// `{"name": ` for the first, `, "name": ` for the others.
    lead: Vec<u8>,
    column: Column,
}

thread_local! {
    /// By OIDs of relation and trigger, which together serve as a hash.
    static PLANS: RefCell<ByHash<Rc<CapturePlan>>> = RefCell::default();
    /// Counts invalidations. A plan during whose making one arrived is used once, and not kept.
    static INVALIDATIONS: Cell<u64> = const { Cell::new(0) };
    /// An invalidation arrived while the plans were in use.
    static STALE: Cell<bool> = const { Cell::new(false) };
}

impl CapturePlan {
    /// The plan for a trigger call.
    pub fn of(call: &CaptureCall) -> Rc<CapturePlan> {
        if STALE.take() {
            PLANS.with_borrow_mut(|plans| plans.clear());
        }
        let id = id_of(call.relation()) | u64::from(call.trigger().to_u32());
        if let Some(plan) = PLANS.with_borrow(|plans| plans.get(&id).cloned()) {
            return plan;
        }
        let invalidations = INVALIDATIONS.get();
        let plan = Rc::new(CapturePlan::make(call));
        if INVALIDATIONS.get() == invalidations {
            PLANS.with_borrow_mut(|plans| plans.insert(id, plan.clone()));
        }
        plan
    }

    /// Whether a trigger of a relation has a plan, and one whose keys can be made at any time.
    pub fn is_simple(relation: Oid, trigger: Oid) -> bool {
        let id = id_of(relation) | u64::from(trigger.to_u32());
        !STALE.get() && PLANS.with_borrow(|plans| plans.get(&id).is_some_and(|plan| plan.is_simple))
    }

    /// Relation cache callback, see [`crate::postgres::hooks::invalidation`].
    pub fn forget(relation: Oid) {
        INVALIDATIONS.set(INVALIDATIONS.get().wrapping_add(1));
        // A process that is exiting has no plans any more.
        let _ = PLANS.try_with(|plans| match plans.try_borrow_mut() {
            Ok(mut plans) if relation == Oid::INVALID => plans.clear(),
            Ok(mut plans) => plans.retain(|id, _| id >> 32 != id_of(relation) >> 32),
            Err(_) => STALE.set(true),
        });
    }

    fn make(call: &CaptureCall) -> CapturePlan {
        let arguments = TriggerArgument::parse(call.argument());
        let keys = arguments
            .keys
            .and_then(|names| pick(call.columns(), &names))
            .map(key_columns);
        let watch = arguments.watch.and_then(|names| pick(call.columns(), &names));
        let watch = watch.unwrap_or_else(|| call.columns());
        let net = arguments
            .net
            .filter(|_| call.is_exact(source))
            .and_then(|names| pick(call.columns(), &names))
            .map(key_columns);
        let key_width = keys
            .iter()
            .chain(&net)
            .flatten()
            .map(|key| key.column.number)
            .max()
            .unwrap_or(0);
        let update_width = watch
            .iter()
            .map(|column| column.number)
            .max()
            .unwrap_or(0)
            .max(key_width);
        let are_simple = |keys: &Vec<KeyColumn>| keys.iter().all(|key| key.column.is_simple());
        CapturePlan {
            source: source_of(call),
            is_simple: net.is_none() && keys.as_ref().is_some_and(are_simple),
            keys,
            watch,
            net,
            every_update: arguments.every_update,
            key_width,
            update_width,
        }
    }

    /// Whether an update changed anything that a TVIEW reads.
    pub fn changed(&self, old: &Row, new: &Row) -> bool {
        self.every_update || !self.watch.iter().all(|column| column.same_image(old, new))
    }

    /// Whether both versions of an updated row have the same change key.
    pub fn same_key(&self, old: &Row, new: &Row) -> bool {
        let keys = self.keys.iter().flatten();
        keys.map(|key| &key.column)
            .all(|column| column.same_image(old, new))
    }

    /// Appends the change key of a row. False: this change can only be recorded as "all keys".
    pub fn write_key(&self, row: &Row, out: &mut Vec<u8>) -> bool {
        self.keys
            .as_ref()
            .is_some_and(|keys| write_object(keys, row, out))
    }

    /// Whether net changes are told.
    pub fn tells_net(&self) -> bool {
        self.net.is_some()
    }

    /// Whether both versions of an updated row have the same image in net changes.
    pub fn same_image(&self, old: &Row, new: &Row) -> bool {
        let columns = self.net.iter().flatten();
        columns
            .map(|net| &net.column)
            .all(|column| column.same_image(old, new))
    }

    /// Appends the image of a row. False: the net change is unknown.
    pub fn write_image(&self, row: &Row, out: &mut Vec<u8>) -> bool {
        self.net.as_ref().is_some_and(|net| write_object(net, row, out)) && out.len() <= MAXIMUM_IMAGE
    }
}

/// Appends a row as a JSON object. False: a value cannot be written.
fn write_object(columns: &[KeyColumn], row: &Row, out: &mut Vec<u8>) -> bool {
    if columns.is_empty() {
        out.push(b'{');
    }
    for key in columns {
        out.extend_from_slice(&key.lead);
        if !key.column.write_json(row, out) {
            return false;
        }
    }
    out.push(b'}');
    true
}

/// The upper half of the ids of plans of a relation.
fn id_of(relation: Oid) -> u64 {
    u64::from(relation.to_u32()) << 32
}

fn source_of(call: &CaptureCall) -> Oid {
    source(call.relation(), call.trigger(), call.is_clone())
}

/// The source whose changes a trigger of a relation captures.
fn source(relation: Oid, trigger: Oid, is_clone: bool) -> Oid {
    let root = is_clone.then(|| inheritance::relation_of_root_trigger(trigger));
    root.flatten().unwrap_or(relation)
}

/// The named columns in the order of `names`; None if one is missing.
fn pick(mut columns: Vec<Column>, names: &[String]) -> Option<Vec<Column>> {
    let mut take = |name: &String| {
        let index = columns.iter().position(|column| column.name == name.as_bytes())?;
        Some(columns.swap_remove(index))
    };
    names.iter().map(&mut take).collect()
}

fn key_columns(columns: Vec<Column>) -> Vec<KeyColumn> {
    let with_lead = |(index, column): (usize, Column)| {
        let mut lead = if index == 0 { b"{".to_vec() } else { b", ".to_vec() };
        text::push_string(&mut lead, &column.name);
        lead.extend_from_slice(b": ");
        KeyColumn { lead, column }
    };
    columns.into_iter().enumerate().map(with_lead).collect()
}
