//! Wait events with names of their own, where the server knows such names.

use std::ffi::CStr;

use super::transaction;
use super::versions::wait_event;

/// The number of the wait event of that name; that of any extension, if the server has no room for the name.
/// Inside a transaction.
pub fn named(name: &CStr) -> u32 {
    transaction::attempt(|| wait_event::named(name)).unwrap_or(wait_event::UNNAMED)
}
