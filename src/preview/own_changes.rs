//! Changes of the running transaction as key queries take them.

use std::ffi::CString;

use crate::capture::change_history::Changes;
use crate::postgres::process::memory;
use crate::postgres::spi::Value;
use crate::queue::read::Pending;

/// The changes of each source, in the current memory context.
pub fn pending(changes: &Changes) -> Vec<Pending> {
    changes
        .sources
        .iter()
        .map(|source| {
            memory::room(source.keys.as_ref().map_or(0, Vec::len));
            // Key text holds no NUL byte: PostgreSQL's text types cannot.
            let keys = source.keys.as_ref().and_then(|keys| CString::new(&keys[..]).ok());
            Pending {
                origins: None,
                source: source.source.into(),
                requested: false,
                all_keys: keys.is_none(),
                keys: keys.as_deref().map_or(Value::NULL, Value::jsonb_array),
                changes: source.count as i64,
                oldest: None,
                oldest_xid: None,
                largest: None,
            }
        })
        .collect()
}
