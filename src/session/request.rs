//! `pg_tviews_refresh`: keys a user wants recomputed, through the log like any change.

use super::named_key::change_keys;
use crate::capture;
use crate::catalog::definition;
use crate::catalog::owner::check_owner;
use crate::error::OrRaise;

/// Asks for these keys, or everything, to be recomputed once the caller commits. A key of several columns is
/// given as a JSON object.
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
