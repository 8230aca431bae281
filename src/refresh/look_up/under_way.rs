//! How far a look-up in parts is.

use std::collections::HashMap;

use pgrx::pg_sys::Oid;

use super::changes::Changes;
use super::part_size::PartSize;
use crate::queue::position::Position;
use crate::refresh::audit::Entry;
use crate::refresh::keys::Keys;
use crate::refresh::news::News;

/// Changes whose keys are looked up in parts.
pub struct LookUp {
    pub changes: Changes,
    /// All changes that this snapshot sees are read.
    pub seen: Position,
    pub keys: Keys,
    pub maximum_keys: usize,
    pub maximum_changes: i64,
    /// Of the parts of each source.
    pub sizes: HashMap<Oid, PartSize>,
    pub entry: Entry,
    pub before: Option<Position>,
    pub news: News,
}
