//! Every command that fires event triggers: it has TVIEWs looked at again, or there is a reason why not.

use postgres::Client;

use super::OBJECTS;
use crate::harness::{shared, Ask, Database};

/// Beside [`OBJECTS`]: what the examples need to be there.
const FOR_EXAMPLES: &str = r#"
CREATE EXTENSION pg_trgm;
CREATE ROLE ddl_commands_other;
GRANT CREATE ON SCHEMA public TO ddl_commands_other;
CREATE FUNCTION theirs() RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1';
ALTER FUNCTION theirs() OWNER TO ddl_commands_other;
CREATE FUNCTION addr_as_json(a addr) RETURNS json IMMUTABLE LANGUAGE sql AS 'SELECT NULL::json';
CREATE VIEW v_more AS SELECT pk_p, similarity(body, 'a') AS like_a, theirs() AS theirs FROM tb_p;
CREATE OPERATOR <~~> (leftarg = addr, rightarg = addr, function = alike);
CREATE FOREIGN DATA WRAPPER nothing;
CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing;
CREATE FOREIGN TABLE far (pk_p int NOT NULL, n int, mood mood, home addr, brief short, span span, body text) SERVER nowhere;
SELECT pg_tviews_create('p');
SELECT pg_tviews_create('more', key_columns => '{pk_p}');
"#;

