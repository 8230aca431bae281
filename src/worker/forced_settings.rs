//! Settings that workers force: what no ALTER DATABASE, ALTER ROLE or configuration file may change for
//! refreshes.

use std::ffi::CStr;

use crate::postgres::transaction::lock_timeout;

/// Name and value.
pub const FORCED_SETTINGS: &[(&CStr, &CStr)] = &[
    (c"application_name", c"pg_tviews worker"),
    (c"search_path", c"pg_catalog, pg_temp"),
    (c"statement_timeout", c"0"),
    (c"lock_timeout", lock_timeout::WORKER),
    (c"idle_in_transaction_session_timeout", c"0"),
    (c"idle_session_timeout", c"0"),
    // From PostgreSQL 17 on.
    (c"transaction_timeout", c"0"),
    (c"default_transaction_isolation", c"read committed"),
    (c"default_transaction_read_only", c"off"),
    (c"default_transaction_deferrable", c"off"),
    (c"synchronous_commit", c"off"),
    (c"session_replication_role", c"origin"),
    (c"deadlock_timeout", lock_timeout::WORKER_DEADLOCK),
    // Refreshes are short: compiling their plans costs more than it saves.
    (c"jit", c"off"),
];
