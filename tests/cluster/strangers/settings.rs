//! Settings: what a row shows does not depend on whose session, or which worker, computes it.

use std::collections::BTreeSet;

use crate::harness::{shared, Ask, Cluster, Database, WAIT};

/// Values that a TVIEW keeps from its creation: at creation here, and elsewhere.
const PINNED: [(&str, &str, &str); 16] = [
    ("TimeZone", "Europe/Berlin", "Asia/Tokyo"),
    ("timezone_abbreviations", "Australia", "India"),
    ("DateStyle", "German, DMY", "SQL, MDY"),
    ("IntervalStyle", "iso_8601", "sql_standard"),
    ("extra_float_digits", "-3", "0"),
    ("bytea_output", "escape", "hex"),
    ("lc_monetary", "C", "C.UTF-8"),
    ("lc_numeric", "C", "C.UTF-8"),
    ("lc_time", "C", "C.UTF-8"),
    ("xmlbinary", "hex", "base64"),
    ("xmloption", "document", "content"),
    (
        "default_text_search_config",
        "pg_catalog.english",
        "pg_catalog.german",
    ),
    ("plpgsql.variable_conflict", "use_column", "use_variable"),
    ("pg_trgm.similarity_threshold", "0.1", "0.9"),
    ("pg_trgm.word_similarity_threshold", "0.1", "0.9"),
    ("pg_trgm.strict_word_similarity_threshold", "0.1", "0.9"),
];

/// The same for all: what it is, and what somebody sets.
const FORCED: [(&str, &str, &str); 14] = [
    ("search_path", "pg_catalog, pg_temp", "app, public"),
    ("row_security", "on", "off"),
    ("session_replication_role", "origin", "local"),
    ("standard_conforming_strings", "on", "off"),
    ("backslash_quote", "safe_encoding", "on"),
    ("transform_null_equals", "off", "on"),
    ("array_nulls", "on", "off"),
    ("quote_all_identifiers", "off", "on"),
    ("restrict_nonsystem_relation_kind", "", "view"),
    ("gin_fuzzy_search_limit", "0", "5"),
    ("plpgsql.check_asserts", "on", "off"),
    ("plpgsql.extra_errors", "none", "all"),
    ("constraint_exclusion", "off", "on"),
    ("jit", "off", "on"),
];

