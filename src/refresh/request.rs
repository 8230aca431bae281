//! `pg_tviews_refresh`: keys a user wants recomputed, through the log like any change.

use super::named_key::change_key;
use crate::capture;
use crate::catalog::create::check_owner;
use crate::catalog::definition;
use crate::error::OrRaise;

/// Asks for these keys, or everything, to be recomputed once the caller commits. A key of several columns is
/// given as a JSON object.
pub fn request(name: &str, keys: Option<Vec<Option<String>>>) {
    let definition = definition::find(name).or_raise();
    check_owner(definition.tview).or_raise();
    let keys = keys.map(|keys| {
        keys.iter()
            .map(|key| change_key(&definition, key.as_deref()).or_raise())
            .collect()
    });
    capture::request_refresh(definition.tview, keys);
}
