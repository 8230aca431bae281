//! Whatever other schemas define under the names of PostgreSQL's own functions, operators, types and catalogs: no SQL of the extension
//! uses it, in no session, whatever its search_path.

use std::collections::BTreeSet;

use postgres::Client;

use crate::blog;
use crate::harness::{repository, shared, Ask, Cluster, Database, Options, StopMode, WAIT};

/// Everything in pg_catalog again, in a schema `evil`; whatever is called there says so in the log, and fails.
const SHADOWS: &str = include_str!("look_alikes/shadows.sql");

/// In public, what matches the types of arguments more exactly than PostgreSQL's own.
const EXACT: &str = include_str!("look_alikes/exact.sql");

/// Tables of the TVIEWs that sessions under the bad search_path make.
const TABLES: &str = "
CREATE TABLE tb_item (pk_item int PRIMARY KEY, name text, n int NOT NULL);
CREATE TABLE tb_part (pk_part int PRIMARY KEY, fk_item int REFERENCES tb_item ON DELETE CASCADE, label text);
CREATE INDEX ON tb_part (fk_item);
INSERT INTO tb_item SELECT i, 'item ' || i, i FROM generate_series(1, 200) i;
INSERT INTO tb_part SELECT i, 1 + i % 200, 'part ' || i FROM generate_series(1, 400) i;
CREATE TABLE tv_part (id int, label text, updated_at timestamptz);
CREATE TABLE tb_plain (pk_plain int PRIMARY KEY, id uuid, name text);
CREATE TABLE tv_plain (pk_plain int PRIMARY KEY, id uuid, data jsonb);
CREATE TABLE tb_month (pk_month int, day date, PRIMARY KEY (pk_month, day)) PARTITION BY RANGE (day);
CREATE TABLE month_1 PARTITION OF tb_month FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
CREATE TABLE tb_parent (pk_parent int PRIMARY KEY, n int);
CREATE TABLE tb_child (PRIMARY KEY (pk_parent)) INHERITS (tb_parent);
CREATE UNLOGGED TABLE tb_fleeting (pk_fleeting int PRIMARY KEY, n int);
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE TABLE tb_mood (pk_mood int PRIMARY KEY, mood mood);
CREATE FUNCTION shown(n int) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT n::text';
CREATE ROLE reader;
";

/// Creation in all its forms; operators and functions of the queries themselves are qualified.
const CREATIONS: &[&str] = &[
    "SELECT pg_tviews_create('public.item', 'SELECT pk_item, name, n FROM tb_item')",
    "GRANT SELECT ON tv_item, v_item TO reader",
    "SELECT pg_tviews_create('public.item', 'SELECT pk_item, n, name, shown(n) AS shown FROM tb_item', max_latency => '1 s')",
    "SELECT pg_tviews_create('public.part', 'SELECT pk_part AS id, label, fk_item FROM tb_part', key_columns => '{id}')",
    "SELECT pg_tviews_create('public.parts', 'SELECT i.pk_item AS pk_parts, pg_catalog.jsonb_agg(p.label ORDER BY p.pk_part) AS data FROM tb_item i
       JOIN tb_part p ON p.fk_item OPERATOR(pg_catalog.=) i.pk_item GROUP BY i.pk_item')",
    "SELECT pg_tviews_create('public.size', 'SELECT 1 AS id, pg_catalog.count(*) AS n, pg_catalog.now() AS at FROM tb_part')",
    "SELECT pg_tviews_create('public.month', 'SELECT pk_month, day FROM tb_month', key_columns => '{pk_month,day}')",
    "SELECT pg_tviews_create('public.parent', 'SELECT pk_parent, n FROM tb_parent')",
    "SELECT pg_tviews_create('public.fleeting', 'SELECT pk_fleeting, n FROM tb_fleeting')",
    "SELECT pg_tviews_create('public.mood', 'SELECT pk_mood, mood FROM tb_mood')",
    "SELECT pg_tviews_create('public.dirty', 'SELECT pk_item AS id, 100 OPERATOR(pg_catalog./) n AS n FROM tb_item')",
    "SELECT * FROM pg_tviews_auto_convert_plan()",
    "SELECT * FROM pg_tviews_auto_convert('public')",
    "SELECT * FROM pg_tviews_auto_convert_plan('public')",
    "UPDATE pg_tview_meta SET max_latency = '200 ms'",
    "UPDATE pg_tview_meta SET fk_columns = '{fk_item}' WHERE entity_name OPERATOR(pg_catalog.=) 'part'",
];