/// Why a setting cannot change what a row shows.
const CANNOT_MATTER: &[(&str, &[&str])] = &[
    (
        "how the planner and the executor get at the same result",
        &[
            "backend_flush_after",
            "commit_delay",
            "commit_siblings",
            "cpu_index_tuple_cost",
            "cpu_operator_cost",
            "cpu_tuple_cost",
            "cursor_tuple_fraction",
            "default_statistics_target",
            "effective_cache_size",
            "effective_io_concurrency",
            "force_parallel_mode",
            "from_collapse_limit",
            "geqo",
            "geqo_effort",
            "geqo_generations",
            "geqo_pool_size",
            "geqo_seed",
            "geqo_selection_bias",
            "geqo_threshold",
            "hash_mem_multiplier",
            "io_combine_limit",
            "jit_above_cost",
            "jit_dump_bitcode",
            "jit_expressions",
            "jit_inline_above_cost",
            "jit_optimize_above_cost",
            "jit_tuple_deforming",
            "join_collapse_limit",
            "logical_decoding_work_mem",
            "maintenance_io_concurrency",
            "maintenance_work_mem",
            "max_parallel_maintenance_workers",
            "max_parallel_workers",
            "max_parallel_workers_per_gather",
            "max_stack_depth",
            "min_parallel_index_scan_size",
            "min_parallel_table_scan_size",
            "parallel_leader_participation",
            "parallel_setup_cost",
            "parallel_tuple_cost",
            "plan_cache_mode",
            "random_page_cost",
            "recursive_worktable_factor",
            "seq_page_cost",
            "synchronize_seqscans",
            "temp_buffers",
            "temp_file_limit",
            "vacuum_cost_delay",
            "vacuum_cost_limit",
            "vacuum_cost_page_dirty",
            "vacuum_cost_page_hit",
            "vacuum_cost_page_miss",
            "vacuum_failsafe_age",
            "vacuum_freeze_min_age",
            "vacuum_freeze_table_age",
            "vacuum_multixact_failsafe_age",
            "vacuum_multixact_freeze_min_age",
            "vacuum_multixact_freeze_table_age",
            "wal_sender_timeout",
            "wal_skip_threshold",
            "work_mem",
        ],
    ),
    (
        "where and how rows are stored",
        &[
            "default_table_access_method",
            "default_tablespace",
            "default_toast_compression",
            "gin_pending_list_limit",
            "synchronous_commit",
            "temp_tablespaces",
            "wal_compression",
            "wal_consistency_checking",
            "wal_init_zero",
            "wal_recycle",
        ],
    ),
    (
        "for superusers: how damaged data is read",
        &[
            "composite_type_mismatch",
            "ignore_checksum_failure",
            "zero_damaged_pages",
        ],
    ),
    (
        "messages, logs and statistics",
        &[
            "application_name",
            "client_min_messages",
            "compute_query_id",
            "escape_string_warning",
            "exit_on_error",
            "lc_messages",
            "plpgsql.extra_warnings",
            "plpgsql.print_strict_params",
            "stats_fetch_consistency",
            "update_process_title",
        ],
    ),
    (
        "how long something may take, or whether it is done",
        &[
            "deadlock_timeout",
            "idle_in_transaction_session_timeout",
            "idle_session_timeout",
            "lock_timeout",
            "statement_timeout",
            "transaction_timeout",
            "client_connection_check_interval",
            "tcp_keepalives_count",
            "tcp_keepalives_idle",
            "tcp_keepalives_interval",
            "tcp_user_timeout",
        ],
    ),
    (
        "what commands do that no refresh runs",
        &[
            "allow_in_place_tablespaces",
            "allow_system_table_mods",
            "check_function_bodies",
            "createrole_self_grant",
            "event_triggers",
            "file_copy_method",
            "icu_validation_level",
            "lo_compat_privileges",
            "md5_password_warnings",
            "password_encryption",
            "scram_iterations",
            "vacuum_buffer_usage_limit",
            "vacuum_max_eager_freeze_failure_rate",
            "vacuum_truncate",
        ],
    ),
    (
        "libraries: for superusers, or inert after the start of a session",
        &[
            "dynamic_library_path",
            "extension_control_path",
            "extension_destdir",
            "output_plugin_libraries",
            "local_preload_libraries",
            "session_preload_libraries",
        ],
    ),
    (
        "transactions: a refresh has one of its own, and a preview that of the session, as its query has",
        &[
            "default_transaction_deferrable",
            "default_transaction_isolation",
            "default_transaction_read_only",
            "transaction_deferrable",
            "transaction_isolation",
            "transaction_read_only",
        ],
    ),
    (
        "who: set by changing the role, which a refresh does itself",
        &["role", "session_authorization"],
    ),
    (
        "text is converted for the client when it is sent",
        &["client_encoding"],
    ),
    ("random values: creation warns of them", &["seed"]),
];

/// Families of names, as above.
const CANNOT_MATTER_BY_PREFIX: &[(&str, &str)] = &[
    ("enable_", "how the planner gets at the same result"),
    ("debug_", "messages and logs"),
    ("log_", "messages and logs"),
    ("trace_", "messages and logs"),
    ("track_", "statistics"),
    ("backtrace_functions", "messages and logs"),
    ("event_source", "messages and logs"),
    ("pg_tviews.", "the extension's own"),
];

#[test]
fn every_setting_of_the_server_has_a_place() {
    let database = Database::new(shared(), "settings_all");
    let mut client = database.client();
    client.run("LOAD 'plpgsql'; SELECT pg_tviews_version()");
    let names = client.rows("SELECT name FROM pg_settings WHERE context IN ('user', 'superuser') ORDER BY 1");
    assert!(names.len() > 150, "{names:?}");
    let pinned = PINNED.iter().chain(&FORCED).map(|(name, ..)| *name);
    let harmless = CANNOT_MATTER.iter().flat_map(|(_, names)| names.iter().copied());
    let known: BTreeSet<String> = pinned.chain(harmless).map(str::to_lowercase).collect();
    let unknown: Vec<&String> = names
        .iter()
        .filter(|name| !known.contains(&name.to_lowercase()))
        .filter(|name| {
            !CANNOT_MATTER_BY_PREFIX
                .iter()
                .any(|(prefix, _)| name.starts_with(prefix))
        })
        .collect();
    assert!(
        unknown.is_empty(),
        "pinned, forced, or cannot matter? {unknown:?}"
    );
}

