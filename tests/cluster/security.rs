//! Workers run a user's code as that user; only owners manage TVIEWs.

use postgres::Client;

use crate::harness::{shared, Ask, Database, WAIT};

/// A schema `app` that belongs to an ordinary role, and another ordinary role.
fn open(name: &str) -> (Database<'static>, Client, Client, Client) {
    let database = Database::new(shared(), name);
    let mut admin = database.client();
    admin.run(&format!(
        "DO $$BEGIN IF to_regrole('{name}_owner') IS NULL THEN
             CREATE ROLE {name}_owner LOGIN; CREATE ROLE {name}_other LOGIN; END IF; END$$;
         CREATE SCHEMA app AUTHORIZATION {name}_owner"
    ));
    let mut owner = database.client_as(&format!("{name}_owner"));
    owner.run("CREATE TABLE app.tb_item (pk_item int PRIMARY KEY, n int NOT NULL); INSERT INTO app.tb_item VALUES (1, 1), (2, 2)");
    let other = database.client_as(&format!("{name}_other"));
    (database, admin, owner, other)
}

#[test]
fn owner_without_superuser_creates_and_manages() {
    let (_database, mut admin, mut owner, _) = open("plain_owner");
    owner.run("SELECT pg_tviews_create('app.item', 'SELECT pk_item, n FROM app.tb_item')");
    owner.run("UPDATE app.tb_item SET n = 10 WHERE pk_item = 1");
    assert!(owner.one::<bool>("SELECT pg_tviews_wait('app.item')"));
    assert_eq!(owner.rows("SELECT n FROM app.tv_item ORDER BY 1"), ["2", "10"]);
    owner.run("SELECT pg_tviews_pause('app.item')");
    owner.run("SELECT pg_tviews_resume('app.item')");
    owner.run("SELECT pg_tviews_refresh('app.item')");
    owner.run("CALL pg_tviews_drain('app.item')");
    admin.assert_follows(&["app.tv_item"]);
    assert_eq!(
        admin.rows("SELECT tableowner FROM pg_tables WHERE tablename = 'tv_item'"),
        ["plain_owner_owner"]
    );
    owner.run("SELECT pg_tviews_drop('app.item')");
}

#[test]
fn others_may_not_manage() {
    let (_database, mut admin, mut owner, mut other) = open("strangers");
    owner.run("SELECT pg_tviews_create('app.item', 'SELECT pk_item, n FROM app.tb_item')");
    admin.run("GRANT USAGE ON SCHEMA app TO strangers_other; GRANT SELECT ON app.v_item, app.tb_item TO strangers_other");
    for sql in [
        "SELECT pg_tviews_create('app.item', 'SELECT pk_item, n + 1 AS n FROM app.tb_item')",
        "SELECT pg_tviews_create('app.mine', 'SELECT pk_item AS pk_mine, n FROM app.tb_item')",
        "SELECT pg_tviews_drop('app.item')",
        "SELECT pg_tviews_pause('app.item')",
        "SELECT pg_tviews_resume('app.item')",
        "SELECT pg_tviews_refresh('app.item')",
        "SELECT pg_tviews_refresh('app.item', '{1}')",
        "SELECT pg_tviews_retry('app.item')",
        "SELECT * FROM pg_tviews_check('app.item')",
        "SELECT * FROM pg_tviews_affected('app.item', 'app.tb_item', '[{\"pk_item\": 1}]')",
        "INSERT INTO pg_tview_queue SELECT * FROM pg_tview_queue",
        "DELETE FROM pg_tview_queue",
        "UPDATE pg_tview_queue SET keys = NULL",
        "TRUNCATE pg_tview_queue",
        "INSERT INTO pg_tview_meta_audit (entity_name, tview_oid, operation, status, started_at, finished_at, position)
         VALUES ('item', 'app.tv_item'::regclass, 'refresh', 'SUCCESS', now(), now(), '9:9:')",
        "DELETE FROM pg_tview_meta_audit",
        "INSERT INTO pg_tview_dead_letter SELECT * FROM pg_tview_dead_letter",
        "DELETE FROM pg_tview_dead_letter",
        "DELETE FROM pg_tview_meta",
        "UPDATE pg_tview_meta SET source_oids = '{}'",
        "UPDATE pg_tview_meta SET max_latency = '1 day'",
        "UPDATE app.tv_item SET n = 0",
        "ALTER TABLE app.tb_item DISABLE TRIGGER ALL",
        "DROP TRIGGER pg_tviews_capture ON app.tb_item",
    ] {
        let error = other.fails(sql);
        assert_eq!(error.code().code(), "42501", "{sql}: {error:?}");
    }
    assert_eq!(admin.rows("SELECT max_latency FROM pg_tview_meta"), ["~"]);
    owner.run("UPDATE app.tb_item SET n = 10 WHERE pk_item = 1");
    admin.assert_follows(&["app.tv_item"]);
}

