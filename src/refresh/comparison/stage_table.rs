//! The table that is the stage of a TVIEW.
//!
//! It is unlogged, so that no publication ships it, and a member of the extension, so that no dump has it. It belongs to the owner
//! of the extension: DROP OWNED refuses members. The owner of the TVIEW is granted what refreshes need.
//!
//! Whoever may use its schema can make a view over it, or a column of its row type, also without privileges on it. Nothing of that is
//! dropped, and no reader is waited for:
//!
//! ```text
//! no longer used -> dropped
//!    | a session has locked it       -> left for later; the next stage has another name
//!    | objects of others depend on it -> emptied, and left until they are gone
//! ```

use pgrx::pg_sys::{self, Oid};

use crate::catalog::statements;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::transaction::lock::{self, Attempt, TableLock};
use crate::postgres::{extension, relation, role, transaction, unseen_ddl};
use crate::refresh::plan::Plan;
use crate::statement;

/// How many names the stages of a TVIEW can have.
const NAMES: usize = 9;

/// Creates the table; None if no name is free. With internal rights, inside an SPI session.
pub fn create(plan: &Plan, schema: Oid) -> Option<Oid> {
    let name = names(plan.definition.tview).find(|name| unseen_ddl::is_free(name, schema))?;
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
    Some(stage)
}

/// Drops the stages of a TVIEW. The caller holds the lock of the TVIEW.
pub fn drop_of(tview: Oid) {
    let Some(schema) = extension::schema() else {
        return;
    };
    let found = names(tview).filter_map(|name| unseen_ddl::find(&name, schema));
    let found: Vec<Oid> = found.filter(|stage| extension::owns(*stage)).collect();
    if !found.is_empty() {
        run_internal(|| spi::session(|| found.into_iter().for_each(drop_or_leave)));
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
            left_over
                .filter(|stage| extension::owns(*stage))
                .for_each(drop_or_leave);
        });
    });
}

/// Drops a stage, if no session has locked it and no object of others depends on it. With internal rights, inside an SPI session.
fn drop_or_leave(stage: Oid) {
    if lock::try_table(stage, TableLock::AccessExclusive) != Attempt::Locked {
        return;
    }
    let args = [(pg_sys::OIDOID, Value::of(stage))];
    let ask = |statement: &str| spi::run(statement, Access::Current, &args).one::<bool>() == Some(true);
    if !ask(&statement!("stage_is_depended_on"))
        && transaction::attempt(|| unseen_ddl::drop_table(stage)).is_ok()
    {
        return;
    }
    let name = relation::qualified_name(stage).filter(|_| ask(&statement!("stage_has_rows")));
    if let Some(name) = name {
        // A foreign key of a superuser may refer to it.
        let _ = transaction::attempt(|| unseen_ddl::run(&format!("TRUNCATE TABLE {name}")));
    }
}

/// The names that a stage of a TVIEW can have.
fn names(tview: Oid) -> impl Iterator<Item = String> {
    let first = format!("pg_tview_stage_{}", tview.to_u32());
    let others = (2..=NAMES).map({
        let first = first.clone();
        move |number| format!("{first}_{number}")
    });
    std::iter::once(first).chain(others)
}

/// ALTER DEFAULT PRIVILEGES gives roles rights on new tables. Nobody but the owner of the TVIEW is to have any here.
fn revoke_defaults(table: &str, stage: Oid) {
    let args = [(pg_sys::OIDOID, Value::of(stage))];
    let rows = spi::run(&statement!("stage_default_privileges"), Access::Current, &args);
    for role in (0..rows.len()).filter_map(|row| rows.get::<String>(row, 0)) {
        unseen_ddl::run(&format!("REVOKE ALL ON TABLE {table} FROM {role}"));
    }
}
