//! The statements that find rows of the view whose key is NULL because an outer join found no match.

use std::cell::OnceCell;
use std::collections::HashMap;

use pgrx::pg_sys::{self, Oid};

use super::shape::Shape;
use crate::catalog::definition::Definition;
use crate::error::Problem;
use crate::lineage::{self, policies, Lineage, Rowcount, Source, Strategy};
use crate::postgres::query_tree::Select;
use crate::postgres::spi::Statement;

/// The parameters of look-ups.
const CHANGES_AND_MAXIMUM: [Oid; 2] = [pg_sys::JSONBARRAYOID, pg_sys::INT8OID];

/// The look-ups of rows whose key is NULL, for a view that may return such rows.
pub struct Unmatched {
    /// The look-ups for changes of each source. Changes of other sources have none.
    pub sources: HashMap<Oid, LookUps>,
    /// What the planner expects of one look-up.
    pub explain_one: String,
    pub costs: OnceCell<Costs>,
}

/// Look-ups by values of the other key columns, which key queries find; for few and for many changes.
pub struct LookUps {
    pub few: Statement,
    pub many: Statement,
}

/// What the planner expects.
pub struct Costs {
    /// Of a query of the whole view.
    pub whole: f64,
    /// Of one look-up.
    pub one: f64,
}

impl Unmatched {
    /// None if key queries find each row whose key is NULL. Inside an SPI session.
    pub fn of(
        definition: &Definition,
        view: Oid,
        lineage: &Lineage,
        shape: &Shape,
        readers: &[Oid],
    ) -> Result<Option<Unmatched>, Problem> {
        if lineage.unmatched.is_empty() {
            return Ok(None);
        }
        let names = definition.key_columns.iter();
        let rest: Vec<String> = names
            .filter(|name| !lineage.unmatched.contains(*name))
            .cloned()
            .collect();
        let mut sources = HashMap::new();
        // Columns declared in fk_columns lead to whole keys only.
        if !rest.is_empty() && definition.fk_columns.is_empty() {
            let mut of_rest = lineage::analyse(Select::of_view(view), &rest)?;
            policies::extend(&mut of_rest, readers);
            for source in &lineage.sources {
                let same = of_rest.sources.iter().find(|s| s.relation == source.relation);
                let queries = same.and_then(|same| queries(definition, source, same, rest.len()));
                if let Some((few, many)) = queries {
                    let look_ups = LookUps {
                        few: Statement::new(
                            shape.unmatched_rows(&rest, &few, Rowcount::Few),
                            &CHANGES_AND_MAXIMUM,
                        ),
                        many: Statement::new(
                            shape.unmatched_rows(&rest, &many, Rowcount::Many),
                            &CHANGES_AND_MAXIMUM[..1],
                        ),
                    };
                    sources.insert(source.relation, look_ups);
                }
            }
        }
        Ok(Some(Unmatched {
            sources,
            explain_one: shape.explain_unmatched_row(&rest),
            costs: OnceCell::new(),
        }))
    }

    /// The approximate size in memory, in bytes.
    pub fn memory(&self) -> usize {
        self.sources
            .values()
            .flat_map(|look_ups| [&look_ups.few, &look_ups.many])
            .map(|statement| statement.memory() + statement.sql().len())
            .sum()
    }
}

/// The key queries of a source for some of the key columns, for few and for many changes. None if these
/// queries need columns that are not captured.
fn queries(
    definition: &Definition,
    source: &Source,
    same: &Source,
    columns: usize,
) -> Option<(Vec<String>, Vec<String>)> {
    let captured = source.captured();
    if !same.captured().is_subset(&captured) || same.unreadable_by(definition.owner).is_some() {
        return None;
    }
    let (mut few, mut many) = (Vec::new(), Vec::new());
    for occurrence in &same.occurrences {
        let Strategy::Keyed(keyed) = &occurrence.strategy else {
            return None;
        };
        if keyed.iter().any(|query| query.columns.len() < columns) {
            return None;
        }
        few.extend(keyed.iter().map(|query| query.few.clone()));
        many.extend(keyed.iter().map(|query| query.many.clone()));
    }
    (!few.is_empty()).then_some((few, many))
}
