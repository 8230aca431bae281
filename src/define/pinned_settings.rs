//! Settings that refreshes of a TVIEW use as they were when the TVIEW was created.

use pgrx::pg_sys;

use crate::postgres::row_settings::PINNED;
use crate::postgres::spi::{self, Access, Value};

/// Names and values of the settings as they are in this session. Inside an SPI session.
pub fn of_session() -> Vec<(String, String)> {
    PINNED
        .iter()
        .filter_map(|(name, _)| {
            let sql = "SELECT pg_catalog.current_setting($1, true)";
            let value = spi::run(sql, Access::Current, &[(pg_sys::TEXTOID, Value::of(*name))]);
            // A setting is empty while the library that defines it is not loaded.
            let value = value.one::<String>().filter(|value| !value.is_empty())?;
            Some((name.to_string(), value))
        })
        .collect()
}
