//! Automatic conversion: `tv_*` tables with a `v_*` view or a `tb_*` table, and materialized views, become TVIEWs.

use super::conversion_plan::{plan, Action, Step};
use super::create::{self, Made, Request, Triggers};
use super::{basic_view, convert_materialized, patience};
use crate::catalog::entity::Entity;
use crate::catalog::key_choice::has_unique_index;
use crate::postgres::{spi, transaction};
use crate::settings;

/// The outcome for one entity.
pub struct Outcome {
    pub entity: String,
    pub status: &'static str,
    pub message: String,
}

/// Carries out the steps of [`plan`]. A table that fails does not prevent the conversion of other tables.
///
/// However many there are, no table stays locked against writers meanwhile, but for tv tables that get a
/// unique index. These come last, and their locks are taken together or not at all.
pub fn convert(schema: &str) -> Vec<Outcome> {
    let convert_all = |steps: &[(usize, Step)]| -> Vec<(usize, Outcome)> {
        let steps = steps.iter();
        steps
            .map(|(place, step)| (*place, convert_step(schema, step)))
            .collect()
    };
    let (last, mut outcomes) = patience::patiently(
        || plan(schema),
        |steps| {
            let steps = steps.into_iter().enumerate();
            let (last, first): (Vec<_>, Vec<_>) = steps.partition(|(_, step)| gets_index(schema, step));
            (last, convert_all(&first))
        },
    );
    outcomes.extend(patience::patiently(|| (), |()| convert_all(&last)));
    outcomes.sort_by_key(|(place, _)| *place);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

fn convert_step(schema: &str, step: &Step) -> Outcome {
    let (status, message) = if step.action == Action::Convert {
        attempt(schema, step)
    } else {
        ("SKIP", step.reason.clone())
    };
    Outcome {
        entity: step.entity.clone(),
        status,
        message,
    }
}

fn entity(schema: &str, step: &Step) -> Entity {
    Entity {
        schema: schema.to_string(),
        name: step.entity.clone(),
    }
}

/// Whether the conversion creates a unique index on the key.
fn gets_index(schema: &str, step: &Step) -> bool {
    let entity = entity(schema, step);
    let table = entity.find(&entity.table());
    let key = step
        .key_columns
        .as_ref()
        .filter(|_| step.action == Action::Convert);
    table
        .zip(key)
        .is_some_and(|(table, key)| !has_unique_index(table, key))
}

fn attempt(schema: &str, step: &Step) -> (&'static str, String) {
    let convert = || match (&step.materialized, &step.key_columns) {
        (Some(from), Some(key)) => convert_materialized::convert(from, key),
        _ => convert_one(&entity(schema, step)),
    };
    match transaction::attempt(convert) {
        Ok(message) => ("SUCCESS", message),
        Err(caught) if patience::ends_attempt(&caught) => caught.raise(),
        Err(caught) => {
            let hint = caught.hint.as_ref().map(|hint| format!(" HINT: {hint}"));
            let message = format!(
                "{} ({}){}",
                caught.message,
                caught.sqlstate(),
                hint.unwrap_or_default()
            );
            ("ERROR", message)
        }
    }
}

/// Creates the TVIEW; returns a message for the user.
fn convert_one(entity: &Entity) -> String {
    let table = entity.qualified(&entity.table());
    let view = entity.qualified(&entity.view());
    let query = spi::session(|| match entity.find(&entity.view()) {
        Some(_) => None,
        None => Some(basic_view::query(entity)),
    });
    let message = if query.is_some() {
        format!("{table} follows the new view {view}")
    } else {
        format!("{table} follows the view {view}")
    };
    create::create(Request {
        name: table,
        query,
        max_latency: None,
        key_columns: None,
        allow_full: settings::allow_full(),
        called: "pg_tviews_auto_convert",
        triggers: Triggers::ByWorker,
        statement: None,
        made: Made::default(),
    });
    message
}
