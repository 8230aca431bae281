//! `pg_tviews_explain`: how changes of each source are followed, and which indexes are missing for that to be
//! cheap.
//!
//! ```text
//! name or query -> subject (lineage, statements) -> one row per occurrence
//!                        plans -> examine (the planner) -> advice -^
//! ```

mod advice;
mod examine;
pub mod lint;
mod plans;
mod running;
mod subject;

use pgrx::pg_sys::Oid;

use crate::error::Problem;
use crate::lineage::{KeyQuery, Occurrence, Source, Strategy};
use crate::postgres::run_as::run_restricted;
use crate::postgres::{named, relation, role, spi};
use advice::Advice;
use running::Aggregates;
use subject::Subject;

/// One occurrence of a source.
pub struct Row {
    pub source: Oid,
    pub strategy: &'static str,
    pub captured_columns: Vec<String>,
    pub key_query: Option<String>,
    pub reason: Option<String>,
    pub advice: Option<String>,
    pub running_aggregates: Option<String>,
}

/// Explains a TVIEW, a view that could become one, or a query. Creates nothing. `key`: the key columns to use
/// in place of those that pg_tviews_create would choose.
pub fn explain(name_or_query: &str, key: Option<Vec<String>>) -> Result<Vec<Row>, Problem> {
    let subject = subject::read(name_or_query, key)?;
    let (mut advice, running) = match &subject.permit {
        Err(reason) => (
            vec![Advice::not_checked(reason); subject.occurrences().len()],
            Aggregates::default(),
        ),
        Ok(permit) => run_restricted(*permit, &subject.settings, || {
            named::within(&subject.named, || {
                spi::session(|| (advice::advise(&subject), Aggregates::of(&subject)))
            })
        }),
    };
    let rows = subject
        .occurrences()
        .into_iter()
        .zip(&mut advice)
        .map(|((source, occurrence), advice)| row(&subject, source, occurrence, advice, &running));
    Ok(rows.collect())
}

fn row(
    subject: &Subject,
    source: &Source,
    occurrence: &Occurrence,
    advice: &mut Advice,
    running: &Aggregates,
) -> Row {
    let unreadable = source.unreadable_by(subject.reader).map(|table| {
        format!(
            "the owner {} may not read {}, which its key query reads",
            role::name(subject.reader),
            relation::display(table)
        )
    });
    let (key_query, reason) = match (&occurrence.strategy, unreadable) {
        (Strategy::Full { reason }, _) => (None, Some(reason.clone())),
        (Strategy::Keyed(_), Some(reason)) => (None, Some(reason)),
        (Strategy::Keyed(queries), None) => {
            // Key queries that find keys by the rows of the table are left out while there is no table.
            let all = |query: &&KeyQuery| query.columns.len() == subject.shape.key.len();
            let shown: Vec<String> = queries
                .iter()
                .filter(|query| all(query) || !subject.shape.table.is_empty())
                .map(|query| subject.shape.whole_keys(&query.columns, &query.shown))
                .collect();
            (Some(shown.join(" UNION ")), None)
        }
    };
    let other = source
        .occurrences
        .iter()
        .find(|other| matches!(other.strategy, Strategy::Full { .. }));
    if let (Some(other), true) = (other, key_query.is_some()) {
        advice.say(format!(
            "Every change of {} recomputes the whole view, because of its occurrence as {}.",
            relation::display(source.relation),
            other.label
        ));
    }
    Row {
        source: source.relation,
        strategy: if key_query.is_some() { "keyed" } else { "full" },
        captured_columns: match key_query {
            Some(_) => occurrence.captured.iter().cloned().collect(),
            None => Vec::new(),
        },
        key_query,
        reason,
        advice: advice.text(),
        running_aggregates: running.text(source.relation, &occurrence.label),
    }
}