/// Everything that can be asked or requested.
const CALLS: &[&str] = &[
    "SELECT pg_tviews_wait()",
    "SELECT pg_tviews_wait('item')",
    "SELECT pg_tviews_wait('item', '10 seconds')",
    "SELECT pg_tviews_wait('item', '7')",
    "SELECT pg_tviews_wait('item', 7)",
    "SELECT pg_tviews_wait('month', '{\"pk_month\": 1, \"day\": \"2024-01-01\"}', '5 s')",
    "SELECT pg_tviews_consistent('{item,part}')",
    "SELECT * FROM pg_tviews_pending('item')",
    "SELECT * FROM pg_tviews_pending('item', '{1,2}')",
    "SELECT pg_tviews_refresh('item')",
    "SELECT pg_tviews_refresh('parts', '{1,2}')",
    "SELECT pg_tviews_bulk_load('tb_item')",
    "SELECT * FROM pg_tview_progress",
    "SELECT * FROM pg_tviews_check('item')",
    "SELECT * FROM pg_tviews_check('parts')",
    "SELECT * FROM pg_tviews_explain('item')",
    "SELECT * FROM pg_tviews_explain('parts')",
    "SELECT * FROM pg_tviews_explain('feed')",
    "SELECT * FROM pg_tviews_explain('SELECT i.pk_item AS id, p.label FROM tb_item i JOIN tb_part p ON p.fk_item OPERATOR(pg_catalog.=) i.pk_item')",
    "SELECT * FROM pg_tviews_affected('parts', 'tb_part', '[{\"pk_part\": 1}]')",
    "SELECT * FROM pg_tviews_affected('feed', 'tb_user', '{\"pk_user\": 1}')",
    "UPDATE pg_tview_meta SET feed = true WHERE entity_name OPERATOR(pg_catalog.=) 'item'",
    "UPDATE pg_tview_meta SET refresh_group = 'items' WHERE entity_name OPERATOR(pg_catalog.=) 'item'",
    "SELECT pg_tviews_subscribe('c', '{item}'), pg_tviews_subscribe('d')",
    "UPDATE tb_item SET name = 'told'",
    "SELECT pg_tviews_wait('item')",
    "SELECT pg_tviews_ack('c', token) FROM pg_tviews_changes('c', 5)",
    "SELECT * FROM pg_tviews_changes('c')",
    "SELECT * FROM pg_tview_change",
    "SELECT * FROM pg_tview_consumer",
    "SELECT pg_tviews_unsubscribe('c'), pg_tviews_unsubscribe('d')",
    "SELECT pg_tviews_pause('item')",
    "UPDATE tb_item SET name = 'while paused'",
    "SELECT * FROM pg_tviews_pending('item')",
    "SELECT * FROM pg_tview_status",
    "SELECT * FROM pg_tview_metrics",
    "SELECT * FROM pg_tview_server_metrics",
    "SELECT pg_tviews_resume('item')",
    "SELECT pg_tviews_graph(), pg_tviews_graph('item', 'dot'), pg_tviews_graph(format => 'json')",
    "SELECT * FROM pg_tviews_cost()",
    "SELECT * FROM pg_tviews_compare('item', 'SELECT pk_item, name, n OPERATOR(pg_catalog.+) 1 AS n FROM tb_item')",
    "SELECT pg_tviews_retry()",
    "SELECT pg_tviews_retry('dirty')",
    "SELECT * FROM pg_tviews_health_check()",
    "SELECT pg_tviews_version()",
    "SELECT pg_tviews_export()",
    "SELECT * FROM pg_tviews_lint()",
    "SELECT * FROM pg_tview_meta",
    "SELECT * FROM pg_tview_status",
    "SELECT * FROM pg_tview_queue",
    "SELECT * FROM pg_tview_dead_letter",
    "SELECT * FROM pg_tview_meta_audit",
    "CALL pg_tviews_drain()",
    "CALL pg_tviews_drain('item')",
];

