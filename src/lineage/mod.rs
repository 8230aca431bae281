//! What a change of a source row means for a TVIEW: the key queries.
//!
//! ```text
//! analysed view -> unfold (flat occurrences, conditions) -> follow (ways to the key) -> key_query (SQL)
//! ```
//!
//! No affected row is missed. Take any row of the view, before or after a change, that the change may affect.
//! Of the changed source rows it is derived from, one has a way to the key that leads through none of the
//! others, because ways make no circles. Everything else on that way is unchanged, so the key query of that way
//! finds the key. docs/lineage.md has the whole argument.

mod analyse;
mod changed_rows;
mod combinations;
pub mod declared;
mod effort;
mod follow;
mod gathered;
mod graph;
mod index_lookups;
mod inheriting;
mod key;
mod key_query;
pub mod policies;
pub mod rewrite;
mod search;
mod shorten;
mod shown_query;
mod source;
mod tables_below;
#[cfg(any(test, feature = "pg_test"))]
mod tests;
mod tie;
mod ties;
mod unfold;
mod way_conditions;

pub use analyse::analyse;
pub use changed_rows::{changed_rows, column_definition, ChangedColumn, Rowcount};
pub use index_lookups::Lookup;
pub use inheriting::{inheriting, merge};
pub use key_query::KeyQuery;
pub use source::{Lineage, Occurrence, Source, Strategy};