#[test]
fn view_functions_run_as_the_owner_of_the_tview() {
    let (_database, mut admin, mut owner, _) = open("who");
    // Left by a call made during a refresh: who it was and what it could become.
    owner.run(
        "CREATE TABLE app.seen (step text, who name);
         CREATE FUNCTION app.spy(n int) RETURNS int LANGUAGE plpgsql AS $$
         BEGIN
             INSERT INTO app.seen VALUES ('called', current_user);
             BEGIN EXECUTE 'RESET ROLE'; INSERT INTO app.seen VALUES ('reset', current_user);
             EXCEPTION WHEN OTHERS THEN NULL; END;
             BEGIN EXECUTE 'SET SESSION AUTHORIZATION postgres'; INSERT INTO app.seen VALUES ('session', current_user);
             EXCEPTION WHEN OTHERS THEN NULL; END;
             BEGIN EXECUTE 'ALTER ROLE who_owner SUPERUSER';
             EXCEPTION WHEN OTHERS THEN NULL; END;
             RETURN n;
         END$$",
    );
    owner.run("SELECT pg_tviews_create('app.item', 'SELECT pk_item, app.spy(n) AS n FROM app.tb_item')");
    owner.run("DELETE FROM app.seen");
    owner.run("UPDATE app.tb_item SET n = 10 WHERE pk_item = 1");
    owner.wait_until("SELECT n = 10 FROM app.tv_item WHERE pk_item = 1", WAIT);
    let seen = owner.rows("SELECT DISTINCT who FROM app.seen");
    assert_eq!(seen, ["who_owner"]);
    assert_eq!(
        admin.rows("SELECT rolsuper FROM pg_roles WHERE rolname = 'who_owner'"),
        ["f"]
    );
}

#[test]
fn triggers_of_the_tv_table_run_as_its_owner() {
    let (_database, mut admin, mut owner, _) = open("trap");
    owner.run("SELECT pg_tviews_create('app.item', 'SELECT pk_item, n FROM app.tb_item')");
    owner.run(
        "CREATE FUNCTION app.trap() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             BEGIN EXECUTE 'RESET ROLE'; EXECUTE 'ALTER ROLE trap_owner SUPERUSER';
             EXCEPTION WHEN OTHERS THEN NULL; END;
             BEGIN EXECUTE 'ALTER ROLE trap_owner SUPERUSER';
             EXCEPTION WHEN OTHERS THEN NULL; END;
             RETURN NEW;
         END$$;
         CREATE TRIGGER trap BEFORE INSERT OR UPDATE ON app.tv_item FOR EACH ROW EXECUTE FUNCTION app.trap()",
    );
    owner.run("UPDATE app.tb_item SET n = 10 WHERE pk_item = 1");
    owner.wait_until("SELECT n = 10 FROM app.tv_item WHERE pk_item = 1", WAIT);
    // Also when a superuser asks for it in a session of his own.
    admin.run("SELECT pg_tviews_refresh('app.item')");
    admin.run("CALL pg_tviews_drain()");
    admin.run("SELECT pg_tviews_create('app.item', 'SELECT pk_item, n + 1 AS n FROM app.tb_item')");
    admin.assert_follows(&["app.tv_item"]);
    assert_eq!(
        admin.rows("SELECT rolsuper FROM pg_roles WHERE rolname = 'trap_owner'"),
        ["f"]
    );
}