/// Writes, and reads of the transaction's own.
const WRITES: &[&str] = &[
    "UPDATE tb_item SET name = 'other'",
    "UPDATE tb_item SET n = 0 WHERE pk_item OPERATOR(pg_catalog.=) 3",
    "BEGIN",
    "UPDATE tb_item SET name = 'mine' WHERE pk_item OPERATOR(pg_catalog.<) 10",
    "SELECT * FROM tv_item",
    "SELECT * FROM tv_parts",
    "SELECT * FROM tv_feed",
    "SELECT * FROM tv_size",
    "COMMIT",
    "DELETE FROM tb_part WHERE pk_part OPERATOR(pg_catalog.=) 8",
    "UPDATE tb_user SET name = 'somebody'",
    "INSERT INTO tb_month VALUES (1, '2024-01-02')",
    "INSERT INTO tb_parent VALUES (1, 1)",
    "INSERT INTO tb_child VALUES (2, 2)",
    "INSERT INTO tb_fleeting VALUES (1, 1)",
    "INSERT INTO tb_mood VALUES (1, 'good')",
    "INSERT INTO tb_plain VALUES (1, NULL, 'plain')",
    "BEGIN",
    "INSERT INTO tb_plain VALUES (2, NULL, 'prepared')",
    "PREPARE TRANSACTION 'later'",
    "COMMIT PREPARED 'later'",
    "TRUNCATE tb_fleeting",
];

/// DDL of the kinds the event triggers and the utility hook are called for.
const DDL: &[&str] = &[
    "CREATE TABLE month_2 PARTITION OF tb_month FOR VALUES FROM ('2024-02-01') TO ('2024-03-01')",
    "ALTER TABLE tb_month DETACH PARTITION month_2",
    "ALTER TABLE tb_month ATTACH PARTITION month_2 FOR VALUES FROM ('2024-02-01') TO ('2024-03-01')",
    "ALTER TABLE tb_item DISABLE TRIGGER ALL",
    "DROP TRIGGER pg_tviews_capture ON tb_item",
    "ALTER TABLE tb_item RENAME COLUMN name TO called",
    "ALTER TABLE tb_item RENAME COLUMN called TO name",
    "ALTER TABLE tb_item ENABLE ROW LEVEL SECURITY",
    "CREATE POLICY seen ON tb_item USING (true)",
    "ALTER POLICY seen ON tb_item USING (pk_item IS NOT NULL)",
    "DROP POLICY seen ON tb_item",
    "CREATE OR REPLACE VIEW public.v_parent AS SELECT pk_parent, 2 AS n FROM tb_parent",
    "CREATE OR REPLACE FUNCTION public.shown(n int) RETURNS pg_catalog.text LANGUAGE sql IMMUTABLE AS $$SELECT 'n'::pg_catalog.text$$",
    "ALTER FUNCTION public.shown(int) STRICT",
    "ALTER TYPE mood ADD VALUE 'fair'",
    "CREATE SCHEMA other CREATE TABLE t (n int)",
    "ALTER SCHEMA other RENAME TO another",
    "DROP SCHEMA another CASCADE",
    "GRANT SELECT ON tb_item TO reader",
    "REVOKE SELECT ON tb_item FROM reader",
    "CREATE VIEW public.v_star AS SELECT pk_item, * FROM tb_item",
    "CREATE TEMP TABLE mine (n int)",
    "CREATE SUBSCRIPTION nothing CONNECTION 'dbname=nowhere' PUBLICATION everything WITH (connect = false)",
    "ALTER SUBSCRIPTION nothing SET (slot_name = NONE)",
    "DROP SUBSCRIPTION nothing",
    "DROP VIEW public.v_mood",
    "CREATE VIEW public.v_mood AS SELECT pk_mood, mood FROM tb_mood",
    "DROP TABLE month_2",
    "TRUNCATE tv_item",
    "SET pg_tviews.allow_table_writes = on",
    "UPDATE tv_parent SET n = n",
    "RESET pg_tviews.allow_table_writes",
];

