//! DDL that affects no TVIEW is recognized before anything else is checked. Its cost does not grow with the
//! number of TVIEWs, and workers are not notified.

use std::thread::LocalKey;

use pgrx::pg_sys::{self, Oid};

use super::subscriptions;
use crate::catalog::session_statement::SessionStatement;
use crate::catalog::{announce, definition};
use crate::postgres::run_as::{planned_once, run_internal, set};
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::triggers::ddl_command::Command;
use crate::postgres::triggers::ddl_event::TableChange;
use crate::statement;

thread_local! {
    static COMMAND: SessionStatement = const { SessionStatement::new() };
    static DROP: SessionStatement = const { SessionStatement::new() };
    static SUSPENDED: SessionStatement = const { SessionStatement::new() };
}

/// Whether the command that has just run affects no TVIEW. `table`: what the command did to a table. Inside the
/// event trigger.
pub fn is_unrelated(command: Command, table: impl FnOnce() -> TableChange) -> bool {
    let related = match command {
        Command::Temporary => return true,
        Command::Harmless => false,
        Command::Subscription => {
            subscriptions::leave();
            false
        }
        Command::TableTree => is_related(table()),
        Command::Other => is_related(TableChange::default()),
    };
    if related {
        return false;
    }
    // Any command may make a view that fails work again: the text of functions can depend on anything.
    if answer(&SUSPENDED, || statement!("is_some_suspended"), &[], &[]) {
        announce::catalog_change();
    }
    true
}

fn is_related(table: TableChange) -> bool {
    let types = [pg_sys::OIDARRAYOID, pg_sys::OIDARRAYOID];
    let tables = [Value::of(table.trees), Value::of(table.moved)];
    answer(&COMMAND, || statement!("ddl_is_related"), &types, &tables)
}

/// Whether what a command has dropped affects no TVIEW.
pub fn is_unrelated_drop() -> bool {
    !answer(&DROP, || statement!("ddl_is_drop_related"), &[], &[])
}

/// The answer of the statement. True while the extension is being dropped, whose tables may not exist any
/// more.
fn answer(
    statement: &'static LocalKey<SessionStatement>,
    text: impl FnOnce() -> String,
    types: &[Oid],
    arguments: &[Value],
) -> bool {
    if definition::table().is_none() {
        return true;
    }
    run_internal(|| {
        // Index scans only, even with few TVIEWs.
        planned_once();
        set("enable_hashjoin", "off");
        set("enable_mergejoin", "off");
        spi::session(|| {
            let rows = statement.with(|s| s.get(text, types).run(Access::Current, arguments, 1));
            rows.one::<bool>().unwrap_or(true)
        })
    })
}
