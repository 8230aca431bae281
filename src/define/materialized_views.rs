//! The materialized views that auto-conversion offers: which TVIEW each would become, or why not.

use pgrx::pg_sys::{self, Oid};

use super::untracked_inputs;
use super::view::{has_query, reads_all_of};
use crate::catalog::columns::{self, list, Column};
use crate::catalog::entity::Entity;
use crate::catalog::key_choice::{conventional, pick_key, primary_key};
use crate::catalog::limits;
use crate::lineage::{self, Lineage, Strategy};
use crate::postgres::query_tree::{Range, Select, Target};
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::{quote, relation, role, run_as, transaction};
use crate::statement;

/// Longest name of a relation, in bytes.
const LONGEST_NAME: usize = pg_sys::NAMEDATALEN as usize - 1;

/// A materialized view of the schema that is converted.
pub struct MaterializedView {
    pub oid: Oid,
    pub name: String,
    /// `mv_post` and `post` become the TVIEW of the entity `post`.
    pub entity: Entity,
    pub owner: Oid,
    has_rows: bool,
    extension: Option<String>,
    /// How many relations read it.
    pub readers: i64,
}

/// Those of a schema. Where two have the same entity, the one with the prefix comes first.
pub fn all(schema: &str) -> Vec<MaterializedView> {
    spi::session(|| {
        let args = [(pg_sys::TEXTOID, Value::of(schema))];
        let rows = spi::run(&statement!("materialized_views"), Access::Current, &args);
        let read = |row| {
            Some(MaterializedView {
                oid: rows.get(row, 0)?,
                name: rows.get(row, 1)?,
                entity: Entity {
                    schema: schema.to_string(),
                    name: rows.get(row, 2)?,
                },
                owner: rows.get(row, 3)?,
                has_rows: rows.get(row, 4)?,
                extension: rows.get(row, 5),
                readers: rows.get(row, 6)?,
            })
        };
        (0..rows.len()).filter_map(read).collect()
    })
}

impl MaterializedView {
    /// The key that the TVIEW would have, or why the materialized view cannot become one.
    pub fn examine(&self) -> Result<Vec<String>, String> {
        self.check_names()?;
        self.check_itself()?;
        // No lock is left on what the query reads.
        match transaction::probe(|| run_as::pinned(|| self.examine_query())) {
            Ok(found) => found,
            Err(caught) => Err(caught.message),
        }
    }

    fn check_names(&self) -> Result<(), String> {
        let (name, entity) = (&self.name, &self.entity);
        let (table, view) = (entity.table(), entity.view());
        if *name == view {
            let (old, new) = (entity.qualified(&view), format!("mv_{}", entity.name));
            let rename = format!(
                "ALTER MATERIALIZED VIEW {old} RENAME TO {};",
                quote::identifier(&new)
            );
            Err(format!("the backing view needs the name {name}: {rename}"))
        } else if table.len() > LONGEST_NAME {
            Err(format!("the name {table} is longer than {LONGEST_NAME} bytes"))
        } else if entity.find(&table).is_some() {
            Err(format!("{table} exists already"))
        } else {
            Ok(())
        }
    }

    fn check_itself(&self) -> Result<(), String> {
        let name = &self.name;
        if let Some(extension) = &self.extension {
            Err(format!("{name} belongs to the extension {extension}"))
        } else if !role::has_rights_of(role::current_role(), self.owner) {
            let owner = role::name(self.owner);
            Err(format!(
                "only its owner {owner}, or a superuser, can convert {name}"
            ))
        } else if !self.has_rows {
            let refresh = format!("REFRESH MATERIALIZED VIEW {};", self.entity.qualified(name));
            Err(format!("{name} has not been populated: {refresh}"))
        } else {
            Ok(())
        }
    }

    fn examine_query(&self) -> Result<Vec<String>, String> {
        let own = self.query();
        limits::check_query(&own).map_err(|problem| problem.message)?;
        let view = self.entity.find(&self.entity.view());
        let query = match view {
            Some(view) => {
                self.check_view(view, &own)?;
                Select::of_view(view)
            }
            None => Select::analyse(&own).ok_or("its query is no SELECT")?,
        };
        let key = self.key(query)?;
        let lineage = lineage::analyse(query, &key).map_err(|problem| problem.message)?;
        if let Some(untracked) = untracked_inputs::of_query(query, lineage.views.iter().copied()) {
            return Err(untracked);
        }
        match full(&lineage) {
            Some(full) => Err(full),
            None => Ok(key),
        }
    }

