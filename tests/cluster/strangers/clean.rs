//! Sessions of other roles in which nothing can reach the owner's code: they see their own changes, and get answers.

use super::{stage, Stage};
use crate::harness::Ask;

/// What a view may call so that any session can compute its rows, as long as that has no temporary objects.
const BOUND: &str = "
    SELECT i.pk_item, app.twice(i.n) AS n, to_char(i.n, '000') || to_char(i.at, 'YYYY') AS text,
           jsonb_build_object('at', i.at, 'who', current_user, 'words', to_tsvector('english', i.word)) AS data,
           (SELECT jsonb_agg(to_jsonb(r) ORDER BY r.n) FROM app.rate r WHERE r.n = i.n) AS rates, i.size, i.n::app.small AS small,
           to_jsonb(json_populate_record(NULL::app.pair, '{}'))->>'a' AS pair, i.span * i.span AS span, i.word ~ 'x' AND i.n = ANY (i.list) AS found
      FROM app.tb_item i";

const OBJECTS: &str = "
    CREATE FUNCTION app.twice(n int) RETURNS int LANGUAGE sql IMMUTABLE RETURN n + n;
    CREATE DOMAIN app.small AS int CHECK (app.twice(VALUE) < 1000);
    CREATE TYPE app.pair AS (a int, b text);
    CREATE DOMAIN app.fine AS int CHECK (app.is_fine(VALUE));
    CREATE TYPE app.size AS ENUM ('s', 'm');
    CREATE TYPE app.spans AS RANGE (subtype = int);
    ALTER TABLE app.tb_item ADD at timestamptz DEFAULT now(), ADD word text DEFAULT 'words', ADD list int[] DEFAULT '{1}',
        ADD size app.size DEFAULT 's', ADD span app.spans DEFAULT '[1,2]',
        ADD CHECK (app.is_fine(n))";

const CHECKED: &str = "CREATE FUNCTION app.is_fine(n int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS
    $$BEGIN RETURN n > 0; END$$";

fn open(name: &str) -> Stage {
    stage(name, &format!("{CHECKED}; {OBJECTS}"), BOUND)
}

#[test]
fn a_session_of_another_role_sees_its_own_changes() {
    let mut stage = open("clean_seen");
    let (mut other, heard) = stage.listening();
    other.run("BEGIN; UPDATE app.tb_item SET n = 50 WHERE pk_item = 1");
    assert_eq!(
        other.rows("SELECT n, data->>'who' FROM app.tv_item WHERE pk_item = 1"),
        ["100|postgres"],
        "{}",
        heard.text()
    );
    other.run("COMMIT");
    assert_eq!(heard.text(), "");
    stage.admin.run("CALL pg_tviews_drain()");
    stage.admin.assert_views_equal(&["app.tv_item"]);
}

#[test]
fn a_session_of_another_role_gets_answers() {
    let mut stage = open("clean_asks");
    stage.admin.run("UPDATE app.tb_item SET n = 50 WHERE pk_item = 1");
    let mut other = stage.mallory();
    assert_eq!(
        other.rows("SELECT key FROM pg_tviews_pending('app.item')"),
        ["{\"pk_item\": 1}"]
    );
    assert_eq!(
        other.rows("SELECT * FROM pg_tviews_check('app.item')"),
        ["{\"pk_item\": 1}|different"]
    );
    assert_eq!(
        other.rows("SELECT * FROM pg_tviews_affected('app.item', 'app.tb_item', '[2]')"),
        ["{\"pk_item\": 2}"]
    );
    // Nothing concerns this key; nobody applies changes here.
    assert!(other.one::<bool>("SELECT pg_tviews_wait('app.item', key => '2')"));
}

