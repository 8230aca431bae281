//! `pg_tviews_refresh`: requests to recompute keys. They go through the queue like any change.

use super::named_key::change_keys;
use crate::capture;
use crate::catalog::definition;
use crate::catalog::owner::check_owner;
use crate::error::OrRaise;

/// Requests that these keys, or all rows, are recomputed once the caller has committed. A key of several
/// columns is given as a JSON object.
pub fn request(name: &str, keys: Option<&[Option<&str>]>) {
    let definition = definition::find(name).or_raise();
    let tview = definition.tview;
    check_owner(tview).or_raise();
    match keys {
        None => capture::request_refresh(tview, None),
        Some(keys) => change_keys(&definition, keys, |keys| {
            capture::request_refresh(tview, Some(keys));
        })
        .or_raise(),
    }
}
