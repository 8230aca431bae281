//! Keys that cannot be recomputed: user code in a sandbox, failing keys isolated, failures classified, dead letters.

pub mod dead_letter;
pub mod isolate;
pub mod kinds;
pub mod sandbox;
