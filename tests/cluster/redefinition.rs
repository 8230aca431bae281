//! TVIEWs made, changed and dropped while others write or refresh.

use std::time::Duration;

use crate::blog;
use crate::harness::{shared, Ask, Database, Load, Plan, Random, WAIT};

#[test]
fn create_sees_what_was_in_flight() {
    let database = Database::new(shared(), "in_flight");
    let mut client = database.client();
    client.run(blog::TABLES);
    for (round, (name, query)) in blog::TVIEWS.iter().enumerate() {
        // The later TVIEWs need more columns of tables that already have a trigger.
        let mut writer = database.client();
        writer.run(&format!(
            "BEGIN; UPDATE tb_user SET name = 'flight {round}' WHERE pk_user = 1;
             INSERT INTO tb_post (fk_user, title) VALUES (2, 'flight {round}')"
        ));
        std::thread::scope(|scope| {
            let creator = scope.spawn(|| {
                database
                    .client()
                    .run(&format!("SELECT pg_tviews_create('{name}', $${query}$$)"));
            });
            std::thread::sleep(Duration::from_millis(300));
            writer.run("UPDATE tb_post SET fk_user = 3 WHERE pk_post = 1; COMMIT");
            creator.join().expect("the TVIEW is created");
        });
        client.assert_follows(&blog::ENTITIES[..=round]);
    }
}

#[test]
fn create_under_load_loses_no_concurrent_change() {
    let database = Database::new(shared(), "create_load");
    let mut client = database.client();
    client.run(blog::TABLES);
    let random = Random::announced("create_under_load_loses_no_concurrent_change");
    let plan = blog::writers(shared(), &database.name);
    Load::during(&plan, 3, &random, |load| {
        for (name, query) in blog::TVIEWS {
            load.let_pass(10);
            client.run(&format!("SELECT pg_tviews_create('{name}', $${query}$$)"));
        }
        load.let_pass(10);
    });
    client.assert_follows(&blog::ENTITIES);
}

#[test]
fn large_create_under_load_loses_no_concurrent_change() {
    let database = Database::new(shared(), "large_load");
    let mut client = database.client();
    client.run(
        "CREATE TABLE tb_big (pk_big int PRIMARY KEY, n int NOT NULL DEFAULT 0);
         INSERT INTO tb_big SELECT generate_series(1, 120000)",
    );
    let random = Random::announced("large_create_under_load_loses_no_concurrent_change");
    let statements = &[
        "UPDATE tb_big SET n = n + 1 WHERE pk_big = {120000}",
        "DELETE FROM tb_big WHERE pk_big = {120000}",
        "INSERT INTO tb_big VALUES ({120000}, {9}) ON CONFLICT DO NOTHING",
        // A hundred rows: writers that hold the table for long, one after the other, leave no gap to the call.
        "UPDATE tb_big SET n = {9} WHERE pk_big % 1200 = {1199}",
    ];
    let plan = Plan {
        cluster: shared(),
        database: &database.name,
        statements,
        crashes: false,
    };
    Load::during(&plan, 2, &random, |load| {
        load.let_pass(10);
        client.run("SELECT pg_tviews_create('big', 'SELECT pk_big, n FROM tb_big')");
        load.let_pass(50);
    });
    client.assert_follows(&["big"]);
}

#[test]
fn redefinition_under_load_reconciles() {
    let (database, mut client) = blog::open(shared(), "redefine_load");
    let random = Random::announced("redefinition_under_load_reconciles");
    let plan = blog::writers(shared(), &database.name);
    Load::during(&plan, 2, &random, |load| {
        for i in 0..8 {
            load.let_pass(5);
            client.run(&format!(
                "SELECT pg_tviews_create('user', 'SELECT pk_user, id, jsonb_build_object(''name'', name, ''v'', {i}) AS data FROM tb_user')"
            ));
        }
    });
    client.assert_follows(&blog::ENTITIES);
    assert_eq!(client.rows("SELECT DISTINCT data->>'v' FROM tv_user"), ["7"]);
    assert_eq!(
        client.rows("SELECT DISTINCT data->'author'->>'v' FROM tv_post"),
        ["7"],
        "the view above changed too"
    );
}

#[test]
fn nested_view_replaced_by_the_application_is_noticed() {
    let (_database, mut client) = blog::open(shared(), "nested");
    client.assert_follows(&blog::ENTITIES);
    client.run("CREATE OR REPLACE VIEW v_user AS SELECT pk_user, id, jsonb_build_object('shout', upper(name)) AS data FROM tb_user");
    for entity in ["user", "post", "feed"] {
        let condition = format!("SELECT bool_and(data::text LIKE '%USER%') FROM tv_{entity}");
        client.wait_until(&condition, WAIT);
    }
    client.assert_follows(&blog::ENTITIES);
}

#[test]
fn drop_while_a_refresh_runs() {
    let database = Database::new(shared(), "drop_refresh");
    let mut client = database.client();
    for round in 0..3 {
        blog::create_slow(&mut client);
        client.run("UPDATE knob SET seconds = 1");
        client.run("UPDATE tb_slow SET n = 2");
        let sleeping = "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()";
        client.wait_until(sleeping, WAIT);
        client.run("SELECT pg_tviews_drop('slow')");
        let gone = client.rows(
            "SELECT to_regclass('tv_slow'), to_regclass('v_slow'), (SELECT count(*) FROM pg_tview_meta)",
        );
        assert_eq!(gone, ["~|~|0"], "round {round}");
        client.run("UPDATE tb_slow SET n = 3");
        client.run("DROP TABLE knob, tb_slow; DROP FUNCTION slowly");
    }
    client.assert_queue_empties();
    let failures =
        client.rows("SELECT operation, message FROM pg_tview_meta_audit WHERE sqlstate LIKE 'XX%'");
    assert!(failures.is_empty(), "{failures:?}");
}