#[test]
fn owner_reads_sources_with_his_own_rights() {
    let (_database, mut admin, mut owner, _) = open("rights");
    admin.run("CREATE TABLE secret (pk_secret int PRIMARY KEY, n int); INSERT INTO secret VALUES (1, 42)");
    let error = owner
        .fails("SELECT pg_tviews_create('app.leak', 'SELECT pk_secret AS pk_leak, n FROM public.secret')");
    assert_eq!(error.code().code(), "42501", "{error:?}");
    assert_eq!(
        admin.rows("SELECT to_regclass('app.tv_leak'), (SELECT count(*) FROM pg_tview_meta)"),
        ["~|0"]
    );
}

#[test]
fn monitoring_role_reads_and_writes_nothing() {
    let (_database, mut admin, mut owner, mut other) = open("watcher");
    owner.run("SELECT pg_tviews_create('app.item', 'SELECT pk_item, 10 / n AS n FROM app.tb_item')");
    owner.run("UPDATE app.tb_item SET n = 0 WHERE pk_item = 1");
    admin.wait_until("SELECT count(*) = 1 FROM pg_tview_dead_letter", WAIT);
    for relation in ["pg_tview_queue", "pg_tview_backlog_part"] {
        let error = other.fails(&format!("SELECT * FROM {relation}"));
        assert_eq!(error.code().code(), "42501", "{relation}: {error:?}");
    }
    let counts = "SELECT (SELECT count(*) FROM pg_tview_status), (SELECT count(*) FROM pg_tview_dead_letter),
                         (SELECT count(*) FROM pg_tview_meta_audit WHERE operation = 'create')";
    assert_eq!(other.rows(counts), ["0|0|0"]);
    assert_eq!(owner.rows(counts), ["1|1|1"]);
    // Each owner the rows of his own.
    admin.run(
        "CREATE TABLE tb_else (pk_else int PRIMARY KEY); SELECT pg_tviews_create('else', 'SELECT pk_else FROM tb_else')",
    );
    assert_eq!(owner.rows(counts), ["1|1|1"]);
    assert_eq!(admin.rows(counts), ["2|1|2"]);
    admin.run("GRANT pg_monitor TO watcher_other");
    assert_eq!(other.rows(counts), ["2|1|2"]);
    other.run("SELECT * FROM pg_tview_queue, pg_tview_meta_audit");
    for relation in [
        "pg_tview_queue",
        "pg_tview_meta_audit",
        "pg_tview_dead_letter",
        "pg_tview_meta",
    ] {
        let error = other.fails(&format!("DELETE FROM {relation}"));
        assert_eq!(error.code().code(), "42501", "{relation}: {error:?}");
    }
    admin.run("REVOKE pg_monitor FROM watcher_other");
}