#[test]
fn temporary_objects_end_that() {
    let mut stage = open("clean_temp");
    let (mut other, heard) = stage.listening();
    other.run("CREATE TEMP TABLE anything (n int)");
    for round in 0..2 {
        other.run("BEGIN; UPDATE app.tb_item SET n = 50 WHERE pk_item = 1");
        assert_eq!(
            other.rows("SELECT n FROM app.tv_item WHERE pk_item = 1"),
            ["2"],
            "round {round}"
        );
        other.rows("SELECT n FROM app.tv_item WHERE pk_item = 1");
        assert_eq!(
            heard.text(),
            "app.tv_item does not show all changes of this transaction Code of postgres, its owner, does not run in this \
             session: the session has had temporary objects. They are shown soon after COMMIT."
        );
        other.run(if round == 0 { "ROLLBACK" } else { "COMMIT" });
    }
    for sql in [
        "SELECT * FROM pg_tviews_check('app.item')",
        "SELECT * FROM pg_tviews_pending('app.item')",
        "SELECT * FROM pg_tviews_affected('app.item', 'app.tb_item', '[2]')",
    ] {
        let error = other.fails(sql);
        assert_eq!(error.code().code(), "42501", "{sql}: {error:?}");
        assert_eq!(error.hint(), Some("Run the command as postgres."), "{sql}");
    }
    assert_eq!(
        other.rows("SELECT DISTINCT strategy, advice FROM pg_tviews_explain('app.item') WHERE source = 'app.tb_item'::regclass"),
        ["keyed|Not checked with the planner: code of postgres, its owner, does not run in this session: the session has had \
          temporary objects."]
    );
    stage.admin.run("CALL pg_tviews_drain()");
    stage.admin.assert_views_equal(&["app.tv_item"]);
}

#[test]
fn so_does_code_that_is_bound_no_more() {
    let mut stage = open("clean_bound");
    let (mut other, heard) = stage.listening();
    let mut shows = |n: i32| {
        other.run(&format!(
            "BEGIN; UPDATE app.tb_item SET n = {n} WHERE pk_item = 1"
        ));
        let rows = other.rows("SELECT n FROM app.tv_item WHERE pk_item = 1");
        other.run("ROLLBACK");
        let reason = heard.text().replace("They are shown soon after COMMIT.", "");
        let reason = reason
            .rsplit(", as ")
            .next()
            .unwrap_or_default()
            .trim()
            .to_string();
        (rows == [(2 * n).to_string()], reason)
    };
    assert_eq!(shows(40), (true, String::new()));
    for (make, undo, reason) in [
        (
            "ALTER DOMAIN app.small ADD CONSTRAINT fine CHECK (app.is_fine(VALUE))",
            "ALTER DOMAIN app.small DROP CONSTRAINT fine",
            "the function app.is_fine(integer) is written in plpgsql.",
        ),
        (
            // Inside a composite type whose columns the view does not name.
            "ALTER TYPE app.pair ADD ATTRIBUTE c app.fine",
            "ALTER TYPE app.pair DROP ATTRIBUTE c",
            "the function app.is_fine(integer) is written in plpgsql.",
        ),
        (
            "ALTER TABLE app.tv_item ADD CONSTRAINT fine CHECK (app.is_fine(n))",
            "ALTER TABLE app.tv_item DROP CONSTRAINT fine",
            "the function app.is_fine(integer) is written in plpgsql.",
        ),
        (
            "ALTER TABLE app.rate ENABLE ROW LEVEL SECURITY; CREATE POLICY fine ON app.rate USING (app.is_fine(n))",
            "DROP POLICY fine ON app.rate; ALTER TABLE app.rate DISABLE ROW LEVEL SECURITY",
            "the function app.is_fine(integer) is written in plpgsql.",
        ),
        (
            "CREATE OR REPLACE FUNCTION app.twice(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT n + n'",
            "CREATE OR REPLACE FUNCTION app.twice(n int) RETURNS int LANGUAGE sql IMMUTABLE RETURN n + n",
            "the function app.twice(integer) is written in SQL as a string.",
        ),
        (
            "CREATE OR REPLACE FUNCTION app.twice(n int) RETURNS int LANGUAGE sql IMMUTABLE RETURN n + n + coalesce(current_setting('app.more', true)::int, 0)",
            "CREATE OR REPLACE FUNCTION app.twice(n int) RETURNS int LANGUAGE sql IMMUTABLE RETURN n + n",
            "the function current_setting(text,boolean) looks up names, or asks the session, while it runs.",
        ),
        (
            "CREATE TABLE app.log (n int); GRANT ALL ON app.log TO PUBLIC;
             CREATE OR REPLACE FUNCTION app.twice(n int) RETURNS int LANGUAGE sql BEGIN ATOMIC INSERT INTO app.log VALUES (1); SELECT n + n; END",
            "CREATE OR REPLACE FUNCTION app.twice(n int) RETURNS int LANGUAGE sql IMMUTABLE RETURN n + n; DROP TABLE app.log",
            "function app.twice(integer) writes.",
        ),
        (
            "CREATE FUNCTION app.note() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$;
             CREATE TRIGGER note BEFORE UPDATE ON app.tv_item FOR EACH ROW EXECUTE FUNCTION app.note()",
            "DROP FUNCTION app.note CASCADE",
            "the function app.note() is written in plpgsql.",
        ),
        (
            "CREATE TABLE app.child (pk_item int REFERENCES app.tv_item ON DELETE CASCADE)",
            "DROP TABLE app.child",
            "the function \"RI_FKey_cascade_del\"() looks up names, or asks the session, while it runs.",
        ),
    ] {
        stage.admin.run(make);
        stage.admin.run("CALL pg_tviews_drain()");
        assert_eq!(shows(40), (false, reason.to_string()), "{make}");
        stage.admin.run(undo);
        stage.admin.run("CALL pg_tviews_drain()");
        assert_eq!(shows(30), (true, String::new()), "{undo}");
    }
}

