//! Advice: the indexes that are missing for a key query, and for recomputing one row, to read a few rows
//! only.

use pgrx::pg_sys::{self, Oid};
use pgrx::JsonB;

use super::examine::{Examination, Found, Verdict};
use super::plans;
use super::subject::Subject;
use crate::error::Caught;
use crate::lineage::{KeyQuery, Lookup, Occurrence, Source, Strategy};
use crate::postgres::hooks::hypothetical_index::HypotheticalIndex;
use crate::postgres::query_tree::Method;
use crate::postgres::spi::Value;
use crate::postgres::{inheritance, relation};
use crate::refresh::plan::sql::Reach;

/// Statements to run, and sentences.
#[derive(Debug, Clone, Default)]
pub struct Advice {
    statements: Vec<String>,
    sentences: Vec<String>,
}

impl Advice {
    pub fn not_checked(reason: &str) -> Advice {
        Advice {
            sentences: vec![format!("Not checked with the planner: {reason}.")],
            ..Advice::default()
        }
    }

    fn failed(subject: &Subject, error: &Caught) -> Advice {
        if subject.sees_errors {
            return Advice::not_checked(&error.message);
        }
        let sqlstate = error.sqlstate();
        Advice::not_checked(&format!("an error, SQLSTATE {sqlstate}, that its owner can see"))
    }

    pub fn say(&mut self, sentence: String) {
        if !self.sentences.contains(&sentence) {
            self.sentences.push(sentence);
        }
    }

    /// Statements first; sentences after them as a comment, so that all of it can be pasted.
    pub fn text(&self) -> Option<String> {
        let sentences = self.sentences.join(" ");
        match (self.statements.is_empty(), sentences.is_empty()) {
            (true, true) => None,
            (true, false) => Some(sentences),
            (false, true) => Some(self.statements.join(" ")),
            (false, false) => Some(format!("{} -- {sentences}", self.statements.join(" "))),
        }
    }

    fn add(&mut self, verdict: &Verdict, sentence: impl Fn(Oid) -> String) {
        for statement in verdict.used.iter().filter_map(|index| index.statement()) {
            if !self.statements.contains(&statement) {
                self.statements.push(statement);
            }
        }
        verdict
            .full
            .iter()
            .for_each(|found| self.say(sentence(found.table)));
    }
}

/// Advice for each occurrence. As the reader of the sources, inside an SPI session.
pub fn advise(subject: &Subject) -> Vec<Advice> {
    let occurrences = subject.occurrences();
    let is_keyed = |source: &Source| {
        let mut all = source.occurrences.iter();
        all.all(|occurrence| matches!(occurrence.strategy, Strategy::Keyed(_)))
    };
    let mut advice: Vec<Advice> = occurrences
        .iter()
        .map(|(source, occurrence)| {
            if is_keyed(source) {
                key_queries(subject, occurrence)
            } else {
                Advice::default()
            }
        })
        .collect();
    if !occurrences.iter().any(|(source, _)| is_keyed(source)) {
        // Rows are never recomputed one by one.
        return advice;
    }
    match recompute(subject, &occurrences) {
        Ok(found) => {
            for (at, verdict) in found {
                advice[at].add(&verdict, |table| {
                    format!(
                        "Recomputing one row reads all of {}: the key is not pushed down to it.",
                        relation::display(table)
                    )
                });
            }
        }
        Err(caught) => {
            let not_checked = Advice::failed(subject, &caught);
            for each in &mut advice {
                not_checked
                    .sentences
                    .iter()
                    .for_each(|sentence| each.say(sentence.clone()));
            }
        }
    }
    advice
}

fn key_queries(subject: &Subject, occurrence: &Occurrence) -> Advice {
    let mut advice = Advice::default();
    let Strategy::Keyed(queries) = &occurrence.strategy else {
        return advice;
    };
    for query in queries {
        match key_query(query, queries) {
            Ok(verdict) => {
                advice.add(&verdict, |table| {
                    format!(
                        "The key query reads all of {}: no index would serve its condition.",
                        relation::display(table)
                    )
                });
                for found in &verdict.many {
                    advice.say(format!(
                        "The key query finds more than a tenth of {} for one change: no index would help.",
                        relation::display(found.table)
                    ));
                }
            }
            Err(caught) => Advice::failed(subject, &caught)
                .sentences
                .into_iter()
                .for_each(|sentence| advice.say(sentence)),
        }
    }
    advice
}