#[test]
fn drop_under_load_leaves_the_others_right() {
    let (database, mut client) = blog::open(shared(), "drop_load");
    let random = Random::announced("drop_under_load_leaves_the_others_right");
    let plan = blog::writers(shared(), &database.name);
    Load::during(&plan, 2, &random, |load| {
        let (name, query) = blog::TVIEWS[3];
        for _ in 0..5 {
            load.let_pass(5);
            client.run(&format!("SELECT pg_tviews_drop('{name}')"));
            load.let_pass(5);
            client.run(&format!("SELECT pg_tviews_create('{name}', $${query}$$)"));
        }
    });
    client.assert_follows(&blog::ENTITIES);
    client.assert_queue_empties();
}

#[test]
fn table_dropped_by_the_application_takes_its_tview_along() {
    let (_database, mut client) = blog::open(shared(), "drop_cascade");
    client.assert_follows(&blog::ENTITIES);
    client.run("DROP TABLE tb_post CASCADE");
    client.run("UPDATE tb_user SET name = 'goes on' WHERE pk_user = 1");
    client.wait_until(
        "SELECT data->>'name' = 'goes on' FROM tv_user WHERE pk_user = 1",
        WAIT,
    );
    client.assert_equal("v_user", "tv_user", "pk_user, data");
}

#[test]
fn create_with_an_old_snapshot_is_refused() {
    let database = Database::new(shared(), "old_snapshot");
    let mut client = database.client();
    client.run(blog::TABLES);
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        client.run(&format!("BEGIN ISOLATION LEVEL {level}; SELECT 1"));
        let error = client.fails("SELECT pg_tviews_create('user', 'SELECT pk_user, name FROM tb_user')");
        assert!(error.hint().is_some(), "{error:?}");
        client.run("ROLLBACK");
    }
    assert_eq!(
        client.rows("SELECT to_regclass('tv_user'), (SELECT count(*) FROM pg_tview_meta)"),
        ["~|0"]
    );
}

#[test]
fn create_rolled_back_leaves_nothing() {
    let (_database, mut client) = blog::open(shared(), "create_back");
    client.run(
        "BEGIN; SELECT pg_tviews_create('gone', 'SELECT pk_user AS pk_gone, score FROM tb_user'); ROLLBACK",
    );
    client.run("UPDATE tb_user SET score = score + 1, name = 'x' WHERE pk_user = 1");
    client.assert_follows(&blog::ENTITIES);
    assert_eq!(
        client.rows("SELECT to_regclass('tv_gone'), (SELECT count(*) FROM pg_tview_meta)"),
        ["~|4"]
    );
    client.assert_queue_empties();
}

#[test]
fn wait_knows_of_ddl() {
    let database = Database::new(shared(), "wait_ddl");
    let mut reader = database.client();
    let mut client = database.client();
    client.run(
        "CREATE TABLE tb_item (pk_item int PRIMARY KEY, n int NOT NULL);
         INSERT INTO tb_item SELECT i, i FROM generate_series(1, 20) i;
         CREATE FUNCTION worth(n int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT n';
         CREATE VIEW below AS SELECT pk_item, worth(n) AS n FROM tb_item;
         CREATE TABLE tb_log (pk_log int, day int NOT NULL) PARTITION BY LIST (day);
         CREATE TABLE tb_town (pk_town int NOT NULL, name text);",
    );
    client.run("SELECT pg_tviews_create('item', 'SELECT pk_item, n FROM below')");
    client.run("SELECT pg_tviews_create('log', 'SELECT pk_log, day FROM tb_log', key_columns => '{pk_log}')");
    client.run(
        "SELECT pg_tviews_create('town', 'SELECT pk_town, name FROM tb_town', key_columns => '{pk_town}')",
    );
    let tables = [
        ("v_item", "tv_item", "pk_item, n"),
        ("v_log", "tv_log", "pk_log, day"),
        ("v_town", "tv_town", "pk_town, name"),
    ];
    for round in 1..=40 {
        for command in [
            format!("CREATE OR REPLACE FUNCTION worth(n int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT n + {round}'"),
            format!("CREATE OR REPLACE VIEW below AS SELECT pk_item, worth(n) * {round} AS n FROM tb_item"),
            format!("CREATE OR REPLACE VIEW v_item AS SELECT pk_item, n - {round} AS n FROM below"),
            format!("CREATE TABLE tb_log_{round} PARTITION OF tb_log FOR VALUES IN ({round}); INSERT INTO tb_log VALUES ({round}, {round})"),
            format!("DROP TABLE tb_log_{round}"),
            format!("CREATE TABLE tb_port_{round} () INHERITS (tb_town); INSERT INTO tb_port_{round} VALUES ({round}, 'port')"),
            format!("DROP TABLE tb_port_{round}"),
        ] {
            client.run(&command);
            assert!(reader.one::<bool>("SELECT pg_tviews_wait()"), "gave up: {command}");
            for (view, table, columns) in tables {
                reader.assert_equal(view, table, columns);
            }
        }
    }
    client.run("DROP VIEW v_item");
    let error = reader.fails("SELECT pg_tviews_wait('item')");
    assert!(error.message().contains("suspended"), "{error:?}");
    client.run("CREATE VIEW v_item AS SELECT pk_item, 7 AS n FROM below");
    // It stays suspended until a worker has looked.
    client.wait_until("SELECT bool_and(n = 7) FROM tv_item", WAIT);
    client.assert_follows(&["item", "log", "town"]);
}
