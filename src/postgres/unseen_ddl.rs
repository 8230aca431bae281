//! DDL of the extension on tables that nobody but the extension knows: event triggers do not fire, and other libraries are not
//! asked.

use std::ffi::CString;

use pgrx::pg_sys::{self, Oid};

/// Runs one statement. With the rights of the current role, inside a transaction with a snapshot.
pub fn run(sql: &str) {
    let text = CString::new(sql).expect("SQL text has no NUL byte");
    // SAFETY: the parser returns a list of one statement, in memory of the current context. The wrapper is what PostgreSQL
    // makes of it. As a part of another command, which it says it is, it fires no event triggers. The text outlives the call.
    unsafe {
        let list = pg_sys::raw_parser(text.as_ptr(), pg_sys::RawParseMode::RAW_PARSE_DEFAULT);
        let raw = (*(*list).elements).ptr_value.cast::<pg_sys::RawStmt>();
        let statement = pg_sys::palloc0(size_of::<pg_sys::PlannedStmt>()).cast::<pg_sys::PlannedStmt>();
        (*statement).type_ = pg_sys::NodeTag::T_PlannedStmt;
        (*statement).commandType = pg_sys::CmdType::CMD_UTILITY;
        (*statement).utilityStmt = (*raw).stmt;
        (*statement).stmt_location = -1;
        pg_sys::standard_ProcessUtility(
            statement,
            text.as_ptr(),
            false,
            pg_sys::ProcessUtilityContext::PROCESS_UTILITY_SUBCOMMAND,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            pg_sys::None_Receiver,
            std::ptr::null_mut(),
        );
        pg_sys::CommandCounterIncrement();
    }
}

/// Drops a table, also one of an extension. An error if other objects depend on it. The caller holds its lock, and has checked that
/// it may.
pub fn drop_table(table: Oid) {
    let address = pg_sys::ObjectAddress {
        classId: pg_sys::RelationRelationId,
        objectId: table,
        objectSubId: 0,
    };
    let flags = pg_sys::PERFORM_DELETION_INTERNAL | pg_sys::PERFORM_DELETION_SKIP_EXTENSIONS;
    // SAFETY: an ordinary deletion inside a transaction, under the lock that it needs; the address outlives the call.
    unsafe {
        pg_sys::performDeletion(&address, pg_sys::DropBehavior::DROP_RESTRICT, flags as i32);
        pg_sys::CommandCounterIncrement();
    }
}

/// The table of this name in a schema.
pub fn find(name: &str, schema: Oid) -> Option<Oid> {
    let name = CString::new(name).ok()?;
    // SAFETY: a cache lookup by a NUL-terminated name, inside a transaction.
    let oid = unsafe { pg_sys::get_relname_relid(name.as_ptr(), schema) };
    (oid != Oid::INVALID).then_some(oid)
}

/// Whether a table in a schema can have this name: neither a relation nor a type has it.
pub fn is_free(name: &str, schema: Oid) -> bool {
    let Ok(text) = CString::new(name) else {
        return false;
    };
    let cache = pg_sys::SysCacheIdentifier::TYPENAMENSP as i32;
    // SAFETY: a cache lookup by a NUL-terminated name, inside a transaction.
    let is_type = unsafe {
        let name = pg_sys::Datum::from(text.as_ptr());
        pg_sys::SearchSysCacheExists(
            cache,
            name,
            schema.into(),
            pg_sys::Datum::null(),
            pg_sys::Datum::null(),
        )
    };
    !is_type && find(name, schema).is_none()
}
