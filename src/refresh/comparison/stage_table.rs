//! The table that is the stage of a TVIEW.
//!
//! It is unlogged, so that no publication ships it, and a member of the extension, so that no dump has it. It belongs to the owner
//! of the extension: DROP OWNED refuses members. The owner of the TVIEW is granted what refreshes need.

use pgrx::pg_sys::{self, Oid};

use crate::catalog::statements;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::transaction::lock::{self, Attempt, TableLock};
use crate::postgres::{extension, role, unseen_ddl};
use crate::refresh::plan::Plan;
use crate::statement;

/// Creates the table. With internal rights, inside an SPI session.
pub fn create(plan: &Plan, schema: Oid) -> Oid {
    let name = name(plan.definition.tview);
    let table = format!("{}.{name}", statements::schema());
    unseen_ddl::run(&format!(
        "CREATE UNLOGGED TABLE {table} ({}) USING heap WITH (autovacuum_enabled = off, toast.autovacuum_enabled = off)",
        plan.definition_of_stage()
    ));
    let stage = unseen_ddl::find(&name, schema).expect("the stage was created");
    revoke_defaults(&table, stage);
    unseen_ddl::run(&format!(
        "GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE {table} TO {}",
        role::name(plan.definition.owner)
    ));
    unseen_ddl::run(&format!("ALTER EXTENSION pg_tviews ADD TABLE {table}"));
    stage
}

/// Drops the stage of a TVIEW, if there is one. The caller holds the lock of the TVIEW.
pub fn drop_of(tview: Oid) {
    let found = extension::schema().and_then(|schema| unseen_ddl::find(&name(tview), schema));
    if let Some(stage) = found.filter(|stage| extension::owns(*stage)) {
        run_internal(|| unseen_ddl::drop_table(stage));
    }
}

/// Drops stages whose TVIEW was dropped. Those in use are left for later.
pub fn drop_left_over() {
    let Some(schema) = extension::schema().filter(|_| !extension::is_before_0_3()) else {
        return;
    };
    run_internal(|| {
        spi::session(|| {
            let args = [(pg_sys::OIDOID, Value::of(schema))];
            let rows = spi::run(&statement!("stage_left_over"), Access::Current, &args);
            let left_over = (0..rows.len()).filter_map(|row| rows.get::<Oid>(row, 0));
            for stage in left_over.filter(|stage| extension::owns(*stage)) {
                if lock::try_table(stage, TableLock::AccessExclusive) == Attempt::Locked {
                    unseen_ddl::drop_table(stage);
                }
            }
        });
    });
}

fn name(tview: Oid) -> String {
    format!("pg_tview_stage_{}", tview.to_u32())
}

/// ALTER DEFAULT PRIVILEGES gives roles rights on new tables. Nobody but the owner of the TVIEW is to have any here.
fn revoke_defaults(table: &str, stage: Oid) {
    let args = [(pg_sys::OIDOID, Value::of(stage))];
    let rows = spi::run(&statement!("stage_default_privileges"), Access::Current, &args);
    for role in (0..rows.len()).filter_map(|row| rows.get::<String>(row, 0)) {
        unseen_ddl::run(&format!("REVOKE ALL ON TABLE {table} FROM {role}"));
    }
}