    /// Its query, as SQL that means the same under the current search_path.
    fn query(&self) -> String {
        let args = [(pg_sys::OIDOID, Value::of(self.oid))];
        let query = spi::text_for_user("SELECT pg_catalog.pg_get_viewdef($1)", &args);
        query.unwrap_or_default().trim_end_matches(';').to_string()
    }

    /// An existing view is used only if it returns the same.
    fn check_view(&self, view: Oid, own: &str) -> Result<(), String> {
        let name = self.entity.view();
        if relation::kind(view) != Some('v') {
            return Err(format!("{name} is not a view"));
        }
        let declared = |relation: Oid| -> Vec<_> {
            let declared = |column: Column| (column.name, column.type_oid, column.modifier, column.collation);
            columns::of(relation).into_iter().map(declared).collect()
        };
        if declared(self.oid) == declared(view)
            && (has_query(view, own) || reads_all_of(&self.entity.qualified(&name), own))
        {
            return Ok(());
        }
        Err(format!(
            "the view {name} exists and has another query than {}",
            self.name
        ))
    }

    /// The columns of a unique index, else those that the query groups by, else what pg_tviews_create takes for
    /// a new table.
    fn key(&self, query: Select) -> Result<Vec<String>, String> {
        let in_view = columns::of(self.oid);
        let conventional = vec![conventional(&self.entity)];
        let indexed = self.unique_indexes();
        if indexed.contains(&conventional) {
            return Ok(conventional);
        }
        let grouped = || {
            query
                .grouped_columns()
                .map(|columns| independent(query, &columns))
        };
        let found = indexed.into_iter().next().or_else(grouped);
        if let Some(key) = found.or_else(|| pick_key(&self.entity, &in_view, None, None, false).ok()) {
            return Ok(key);
        }
        Err(format!(
            "no key: {} has no unique index on columns, no GROUP BY of its columns, and neither a column {} nor id; its columns are {}",
            self.name,
            conventional[0],
            list(&in_view)
        ))
    }

    fn unique_indexes(&self) -> Vec<Vec<String>> {
        spi::session(|| {
            let args = [(pg_sys::OIDOID, Value::of(self.oid))];
            let rows = spi::run(&statement!("materialized_view_keys"), Access::Current, &args);
            (0..rows.len()).filter_map(|row| rows.get(row, 0)).collect()
        })
    }
}

/// The names of grouped columns without those that others of the same table determine: its primary key.
fn independent(query: Select, grouped: &[Target]) -> Vec<String> {
    let of_table = |target: &Target| {
        let column = target.expr.as_column().filter(|column| column.levels_up == 0)?;
        match query.range(column.range) {
            Range::Table { oid, .. } => {
                let columns = columns::of(oid).into_iter();
                let name = columns
                    .filter(|of| of.number == column.attno)
                    .map(|of| of.name)
                    .next()?;
                Some((column.range, oid, name))
            }
            _ => None,
        }
    };
    let found: Vec<_> = grouped.iter().map(of_table).collect();
    let is_determined = |(range, oid, name): &(usize, Oid, String)| {
        let key = primary_key(*oid);
        let is_grouped = |key: &String| {
            let mut found = found.iter().flatten();
            found.any(|(other, _, name)| other == range && name == key)
        };
        !key.is_empty() && !key.contains(name) && key.iter().all(is_grouped)
    };
    grouped
        .iter()
        .zip(&found)
        .filter(|(_, found)| !found.as_ref().is_some_and(is_determined))
        .map(|(target, _)| target.name.clone())
        .collect()
}

/// Why a change of some source would recompute all rows.
fn full(lineage: &Lineage) -> Option<String> {
    lineage.sources.iter().find_map(|source| {
        source.occurrences.iter().find_map(|occurrence| {
            let Strategy::Full { reason } = &occurrence.strategy else {
                return None;
            };
            let source = relation::display(source.relation);
            Some(format!(
                "any change of {source} would recompute all rows: {reason}"
            ))
        })
    })
}
