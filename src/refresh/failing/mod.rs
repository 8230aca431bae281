//! Keys that cannot be recomputed: view code runs in a sandbox, failures are classified, failing keys are
//! isolated and kept for a retry.

pub mod classes;
mod dead_keys;
pub mod dead_letter;
pub mod isolate;
pub mod record;
pub mod sandbox;
pub mod search_path_hint;
pub mod skip;
