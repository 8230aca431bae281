//! `pg_tviews_retry`: dead keys are tried again immediately.

use pgrx::pg_sys;

use crate::catalog::definition;
use crate::catalog::owner::{by_whom, check_owner};
use crate::error::OrRaise;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Value};
use crate::refresh::audit::{self, Entry};
use crate::{capture, statement};

/// Requests that the dead keys of one TVIEW, or of all that the caller owns, are recomputed once the caller
/// has committed. Returns how many there are.
pub fn retry(name: Option<&str>) -> i64 {
    let definitions = match name {
        Some(name) => {
            let definition = definition::find(name).or_raise();
            check_owner(definition.tview).or_raise();
            vec![definition]
        }
        None => run_internal(definition::load_all)
            .into_iter()
            .filter(|definition| check_owner(definition.tview).is_ok())
            .collect(),
    };
    let mut total = 0;
    for definition in definitions {
        let keys: Vec<String> = run_internal(|| {
            spi::session(|| {
                let args = [(pg_sys::OIDOID, Value::of(definition.tview))];
                let rows = spi::run(&statement!("dead_letter_keys"), Access::Current, &args);
                (0..rows.len()).filter_map(|row| rows.get(row, 0)).collect()
            })
        });
        total += keys.len() as i64;
        if !keys.is_empty() {
            let mut entry = Entry::new(&definition.entity_name, definition.tview, "retry", audit::now());
            let mut details = by_whom();
            details["keys"] = keys.len().into();
            entry.details = Some(details);
            audit::add(entry);
            capture::request_refresh(definition.tview, Some(keys));
        }
    }
    total
}
