//! Whether reading keys runs code of users. Keys are read without their domains, but a domain may be inside a
//! type.

use pgrx::pg_sys;

use crate::postgres::key_type::KeyType;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Value};
use crate::statement;

/// Whether reading texts as values of these types evaluates CHECK constraints of domains.
pub fn runs<'a>(types: impl Iterator<Item = &'a KeyType>) -> bool {
    let of_users: Vec<pg_sys::Oid> = types
        .map(KeyType::base)
        .filter(|base| base.to_u32() >= pg_sys::FirstNormalObjectId)
        .collect();
    if of_users.is_empty() {
        return false;
    }
    let types = [(pg_sys::OIDARRAYOID, Value::of(of_users))];
    run_internal(|| spi::session(|| spi::run(&statement!("domains_inside"), Access::Snapshot, &types).one()))
        .unwrap_or(true)
}
