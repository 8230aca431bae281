//! Partitions of a source that has many: a refresh by key locks those that it reads, not all, or there would be no places left in the
//! lock table for others. Reading locks them under a snapshot that is older, and a rewrite or TRUNCATE committed in between shows
//! a partition as empty: such a refresh is undone, and made again with all of them locked first.

use pgrx::pg_sys::Oid;
use pgrx::PgSqlErrorCode;

use super::attempt::Run;
use super::plan::Plan;
use crate::error::Problem;
use crate::postgres::relation_changes;
use crate::postgres::transaction::lock;

impl Run<'_> {
    /// What is locked before the snapshot.
    pub fn tables_to_lock(&self, plan: &Plan) -> Vec<Oid> {
        let spared = plan.spares_partitions()
            && !self.all_partitions.get()
            && !self.isolate.held
            && !self.isolate.failing;
        self.spared_partitions.set(spared.then(relation_changes::stamp));
        match spared {
            true => plan.source_oids(),
            false => plan.tables(),
        }
    }

    /// Whether only partitions that are read are locked.
    pub fn spares_partitions(&self) -> bool {
        self.spared_partitions.get().is_some()
    }

    /// Runs `work` that reads sources, and makes sure that it has not been misled.
    pub fn checked<R>(&self, plan: &Plan, work: impl FnOnce() -> R) -> R {
        let Some(stamp) = self.spared_partitions.get() else {
            return work();
        };
        let held = plan.locks.is_due().then(lock::held_for_reading);
        let result = work();
        if let Some(held) = held {
            let taken = lock::held_for_reading() - held;
            plan.locks.measured(taken > lock::most_of_a_transaction() as i64);
        }
        plan.locks.used();
        check_partitions(plan, stamp);
        result
    }
}

/// Raises where a partition that was not locked has been rewritten since.
fn check_partitions(plan: &Plan, stamp: u64) {
    let partitions = plan.partitions();
    if !relation_changes::unchanged_since(stamp, |changed| partitions.contains(&changed)) {
        Problem::new(
            PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE,
            format!(
                "partitions that {} reads have been changed meanwhile",
                plan.definition.display()
            ),
        )
        .raise();
    }
}