/// How TVIEWs end.
const DROPS: &[&str] = &[
    "SELECT pg_tviews_drop('item')",
    "SELECT pg_tviews_drop('part', keep_table => true)",
    "SELECT pg_tviews_drop('nothing', if_exists => true)",
    "DROP TABLE tv_month",
    "DROP TABLE tb_fleeting CASCADE",
    "DROP OWNED BY reader",
    "DROP EXTENSION pg_tviews CASCADE",
];

/// The search_path and syntax that every session of the database starts with, workers included.
fn mislead(client: &mut Client, database: &str) {
    client.run(&format!(
        "ALTER DATABASE {database} SET search_path = evil, pg_catalog, public;
         ALTER DATABASE {database} SET standard_conforming_strings = off;
         ALTER DATABASE {database} SET escape_string_warning = off;
         ALTER DATABASE {database} SET transform_null_equals = on"
    ));
}

fn run_each(client: &mut Client, statements: &[&str]) {
    statements.iter().for_each(|sql| client.run(sql));
}

/// A session that sees PostgreSQL's own.
fn honest(database: &Database) -> Client {
    let mut client = database.client();
    client.run(
        "SET search_path = public; RESET standard_conforming_strings; SET standard_conforming_strings = on",
    );
    client
}

fn used(cluster: &Cluster) -> BTreeSet<String> {
    let log = cluster.read_log();
    let lines = log.lines().filter(|line| line.contains("look-alike"));
    lines.map(str::to_string).collect()
}

/// A dump of the database, loaded into another with the same look-alikes.
fn restored<'a>(database: &Database<'a>) -> Database<'a> {
    let restored = Database::without_extension(database.cluster, "misled_too");
    let mut client = restored.client();
    client.run(SHADOWS);
    mislead(&mut client, "misled_too");
    let mut dump = database.cluster.program("pg_dump", repository());
    let dump = dump
        .args(["-N", "evil", &database.name])
        .output()
        .expect("pg_dump starts");
    assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
    let loaded = database
        .cluster
        .psql("misled_too", &String::from_utf8_lossy(&dump.stdout));
    assert!(
        loaded.status.success(),
        "{}",
        String::from_utf8_lossy(&loaded.stderr)
    );
    restored
}

#[test]
fn none_is_used_by_functions_triggers_workers_or_views() {
    let options = Options::preloaded()
        .set("pg_tviews.batch_size", "50")
        .set("pg_tviews.max_backlog", "1000")
        .set("pg_tviews.audit_retention", "1s")
        .set("pg_tviews.retry_limit", "1")
        .set("wal_level", "logical");
    let cluster = Cluster::start(options);
    let database = Database::without_extension(&cluster, "misled");
    let mut client = database.client();
    client.run(SHADOWS);
    mislead(&mut client, "misled");
    drop(client);
    let (mut misled, mut judge) = (database.client(), honest(&database));
    misled.run("CREATE EXTENSION pg_tviews SCHEMA public VERSION '0.1.0'");
    misled.run("ALTER EXTENSION pg_tviews UPDATE");
    assert_eq!(used(&cluster), BTreeSet::new());
    misled.run("DROP EXTENSION pg_tviews");
    misled.run("CREATE EXTENSION pg_tviews SCHEMA public");
    blog::create(&mut judge);
    judge.run(TABLES);
    // Workers, too, start under the bad path.
    judge.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'pg_tviews worker'",
    );
    judge.started_workers();
    run_each(&mut misled, CREATIONS);
    run_each(&mut misled, WRITES);
    run_each(&mut misled, CALLS);
    judge.wait_until("SELECT count(*) > 0 FROM pg_tview_dead_letter", WAIT);
    run_each(&mut misled, DDL);
    judge.wait_until(
        "SELECT count(*) = 0 FROM pg_tview_meta WHERE state = 'suspended'",
        WAIT,
    );
    run_each(&mut misled, CALLS);
    judge.assert_follows(&["item", "part", "parts", "month", "parent", "plain", "mood"]);
    assert_eq!(used(&cluster), BTreeSet::new());
    let restored = restored(&database);
    honest(&restored).assert_follows(&["item", "part", "parts", "month", "plain", "feed"]);
    assert_eq!(used(&cluster), BTreeSet::new());
    drop(restored);
    cluster.restart(StopMode::Immediate);
    let (mut misled, mut judge) = (database.client(), honest(&database));
    judge.assert_follows(&["fleeting", "feed"]);
    run_each(&mut misled, DROPS);
    assert_eq!(used(&cluster), BTreeSet::new());
    // They are there, and would have been noticed.
    misled.fails("SELECT count(*) FROM pg_class WHERE oid = 1");
    assert!(!used(&cluster).is_empty());
}

