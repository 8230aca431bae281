//! DDL that has nothing to do with TVIEWs, told apart before anything else is looked at: what it costs does not grow with the
//! number of TVIEWs, and workers hear nothing of it.

use std::thread::LocalKey;

use pgrx::pg_sys::{self, Oid};

use super::subscriptions;
use crate::catalog::announce;
use crate::catalog::definition;
use crate::catalog::session_statement::SessionStatement;
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

/// Whether the command that has just run concerns no TVIEW, whatever it did. `table`: what it did to a table. Inside the event trigger.
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
    // Whatever it is, a view that fails may work with it: what functions contain as text depends on anything.
    if asked(&SUSPENDED, || statement!("is_some_suspended"), &[], &[]) {
        announce::catalog_change();
    }
    true
}

fn is_related(table: TableChange) -> bool {
    let types = [pg_sys::OIDARRAYOID, pg_sys::OIDARRAYOID];
    let tables = [Value::of(table.trees), Value::of(table.moved)];
    asked(&COMMAND, || statement!("ddl_is_related"), &types, &tables)
}

/// The same for what a command has dropped.
pub fn is_unrelated_drop() -> bool {
    !asked(&DROP, || statement!("ddl_is_drop_related"), &[], &[])
}

/// What the statement says. Of the extension, when it is being dropped, its tables may be gone.
fn asked(
    statement: &'static LocalKey<SessionStatement>,
    text: impl FnOnce() -> String,
    types: &[Oid],
    arguments: &[Value],
) -> bool {
    if definition::table().is_none() {
        return true;
    }
    run_internal(|| {
        // By index, however few TVIEWs there are.
        planned_once();
        set("enable_hashjoin", "off");
        set("enable_mergejoin", "off");
        spi::session(|| {
            let rows = statement.with(|s| s.get(text, types).run(Access::Current, arguments, 1));
            rows.one::<bool>().unwrap_or(true)
        })
    })
}