/// What a function called by a view tries, and how it ends.
const ATTEMPTS: &[(&str, &str)] = &[
    ("RESET ROLE", "42501"),
    ("SET ROLE postgres", "42501"),
    ("SET LOCAL ROLE NONE", "42501"),
    ("SET SESSION AUTHORIZATION postgres", "42501"),
    ("RESET SESSION AUTHORIZATION", "42501"),
    ("SELECT set_config('role', 'postgres', false)", "42501"),
    ("CREATE TEMP TABLE mine (n int)", "42501"),
    (
        "CREATE FUNCTION pg_temp.mine() RETURNS int LANGUAGE sql RETURN 1",
        "done",
    ),
    ("PREPARE mine AS SELECT 1", "42501"),
    ("DECLARE mine CURSOR WITH HOLD FOR SELECT 1", "42501"),
    ("LISTEN mine", "42501"),
    ("DISCARD ALL", "42501"),
    ("INSERT INTO app.later VALUES (1)", "42501"),
    ("SET session_replication_role = replica", "42501"),
    ("SET pg_tviews.capture = off", "42501"),
    ("ALTER ROLE traces_owner SUPERUSER", "42501"),
    ("COPY (SELECT 1) TO PROGRAM 'true'", "42501"),
    ("DELETE FROM public.pg_tview_meta_audit", "42501"),
    ("SELECT pg_terminate_backend(pg_backend_pid())", "42501"),
    ("COMMIT", "0A000"),
    ("SET statement_timeout = '1h'", "done"),
    ("SELECT set_config('mine.left', 'here', false)", "done"),
    (
        "SELECT pg_advisory_lock(4711), pg_advisory_lock_shared(1, 2)",
        "done",
    ),
];

/// Looks what an earlier call has left, then tries everything.
const TRY_ALL: &str = "
    CREATE FUNCTION app.try_all(n int) RETURNS int LANGUAGE plpgsql AS $$
    DECLARE
        command text;
    BEGIN
        INSERT INTO app.found
            SELECT name || ' = ' || setting FROM pg_settings WHERE name = 'statement_timeout' AND setting <> '0'
        UNION ALL SELECT 'mine.left' WHERE current_setting('mine.left', true) <> ''
        UNION ALL SELECT 'lock ' || objid FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()
        UNION ALL SELECT 'prepared ' || name FROM pg_prepared_statements WHERE NOT from_sql
        UNION ALL SELECT 'cursor ' || name FROM pg_cursors WHERE is_holdable
        UNION ALL SELECT 'listens to ' || channel FROM pg_listening_channels() channel
        UNION ALL SELECT 'function ' || proname FROM pg_proc WHERE pronamespace = pg_my_temp_schema()
        UNION ALL SELECT 'as ' || current_user WHERE current_user <> 'traces_owner';
        FOR command IN SELECT a.command FROM app.attempts a LOOP
            BEGIN
                EXECUTE command;
                INSERT INTO app.tried VALUES (command, 'done');
            EXCEPTION WHEN OTHERS THEN
                INSERT INTO app.tried VALUES (command, SQLSTATE);
            END;
        END LOOP;
        RETURN n;
    END$$";

#[test]
fn view_functions_gain_and_leave_nothing() {
    let (_database, mut admin, mut owner, _) = open("traces");
    owner.run(
        "CREATE TABLE app.later (n int);
         CREATE FUNCTION app.promote() RETURNS trigger LANGUAGE plpgsql AS
         $$BEGIN EXECUTE 'ALTER ROLE traces_owner SUPERUSER'; RETURN NULL; END$$;
         CREATE CONSTRAINT TRIGGER promote AFTER INSERT ON app.later DEFERRABLE INITIALLY DEFERRED
             FOR EACH ROW EXECUTE FUNCTION app.promote();
         CREATE TABLE app.attempts (command text);
         CREATE TABLE app.tried (command text, ended text);
         CREATE TABLE app.found (what text)",
    );
    owner.run(TRY_ALL);
    owner.run("SELECT pg_tviews_create('app.item', 'SELECT pk_item, app.try_all(n) AS n FROM app.tb_item')");
    owner.run("TRUNCATE app.tried, app.found");
    // Tried by workers only: in the session that creates the TVIEW it may do as it likes with that.
    for (command, _) in ATTEMPTS {
        owner.run(&format!("INSERT INTO app.attempts VALUES ($c${command}$c$)"));
    }
    for n in 10..20 {
        owner.run(&format!("UPDATE app.tb_item SET n = {n} WHERE pk_item = 1"));
        owner.wait_until(
            &format!("SELECT n = {n} FROM app.tv_item WHERE pk_item = 1"),
            WAIT,
        );
    }
    for (command, ended) in ATTEMPTS {
        let ends = owner.rows(&format!(
            "SELECT DISTINCT ended FROM app.tried WHERE command = $c${command}$c$"
        ));
        assert_eq!(ends, [*ended], "{command}");
    }
    let found = owner.rows("SELECT DISTINCT what FROM app.found ORDER BY 1");
    assert!(found.is_empty(), "left by an earlier refresh: {found:?}");
    let superuser = "SELECT rolsuper FROM pg_roles WHERE rolname = 'traces_owner'";
    assert_eq!(admin.rows(superuser), ["f"]);
    let locks = "SELECT count(*) = 0 FROM pg_locks WHERE locktype = 'advisory'
                    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    admin.wait_until(locks, WAIT);
    let temporary = "SELECT count(*) FROM pg_class WHERE relpersistence = 't'";
    assert_eq!(admin.rows(temporary), ["0"]);
}

