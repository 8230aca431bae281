//! DDL that has nothing to do with TVIEWs is none of the workers' business, nor does it go over the definitions; DDL that has,
//! is, whatever looks like the other.

use std::time::Duration;

use postgres::Client;

use crate::blog;
use crate::harness::{shared, Ask, Database, WAIT};

/// How often something has gone over all definitions, as workers do who load them.
fn times_gone_over(client: &mut Client) -> i64 {
    client.run("SELECT pg_stat_force_next_flush()");
    client.one("SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'pg_tview_definition'")
}

/// The figure once it has come to rest: workers that start load them, too.
fn at_rest(client: &mut Client) -> i64 {
    let mut before = -1;
    loop {
        std::thread::sleep(Duration::from_millis(1500));
        let now = times_gone_over(client);
        if now <= before + 1 {
            return now;
        }
        before = now;
    }
}

#[test]
fn nobody_goes_over_the_definitions() {
    let (database, mut client) = blog::open(shared(), "unrelated_ddl");
    client.assert_follows(&blog::ENTITIES);
    client.started_workers();
    let before = at_rest(&mut client);
    let mut other = database.client();
    for n in 1..=20 {
        other.run(&format!(
            "CREATE TABLE plain_{n} (id int PRIMARY KEY, user_id int REFERENCES tb_user, name text)"
        ));
        other.run(&format!(
            "CREATE INDEX ON plain_{n} (name); ALTER TABLE plain_{n} ADD COLUMN more text"
        ));
        other.run(&format!("CREATE VIEW seen_{n} AS SELECT * FROM plain_{n}; CREATE TABLE copy_{n} AS SELECT * FROM plain_{n}"));
        other.run(&format!(
            "CREATE FUNCTION f_{n}() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE SEQUENCE s_{n};
             CREATE OR REPLACE FUNCTION f_{n}() RETURNS int LANGUAGE sql AS 'SELECT 2'; GRANT SELECT ON plain_{n} TO pg_monitor"
        ));
        other.run(&format!(
            "CREATE TABLE tree_{n} (id int) PARTITION BY LIST (id); CREATE TABLE leaf_{n} PARTITION OF tree_{n} FOR VALUES IN (1);
             ALTER TABLE tree_{n} DETACH PARTITION leaf_{n}; ALTER TABLE tree_{n} ATTACH PARTITION leaf_{n} FOR VALUES IN (1);
             CREATE TABLE child_{n} () INHERITS (plain_{n}); ALTER TABLE child_{n} NO INHERIT plain_{n}; DROP TABLE tree_{n}, child_{n}"
        ));
        other.run("BEGIN; CREATE TEMP TABLE mine (id int) ON COMMIT DROP; ALTER TABLE mine ADD COLUMN n int; COMMIT");
        other.run(&format!(
            "DROP VIEW seen_{n}; DROP FUNCTION f_{n}(); DROP TABLE plain_{n}, copy_{n} CASCADE; DROP SEQUENCE s_{n}"
        ));
    }
    // Housekeeping does, every few seconds; 400 commands are more than that.
    let after = at_rest(&mut client);
    assert!(after - before < 20, "{before} times before, {after} after");
    // A column more that no view reads, of a source.
    other.run("ALTER TABLE tb_user ADD COLUMN unread int");
    client.wait_until(
        &format!("SELECT pg_stat_force_next_flush() IS NOT NULL AND seq_scan > {after} FROM pg_stat_user_tables WHERE relname = 'pg_tview_definition'"),
        WAIT,
    );
    client.assert_follows(&blog::ENTITIES);
}

