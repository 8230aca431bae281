//! Whose changes a role may read: those of TVIEWs of which it may read each row anyway.

use pgrx::pg_sys::Oid;
use pgrx::PgSqlErrorCode;

use crate::catalog::definition;
use crate::error::Problem;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access};
use crate::postgres::{privileges, quote, role};
use crate::statement;

/// A TVIEW as the active snapshot shows it.
pub struct Fed {
    pub tview: Oid,
    /// The table with its schema.
    pub table: String,
    owner: Oid,
    pub has_feed: bool,
    pub entity_name: String,
}

/// All TVIEWs.
pub fn tviews() -> Vec<Fed> {
    run_internal(|| {
        spi::session(|| {
            let rows = spi::run(&statement!("feed_tviews"), Access::Snapshot, &[]);
            (0..rows.len())
                .filter_map(|row| {
                    Some(Fed {
                        tview: rows.get(row, 0)?,
                        table: rows.get(row, 1)?,
                        owner: rows.get(row, 2)?,
                        has_feed: rows.get(row, 3)?,
                        entity_name: rows.get(row, 4)?,
                    })
                })
                .collect()
        })
    })
}

/// The TVIEW of this name; an error unless it has a feed that the current role may read.
pub fn named(name: &str) -> Result<Fed, Problem> {
    let definition = definition::find(name)?;
    let found = tviews().into_iter().find(|fed| fed.tview == definition.tview);
    let found = found.ok_or_else(|| definition::dropped(&definition.display()))?;
    found.check_readable()?;
    if found.has_feed {
        Ok(found)
    } else {
        Err(feed_is_off(&found))
    }
}

impl Fed {
    /// Whether the current role may read the feed: it has the rights of the owner of the table, or may SELECT
    /// from it, and row security hides no row from it.
    pub fn is_readable(&self) -> bool {
        self.may_select() && !self.hides_rows()
    }

    fn may_select(&self) -> bool {
        let caller = role::current_role();
        role::has_rights_of(caller, self.owner) || privileges::may_select(caller, self.tview)
    }

    fn hides_rows(&self) -> bool {
        privileges::hides_rows_from(self.tview, role::current_role())
    }

    /// An error unless the current role may read the feed.
    pub fn check_readable(&self) -> Result<(), Problem> {
        if self.is_readable() {
            return Ok(());
        }
        let (table, caller) = (&self.table, role::name(role::current_role()));
        let problem = Problem::new(
            PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            format!("permission denied for the feed of {table}"),
        );
        Err(if self.may_select() {
            problem
                .detail(format!(
                    "Row security of {table} hides rows from {caller}, and the feed has the keys of all rows."
                ))
                .hint(format!(
                    "Call the function as a role that reads all rows, such as {}.",
                    role::name(self.owner)
                ))
        } else {
            problem.hint(format!(
                "Run GRANT SELECT ON {table} TO {caller}; as the owner of the table."
            ))
        })
    }
}

fn feed_is_off(fed: &Fed) -> Problem {
    Problem::new(
        PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
        format!("TVIEW {} has no feed", fed.table),
    )
    .hint(format!(
        "Run UPDATE pg_tview_meta SET feed = true WHERE tview_oid = {}::regclass; as the owner of the table.",
        quote::literal(&fed.table)
    ))
}