#[test]
fn row_security_of_sources_is_that_of_the_owner() {
    let (_database, mut admin, mut owner, mut other) = open("row_rights");
    admin.run(
        "GRANT USAGE ON SCHEMA app TO row_rights_other;
         CREATE TABLE app.tb_note (pk_note int PRIMARY KEY, who name, body text);
         INSERT INTO app.tb_note VALUES (1, 'row_rights_owner', 'mine'), (2, 'row_rights_other', 'theirs');
         GRANT SELECT, TRIGGER ON app.tb_note TO row_rights_owner;
         GRANT INSERT ON app.tb_note TO row_rights_other;
         ALTER TABLE app.tb_note ENABLE ROW LEVEL SECURITY;
         CREATE POLICY own ON app.tb_note USING (who = current_user) WITH CHECK (true)",
    );
    owner.run("SELECT pg_tviews_create('app.note', 'SELECT pk_note, body FROM app.tb_note')");
    owner.run("GRANT SELECT ON app.tv_note TO PUBLIC");
    other.run("INSERT INTO app.tb_note VALUES (3, 'row_rights_owner', 'for you'), (4, 'row_rights_other', 'for me')");
    // Whoever refreshes: a worker, a superuser.
    owner.wait_until("SELECT count(*) = 2 FROM app.tv_note", WAIT);
    admin.run("SELECT pg_tviews_refresh('app.note')");
    admin.run("CALL pg_tviews_drain('app.note')");
    let seen = ["1|mine", "3|for you"];
    for reader in [&mut owner, &mut other] {
        assert_eq!(reader.rows("SELECT * FROM app.tv_note ORDER BY 1"), seen);
    }
}