/// Commands after which some TVIEW is looked at again, each with an example.
const FOLLOWED: &[(&str, &str)] = &[
    ("ALTER COLLATION", "ALTER COLLATION by_bytes REFRESH VERSION"),
    ("ALTER DOMAIN", "ALTER DOMAIN short ADD CHECK (VALUE <> '')"),
    ("ALTER FOREIGN TABLE", "ALTER FOREIGN TABLE far INHERIT tb_p"),
    ("ALTER FUNCTION", "ALTER FUNCTION apart.near(int, int) STRICT"),
    ("ALTER OPERATOR FAMILY", "ALTER OPERATOR FAMILY by_zip USING btree ADD OPERATOR 1 <~~> (addr, addr)"),
    ("ALTER POLICY", "ALTER POLICY few ON tb_p USING (n > 1)"),
    ("ALTER ROUTINE", "ALTER ROUTINE lowest(int, int) STRICT"),
    ("ALTER SCHEMA", "ALTER SCHEMA apart RENAME TO elsewhere"),
    ("ALTER TABLE", "ALTER TABLE tb_p ADD COLUMN more int"),
    ("ALTER TEXT SEARCH CONFIGURATION", "ALTER TEXT SEARCH CONFIGURATION conf DROP MAPPING FOR asciiword"),
    ("ALTER TEXT SEARCH DICTIONARY", "ALTER TEXT SEARCH DICTIONARY stems (accept = false)"),
    ("ALTER TYPE", "ALTER TYPE addr RENAME ATTRIBUTE zip TO postcode"),
    ("ALTER VIEW", "ALTER VIEW below RENAME COLUMN one TO two"),
    ("CREATE AGGREGATE", "CREATE OR REPLACE AGGREGATE best(int) (sfunc = int4larger, stype = int)"),
    ("CREATE CAST", "CREATE CAST (addr AS json) WITH FUNCTION addr_as_json(addr)"),
    ("CREATE CONVERSION", "CREATE CONVERSION pg_catalog.more FOR 'LATIN2' TO 'UTF8' FROM iso8859_to_utf8"),
    ("CREATE FOREIGN TABLE", "CREATE FOREIGN TABLE nearer () INHERITS (tb_p) SERVER nowhere"),
    ("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION apart.near(a int, b int) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT a > b'"),
    ("CREATE LANGUAGE", "CREATE OR REPLACE LANGUAGE spoken HANDLER plpgsql_call_handler"),
    ("CREATE OPERATOR CLASS", "CREATE OPERATOR CLASS hashed DEFAULT FOR TYPE addr USING hash AS OPERATOR 1 <~>"),
    ("CREATE POLICY", "CREATE POLICY more ON tb_p USING (true)"),
    ("CREATE RULE", r#"CREATE OR REPLACE RULE "_RETURN" AS ON SELECT TO below DO INSTEAD SELECT 2 AS one"#),
    ("CREATE TABLE", "CREATE TABLE child () INHERITS (tb_p)"),
    ("CREATE TEXT SEARCH CONFIGURATION", "CREATE TEXT SEARCH CONFIGURATION pg_catalog.another (copy = english)"),
    ("CREATE TRANSFORM", "CREATE OR REPLACE TRANSFORM FOR mood LANGUAGE spoken (FROM SQL WITH FUNCTION dsynonym_init(internal))"),
    ("CREATE VIEW", "CREATE OR REPLACE VIEW below AS SELECT 2 AS one"),
    ("DROP AGGREGATE", "DROP AGGREGATE best(int) CASCADE"),
    ("DROP CAST", "DROP CAST (mood AS json)"),
    ("DROP COLLATION", "DROP COLLATION by_bytes CASCADE"),
    ("DROP CONVERSION", "DROP CONVERSION ours"),
    ("DROP DOMAIN", "DROP DOMAIN short CASCADE"),
    ("DROP EXTENSION", "DROP EXTENSION pg_trgm CASCADE"),
    ("DROP FUNCTION", "DROP FUNCTION lowest CASCADE"),
    ("DROP LANGUAGE", "DROP LANGUAGE spoken CASCADE"),
    ("DROP OPERATOR", "DROP OPERATOR ~~~ (int, int) CASCADE"),
    ("DROP OPERATOR CLASS", "DROP OPERATOR CLASS by_zip USING btree"),
    ("DROP OPERATOR FAMILY", "DROP OPERATOR FAMILY by_zip USING btree"),
    ("DROP OWNED", "DROP OWNED BY ddl_commands_other CASCADE"),
    ("DROP POLICY", "DROP POLICY few ON tb_p"),
    ("DROP ROUTINE", "DROP ROUTINE transformed CASCADE"),
    ("DROP SCHEMA", "DROP SCHEMA apart CASCADE"),
    ("DROP TABLE", "DROP TABLE apart.tb_q CASCADE"),
    ("DROP TEXT SEARCH CONFIGURATION", "DROP TEXT SEARCH CONFIGURATION conf CASCADE"),
    ("DROP TEXT SEARCH DICTIONARY", "DROP TEXT SEARCH DICTIONARY stems CASCADE"),
    ("DROP TEXT SEARCH PARSER", "DROP TEXT SEARCH PARSER words CASCADE"),
    ("DROP TEXT SEARCH TEMPLATE", "DROP TEXT SEARCH TEMPLATE kept CASCADE"),
    ("DROP TRANSFORM", "DROP TRANSFORM FOR mood LANGUAGE spoken CASCADE"),
    ("DROP TYPE", "DROP TYPE addr CASCADE"),
    ("DROP VIEW", "DROP VIEW below CASCADE"),
];

/// The others, with the reason.
const CANNOT_MATTER: &[(&str, &[&str])] = &[
    #[cfg(any(feature = "pg17", feature = "pg18"))]
    ("It makes indexes anew.", &["REINDEX"]),
    (
        "It gives names, schemas and owners, or what the planner estimates by.",
        &[
            "ALTER AGGREGATE", "ALTER CONVERSION", "ALTER LANGUAGE", "ALTER OPERATOR", "ALTER OPERATOR CLASS", "ALTER RULE", "ALTER STATISTICS",
            "ALTER TEXT SEARCH PARSER", "ALTER TEXT SEARCH TEMPLATE", "CREATE INDEX", "CREATE STATISTICS", "ALTER INDEX", "DROP INDEX",
            "DROP STATISTICS", "COMMENT", "SECURITY LABEL", "ALTER LARGE OBJECT",
        ],
    ),
    (
        "Nothing can depend on what it makes before there is another command.",
        &[
            "CREATE ACCESS METHOD", "CREATE COLLATION", "CREATE DOMAIN", "CREATE OPERATOR", "CREATE OPERATOR FAMILY", "CREATE SCHEMA",
            "CREATE TABLE AS", "SELECT INTO", "CREATE TEXT SEARCH DICTIONARY", "CREATE TEXT SEARCH PARSER", "CREATE TEXT SEARCH TEMPLATE",
            "CREATE TYPE",
        ],
    ),
    (
        "No view of a TVIEW can read it or call it.",
        &[
            "ALTER FOREIGN DATA WRAPPER", "ALTER MATERIALIZED VIEW", "ALTER PROCEDURE", "ALTER PUBLICATION", "ALTER SERVER", "ALTER SUBSCRIPTION",
            "ALTER USER MAPPING", "CREATE FOREIGN DATA WRAPPER", "CREATE MATERIALIZED VIEW", "CREATE PROCEDURE", "CREATE PUBLICATION",
            "CREATE SERVER", "CREATE SUBSCRIPTION", "CREATE USER MAPPING", "DROP FOREIGN DATA WRAPPER", "DROP FOREIGN TABLE",
            "DROP MATERIALIZED VIEW", "DROP PROCEDURE", "DROP PUBLICATION", "DROP SERVER", "DROP SUBSCRIPTION", "DROP USER MAPPING",
            "IMPORT FOREIGN SCHEMA", "REFRESH MATERIALIZED VIEW",
        ],
    ),
    (
        "Values of sequences are not followed: a WARNING at creation says so.",
        &["ALTER SEQUENCE", "CREATE SEQUENCE", "DROP SEQUENCE"],
    ),
    (
        "A missing right is an error, and what is suspended is tried again.",
        &["ALTER DEFAULT PRIVILEGES", "GRANT", "REVOKE"],
    ),
    (
        "Triggers of others are not what a view reads; those of pg_tviews can be neither replaced nor renamed, and a dropped one is made again.",
        &["ALTER TRIGGER", "CREATE TRIGGER", "DROP TRIGGER"],
    ),
    (
        "Its commands fire event triggers one by one.",
        &["ALTER EXTENSION", "CREATE EXTENSION"],
    ),
    (
        "A view needs the rule that makes it: no command drops that alone.",
        &["DROP RULE"],
    ),
    (
        "What is compared by an access method is reached by the operator class.",
        &["DROP ACCESS METHOD"],
    ),
    (
        "There is a tag, but no command.",
        &["ALTER ACCESS METHOD", "ALTER CAST", "ALTER CONSTRAINT", "ALTER TRANSFORM", "CREATE CONSTRAINT", "CREATE ROUTINE", "DROP CONSTRAINT"],
    ),
];

/// Commands that change what roles may see and fire no event trigger: the utility hook has TVIEWs looked at again.
const WITHOUT_EVENT_TRIGGER: &[(&str, &str)] = &[
    ("ALTER ROLE", "ALTER ROLE ddl_commands_owner BYPASSRLS"),
    ("GRANT ROLE", "GRANT ddl_commands_team TO ddl_commands_owner"),
    ("REVOKE ROLE", "REVOKE ddl_commands_team FROM ddl_commands_owner"),
    (
        "REASSIGN OWNED",
        "REASSIGN OWNED BY ddl_commands_other TO ddl_commands_owner",
    ),
];

/// Others that fire none: of the whole cluster, of the session, or about rows.
const NEITHER: &[&str] = &[
    "ALTER DATABASE",
    "ALTER EVENT TRIGGER",
    "ALTER SYSTEM",
    "ALTER TABLESPACE",
    "ANALYZE",
    "BEGIN",
    "CALL",
    "CHECKPOINT",
    "CLOSE",
    "CLOSE CURSOR",
    "CLOSE CURSOR ALL",
    "CLUSTER",
    "COMMIT",
    "COMMIT PREPARED",
    "COPY",
    "COPY FROM",
    "CREATE DATABASE",
    "CREATE EVENT TRIGGER",
    "CREATE ROLE",
    "CREATE TABLESPACE",
    "DEALLOCATE",
    "DEALLOCATE ALL",
    "DECLARE CURSOR",
    "DELETE",
    "DISCARD",
    "DISCARD ALL",
    "DISCARD PLANS",
    "DISCARD SEQUENCES",
    "DISCARD TEMP",
    "DO",
    "DROP DATABASE",
    "DROP EVENT TRIGGER",
    "DROP ROLE",
    "DROP TABLESPACE",
    "EXECUTE",
    "EXPLAIN",
    "FETCH",
    "INSERT",
    "LISTEN",
    "LOAD",
    "LOCK TABLE",
    "MERGE",
    "MOVE",
    "NOTIFY",
    "PREPARE",
    "PREPARE TRANSACTION",
    #[cfg(any(feature = "pg15", feature = "pg16"))]
    "REINDEX",
    "RELEASE",
    "RESET",
    "ROLLBACK",
    "ROLLBACK PREPARED",
    "SAVEPOINT",
    "SELECT",
    "SELECT FOR KEY SHARE",
    "SELECT FOR NO KEY UPDATE",
    "SELECT FOR SHARE",
    "SELECT FOR UPDATE",
    "SET",
    "SET CONSTRAINTS",
    "SHOW",
    "START TRANSACTION",
    "TRUNCATE TABLE",
    "UNLISTEN",
    "UPDATE",
    "VACUUM",
];

#[test]
fn every_command_is_followed_or_cannot_matter() {
    let database = Database::new(shared(), "ddl_commands");
    let mut client = database.client();
    client.run(&OBJECTS.replace("ddl_catalogs_", "ddl_commands_"));
    client.run(FOR_EXAMPLES);
    assert!(client.one::<bool>("SELECT pg_tviews_wait()"));
    let listening =
        "SELECT count(*) FROM pg_event_trigger WHERE evtname LIKE 'pg\\_tviews\\_%' AND evttags IS NULL";
    assert_eq!(client.one::<i64>(listening), 2, "event triggers for all commands");
    client.run("CREATE FUNCTION listener() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'");
    let reasons = CANNOT_MATTER.iter().flat_map(|(_, tags)| tags.iter());
    for tag in FOLLOWED.iter().map(|(tag, _)| tag).chain(reasons) {
        assert!(fires_event_triggers(&mut client, tag), "{tag}");
    }
    for tag in WITHOUT_EVENT_TRIGGER.iter().map(|(tag, _)| tag).chain(NEITHER) {
        assert!(!fires_event_triggers(&mut client, tag), "{tag}");
    }
    let mut missed = Vec::new();
    for (tag, example) in FOLLOWED.iter().chain(WITHOUT_EVENT_TRIGGER) {
        let (first, rest) = tag.split_once(' ').expect("two words");
        let words = |text: &str| text.replace("OR REPLACE ", "").replace("DEFAULT ", "");
        let role = rest == "ROLE";
        assert!(
            words(example).starts_with(if role { first } else { tag }),
            "{example} is an example of {tag}"
        );
        client.run(&format!("BEGIN; {example}"));
        let logged = client.one::<i64>("SELECT count(*) FROM pg_tview_queue");
        client.run("ROLLBACK");
        if logged == 0 {
            missed.push(example);
        }
    }
    assert!(missed.is_empty(), "no TVIEW is looked at after {missed:#?}");
}

fn fires_event_triggers(client: &mut Client, tag: &str) -> bool {
    let mut transaction = client.transaction().expect("BEGIN");
    let sql = format!(
        "CREATE EVENT TRIGGER listener ON ddl_command_end WHEN TAG IN ('{tag}') EXECUTE FUNCTION listener()"
    );
    match transaction.batch_execute(&sql) {
        Ok(()) => true,
        Err(error) => {
            let code = error.code().map(|code| code.code().to_string());
            assert_eq!(code.as_deref(), Some("0A000"), "{tag}: {error:?}");
            false
        }
    }
}
