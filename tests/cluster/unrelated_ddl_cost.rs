//! What DDL costs that has nothing to do with TVIEWs, counted in the rows and pages its session goes over: the same with many
//! TVIEWs as with one.

use postgres::Client;

use crate::harness::{shared, Ask, Database};

const MANY: usize = 60;

/// There before; no TVIEW reads any of it.
const OBJECTS: &str = "
CREATE SCHEMA apart; CREATE SCHEMA leaves; CREATE TABLE leaves.one (a int);
CREATE TABLE plain (id int PRIMARY KEY, name text); CREATE TABLE other (id int PRIMARY KEY);
CREATE TABLE tree (id int) PARTITION BY LIST (id); CREATE TABLE leaf PARTITION OF tree FOR VALUES IN (1);
CREATE TABLE apart_leaf (id int NOT NULL);
CREATE VIEW seen AS SELECT * FROM plain; CREATE SEQUENCE numbers;
CREATE FUNCTION f(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TYPE addr AS (street text, zip text); CREATE DOMAIN short AS text;
CREATE FUNCTION compare(a addr, b addr) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 0';
CREATE FUNCTION as_json(m mood) RETURNS json IMMUTABLE LANGUAGE sql AS 'SELECT NULL::json';
CREATE FUNCTION alike(a addr, b addr) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT true';
CREATE OPERATOR <~> (leftarg = addr, rightarg = addr, function = alike);
CREATE OPERATOR CLASS by_zip DEFAULT FOR TYPE addr USING btree AS OPERATOR 3 <~>, FUNCTION 1 compare(addr, addr);
CREATE AGGREGATE best(int) (sfunc = int4larger, stype = int);
CREATE CAST (mood AS json) WITH FUNCTION as_json(mood);
CREATE TRIGGER touched BEFORE INSERT ON plain FOR EACH ROW EXECUTE FUNCTION touch();
CREATE POLICY few ON plain USING (id > 0);
CREATE TEXT SEARCH DICTIONARY words (template = simple); CREATE TEXT SEARCH CONFIGURATION conf (COPY = simple);
CREATE TEMP TABLE mine (id int)";

/// Commands of every kind.
const COMMANDS: &[&str] = &[
    "GRANT SELECT ON plain TO pg_monitor",
    "GRANT EXECUTE ON FUNCTION f(int) TO pg_monitor",
    "REVOKE ALL ON SCHEMA apart FROM public",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA apart GRANT SELECT ON TABLES TO pg_monitor",
    "CREATE OR REPLACE FUNCTION f(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 + 1'",
    "ALTER FUNCTION f(int) STRICT",
    "ALTER FUNCTION f(int) RENAME TO g",
    "CREATE PROCEDURE p() LANGUAGE sql AS 'SELECT 1'",
    "CREATE TABLE v_plain (id int)",
    "CREATE TABLE copied AS SELECT * FROM plain",
    "ALTER TABLE plain ADD COLUMN more int",
    "ALTER TABLE plain RENAME COLUMN name TO called",
    "ALTER TABLE plain RENAME TO simple",
    "ALTER TABLE plain ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE other SET SCHEMA apart",
    "ALTER TABLE tree ADD COLUMN more int",
    "CREATE TABLE leaf_2 PARTITION OF tree FOR VALUES IN (2)",
    "ALTER TABLE tree ATTACH PARTITION apart_leaf FOR VALUES IN (3)",
    "ALTER TABLE tree DETACH PARTITION leaf",
    "CREATE TABLE child () INHERITS (plain)",
    "ALTER TABLE apart_leaf INHERIT other",
    "ALTER TABLE mine ADD COLUMN more int",
    "CREATE INDEX ON plain (name)",
    "CREATE MATERIALIZED VIEW kept AS SELECT * FROM plain",
    "CREATE OR REPLACE VIEW seen AS SELECT * FROM plain WHERE id > 0",
    "ALTER VIEW seen RENAME TO looked_at",
    "CREATE RULE nothing AS ON DELETE TO plain DO INSTEAD NOTHING",
    "CREATE TRIGGER more BEFORE UPDATE ON plain FOR EACH ROW EXECUTE FUNCTION touch()",
    "ALTER TRIGGER touched ON plain RENAME TO renamed",
    "CREATE POLICY more ON plain USING (id > 1)",
    "ALTER POLICY few ON plain USING (id > 2)",
    "ALTER TYPE mood ADD VALUE 'happy'",
    "ALTER TYPE addr ADD ATTRIBUTE town text",
    "CREATE TYPE color AS ENUM ('red')",
    "CREATE DOMAIN digits AS text CHECK (VALUE ~ '[0-9]')",
    "ALTER DOMAIN short SET DEFAULT 'x'",
    "CREATE OR REPLACE AGGREGATE best(int) (sfunc = int4smaller, stype = int)",
    "CREATE OPERATOR ~~~ (leftarg = int, rightarg = int, function = int4eq)",
    "ALTER OPERATOR <~> (addr, addr) SET (RESTRICT = eqsel)",
    "ALTER OPERATOR FAMILY by_zip USING btree ADD OPERATOR 1 < (int4, int4)",
    "CREATE CAST (addr AS json) WITH INOUT",
    "CREATE COLLATION by_bytes (provider = libc, locale = 'C')",
    "CREATE CONVERSION ours FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8",
    "ALTER TEXT SEARCH CONFIGURATION conf ALTER MAPPING FOR asciiword WITH words",
    "ALTER TEXT SEARCH DICTIONARY words (stopwords = 'english')",
    "CREATE SCHEMA fresh CREATE TABLE inside (id int)",
    "ALTER SCHEMA leaves RENAME TO left_over",
    "CREATE FOREIGN DATA WRAPPER nowhere",
    "CREATE PUBLICATION ours FOR TABLE plain",
    "CREATE SUBSCRIPTION ours CONNECTION 'dbname=nowhere' PUBLICATION theirs WITH (connect = false)",
    "CREATE EXTENSION citext",
    "COMMENT ON FUNCTION f(int) IS 'x'",
    "DROP TABLE plain CASCADE",
    "DROP TABLE mine",
    "DROP VIEW seen",
    "DROP FUNCTION f(int)",
    "DROP POLICY few ON plain",
    "DROP TRIGGER touched ON plain",
    "DROP TYPE mood CASCADE",
    "DROP DOMAIN short",
    "DROP CAST (mood AS json)",
    "DROP OPERATOR CLASS by_zip USING btree",
    "DROP AGGREGATE best(int)",
    "DROP TEXT SEARCH CONFIGURATION conf",
    "DROP SCHEMA leaves CASCADE",
];

/// Rows and pages that this session has gone over, of whatever relation there was before.
fn gone_over(client: &mut Client, relations: &str) -> i64 {
    client.one(&format!(
        "SELECT sum(pg_stat_get_xact_tuples_returned(oid) + pg_stat_get_xact_tuples_fetched(oid) + pg_stat_get_xact_blocks_fetched(oid))::bigint
           FROM unnest('{relations}'::oid[]) oid"
    ))
}

/// What a command costs once the session knows what it needs of the catalogs, and that everything is as before.
fn cost(client: &mut Client, command: &str) -> i64 {
    let relations: String = client.one("SELECT array_agg(oid)::text FROM pg_class");
    let mut once = || {
        client.run("BEGIN");
        gone_over(client, &relations);
        let before = gone_over(client, &relations);
        client.run(command);
        let after = gone_over(client, &relations);
        client.run("ROLLBACK");
        after - before
    };
    once();
    // Other sessions and databases of the cluster make this one forget parts of the catalogs.
    (0..3).map(|_| once()).min().unwrap_or_default()
}

fn database(name: &str, tviews: usize) -> (Database<'static>, Client) {
    let database = Database::new(shared(), name);
    let mut client = database.client();
    client.run(&format!(
        "CREATE TABLE tb_item (pk_item int PRIMARY KEY, n int); {OBJECTS}"
    ));
    for number in 1..=tviews {
        client.run(&format!(
            "SELECT pg_tviews_create('item_{number}', 'SELECT pk_item AS id, n + {number} AS n FROM tb_item')"
        ));
    }
    assert!(client.one::<bool>("SELECT pg_tviews_wait()"));
    client.run("VACUUM ANALYZE");
    (database, client)
}

#[test]
fn does_not_grow_with_the_number_of_tviews() {
    let (_one, mut beside_one) = database("unrelated_ddl_1", 1);
    let (_many, mut beside_many) = database("unrelated_ddl_many", MANY);
    let mut grown = Vec::new();
    for command in COMMANDS {
        let (one, many) = (cost(&mut beside_one, command), cost(&mut beside_many, command));
        // Catalogs have a page more here and there.
        if many > one + one / 10 + 20 {
            grown.push(format!(
                "{command}: {one} rows and pages with one TVIEW, {many} with {MANY}"
            ));
        }
    }
    assert!(grown.is_empty(), "{}", grown.join("\n"));
    // What is counted would show what goes over the definitions.
    let command = "ALTER TABLE tb_item ADD COLUMN more int";
    let (one, many) = (cost(&mut beside_one, command), cost(&mut beside_many, command));
    assert!(
        many > one + 20 * MANY as i64,
        "{one} rows and pages with one TVIEW, {many} with {MANY}"
    );
}
