//! The plan of a TVIEW: its lineage, analysed, and the statements of its refreshes. Kept per process until an
//! object changes that the plan was built from.

mod build;
pub mod cache;
pub mod costs;
pub mod fingerprint;
pub mod key;
pub mod key_cast;
pub mod key_code;
pub mod key_column;
pub mod partition_locks;
pub mod reachable_code;
mod refusal;
mod revision;
pub mod running;
pub mod shape;
pub mod source_plan;
pub mod sql;
pub mod staged;
mod strategies;
pub mod unmatched;
mod updated_at;

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use pgrx::pg_sys::Oid;
use pgrx::PgSqlErrorCode;

use super::discretion;
use super::running::{statements, Level};
use crate::catalog::definition::Definition;
use crate::error::Problem;
use crate::lineage::Lineage;
use crate::postgres::named::{self, Named};
use crate::postgres::permit::{Permit, Refusal};
use crate::postgres::relation_changes;
use crate::postgres::run_as;
use crate::postgres::run_as::run_restricted;
use crate::postgres::spi::{self, Statement};
use crate::postgres::transaction::lock;
use costs::Costs;
use fingerprint::Difference;
use partition_locks::Locks;
use reachable_code::Reachable;
use shape::Shape;
use source_plan::SourcePlan;
use unmatched::Unmatched;

/// Everything that the refreshes of a TVIEW need.
pub struct Plan {
    pub definition: Definition,
    pub shape: Shape,
    pub lineage: Lineage,
    /// How changes of each source are followed; None: a change means that all rows are compared.
    pub sources: HashMap<Oid, Option<SourcePlan>>,
    /// How requests by pg_tviews_refresh are read.
    pub requested: SourcePlan,
    /// Writing the table fires triggers, which may be deferred.
    pub fires_triggers: bool,
    pub each_key: Statement,
    /// The same, reading stored groups where there are any.
    pub each_key_running: Statement,
    /// The levels whose aggregates can be stored.
    pub running: Vec<Level>,
    pub stored: statements::Kept,
    /// Locks the rows of some keys in the table, in the order of the keys.
    pub lock_rows: Statement,
    pub all_keys: String,
    pub everything: Statement,
    /// Set if the view may return rows whose key is NULL and that key queries do not find.
    pub unmatched: Option<Unmatched>,
    /// The fingerprint of what rows depend on, and how it differs from the registered one.
    pub hash: String,
    pub difference: Difference,
    /// Tables below a source that have partitions of their own.
    partitioned: HashSet<Oid>,
    /// What the statements cost; estimated when first needed.
    pub costs: OnceCell<Costs>,
    /// How many rows view and table may have; estimated when first needed.
    pub rows: Cell<Option<f64>>,
    reachable: Reachable,
    /// The objects that the statements may find by name.
    pub named: Rc<Named>,
    /// Whether values of the view can depend on settings; found out when first needed.
    pub depends_on_settings: OnceCell<bool>,
    /// A preview has taken more locks than a transaction may take.
    pub takes_many_locks: Cell<bool>,
    /// Whether refreshes that lock only partitions they read lock few of them.
    pub locks: Locks,
    /// The definition and the triggers were found to fit the plan. What a session plans to read a TVIEW may be
    /// older than its triggers.
    pub in_step: Cell<bool>,
    /// The statements write this stage, and not the tv table.
    pub stage: Option<Oid>,
    /// The statements of a redefinition in progress.
    staged: RefCell<Option<Rc<staged::Staged>>>,
}

pub use cache::{forget, kept};

/// Builds and keeps the plan. Inside a transaction with a snapshot.
pub fn prepare(definition: Definition) -> Result<Rc<Plan>, Problem> {
    let view = definition.view().ok_or_else(|| {
        Problem::new(
            PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE,
            format!(
                "the backing view {}.{} does not exist",
                definition.view_schema, definition.view_name
            ),
        )
        .hint("Create the view again; changes wait in pg_tview_queue meanwhile.")
    })?;
    let plan = Rc::new(spi::session(|| build::build(definition, view))?);
    cache::keep(&plan);
    Ok(plan)
}

impl Plan {
    /// Whether no object has changed that the plan was built from.
    pub fn is_current(&self) -> bool {
        relation_changes::unchanged_since(self.definition.stamp, |changed| {
            changed == self.definition.tview
                || self.lineage.views.contains(&changed)
                || self.sources.contains_key(&changed)
                || self.partitioned.contains(&changed)
                || Some(changed) == self.definition_view()
        })
    }