/// What the extension's views, policies, defaults, indexes and triggers are made of, but is neither its own nor PostgreSQL's.
const FOREIGN: &str = "
    SELECT DISTINCT pg_describe_object(d.classid, d.objid, d.objsubid) || ' uses ' || pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid)
      FROM pg_depend d
     WHERE d.deptype IN ('n', 'a', 'i') AND d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass, 'pg_type'::regclass,
              'pg_class'::regclass, 'pg_collation'::regclass, 'pg_opclass'::regclass, 'pg_cast'::regclass)
       AND EXISTS (
           SELECT FROM pg_depend e
            WHERE e.deptype = 'e' AND e.refclassid = 'pg_extension'::regclass
              AND e.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'pg_tviews')
              AND ((e.classid, e.objid) = (d.classid, d.objid) OR e.classid = 'pg_class'::regclass AND e.objid IN (
                   SELECT r.ev_class FROM pg_rewrite r WHERE d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
                   UNION ALL SELECT p.polrelid FROM pg_policy p WHERE d.classid = 'pg_policy'::regclass AND p.oid = d.objid
                   UNION ALL SELECT a.adrelid FROM pg_attrdef a WHERE d.classid = 'pg_attrdef'::regclass AND a.oid = d.objid
                   UNION ALL SELECT c.conrelid FROM pg_constraint c WHERE d.classid = 'pg_constraint'::regclass AND c.oid = d.objid
                   UNION ALL SELECT t.tgrelid FROM pg_trigger t WHERE d.classid = 'pg_trigger'::regclass AND t.oid = d.objid
                   UNION ALL SELECT i.indrelid FROM pg_index i WHERE d.classid = 'pg_class'::regclass AND i.indexrelid = d.objid)))
       AND (pg_identify_object(d.refclassid, d.refobjid, 0)).schema = 'public'
       AND NOT EXISTS (
           SELECT FROM pg_depend e
            WHERE e.deptype = 'e' AND e.classid = d.refclassid AND e.objid = d.refobjid
              AND e.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'pg_tviews'))
       AND pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid) NOT LIKE '%pg_tview%'
     ORDER BY 1";

/// Exact matches in public win over what PostgreSQL would convert to, even behind pg_catalog.
#[test]
fn none_is_built_into_what_the_extension_makes() {
    let database = Database::without_extension(shared(), "planted");
    let mut client = database.client();
    client.run(EXACT);
    client.run("CREATE EXTENSION pg_tviews SCHEMA public");
    let mut judge = database.client();
    judge.run("SET search_path = pg_catalog");
    assert_eq!(judge.rows(FOREIGN), [""; 0]);
    client.run(
        "CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text); INSERT INTO tb_user VALUES (1, 'one')",
    );
    client.run("SELECT pg_tviews_create('user', 'SELECT pk_user, name FROM tb_user')");
    client.run(
        "SELECT * FROM pg_tview_status; SELECT * FROM pg_tview_meta; SELECT * FROM pg_tview_dead_letter",
    );
    client.run("UPDATE pg_tview_meta SET max_latency = '1 s'");
    client.run("UPDATE tb_user SET name = 'other'");
    assert!(client.one::<bool>("SELECT pg_tviews_wait()"));
    // They win where the path lets them.
    client.fails("SELECT 2 * 1.5::float8");
    client.fails("SELECT pg_catalog.count(n) FROM unnest('{pg_class}'::regclass[]) n");
}