#[test]
fn values_in_messages_are_the_owners() {
    let mut stage = stage(
        "clean_values",
        "ALTER TABLE app.tb_item ADD secret text DEFAULT '1'",
        "SELECT i.pk_item, i.n, i.secret::int AS secret FROM app.tb_item i",
    );
    let role = stage.role.clone();
    // The table can be written, not read as a whole.
    stage.admin.run(&format!(
        "REVOKE SELECT ON app.tb_item FROM {role};
         GRANT SELECT (pk_item, n) ON app.tb_item TO {role};
         UPDATE app.tb_item SET secret = 'hush', n = 5 WHERE pk_item = 1"
    ));
    let (mut other, heard) = stage.listening();
    let error = other.fails("SELECT * FROM pg_tviews_check('app.item')");
    assert_eq!(error.code().code(), "22P02", "{error:?}");
    assert_eq!(error.message(), "rows of app.tv_item could not be computed");
    for door in [
        "SELECT * FROM pg_tviews_check('app.item')",
        "SELECT * FROM pg_tviews_pending('app.item')",
        "SELECT * FROM pg_tviews_affected('app.item', 'app.tb_item', '[1]')",
        "SELECT * FROM pg_tviews_explain('app.item')",
        "SELECT pg_tviews_wait('app.item', key => '1', timeout => '300 ms')",
        "BEGIN; UPDATE app.tb_item SET n = n + 1 WHERE pk_item = 1; SELECT * FROM app.tv_item",
        "COMMIT",
    ] {
        let result = other.simple_query(door);
        let shown = format!("{result:?} {}", heard.text());
        assert!(!shown.contains("hush"), "{door}: {shown}");
    }
    // Others may know.
    let error = stage.admin.fails("SELECT * FROM pg_tviews_check('app.item')");
    assert!(error.message().contains("hush"), "{error:?}");
    stage.admin.run(&format!("GRANT pg_monitor TO {role}"));
    let error = other.fails("SELECT * FROM pg_tviews_check('app.item')");
    assert!(error.message().contains("hush"), "{error:?}");
}