/// Quotes and backslashes in every name and in keys, also where strings take backslashes for escapes.
#[test]
fn names_and_values_with_quotes_inject_nothing() {
    let database = Database::without_extension(shared(), "quotes");
    let mut client = database.client();
    client.run("CREATE TABLE bystander (n int); INSERT INTO bystander VALUES (1)");
    client.run("ALTER DATABASE quotes SET standard_conforming_strings = off");
    client.run("ALTER DATABASE quotes SET escape_string_warning = off");
    let mut client = database.client();
    client.run(include_str!("cases/quotes.sql"));
    let entity = r#"$$"x'\"""$$"#;
    for attempt in [
        format!("SELECT pg_tviews_create({entity}, key_columns => ARRAY[$$'; DROP TABLE public.bystander; --\\$$])"),
        format!("SELECT pg_tviews_refresh({entity}, ARRAY[$$\\$$, $$'$$, $$'; DROP TABLE public.bystander; --\\$$])"),
        r#"UPDATE "tb_y'\""" SET n = $$'; DROP TABLE public.bystander; --\$$ || n"#.to_string(),
        r#"UPDATE "tb_x'\""" SET "v'\" = $$\'; DROP TABLE public.bystander; --$$ WHERE fk <> $$'$$"#.to_string(),
        format!("SELECT pg_tviews_wait({entity})"),
        "CALL pg_tviews_drain()".to_string(),
        format!("SELECT pg_tviews_explain({entity})"),
        format!("SELECT pg_tviews_affected({entity}, $${}$$, jsonb_build_array(jsonb_build_object($$pk\\'$$, $$'$$)))", r#""tb_y'\""""#),
        "SELECT * FROM pg_tviews_health_check()".to_string(),
        "TABLE pg_tview_status".to_string(),
        "TABLE pg_tview_progress".to_string(),
    ] {
        client.run(&attempt);
    }
    client.wait_until(
        r#"SELECT count(*) = 0 FROM (TABLE "v_x'\""" EXCEPT ALL TABLE "tv_x'\""") AS missing"#,
        WAIT,
    );
    assert_eq!(
        client.rows(&format!("SELECT count(*) FROM pg_tviews_check({entity})")),
        ["0"]
    );
    assert_eq!(client.rows(r#"SELECT count(*) FROM "tv_x'\""""#), ["4"]);
    let error = client.fails(r#"DELETE FROM "tv_x'\""""#);
    assert_eq!(error.code().code(), "55000", "{error:?}");
    client.run(&format!("SELECT pg_tviews_drop({entity}, keep_table => true)"));
    client.run("SELECT * FROM pg_tviews_auto_convert(current_schema())");
    client.run("CALL pg_tviews_drain()");
    assert_eq!(client.rows("SELECT n FROM public.bystander"), ["1"]);
}

#[test]
fn set_role_is_advised_to_those_who_can() {
    let database = Database::new(shared(), "set_role");
    let mut admin = database.client();
    admin.run(
        "DO $$BEGIN IF to_regrole('set_role_owner') IS NULL THEN
             CREATE ROLE set_role_owner; CREATE ROLE set_role_member LOGIN NOINHERIT IN ROLE set_role_owner; CREATE ROLE set_role_other LOGIN;
         END IF; END$$;
         CREATE SCHEMA app AUTHORIZATION set_role_owner;
         GRANT USAGE ON SCHEMA app TO PUBLIC;
         SET ROLE set_role_owner;
         CREATE TABLE app.tb_item (pk_item int PRIMARY KEY, n int);
         SELECT pg_tviews_create('app.item', 'SELECT pk_item, n FROM app.tb_item');
         CREATE FUNCTION app.pause() RETURNS void LANGUAGE sql AS $$SELECT pg_tviews_pause('app.item')$$;
         RESET ROLE;
         ALTER FUNCTION app.pause OWNER TO set_role_other;
         ALTER FUNCTION app.pause SECURITY DEFINER",
    );
    let mut member = database.client_as("set_role_member");
    let mut other = database.client_as("set_role_other");
    for call in [
        "SELECT pg_tviews_pause('app.item')",
        "SELECT pg_tviews_refresh('app.item')",
        "SELECT pg_tviews_drop('app.item')",
        "CALL pg_tviews_drain('app.item')",
        "UPDATE pg_tview_meta SET max_latency = '1 s'",
    ] {
        let error = member.fails(call);
        assert_eq!(
            error.hint(),
            Some("Run SET ROLE set_role_owner; first."),
            "{call}"
        );
        let error = other.fails(call);
        assert_eq!(error.hint(), Some("Run the command as set_role_owner."), "{call}");
    }
    // Not where SET ROLE is refused.
    let error = member.fails("SELECT app.pause()");
    assert_eq!(error.hint(), Some("Run the command as set_role_owner."));
    member.run("SET ROLE set_role_owner; SELECT pg_tviews_pause('app.item')");
}
