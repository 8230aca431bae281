//! `pg_tviews_check`: the rows in which a tv table differs from its view, in the snapshot of this moment.

use super::rights::check_reader;
use crate::catalog::definition;
use crate::error::Problem;
use crate::postgres::collected::Collected;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi;
use crate::postgres::transaction::with_latest_snapshot;
use crate::refresh::plan;
use crate::refresh::plan::key::key_values;
use crate::refresh::plan::sql::Reach;

/// Rows that differ: key as a JSON object, and `missing`, `extra` or `different`.
pub fn differences(name: &str) -> Result<Collected<2>, Problem> {
    let definition = definition::find(name)?;
    check_reader(&definition)?;
    let plan = match plan::kept(definition.tview) {
        Some(plan) => plan,
        None => run_internal(|| plan::prepare(definition))?,
    };
    Ok(with_latest_snapshot(|| {
        plan.as_owner(|| {
            spi::session(|| {
                let mut found = Collected::default();
                spi::stream_once(&plan.shape.check(Reach::Everything), &[], |rows| {
                    for row in 0..rows.len() {
                        let key = key_values(&plan.shape, rows, row, 1);
                        let texts: Vec<Option<&str>> = key.iter().map(Option::as_deref).collect();
                        let problem = rows.get::<String>(row, 0);
                        found.push([Some(&plan.key_object_of(&texts)), problem.as_deref()]);
                    }
                    true
                });
                found
            })
        })
    }))
}
