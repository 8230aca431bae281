//! The analysis: every combination of a view is laid flat, and the ways from each occurrence to the key are
//! written as key queries.

use pgrx::pg_sys::Oid;

use super::combinations::{self, Combinations};
use super::effort::Effort;
use super::follow::{self, Follow};
use super::gathered::Gathered;
use super::graph::Node;
use super::shorten::Way;
use super::source::Lineage;
use super::ties::{self, KnownKeys};
use super::unfold::{self, Rows, Unfolded, ViewQueries};
use super::{key, key_query};
use crate::error::Problem;
use crate::postgres::query_tree::{Expr, Select};
use crate::postgres::recursion;

/// More ways than this are not written as key queries: planning those would cost more than recomputing the
/// view.
const MAX_WAYS: usize = 500;
/// Steps of effort for each table in a key query: it is parsed, analysed and written.
const STEPS_PER_TABLE: usize = 200;

/// Analyses a query whose key is in the output columns named `key`.
pub fn analyse(query: Select, key: &[String]) -> Result<Lineage, Problem> {
    let query = query.with_virtual_columns();
    let effort = Effort::new(recursion::step);
    let mut analysis = Analysis {
        query,
        key,
        effort: &effort,
        ways: 0,
        gathered: Gathered::default(),
    };
    let mut combinations = Combinations::default();
    let views = ViewQueries::default();
    let keys = KnownKeys::default();
    for _ in 0..combinations::LIMIT {
        let mut flat = unfold::unfold(query, &mut combinations, &effort, &views)?;
        flat.ties = ties::ties(&flat, &keys, &effort);
        analysis.combination(&flat);
        if let Some(reason) = effort.given_up() {
            return analysis.all_full(reason);
        }
        if analysis.ways > MAX_WAYS {
            break;
        }
        if !combinations.advance() {
            return Ok(analysis.gathered.into_lineage());
        }
    }
    analysis.all_full("the view has too many combinations of UNION branches, windows and alternatives")
}

struct Analysis<'a> {
    query: Select,
    key: &'a [String],
    effort: &'a Effort,
    /// Ways written as key queries so far.
    ways: usize,
    gathered: Gathered,
}

impl Analysis<'_> {
    /// Every change recomputes the whole view.
    fn all_full(mut self, reason: &str) -> Result<Lineage, Problem> {
        self.gathered.all_full(self.query, reason)?;
        Ok(self.gathered.into_lineage())
    }

    fn combination(&mut self, flat: &Unfolded) {
        if self.effort.given_up().is_some() {
            return;
        }
        self.gathered.watch(&flat.watched);
        self.gathered.views(flat.views.iter().copied());
        for (label, relation, reason) in &flat.unfollowed {
            self.gathered.occurrence(label, *relation, true);
            let reason = format!("{reason} around it");
            self.gathered.full_in_any_case(label, *relation, reason);
        }
        let unmatched = key::unmatched(self.query, flat, self.key);
        self.gathered.unmatched(unmatched);
        let keys = key::alternatives(self.query, flat, self.key);
        for (node, occurrence) in flat.occurrences.iter().enumerate() {
            let Rows::Table { oid, with_children } = occurrence.rows else {
                continue;
            };
            self.gathered.occurrence(&occurrence.label, oid, with_children);
            if keys.is_none() {
                let hidden = "the key's value hides the row it comes from".to_string();
                self.full(flat, node, obstacle(flat, node).unwrap_or(hidden));
            }
        }
        for alternative in keys.unwrap_or_default() {
            if self.ways > MAX_WAYS || !self.key_alternative(flat, &alternative) {
                return;
            }
        }
    }

    /// Follows every occurrence to one of the values the key can be; false once the effort or the ways are
    /// used up.
    fn key_alternative(&mut self, flat: &Unfolded, alternative: &[Expr]) -> bool {
        for (node, followed) in follow::follow(flat, alternative, self.effort) {
            match followed {
                Follow::Keyed(followed) => {
                    for way in followed.ways.iter().chain(&followed.through_table) {
                        let affordable = self.effort.spend(STEPS_PER_TABLE * way.path.steps.len());
                        if !affordable || self.ways > MAX_WAYS {
                            return false;
                        }
                        self.key_query(flat, node, way);
                    }
                }
                Follow::NoWay => self.full(flat, node, no_way(flat, node)),
                Follow::Circle => {
                    let reason = "it and another source can only be followed to the key through each other";
                    self.full(flat, node, reason.to_string());
                }
            }
        }
        true
    }

    fn key_query(&mut self, flat: &Unfolded, node: Node, way: &Way) {
        self.ways += 1;
        let Some((label, oid)) = table(flat, node) else {
            return;
        };
        match key_query::build(flat, oid, way, self.key) {
            Some(query) => self.gathered.key_query(label, oid, query),
            None => {
                let reason = "its conditions cannot be written as a key query".to_string();
                self.gathered.full(label, oid, reason);
            }
        }
    }

    fn full(&mut self, flat: &Unfolded, node: Node, reason: String) {
        if let Some((label, oid)) = table(flat, node) {
            self.gathered.full(label, oid, reason);
        }
    }
}

/// Label and table of an occurrence; None: it is a function.
fn table(flat: &Unfolded, node: Node) -> Option<(&str, Oid)> {
    let occurrence = &flat.occurrences[node];
    match occurrence.rows {
        Rows::Table { oid, .. } => Some((&occurrence.label, oid)),
        Rows::Functions { .. } => None,
    }
}

fn no_way(flat: &Unfolded, node: Node) -> String {
    obstacle(flat, node)
        .unwrap_or_else(|| "no join or correlation condition leads from it to the key".to_string())
}

/// What stands around an occurrence and keeps its changes from being followed.
fn obstacle(flat: &Unfolded, node: Node) -> Option<String> {
    let obstacle = flat.occurrences[node].obstacles.last()?;
    Some(format!("{obstacle} around it"))
}
