//! Rows of the view without a key because an outer join found no match. Key queries lead to keys, so none leads to such a row;
//! key queries for the other key columns do.

use std::cell::OnceCell;
use std::collections::HashMap;

use pgrx::pg_sys::{self, Oid};

use super::keys::{few_rows, FEW_CHANGES};
use super::left_out;
use super::narrow::narrow;
use super::plan;
use super::plan::Plan;
use super::recompute::{self, expected, CHEAP_VIEW};
use super::texts::Shape;
use crate::catalog::definition::Definition;
use crate::error::Problem;
use crate::lineage::{self, policies, Lineage, Rowcount, Source, Strategy};
use crate::postgres::planner::reshaping;
use crate::postgres::query_tree::Select;
use crate::postgres::spi::{Access, Statement, Value};
use crate::postgres::transaction;
use crate::queue::log::Pending;

/// A view that costs no more than this as a whole may be asked as a whole after every change.
const TRIFLE: f64 = 50.0;
const MOST_LOOK_UPS: f64 = 1_000_000.0;
/// The parameters of look-ups.
const CHANGES_AND_MOST: [Oid; 2] = [pg_sys::JSONBARRAYOID, pg_sys::INT8OID];

/// How rows whose key is NULL are noticed, for a view that may have some.
pub struct Unmatched {
    /// Whether changes of a source lead to such rows; those not in here cannot be asked for.
    sources: HashMap<Oid, LookUps>,
    /// What the planner expects of one look-up.
    explain_one: String,
    costs: OnceCell<Costs>,
}

/// Look-ups of what key queries for the other key columns find, for few and for many changes.
struct LookUps {
    few: Statement,
    many: Statement,
}

struct Costs {
    /// Of asking for the whole view.
    whole: f64,
    /// Of one look-up.
    one: f64,
}

/// What look-ups find.
enum Found {
    Nothing,
    Row,
    /// As many look-ups cost more than asking for the whole view.
    TooMany,
    /// They cannot tell.
    Unknown,
}

impl Unmatched {
    /// None where every row without a key is found by the key queries. Inside an SPI session.
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
        // What fk_columns says leads to whole keys only.
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
                            &CHANGES_AND_MOST,
                        ),
                        many: Statement::new(
                            shape.unmatched_rows(&rest, &many, Rowcount::Many),
                            &CHANGES_AND_MOST[..1],
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

    /// What it takes in memory, about: bytes.
    pub fn memory(&self) -> usize {
        self.sources
            .values()
            .flat_map(|look_ups| [&look_ups.few, &look_ups.many])
            .map(|statement| statement.memory() + statement.sql().len())
            .sum()
    }

    fn costs(&self, plan: &Plan) -> &Costs {
        self.costs.get_or_init(|| {
            few_rows(false);
            let whole = expected(&plan.shape.explain_null_keys(), &[]).cost;
            let explain = &self.explain_one;
            Costs {
                whole,
                one: reshaping(explain, narrow, || expected(explain, &[])).cost,
            }
        })
    }

    /// The problem of a view that has rows without a key after these changes of a source. What is asked costs no more than what
    /// recomputing the keys of these changes costs; what would cost more is left to a comparison of all rows.
    fn problem(&self, plan: &Plan, changes: &Pending) -> Option<Problem> {
        let costs = self.costs(plan);
        let look_ups = self.sources.get(&changes.source);
        let found = match look_ups.filter(|_| costs.one <= CHEAP_VIEW) {
            Some(look_ups) => look_ups.run(changes, costs),
            None => Found::Unknown,
        };
        match found {
            Found::Nothing => None,
            Found::Row => Some(recompute::null_key(plan)),
            Found::TooMany => left_out::null_keys(plan),
            Found::Unknown => {
                let is_asked = costs.whole <= TRIFLE || recompute::are_many(plan, changes.changes);
                is_asked.then(|| left_out::null_keys(plan)).flatten()
            }
        }
    }
}

impl LookUps {
    fn run(&self, changes: &Pending, costs: &Costs) -> Found {
        if changes.changes as f64 * costs.one > costs.whole {
            return Found::TooMany;
        }
        let few = changes.changes <= FEW_CHANGES;
        few_rows(few);
        let most = (costs.whole / costs.one).clamp(1.0, MOST_LOOK_UPS) as i64;
        let (statement, arguments) = match few {
            true => (&self.few, vec![changes.keys, Value::of(most)]),
            false => (&self.many, vec![changes.keys]),
        };
        let run = || statement.run(Access::Snapshot, &arguments, 0).one::<String>();
        // Key queries leave out conditions that may keep an expression of the view from values it fails on.
        let found = transaction::attempt(|| reshaping(statement.sql(), narrow, run));
        match found.ok().flatten().as_deref() {
            Some("nothing") => Found::Nothing,
            Some("row") => Found::Row,
            Some("too many") => Found::TooMany,
            _ => Found::Unknown,
        }
    }
}

/// The problem of a view that has rows without a key after these changes. As the TVIEW's owner, inside an SPI session.
pub fn problem(plan: &Plan, pending: &[Pending]) -> Option<Problem> {
    let unmatched = plan.unmatched.as_ref()?;
    pending
        .iter()
        .filter(|changes| {
            changes.source != plan.definition.tview
                && !changes.requested
                && plan.sources.contains_key(&changes.source)
        })
        .find_map(|changes| unmatched.problem(plan, changes))
}

/// The key queries of a source for some of the key columns, for few and for many changes; None if changes, as captured, do not suffice
/// for them.
fn queries(
    definition: &Definition,
    source: &Source,
    same: &Source,
    columns: usize,
) -> Option<(Vec<String>, Vec<String>)> {
    let captured = source.captured();
    if !same.captured().is_subset(&captured) || plan::unreadable(definition.owner, same).is_some() {
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
