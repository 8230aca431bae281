//! TVIEWs come, change and go while sessions write what they read: nobody who writes waits for that.

use std::time::Duration;

use postgres::Client;

use crate::blog;
use crate::harness::{shared, Ask, Database, WAIT};

/// What a writer may wait at a stretch: much more than the moment that a lock is waited for, and much less than those waited for here.
const PATIENCE: &str = "SET lock_timeout = '2s'";

/// A session that has written and does nothing more.
fn idle_writer(database: &Database, change: &str) -> Client {
    let mut writer = database.client();
    writer.run(&format!("BEGIN; {change}"));
    writer
}

/// Runs `call` in a session of its own while `writer` is idle in its transaction, lets others write meanwhile, ends that
/// transaction and then the call.
fn while_a_writer_is_idle(database: &Database, writer: &mut Client, call: &str, write: &str) {
    let mut other = database.client();
    other.run(PATIENCE);
    std::thread::scope(|scope| {
        let caller = scope.spawn(|| database.client().run(call));
        // Long enough for the call to be at its second attempt.
        for _ in 0..12 {
            other.run(write);
            std::thread::sleep(Duration::from_millis(50));
        }
        writer.run("COMMIT");
        caller.join().expect("the call ends");
    });
}

/// The same for a call that waits for no writer.
fn beside_an_idle_writer(database: &Database, writer: &mut Client, call: &str, write: &str) {
    let mut caller = database.client();
    caller.run("SET statement_timeout = '20s'");
    caller.run(&format!("BEGIN; {call}"));
    let mut other = database.client();
    other.run(PATIENCE);
    other.run(write);
    caller.run("COMMIT");
    writer.run("COMMIT");
}

#[test]
fn while_a_new_tview_waits_for_its_triggers() {
    let database = Database::new(shared(), "go_on_new");
    let mut client = database.client();
    client.run(blog::TABLES);
    let mut writer = idle_writer(
        &database,
        "UPDATE tb_user SET name = 'in flight' WHERE pk_user = 1",
    );
    let call = "SELECT pg_tviews_create('post', 'SELECT p.pk_post, p.title, u.name FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user')";
    let write = "INSERT INTO tb_post (fk_user, title) VALUES (1, 'meanwhile'); UPDATE tb_user SET score = score + 1 WHERE pk_user = 2";
    while_a_writer_is_idle(&database, &mut writer, call, write);
    client.assert_follows(&["post"]);
}

#[test]
fn while_a_view_is_computed_that_takes_a_moment() {
    let database = Database::new(shared(), "go_on_slow_view");
    let mut client = database.client();
    client.run(
        "CREATE TABLE tb_item (pk_item int PRIMARY KEY, n int); INSERT INTO tb_item VALUES (1, 1);
         CREATE FUNCTION slow(n int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.06); RETURN n; END'",
    );
    client.run("BEGIN; SELECT pg_tviews_create('item', 'SELECT pk_item, slow(n) AS n FROM tb_item')");
    // The table is not filled while the transaction keeps writers out.
    assert_eq!(
        client.rows("SELECT state, (SELECT count(*) FROM tv_item) FROM pg_tview_meta"),
        ["populating|0"]
    );
    client.run("COMMIT");
    client.assert_follows(&["item"]);
}

#[test]
fn while_a_schema_is_converted() {
    let database = Database::new(shared(), "go_on_convert");
    let mut client = database.client();
    client.run(
        "CREATE TABLE tb_a (pk_a int PRIMARY KEY, n int); CREATE TABLE tv_a (pk_a int PRIMARY KEY, data jsonb);
         CREATE TABLE tb_b (pk_b int PRIMARY KEY, n int); CREATE TABLE tv_b (pk_b int PRIMARY KEY, data jsonb);
         CREATE SEQUENCE number; INSERT INTO tb_a VALUES (-1, 1); INSERT INTO tb_b VALUES (-1, 1);",
    );
    let mut writer = idle_writer(&database, "UPDATE tb_b SET n = 2");
    let write =
        "INSERT INTO tb_a VALUES (nextval('number'), 1); INSERT INTO tb_b VALUES (nextval('number'), 1)";
    while_a_writer_is_idle(&database, &mut writer, "SELECT pg_tviews_auto_convert()", write);
    assert_eq!(client.rows("SELECT count(*) FROM pg_tview_meta"), ["2"]);
    client.assert_follows(&["a", "b"]);
}

/// How many tables a schema has: converting them takes seconds.
const MANY: usize = 30;