/// A TVIEW that shows the settings its rows are computed under, made under those to be pinned.
fn open(cluster: &'static Cluster, name: &str) -> (Database<'static>, postgres::Client) {
    let database = Database::new(cluster, name);
    let mut client = database.client();
    let names: Vec<String> = PINNED
        .iter()
        .chain(&FORCED)
        .map(|(name, ..)| format!("'{name}'"))
        .collect();
    client.run(&format!(
        "CREATE SCHEMA app;
         CREATE TABLE app.tb_item (pk_item int PRIMARY KEY, n int);
         INSERT INTO app.tb_item VALUES (1, 1);
         CREATE FUNCTION app.settings(n int) RETURNS jsonb LANGUAGE plpgsql AS
         $$BEGIN RETURN (SELECT jsonb_object_agg(s, current_setting(s, true)) FROM unnest(ARRAY[{}]) s); END$$",
        names.join(", ")
    ));
    for (name, value, _) in PINNED {
        client.run(&format!("SET {name} = {}", quoted(value)));
    }
    client.run(
        "SELECT pg_tviews_create('app.item', 'SELECT pk_item, n, app.settings(n) AS data FROM app.tb_item')",
    );
    (database, client)
}

/// A list of several values has each in quotes.
fn quoted(value: &str) -> String {
    let values: Vec<String> = value.split(", ").map(|value| format!("'{value}'")).collect();
    values.join(", ")
}

fn assert_pinned(client: &mut postgres::Client, by: &str) {
    for (name, value, _) in PINNED.iter().chain(&FORCED) {
        let found = client.rows(&format!("SELECT data->>'{name}' FROM app.tv_item"));
        assert_eq!(found, [*value], "{name} of a row computed by {by}");
    }
}

#[test]
fn the_session_that_drains_does_not_matter() {
    let (database, mut client) = open(super::cluster(), "settings_drain");
    assert_pinned(&mut client, "its creation");
    let mut other = database.client();
    for (name, _, elsewhere) in PINNED.iter().chain(&FORCED) {
        other.run(&format!("SET {name} = {}", quoted(elsewhere)));
    }
    client.run("UPDATE app.tb_item SET n = 2");
    other.run("CALL public.pg_tviews_drain('app.item')");
    assert_eq!(client.rows("SELECT n FROM app.tv_item"), ["2"]);
    assert_pinned(&mut client, "a drain");
}

#[test]
fn the_settings_of_a_database_do_not_matter() {
    let (database, mut client) = open(shared(), "settings_database");
    let name = &database.name;
    for (setting, _, elsewhere) in PINNED.iter().chain(&FORCED) {
        // A superuser may set these for a database, whatever the libraries loaded.
        client.run(&format!(
            "ALTER DATABASE {name} SET {setting} = {}",
            quoted(elsewhere)
        ));
    }
    replace_workers(&mut client, name);
    client.run("UPDATE app.tb_item SET n = 2");
    client.wait_until("SELECT n = 2 FROM app.tv_item", WAIT);
    assert_pinned(&mut client, "a worker");
}

/// New workers, which start with the settings of the database.
fn replace_workers(client: &mut postgres::Client, database: &str) {
    let pids: Vec<String> = client.started_workers().iter().map(i32::to_string).collect();
    client.run(&format!(
        "SELECT pg_terminate_backend(pid) FROM unnest(ARRAY[{}]) pid",
        pids.join(", ")
    ));
    client.wait_until(
        &format!(
            "SELECT count(*) = 2 FROM pg_stat_activity WHERE datname = '{database}' AND backend_type LIKE 'pg_tviews%'
                AND pid NOT IN ({})",
            pids.join(", ")
        ),
        WAIT,
    );
}

