//! A source with many partitions: a refresh by key locks only the partitions that it reads. Locking all of
//! them could fill the lock table.
//!
//! These partitions are locked after the snapshot was taken. A rewrite or TRUNCATE that commits in between
//! makes a partition look empty. Such a refresh is rolled back, and repeated with all partitions locked
//! first.

use pgrx::pg_sys::Oid;
use pgrx::PgSqlErrorCode;

use super::one_refresh::Refresh;
use super::plan::Plan;
use crate::error::Problem;
use crate::postgres::relation_changes;
use crate::postgres::transaction::lock;

impl Refresh<'_> {
    /// The tables that are locked before the snapshot.
    pub fn tables_to_lock(&self, plan: &Plan) -> Vec<Oid> {
        let spared =
            plan.spares_partitions() && !self.all_partitions.get() && !self.skip.held && !self.skip.failing;
        self.spared_partitions.set(spared.then(relation_changes::stamp));
        if spared {
            plan.source_oids()
        } else {
            plan.tables()
        }
    }

    /// Whether only the partitions that are read are locked.
    pub fn spares_partitions(&self) -> bool {
        self.spared_partitions.get().is_some()
    }

    /// Runs `work`, which reads sources. Raises if a partition was rewritten in between.
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

/// Raises if a partition that was not locked has been rewritten since.
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