/// `all`: the key queries of the same occurrence. An index for one may also serve conditions of another.
fn key_query(query: &KeyQuery, all: &[KeyQuery]) -> Result<Verdict, Caught> {
    let no_changes = Value::of(vec![JsonB(serde_json::json!([]))]);
    let examination = Examination {
        explain: format!("EXPLAIN (VERBOSE, FORMAT JSON) {}", query.few),
        recomputes: false,
        parameters: vec![(pg_sys::JSONBARRAYOID, no_changes)],
    };
    examination.examine(|found| {
        let lookups = all.iter().flat_map(|query| &query.lookups);
        indexes(found, lookups.filter(|lookup| lookup.place > 0))
    })
}

/// What recomputing one row reads in full, by the position of the occurrence that reports it.
fn recompute(
    subject: &Subject,
    occurrences: &[(&Source, &Occurrence)],
) -> Result<Vec<(usize, Verdict)>, Caught> {
    let examination = Examination {
        explain: subject.shape.explain(Reach::EachKey),
        recomputes: true,
        parameters: Vec::new(),
    };
    let verdict = examination.examine(|found| {
        let queries = occurrences
            .iter()
            .filter_map(|(_, occurrence)| match &occurrence.strategy {
                Strategy::Keyed(queries) => Some(queries),
                Strategy::Full { .. } => None,
            });
        let lookups = queries.flatten().flat_map(|query| &query.lookups);
        indexes(found, lookups.filter(|lookup| lookup.place == 0))
    })?;
    let reported_at = |table: Oid, alias: Option<&str>| {
        let of_table = |(source, _): &(&Source, &Occurrence)| source.relation == table;
        let named = |(_, occurrence): &(&Source, &Occurrence)| {
            occurrence.label.rsplit('.').next() == alias.map(plans::without_number)
        };
        let both = occurrences.iter().position(|each| of_table(each) && named(each));
        both.or_else(|| occurrences.iter().position(of_table))
    };
    let used = verdict.used.into_iter().filter_map(|index| {
        let alias = verdict.found.iter().find(|found| found.table == index.table);
        let at = reported_at(index.table, alias.map(|found| found.alias.as_str()))?;
        let used = vec![index];
        Some((
            at,
            Verdict {
                used,
                ..Verdict::default()
            },
        ))
    });
    let full = verdict.full.into_iter().filter_map(|found| {
        let at = reported_at(found.table, Some(&found.alias))?;
        let full = vec![found];
        Some((
            at,
            Verdict {
                full,
                ..Verdict::default()
            },
        ))
    });
    Ok(used.chain(full).collect())
}

/// The indexes that these lookups could use, on tables that are read in full. For each occurrence: one on all
/// columns that are compared for equality, and one for each condition alone.
fn indexes<'a>(found: &[Found], lookups: impl Iterator<Item = &'a Lookup>) -> Vec<HypotheticalIndex> {
    let lookups: Vec<&Lookup> = lookups.collect();
    let mut indexes: Vec<HypotheticalIndex> = Vec::new();
    for table in found.iter().map(|found| found.table) {
        let is_of =
            |lookup: &&&Lookup| lookup.table == table || inheritance::children(lookup.table).contains(&table);
        for lookup in lookups.iter().filter(is_of) {
            let beside = |other: &&&Lookup| {
                (other.place, other.table) == (lookup.place, lookup.table) && other.column.equality
            };
            let equal: Vec<_> = lookups
                .iter()
                .filter(beside)
                .map(|other| other.column.clone())
                .collect();
            for (method, columns) in [
                (lookup.column.method, vec![lookup.column.clone()]),
                (Method::Btree, equal),
            ] {
                let index = HypotheticalIndex {
                    table,
                    method,
                    columns,
                };
                if !index.columns.is_empty() && !indexes.contains(&index) {
                    indexes.push(index);
                }
            }
        }
    }
    indexes
}