    /// The approximate size in memory, in bytes.
    pub fn memory(&self) -> usize {
        let of_sources = self.sources.values().flatten().chain([&self.requested]);
        let own = [
            &self.each_key,
            &self.each_key_running,
            &self.lock_rows,
            &self.everything,
        ];
        let statements = own
            .into_iter()
            .chain(of_sources.flat_map(|source| [&source.few, &source.many]));
        // The text of a key query is stored three times: in the statement, for EXPLAIN, and in the lineage.
        statements
            .map(|statement| statement.memory() + 3 * statement.sql().len())
            .sum::<usize>()
            + self.all_keys.len()
            + self.stored.memory()
            + self.unmatched.as_ref().map_or(0, Unmatched::memory)
            + self
                .staged
                .borrow()
                .as_ref()
                .map_or(0, |staged| staged.rows.memory() + staged.replace.memory())
    }

    /// Runs `work` with the rights of the owner, and with the settings that rows of this TVIEW are computed
    /// with. Error messages that only the owner may see are replaced.
    pub fn as_owner<R>(&self, work: impl FnOnce() -> R) -> R {
        let permit = self.permit().unwrap_or_else(|refusal| refusal.raise(self));
        discretion::discreetly(&self.definition, || {
            run_restricted(permit, &self.definition.pinned, || {
                run_as::set("pg_tviews.allow_table_writes", "on");
                named::within(&self.named, work)
            })
        })
    }

    /// Runs `work` on keys as texts, which reads no table, with the rights of the owner. Where code of the
    /// owner must not run, and reading keys runs no code, with the rights of the caller.
    pub fn on_keys<R>(&self, work: impl FnOnce() -> R) -> R {
        let permit = self.permit().unwrap_or_else(|refusal| {
            if key_code::runs(self.shape.key.iter().map(|key| &key.values)) {
                refusal.raise(self);
            }
            Permit::of_caller()
        });
        self.as_reader(permit, work)
    }

    /// Runs `work`, which writes nothing, with permitted rights.
    pub fn as_reader<R>(&self, permit: Permit, work: impl FnOnce() -> R) -> R {
        run_restricted(permit, &self.definition.pinned, || {
            named::within(&self.named, work)
        })
    }

    /// Whether [`Plan::as_owner`] may be called here.
    pub fn permit(&self) -> Result<Permit, Refusal> {
        Permit::ask(self.definition.owner, || {
            self.reachable.get(self.lineage.root_view, self.definition.tview)
        })
    }

    /// A key as a JSON object, as it is logged and shown.
    pub fn key_object(&self, key: &[String]) -> String {
        let texts: Vec<Option<&str>> = key.iter().map(|text| Some(&text[..])).collect();
        self.key_object_of(&texts)
    }

    /// The same for a key whose parts may be NULL.
    pub fn key_object_of(&self, key: &[Option<&str>]) -> String {
        let names = self.definition.key_columns.iter().zip(&self.shape.key);
        key::key_object(names.map(|(name, k)| (&name[..], &k.values)), key)
    }

    fn definition_view(&self) -> Option<Oid> {
        self.lineage.root_view
    }

    /// The backing view and the views below it.
    pub fn view_oids(&self) -> impl Iterator<Item = Oid> + '_ {
        let nested = self.lineage.views.iter().copied();
        nested
            .filter(|view| Some(*view) != self.lineage.root_view)
            .chain(self.lineage.root_view)
    }

    /// The roles with whose rights the tables below the view are read.
    pub fn readers(&self) -> Vec<Oid> {
        build::readers(&self.definition, &self.lineage)
    }

    /// Sources and their partitions, in the order in which they are locked.
    pub fn tables(&self) -> Vec<Oid> {
        let mut tables: Vec<Oid> = self
            .lineage
            .sources
            .iter()
            .flat_map(|source| source.partitions.iter().copied().chain([source.relation]))
            .collect();
        tables.sort_by_key(|table| table.to_u32());
        tables.dedup();
        tables
    }

    /// Whether reading all partitions takes more locks than one transaction may take.
    pub fn is_wide(&self) -> bool {
        self.tables().len() > lock::most_of_a_transaction()
    }

    /// Whether refreshes by key lock only the partitions that they read.
    pub fn spares_partitions(&self) -> bool {
        self.is_wide() && self.locks.are_few()
    }

    /// The partitions of the sources.
    pub fn partitions(&self) -> HashSet<Oid> {
        let sources = self.lineage.sources.iter();
        sources
            .flat_map(|source| source.partitions.iter().copied())
            .collect()
    }

    /// Sources in OID order.
    pub fn source_oids(&self) -> Vec<Oid> {
        self.lineage
            .sources
            .iter()
            .map(|source| source.relation)
            .collect()
    }
}
