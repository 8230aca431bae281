//! Writes rows of `pg_tview_change`.

use pgrx::pg_sys::{self, Oid};

use super::changed::{Changed, EVERYTHING};
use super::notify;
use crate::catalog::definition::Definition;
use crate::catalog::session_statement::SessionStatement;
use crate::postgres::run_as::{planned_once, run_internal};
use crate::postgres::spi::{self, Access, Value};
use crate::{settings, statement};

thread_local! {
    static ADD: SessionStatement = const { SessionStatement::new() };
}

/// Adds what the current transaction has written to a TVIEW, if its audit row follows in another one.
pub fn write(definition: &Definition, mut changed: Changed, origins: Option<Vec<String>>) {
    add(
        definition.tview,
        &definition.entity_name,
        changed.take(),
        origins,
        None,
    );
}

/// Adds that any row of a TVIEW may have changed.
pub fn everything(tview: Oid, entity_name: &str) {
    let origins = settings::origin().map(|origin| vec![origin]);
    add(tview, entity_name, vec![(EVERYTHING, None)], origins, None);
}

/// Adds changes of a TVIEW, as [`Changed::take`] returns them.
pub fn add(
    tview: Oid,
    entity_name: &str,
    changes: Vec<(&'static str, Option<String>)>,
    origins: Option<Vec<String>>,
    audit: Option<i64>,
) {
    if changes.is_empty() {
        return;
    }
    notify::note(entity_name);
    let (operations, keys): (Vec<&str>, Vec<Option<String>>) = changes.into_iter().unzip();
    let args = [
        Value::of(tview),
        Value::of(entity_name),
        Value::of(operations),
        Value::of(keys),
        Value::of(audit),
        Value::of(origins),
    ];
    use pg_sys::{INT8OID, OIDOID, TEXTARRAYOID, TEXTOID};
    let types = [OIDOID, TEXTOID, TEXTARRAYOID, TEXTARRAYOID, INT8OID, TEXTARRAYOID];
    run_internal(|| {
        planned_once();
        spi::session(|| {
            ADD.with(|add| add.get(|| statement!("change_add"), &types))
                .run(Access::Current, &args, 0);
        })
    });
}
