//! Automatic conversion: `tv_*` tables with a `v_*` view or a `tb_*` table become TVIEWs.

use super::conversion_plan::{plan, Action, Step};
use super::create::{self, Request};
use super::{basic_view, patience};
use crate::catalog::entity::Entity;
use crate::postgres::{spi, transaction};

/// The outcome for one entity.
pub struct Outcome {
    pub entity: String,
    pub status: &'static str,
    pub message: String,
}

/// Carries out the steps of [`plan`]. A table that fails does not prevent the conversion of other tables. But
/// all locks are taken together or not at all. While the lock of one table is waited for, no other table
/// stays locked against writers.
pub fn convert(schema: &str) -> Vec<Outcome> {
    patience::patiently(
        || plan(schema),
        |steps| steps.into_iter().map(|step| convert_step(schema, step)).collect(),
    )
}

fn convert_step(schema: &str, step: Step) -> Outcome {
    let entity = Entity {
        schema: schema.to_string(),
        name: step.entity.clone(),
    };
    let (status, message) = if step.action == Action::Convert {
        attempt(&entity)
    } else {
        ("SKIP", step.reason)
    };
    Outcome {
        entity: step.entity,
        status,
        message,
    }
}

fn attempt(entity: &Entity) -> (&'static str, String) {
    match transaction::attempt(|| convert_one(entity)) {
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
        called: "pg_tviews_auto_convert",
    });
    message
}
