//! `pg_tview_dead_letter`: keys that fail alone, and when each is retried.

use pgrx::pg_sys::{self, Oid};

use crate::error::Caught;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::transaction;
use crate::refresh::plan::key::Key;
use crate::refresh::plan::Plan;
use crate::{settings, statement};

/// A key that fails alone.
pub struct Failed {
    pub key: Key,
    pub error: Caught,
}

/// The dead keys of one TVIEW.
#[derive(Default)]
pub struct DeadKeys {
    pub all: Vec<Key>,
    /// The keys that are due for a retry.
    pub due: Vec<Key>,
    /// When the first key is to be retried, in microseconds since 2000.
    pub next_retry_at: Option<i64>,
}

/// The dead keys of a TVIEW. Inside an SPI session.
pub fn read(plan: &Plan) -> DeadKeys {
    let rows = run_internal(|| {
        let args = [(pg_sys::OIDOID, Value::of(plan.definition.tview))];
        spi::run(&statement!("dead_letter_read"), Access::Snapshot, &args)
    });
    DeadKeys {
        all: keys_in(plan, rows.value(0, 0)),
        due: keys_in(plan, rows.value(0, 1)),
        next_retry_at: rows.get(0, 2),
    }
}

/// The keys in objects (`jsonb[]`) that [`add`] wrote; none if the key of the view has another type by now.
/// Inside an SPI session.
pub fn keys_in(plan: &Plan, objects: Value) -> Vec<Key> {
    transaction::attempt(|| plan.on_keys(|| plan.requested.keys(&plan.shape, objects))).unwrap_or_default()
}

/// When the first dead key of a TVIEW is to be retried, in microseconds since 2000.
pub fn next_retry_at(tview: Oid) -> Option<i64> {
    run_internal(|| {
        let args = [(pg_sys::OIDOID, Value::of(tview))];
        spi::run(&statement!("dead_letter_read"), Access::Current, &args).get(0, 2)
    })
}

/// Adds keys, or counts one more failed attempt. The statement computes the pause before the next one.
pub fn add(plan: &Plan, failed: &[Failed]) {
    let definition = &plan.definition;
    run_internal(|| {
        for failed in failed {
            let object = plan.key_object(&failed.key);
            spi::run(
                &statement!("dead_letter_add"),
                Access::Current,
                &[
                    (pg_sys::TEXTOID, Value::of(definition.entity_name.as_str())),
                    (pg_sys::OIDOID, Value::of(definition.tview)),
                    (pg_sys::TEXTOID, Value::of(object)),
                    (pg_sys::TEXTOID, Value::of(failed.error.sqlstate())),
                    (pg_sys::TEXTOID, Value::of(failed.error.message.as_str())),
                    (
                        pg_sys::FLOAT8OID,
                        Value::of(settings::retry_backoff().as_secs_f64()),
                    ),
                    (pg_sys::INT4OID, Value::of(settings::retry_limit() as i32)),
                    (pg_sys::FLOAT8OID, Value::of(minimum_pause(&failed.error))),
                ],
            );
        }
    });
}

/// The minimum pause before the next attempt, in seconds. Each attempt at a key that takes too long delays
/// all other keys of the TVIEW: such attempts take no more than a tenth of the time.
fn minimum_pause(error: &Caught) -> f64 {
    if error.is_cancel() {
        10.0 * settings::refresh_timeout().as_secs_f64()
    } else {
        0.0
    }
}

/// Removes keys that could be recomputed.
pub fn remove(plan: &Plan, keys: Vec<Key>) {
    if keys.is_empty() {
        return;
    }
    let objects: Vec<String> = keys.iter().map(|key| plan.key_object(key)).collect();
    run_internal(|| {
        let args = [
            (pg_sys::OIDOID, Value::of(plan.definition.tview)),
            (pg_sys::TEXTARRAYOID, Value::of(objects)),
        ];
        spi::run(&statement!("dead_letter_remove"), Access::Current, &args);
    });
}

/// Removes all keys of a TVIEW. Inside an SPI session.
pub fn clear(tview: Oid) {
    run_internal(|| {
        let args = [(pg_sys::OIDOID, Value::of(tview))];
        spi::run(&statement!("dead_letter_clear"), Access::Current, &args);
    });
}
