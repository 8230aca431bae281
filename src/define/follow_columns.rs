//! A view that is redefined with other columns: a table that the extension created gets them. For another
//! table, a NOTICE says what to type.

use pgrx::pg_sys::Oid;

use super::notice::Notice;
use super::{patience, write_guard};
use crate::catalog::columns::{self, Column};
use crate::catalog::definition::Definition;
use crate::error::{Caught, Problem};
use crate::postgres::run_as::run_internal;
use crate::postgres::transaction::lock::TableLock;
use crate::postgres::{quote, relation, spi, transaction, type_facts};

/// How table and view differ in a column.
enum Difference<'a> {
    /// The table does not have the column.
    New(&'a Column),
    /// The column was maintained, and is not in the view any more.
    Gone(&'a Column),
    /// The view has the column with another type.
    Retyped(&'a Column),
}

/// Brings the columns of a TVIEW's table in step with its view; returns the NOTICEs to send. `view_before`:
/// the columns of the view that has just been replaced.
pub fn follow(
    table: Oid,
    before: &Definition,
    view_before: Option<&[Column]>,
    view: &[Column],
) -> Vec<Notice> {
    let have = columns::of(table);
    let maintained = run_internal(|| write_guard::maintained(table));
    let found = differences(&have, &maintained, view_before, view);
    let display = relation::display(table);
    if before.table_created && !found.is_empty() {
        patience::lock_all(&[(table, TableLock::AccessExclusive)]);
    }
    found
        .into_iter()
        .map(|difference| {
            if before.table_created {
                difference.change(&display)
            } else {
                difference.notice(&display, None)
            }
        })
        .collect()
}

/// The columns that the table would have then.
pub fn followed(table: Oid, before: &Definition, view_before: &[Column], view: &[Column]) -> Vec<Column> {
    let have = columns::of(table);
    if !before.table_created {
        return have;
    }
    let maintained = run_internal(|| write_guard::maintained(table));
    let mut followed = have.clone();
    for difference in differences(&have, &maintained, Some(view_before), view) {
        match difference {
            Difference::New(column) => followed.push(column.clone()),
            Difference::Gone(column) => followed.retain(|kept| kept.name != column.name),
            Difference::Retyped(column) => {
                for kept in followed.iter_mut().filter(|kept| kept.name == column.name) {
                    (kept.type_oid, kept.modifier) = (column.type_oid, column.modifier);
                    kept.collation = column.collation;
                }
            }
        }
    }
    followed
}

fn differences<'a>(
    have: &'a [Column],
    maintained: &[String],
    view_before: Option<&[Column]>,
    view: &'a [Column],
) -> Vec<Difference<'a>> {
    fn named<'c>(columns: &'c [Column], name: &str) -> Option<&'c Column> {
        columns.iter().find(|column| column.name == name)
    }
    // Columns of the view that the table does not have are in the document that is built for the table.
    let in_document = named(have, "data").is_some() && named(view, "data").is_none();
    let is_new = |column: &&Column| {
        named(have, &column.name).is_none()
            && !in_document
            && view_before.is_none_or(|before| named(before, &column.name).is_none())
    };
    let is_gone = |column: &&Column| {
        named(view, &column.name).is_none() && column.name != "data" && maintained.contains(&column.name)
    };
    let same_type =
        |a: &Column, b: &Column| a.type_oid == b.type_oid && (a.modifier == b.modifier || a.modifier < 0);
    let is_retyped = |column: &&Column| {
        named(have, &column.name).is_some_and(|stored| !stored.generated && !same_type(column, stored))
            && view_before
                .and_then(|before| named(before, &column.name))
                .is_none_or(|before| !same_type(column, before))
    };
    let new = view.iter().filter(is_new).map(Difference::New);
    let gone = have.iter().filter(is_gone).map(Difference::Gone);
    let retyped = view.iter().filter(is_retyped).map(Difference::Retyped);
    new.chain(gone).chain(retyped).collect()
}

impl Difference<'_> {
    fn column(&self) -> &Column {
        match self {
            Difference::New(column) | Difference::Gone(column) | Difference::Retyped(column) => column,
        }
    }

    /// The statement that removes the difference.
    fn statement(&self, table: &str) -> String {
        let name = quote::identifier(&self.column().name);
        match self {
            Difference::New(column) => format!("ALTER TABLE {table} ADD COLUMN {}", column.sql()),
            Difference::Gone(_) => format!("ALTER TABLE {table} DROP COLUMN {name}"),
            Difference::Retyped(_) => self.retype(table, &name),
        }
    }

    /// Gives the column of the table the type of the view. Rows have `value`, cast to the type, until they
    /// are computed again.
    fn retype(&self, table: &str, value: &str) -> String {
        let Column {
            name,
            type_oid,
            modifier,
            ..
        } = self.column();
        let (name, of_view) = (quote::identifier(name), type_facts::name(*type_oid, *modifier));
        format!("ALTER TABLE {table} ALTER COLUMN {name} TYPE {of_view} USING {value}::{of_view}")
    }

    /// Changes the table; the NOTICE says why if that fails.
    fn change(&self, table: &str) -> Notice {
        let done = match self {
            Difference::New(_) => "is added to",
            Difference::Gone(_) => "is dropped from",
            Difference::Retyped(_) => "gets its new type in",
        };
        let mut changed = attempt(&self.statement(table));
        if changed.is_err() && matches!(self, Difference::Retyped(_)) {
            // The old values cannot be cast to the new type.
            changed = attempt(&self.retype(table, "NULL")).or(changed);
        }
        match changed {
            Ok(()) => Notice::new(format!("column \"{}\" {done} {table}", self.column().name)),
            Err(caught) => self.notice(table, Some(&caught.message)),
        }
    }

    fn notice(&self, table: &str, why_not: Option<&str>) -> Notice {
        let name = &self.column().name;
        let message = match self {
            Difference::New(_) => format!("column \"{name}\" of the view has no column in {table}"),
            Difference::Gone(_) => {
                format!("column \"{name}\" of {table} is not in the view: it keeps its values")
            }
            Difference::Retyped(_) => {
                format!("column \"{name}\" of the view is cast to the type it has in {table}")
            }
        };
        let notice = Notice::new(message).hint(format!("Run {};", self.statement(table)));
        match why_not {
            Some(why) => notice.detail(format!("The column could not be changed: {why}.")),
            None => notice,
        }
    }
}

fn attempt(alter: &str) -> Result<(), Caught> {
    let altered = transaction::attempt(|| spi::run_for_user(alter));
    match altered {
        Err(caught) if patience::ends_attempt(&caught) || caught.is_cancel() => Problem::from(caught).raise(),
        altered => altered,
    }
}
