//! Settings that workers force: what no ALTER DATABASE, ALTER ROLE or configuration file may change for
//! refreshes.

use std::ffi::CStr;

/// Name and value.
pub const FORCED_SETTINGS: &[(&CStr, &CStr)] = &[
    (c"application_name", c"pg_tviews worker"),
    (c"role", c"none"),
    (c"search_path", c"pg_catalog, pg_temp"),
    (c"statement_timeout", c"0"),
    // A wait that began before its deadlock was complete ends before a session looks for deadlocks, too.
    (c"lock_timeout", c"500ms"),
    (c"idle_in_transaction_session_timeout", c"0"),
    (c"idle_session_timeout", c"0"),
    (c"default_transaction_isolation", c"read committed"),
    (c"default_transaction_read_only", c"off"),
    (c"default_transaction_deferrable", c"off"),
    (c"synchronous_commit", c"off"),
    (c"session_replication_role", c"origin"),
    // The first process that notices a deadlock gives way. That should be the worker, whose work is done
    // again.
    (c"deadlock_timeout", c"10ms"),
    // Refreshes are short: compiling their plans costs more than it saves.
    (c"jit", c"off"),
];
