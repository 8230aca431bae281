//! What creation warns of: values in the view that can change without a change of a source. A row has them as
//! of its last recompute.

use std::collections::{BTreeMap, BTreeSet};

use pgrx::pg_sys::{self, Oid};
use pgrx::PgSqlErrorCode;

use crate::error::Problem;
use crate::lineage::policies;
use crate::postgres::query_tree::{Calls, Select};
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::{quote, relation};
use crate::refresh::plan::Plan;
use crate::statement;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Time,
    Volatile,
    Session,
    Names,
    Sample,
    Tables,
    Versions,
}

impl Kind {
    /// The kind that the statement `calls_not_followed` names.
    fn from_name(name: &str) -> Kind {
        match name {
            "time" => Kind::Time,
            "volatile" => Kind::Volatile,
            "session" => Kind::Session,
            _ => Kind::Tables,
        }
    }

    /// TVIEW x does not follow ...
    fn what(self) -> &'static str {
        match self {
            Kind::Time => "the passing of time",
            Kind::Volatile => "functions that may return something else each time",
            Kind::Session => "the reader's session or the state of the server",
            Kind::Names => "the reader's search_path",
            Kind::Sample => "random samples",
            Kind::Tables => "what functions may read from tables",
            Kind::Versions => "rows that are locked, or moved by VACUUM FULL and CLUSTER",
        }
    }

    fn detail(self) -> &'static str {
        match self {
            Kind::Names => {
                "Values of this type become text, or text becomes such a value, under the search_path of refreshes, pg_catalog: names have their schema."
            }
            Kind::Session => {
                "A row has the value that a worker found when it computed the row last, as the owner of the TVIEW."
            }
            _ => "A row has the value of the moment when it was computed last: when one of its sources changed.",
        }
    }

    fn hint(self, tview: &str) -> String {
        let refresh = format!("SELECT pg_tviews_refresh({});", quote::literal(tview));
        match self {
            Kind::Time => format!("Leave it to the queries that read the TVIEW, or call on a schedule: {refresh}"),
            Kind::Session => format!("Leave it to the queries that read the TVIEW, or call when it changes: {refresh}"),
            Kind::Names => {
                "Leave it to the queries that read the TVIEW, or write names with their schema where they are compared.".to_string()
            }
            Kind::Volatile | Kind::Sample | Kind::Versions => {
                "Leave it to the queries that read the TVIEW, or store the value in a table.".to_string()
            }
            Kind::Tables => format!(
                "Declare a function that reads none IMMUTABLE. Else name the column that points at its table in fk_columns of pg_tview_meta, or call when the table has changed: {refresh}"
            ),
        }
    }
}

/// Warns of such values in the backing view and in the views that it reads.
pub fn warn(plan: &Plan) {
    problems(plan).into_iter().for_each(Problem::warn);
}

/// A warning for each kind of such values.
pub fn problems(plan: &Plan) -> Vec<Problem> {
    let display = plan.definition.display();
    let problem = |(kind, names): (Kind, BTreeSet<String>)| {
        let names: Vec<String> = names.into_iter().collect();
        let message = format!(
            "TVIEW {display} does not follow {}: {}",
            kind.what(),
            names.join(", ")
        );
        Problem::new(PgSqlErrorCode::ERRCODE_WARNING, message)
            .detail(kind.detail())
            .hint(kind.hint(&display))
    };
    find(plan).into_iter().map(problem).collect()
}

/// What the view calls that can change without a change of a source.
pub fn names(plan: &Plan) -> Vec<String> {
    find(plan).into_values().flatten().collect()
}

/// What a query calls, and the views that it reads call, that can change without a change of a source: a sentence.
/// None if there is nothing of that kind.
pub fn of_query(query: Select, views: impl IntoIterator<Item = Oid>) -> Option<String> {
    let of_views = views.into_iter().map(Select::of_view);
    let mut found: BTreeMap<Kind, BTreeSet<String>> = BTreeMap::new();
    for query in [query].into_iter().chain(of_views) {
        for (kind, name) in named(&query.calls()) {
            found.entry(kind).or_default().insert(name);
        }
    }
    let (kind, names) = found.into_iter().next()?;
    let names: Vec<String> = names.into_iter().collect();
    Some(format!(
        "a TVIEW does not follow {}: {}",
        kind.what(),
        names.join(", ")
    ))
}

fn find(plan: &Plan) -> BTreeMap<Kind, BTreeSet<String>> {
    let mut found: BTreeMap<Kind, BTreeSet<String>> = BTreeMap::new();
    for view in plan.view_oids() {
        let place = if plan.lineage.root_view == Some(view) {
            String::new()
        } else {
            format!(" in {}", relation::display(view))
        };
        for (kind, name) in named(&Select::of_view(view).calls()) {
            found.entry(kind).or_default().insert(format!("{name}{place}"));
        }
    }
    for source in &plan.lineage.sources {
        let conditions = spi::session(|| policies::of(source.relation, &plan.readers()));
        for condition in conditions {
            let place = format!(" in a policy of {}", relation::display(source.relation));
            let read = named(&condition.calls).into_iter();
            for (kind, name) in read.filter(|(kind, _)| *kind == Kind::Tables) {
                found.entry(kind).or_default().insert(format!("{name}{place}"));
            }
        }
        // Only an update gives a row another xmin.
        for column in source.versions.iter().filter(|name| *name != "xmin") {
            let name = format!("{column} of {}", relation::display(source.relation));
            found.entry(Kind::Versions).or_default().insert(name);
        }
    }
    found
}

fn named(calls: &Calls) -> Vec<(Kind, String)> {
    let mut named = Vec::new();
    named.extend(calls.times.iter().map(|name| (Kind::Time, name.to_string())));
    named.extend(calls.session.iter().map(|name| (Kind::Session, name.to_string())));
    named.extend(calls.names.iter().map(|name| (Kind::Names, name.to_string())));
    if calls.samples {
        named.push((Kind::Sample, "TABLESAMPLE".to_string()));
    }
    let functions: Vec<Oid> = calls.functions.iter().map(|oid| Oid::from(*oid)).collect();
    run_internal(|| {
        spi::session(|| {
            let rows = spi::run(
                &statement!("calls_not_followed"),
                Access::Current,
                &[(pg_sys::OIDARRAYOID, Value::of(functions))],
            );
            for row in 0..rows.len() {
                if let (Some(name), Some(kind)) = (rows.get(row, 1), rows.get::<String>(row, 2)) {
                    named.push((Kind::from_name(&kind), name));
                }
            }
        })
    });
    named
}