/// Tables `tb_1`, `tv_1` and so on, and views that all read `tb_hub`, too.
fn many_tables(client: &mut Client) {
    client.run(&format!(
        "CREATE SEQUENCE number;
         CREATE TABLE tb_hub (pk_hub int PRIMARY KEY, n int NOT NULL); INSERT INTO tb_hub VALUES (1, 1), (2, 1);
         DO $$BEGIN FOR i IN 1..{MANY} LOOP
             EXECUTE format('CREATE TABLE tb_%1$s (pk_%1$s int PRIMARY KEY, fk_hub int NOT NULL);
                             INSERT INTO tb_%1$s SELECT -j, 1 FROM generate_series(1, 10) AS j;
                             CREATE VIEW v_%1$s AS SELECT t.pk_%1$s, h.n FROM tb_%1$s t JOIN tb_hub h ON h.pk_hub = t.fk_hub;
                             CREATE TABLE tv_%1$s (pk_%1$s int PRIMARY KEY, n int); INSERT INTO tv_%1$s VALUES (0, 0)', i);
         END LOOP; END$$"
    ));
}

/// Changes every table, the tv tables included.
fn write_to_all(writer: &mut Client) {
    writer.run("UPDATE tb_hub SET n = n + 1 WHERE pk_hub = 2; SET pg_tviews.allow_table_writes = on");
    for i in 1..=MANY {
        writer.run(&format!(
            "INSERT INTO tb_{i} VALUES (nextval('number'), 2); UPDATE tv_{i} SET n = n + 1 WHERE pk_{i} = 0"
        ));
    }
}

#[test]
fn however_many_tables_are_converted_together() {
    let database = Database::new(shared(), "go_on_many");
    let mut client = database.client();
    many_tables(&mut client);
    let mut caller = database.client();
    caller.run("BEGIN");
    let converted = "SELECT status, count(*) FROM pg_tviews_auto_convert() GROUP BY 1 ORDER BY 1";
    assert_eq!(
        caller.rows(converted),
        ["SKIP|1".to_string(), format!("SUCCESS|{MANY}")]
    );
    // The transaction still has every lock that it took since the first table. Nobody waits for one of them.
    let locked = "SELECT DISTINCT c.relname || ' ' || l.mode FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
                   WHERE l.pid = pg_backend_pid() AND c.relname ~ '^t[bv]_' AND l.mode NOT IN ('AccessShareLock', 'RowExclusiveLock')";
    assert_eq!(caller.rows(locked), [""; 0]);
    let mut writer = database.client();
    writer.run("SET lock_timeout = '100ms'");
    write_to_all(&mut writer);
    caller.run("COMMIT");
    // Workers install the triggers.
    writer.run(PATIENCE);
    while !client.one::<bool>("SELECT bool_and(state = 'active') FROM pg_tview_meta") {
        write_to_all(&mut writer);
    }
    write_to_all(&mut writer);
    assert!(client.one::<bool>("SELECT pg_tviews_wait(timeout => '5 minutes')"));
    let entities: Vec<String> = (1..=MANY).map(|i| i.to_string()).collect();
    let entities: Vec<&str> = entities.iter().map(String::as_str).collect();
    client.assert_views_equal(&entities);
}

#[test]
fn while_a_tview_is_redefined_and_needs_no_other_trigger() {
    let (database, mut client) = blog::open(shared(), "go_on_redefine");
    client.assert_follows(&blog::ENTITIES);
    for (name, query) in blog::TVIEWS {
        let mut writer = idle_writer(
            &database,
            "UPDATE tb_user SET name = name || '!' WHERE pk_user = 1; UPDATE tb_post SET title = title || '!' WHERE pk_post = 1",
        );
        let call = format!("SELECT pg_tviews_create('{name}', $${query}$$)");
        let write = "INSERT INTO tb_post (fk_user, title) VALUES (1, 'meanwhile'); UPDATE tb_user SET name = name || '.' WHERE pk_user = 2";
        beside_an_idle_writer(&database, &mut writer, &call, write);
        client.assert_follows(&blog::ENTITIES);
    }
}

#[test]
fn while_a_tview_is_redefined_with_another_query() {
    let (database, mut client) = blog::open(shared(), "go_on_other_query");
    client.assert_follows(&blog::ENTITIES);
    let mut writer = idle_writer(
        &database,
        "UPDATE tb_user SET name = 'in flight' WHERE pk_user = 1",
    );
    let call = "SELECT pg_tviews_create('user', 'SELECT pk_user, id, jsonb_build_object(''called'', name) AS data FROM tb_user')";
    let write = "UPDATE tb_user SET name = name || '.' WHERE pk_user = 2";
    beside_an_idle_writer(&database, &mut writer, call, write);
    client.assert_follows(&blog::ENTITIES);
    assert_eq!(
        client.rows("SELECT data FROM tv_user WHERE pk_user = 1"),
        [r#"{"called": "in flight"}"#]
    );
}

#[test]
fn while_a_tview_over_sources_of_others_is_made() {
    let (database, mut client) = blog::open(shared(), "go_on_shared");
    client.assert_follows(&blog::ENTITIES);
    // What is logged between the fill and the commit must not be trimmed, whatever the other TVIEWs have absorbed.
    let mut writer = idle_writer(
        &database,
        "UPDATE tb_user SET name = 'in flight' WHERE pk_user = 1",
    );
    let mut creator = database.client();
    creator.run("SET statement_timeout = '20s'; BEGIN");
    creator.run("SELECT pg_tviews_create('name', 'SELECT pk_user AS pk_name, name FROM tb_user', key_columns => '{pk_name}')");
    assert_eq!(
        creator.rows("SELECT state FROM pg_tview_meta WHERE entity_name = 'name'"),
        ["active"],
        "filled at once"
    );
    writer.run("COMMIT");
    let mut other = database.client();
    other.run(PATIENCE);
    other.run("UPDATE tb_user SET name = 'meanwhile' WHERE pk_user = 2");
    client.wait_until(
        "SELECT data->>'name' = 'meanwhile' FROM tv_user WHERE pk_user = 2",
        WAIT,
    );
    // More than one round of trimming, of what concerns others, too.
    std::thread::sleep(Duration::from_secs(3));
    creator.run("COMMIT");
    client.assert_follows(&["name"]);
    client.assert_follows(&blog::ENTITIES);
    client.assert_queue_empties();
}

#[test]
fn while_a_tview_is_dropped() {
    let (database, mut client) = blog::open(shared(), "go_on_drop");
    client.assert_follows(&blog::ENTITIES);
    let mut writer = idle_writer(
        &database,
        "UPDATE tb_user SET name = 'in flight' WHERE pk_user = 1; INSERT INTO tb_post (fk_user, title) VALUES (1, 'in flight')",
    );
    let write = "INSERT INTO tb_post (fk_user, title) VALUES (1, 'meanwhile'); UPDATE tb_user SET name = name || '.' WHERE pk_user = 2";
    for (name, _) in blog::TVIEWS.iter().rev() {
        let mut other = database.client();
        other.run(PATIENCE);
        let mut caller = database.client();
        caller.run("SET statement_timeout = '20s'");
        caller.run(&format!("BEGIN; SELECT pg_tviews_drop('{name}')"));
        other.run(write);
        caller.run("COMMIT");
        other.run(write);
    }
    writer.run("COMMIT");
    let triggers = "SELECT count(*) = 0 FROM pg_trigger WHERE tgname LIKE 'pg_tviews%' AND tgrelid::regclass::text LIKE 'tb_%'";
    client.wait_until(triggers, Duration::from_secs(90));
}

#[test]
fn and_the_call_ends_with_the_patience_of_its_session() {
    let database = Database::new(shared(), "go_on_limits");
    let mut client = database.client();
    client.run("CREATE TABLE tb_item (pk_item int PRIMARY KEY, n int); INSERT INTO tb_item VALUES (1, 1)");
    let mut writer = idle_writer(&database, "UPDATE tb_item SET n = 2");
    let call = "SELECT pg_tviews_create('item', 'SELECT pk_item, n FROM tb_item')";
    for (setting, code) in [
        ("lock_timeout = '300ms'", "55P03"),
        ("statement_timeout = '300ms'", "57014"),
    ] {
        let mut caller = database.client();
        caller.run(&format!("SET {setting}"));
        let before = caller.rows("SHOW lock_timeout");
        assert_eq!(caller.fails(call).code().code(), code, "{setting}");
        assert_eq!(caller.rows("SHOW lock_timeout"), before);
    }
    assert_eq!(
        client.rows(
            "SELECT to_regclass('tv_item'), to_regclass('v_item'), (SELECT count(*) FROM pg_tview_meta)"
        ),
        ["~|~|0"]
    );
    writer.run("COMMIT");
    client.run(call);
    client.assert_follows(&["item"]);
}

#[test]
fn and_a_deadlock_is_told() {
    let database = Database::new(shared(), "go_on_deadlock");
    let mut client = database.client();
    client.run("CREATE TABLE tb_item (pk_item int PRIMARY KEY, n int); CREATE TABLE other (n int); INSERT INTO tb_item VALUES (1, 1)");
    let mut writer = idle_writer(&database, "UPDATE tb_item SET n = 2");
    // PostgreSQL may find it, too, if it looks at the right moment.
    writer.run("SET LOCAL deadlock_timeout = '1min'");
    let mut caller = database.client();
    caller.run("BEGIN; LOCK TABLE other");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(move || {
            writer.run("INSERT INTO other VALUES (1); COMMIT");
        });
        let call = "SELECT pg_tviews_create('item', 'SELECT pk_item, n FROM tb_item')";
        let error = caller.fails(call);
        assert_eq!(error.code().code(), "40P01", "{error:?}");
        caller.run("ROLLBACK");
        waiting.join().expect("the writer goes on");
    });
}