/// `role` and `session_authorization` are no rows of pg_settings, but a database can set them.
#[test]
fn a_database_does_not_make_its_workers_another_role() {
    let database = Database::new(shared(), "settings_role");
    let mut admin = database.client();
    admin.run(
        "CREATE ROLE settings_role_other;
         CREATE ROLE settings_role_owner LOGIN;
         CREATE SCHEMA own AUTHORIZATION settings_role_owner",
    );
    database.client_as("settings_role_owner").run(
        "CREATE TABLE own.tb_item (pk_item int PRIMARY KEY, n int);
         INSERT INTO own.tb_item VALUES (1, 1);
         CREATE FUNCTION own.roles(n int) RETURNS text LANGUAGE plpgsql AS
         $$BEGIN RETURN n || ' ' || session_user || ' ' || current_user; END$$;
         SELECT pg_tviews_create('own.item', 'SELECT pk_item, n, own.roles(n) AS roles FROM own.tb_item')",
    );
    for (number, setting) in (2..).zip(["role", "session_authorization"]) {
        admin.run(&format!(
            "ALTER DATABASE settings_role SET {setting} = settings_role_other"
        ));
        replace_workers(&mut admin, "settings_role");
        admin.run(&format!("UPDATE own.tb_item SET n = {number}"));
        let right = format!("{number} postgres settings_role_owner");
        admin.wait_until(&format!("SELECT roles = '{right}' FROM own.tv_item"), WAIT);
        admin.run(&format!("ALTER DATABASE settings_role RESET {setting}"));
    }
    drop(database);
    shared()
        .client("postgres")
        .run("DROP ROLE settings_role_owner; DROP ROLE settings_role_other");
}

#[test]
fn previews_compute_with_the_settings_of_the_tview() {
    let (database, mut client) = open(super::cluster(), "settings_preview");
    let mut other = database.client();
    for (name, _, elsewhere) in PINNED.iter().chain(&FORCED) {
        other.run(&format!("SET {name} = {}", quoted(elsewhere)));
    }
    other.run("BEGIN; UPDATE app.tb_item SET n = 2");
    assert_eq!(other.rows("SELECT n FROM app.tv_item"), ["2"]);
    assert_pinned(&mut other, "a preview");
    // As they were for the session itself.
    for (name, _, elsewhere) in PINNED.iter().chain(&FORCED) {
        assert_eq!(
            other.rows(&format!("SELECT current_setting('{name}')")),
            [if *name == "DateStyle" {
                "SQL, MDY"
            } else {
                *elsewhere
            }]
        );
    }
    other.run("COMMIT");
    other.run("CALL public.pg_tviews_drain('app.item')");
    assert_pinned(&mut client, "a drain");
}

#[test]
fn another_role_makes_no_tview_fail() {
    let database = Database::new(shared(), "settings_other");
    let mut owner = database.client();
    owner.run(
        "DO $$BEGIN IF to_regrole('settings_owner') IS NULL THEN
             CREATE ROLE settings_owner LOGIN; CREATE ROLE settings_other LOGIN; END IF; END$$;
         CREATE SCHEMA app AUTHORIZATION settings_owner;
         GRANT USAGE ON SCHEMA app TO settings_other;
         CREATE TABLE app.tb_note (pk_note int PRIMARY KEY, body text);
         INSERT INTO app.tb_note VALUES (1, 'dogs');
         ALTER TABLE app.tb_note ENABLE ROW LEVEL SECURITY;
         CREATE POLICY few ON app.tb_note USING (pk_note < 10);
         GRANT SELECT, TRIGGER ON app.tb_note TO settings_owner;
         GRANT ALL ON app.tb_note TO settings_other",
    );
    let mut owner = database.client_as("settings_owner");
    owner.run(
        "SET default_text_search_config = 'simple';
         SELECT pg_tviews_create('app.note', $$SELECT pk_note, body, body @@ 'dog' AS dog FROM app.tb_note$$);
         GRANT SELECT ON app.tv_note TO settings_other",
    );
    let mut other = database.client_as("settings_other");
    other.run(
        "SET row_security = off; SET standard_conforming_strings = off; SET default_text_search_config = 'english'; SET xmloption = document",
    );
    other.run("CALL pg_tviews_drain()");
    other.run("SET row_security = on; BEGIN; UPDATE app.tb_note SET body = 'dogs!'; SET row_security = off");
    // 'simple' has no stems: in neither of both.
    assert_eq!(other.rows("SELECT body, dog FROM app.tv_note"), ["dogs!|f"]);
    other.run("COMMIT");
    // Nor of the owner's own sessions.
    owner.run(
        "SET row_security = off; SET standard_conforming_strings = off; SELECT pg_tviews_refresh('app.note')",
    );
    owner.run("CALL pg_tviews_drain('app.note')");
    owner.run("RESET row_security; RESET standard_conforming_strings");
    owner.assert_follows(&["app.tv_note"]);
    let mut admin = database.client();
    assert_eq!(
        admin.rows("SELECT count(*) FROM pg_tview_meta_audit WHERE status <> 'SUCCESS'"),
        ["0"]
    );
}