/// What a command looks like does not say what it does.
#[test]
fn what_concerns_a_tview_is_followed() {
    let database = Database::new(shared(), "related_ddl");
    let mut client = database.client();
    let mut reader = database.client();
    client.run(
        "CREATE TABLE tb_item (pk_item int PRIMARY KEY, n int); INSERT INTO tb_item VALUES (1, 1);
         CREATE TABLE spare (pk_item int PRIMARY KEY, n int); INSERT INTO spare VALUES (1, 7);
         CREATE TABLE tb_log (pk_log int, day int) PARTITION BY LIST (day);
         CREATE TABLE below (pk_log int, day int); INSERT INTO below VALUES (5, 5);
         CREATE VIEW v_item AS SELECT pk_item, n FROM tb_item",
    );
    client.run("SELECT pg_tviews_create('item'), pg_tviews_create('log', 'SELECT pk_log, day FROM tb_log', key_columns => '{pk_log}')");
    for (command, rows) in [
        // A view of the same name in the place of the one that is gone, made in other ways than by CREATE VIEW of that name.
        ("DROP VIEW v_item; CREATE VIEW other AS SELECT pk_item, n + 1 AS n FROM tb_item; ALTER VIEW other RENAME TO v_item", "1|2"),
        ("CREATE SCHEMA aside; CREATE VIEW aside.v_item AS SELECT pk_item, n + 2 AS n FROM tb_item;
          DROP VIEW v_item; ALTER VIEW aside.v_item SET SCHEMA public", "1|3"),
        ("DROP VIEW v_item; CREATE SCHEMA made CREATE VIEW nested AS SELECT pk_item, n + 3 AS n FROM public.tb_item;
          CREATE VIEW v_item AS SELECT * FROM made.nested", "1|4"),
        // Nested, through a type, a function, an operator.
        ("CREATE OR REPLACE VIEW made.nested AS SELECT pk_item, n + 4 AS n FROM tb_item", "1|5"),
        ("CREATE FUNCTION worth(tb_item) RETURNS int STABLE LANGUAGE sql AS 'SELECT $1.n * 10';
          CREATE OR REPLACE VIEW made.nested AS SELECT pk_item, worth(tb_item) AS n FROM tb_item", "1|10"),
        ("CREATE OR REPLACE FUNCTION worth(tb_item) RETURNS int STABLE LANGUAGE sql AS 'SELECT $1.n * 20'", "1|20"),
        // The table a view reads is another.
        ("DROP VIEW v_item; ALTER TABLE tb_item RENAME TO old; ALTER TABLE spare RENAME TO tb_item;
          CREATE VIEW v_item AS SELECT pk_item, n FROM tb_item", "1|7"),
        ("UPDATE tb_item SET n = 8", "1|8"),
        // A column that goes with its type, where no view names it.
        ("CREATE DOMAIN size AS int; ALTER TABLE tb_item ADD COLUMN size size;
          CREATE OR REPLACE VIEW v_item AS SELECT pk_item, (SELECT count(*)::int FROM jsonb_object_keys(to_jsonb(tb_item))) AS n FROM tb_item", "1|3"),
        ("DROP DOMAIN size CASCADE", "1|2"),
    ] {
        client.run(command);
        client.wait_until(&format!("SELECT string_agg(concat_ws('|', pk_item, n), ',') = '{rows}' FROM tv_item"), WAIT);
        assert!(reader.one::<bool>("SELECT pg_tviews_wait()"), "{command}");
        reader.assert_equal("v_item", "tv_item", "pk_item, n");
    }
    for command in [
        "CREATE TABLE part PARTITION OF tb_log FOR VALUES IN (1); INSERT INTO tb_log VALUES (1, 1)",
        "ALTER TABLE tb_log ATTACH PARTITION below FOR VALUES IN (5)",
        "ALTER TABLE below RENAME TO lower; UPDATE lower SET pk_log = 6",
        "DROP TABLE part",
        "ALTER TABLE tb_log DETACH PARTITION lower",
        // Trees that are read as a part of another, and by their own name after they have left.
        "CREATE TABLE middle (pk_log int, day int) PARTITION BY LIST (pk_log); CREATE TABLE deep PARTITION OF middle FOR VALUES IN (9);
         INSERT INTO deep VALUES (9, 9)",
        "ALTER TABLE tb_log ATTACH PARTITION middle FOR VALUES IN (9)",
        "CREATE TABLE deeper PARTITION OF middle FOR VALUES IN (10); INSERT INTO tb_log VALUES (10, 9)",
        "ALTER TABLE middle DETACH PARTITION deep",
        "ALTER TABLE tb_log DETACH PARTITION middle",
    ] {
        client.run(command);
        assert!(reader.one::<bool>("SELECT pg_tviews_wait()"), "{command}");
        reader.assert_equal("v_log", "tv_log", "pk_log, day");
    }
    client.run("DROP TABLE tv_log");
    assert_eq!(client.rows("SELECT entity_name FROM pg_tview_meta"), ["item"]);
}

/// A suspended TVIEW is tried again after whatever may have helped.
#[test]
fn what_a_failing_view_needs_is_seen_to_come() {
    let database = Database::new(shared(), "helping_ddl");
    let mut client = database.client();
    client.run(
        "CREATE TABLE tb_item (pk_item int PRIMARY KEY); INSERT INTO tb_item VALUES (1); CREATE TABLE needed (n int);
         CREATE FUNCTION read(int) RETURNS bigint STABLE LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT count(*) + $1 FROM public.needed); END'",
    );
    client.run("SELECT pg_tviews_create('item', 'SELECT pk_item, read(pk_item) AS n FROM tb_item')");
    client.run("DROP TABLE needed; UPDATE tb_item SET pk_item = 2");
    client.wait_until("SELECT state = 'suspended' FROM pg_tview_meta", WAIT);
    client.run("CREATE TABLE needed (n int)");
    client.wait_until("SELECT state = 'active' FROM pg_tview_meta", WAIT);
    client.assert_follows(&["item"]);
}
