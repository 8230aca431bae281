//! Whatever recomputes rows of another role's TVIEW in a session.

use super::{stage, Stage, EVIL};
use crate::harness::Ask;

/// What another role may call, and a transaction that previews.
const DOORS: [&str; 9] = [
    "CALL pg_tviews_drain()",
    "CALL pg_tviews_drain('app.item')",
    "SELECT * FROM pg_tviews_check('app.item')",
    "SELECT * FROM pg_tviews_pending('app.item', '{1}')",
    "SELECT * FROM pg_tviews_affected('app.item', 'app.tb_item', '[1]')",
    "SELECT * FROM pg_tviews_explain('app.item')",
    "SELECT pg_tviews_wait('app.item', key => '1', timeout => '300 ms')",
    "BEGIN; UPDATE app.tb_item SET n = n + 1 WHERE pk_item = 1; SELECT * FROM app.tv_item; COMMIT",
    "BEGIN; INSERT INTO app.tb_item VALUES (77, 1); SELECT * FROM app.tv_item; ROLLBACK",
];

/// Goes through every door in sessions prepared with `trap`.
fn try_all(stage: &mut Stage, trap: &str) {
    for door in DOORS {
        stage
            .admin
            .run("UPDATE app.tb_item SET n = n + 1 WHERE pk_item = 1");
        let mut mallory = stage.mallory();
        mallory.run(trap);
        // Refused, or without effect.
        let _ = mallory.batch_execute(door);
        stage.assert_harmless(&format!("{door} after {trap}"));
    }
    stage.admin.run("CALL pg_tviews_drain()");
    stage.admin.assert_views_equal(&["app.tv_item"]);
}

const TEMPORARY: &str =
    "CREATE TEMP VIEW rate AS SELECT 2 AS n, CASE WHEN pg_temp.evil() THEN 'x' END AS label";

fn with_temporary_view(evil: &str) -> String {
    format!("CREATE FUNCTION pg_temp.evil() {evil}; {TEMPORARY}")
}

/// A domain that takes the place of a built-in type in functions compiled here first.
fn with_decoy_type(call: &str) -> String {
    format!(
        "CREATE SCHEMA IF NOT EXISTS evil;
         DROP DOMAIN IF EXISTS evil.text;
         CREATE OR REPLACE FUNCTION evil.run() {EVIL};
         GRANT USAGE ON SCHEMA evil TO PUBLIC;
         CREATE DOMAIN evil.text AS pg_catalog.text CHECK (evil.run());
         SET search_path = evil, pg_catalog;
         {call};
         SET search_path = public"
    )
}

#[test]
fn function_with_a_search_path_meets_no_temporary_view() {
    let mut stage = stage(
        "doors_path",
        "CREATE FUNCTION app.label(k int) RETURNS text LANGUAGE plpgsql STABLE SET search_path = app AS
         $$BEGIN RETURN (SELECT label FROM rate LIMIT 1); END$$",
        "SELECT pk_item, n, app.label(n) AS label FROM app.tb_item",
    );
    try_all(&mut stage, &with_temporary_view(EVIL));
}

/// Functions of the owner that call those of the extension for everybody.
const LENT: &str = "
    CREATE FUNCTION app.check() RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
        $$SELECT string_agg(key::text, ',') FROM public.pg_tviews_check('app.item')$$;
    CREATE FUNCTION app.pending() RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
        $$SELECT string_agg(key::text, ',') FROM public.pg_tviews_pending('app.item', '{1}')$$;
    CREATE FUNCTION app.affected() RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
        $$SELECT string_agg(key::text, ',') FROM public.pg_tviews_affected('app.item', 'app.tb_item', '[1]')$$;
    CREATE FUNCTION app.explain() RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
        $$SELECT string_agg(advice, ',') FROM public.pg_tviews_explain('app.item')$$;
    CREATE FUNCTION app.wait() RETURNS boolean LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
        $$SELECT public.pg_tviews_wait('app.item', key => '1', timeout => '100 ms')$$;
    CREATE FUNCTION app.refresh() RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
        $$SELECT public.pg_tviews_refresh('app.item')$$;
    CREATE FUNCTION app.create() RETURNS regclass LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
        $$SELECT public.pg_tviews_create('app.item', 'SELECT pk_item, n, app.label(n + 0) AS label FROM app.tb_item')$$;
    CREATE FUNCTION app.look() RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
        $$BEGIN UPDATE app.tb_item SET n = n + 1 WHERE pk_item = 1; RETURN (SELECT label FROM app.tv_item WHERE pk_item = 1); END$$;
    CREATE PROCEDURE app.drain() LANGUAGE plpgsql SECURITY DEFINER AS $$BEGIN CALL public.pg_tviews_drain('app.item'); END$$";

#[test]
fn functions_that_lend_the_rights_of_the_owner_meet_no_temporary_view() {
    let mut stage = stage(
        "doors_lent",
        "CREATE FUNCTION app.label(k int) RETURNS text LANGUAGE plpgsql STABLE SET search_path = app AS
         $$BEGIN RETURN (SELECT label FROM rate LIMIT 1); END$$",
        "SELECT pk_item, n, app.label(n) AS label FROM app.tb_item",
    );
    stage.admin.run(LENT);
    for name in [
        "check", "pending", "affected", "explain", "wait", "refresh", "create", "look",
    ] {
        stage.admin.run("UPDATE app.tb_item SET n = n + 1");
        let mut mallory = stage.mallory();
        mallory.run(&with_temporary_view(EVIL));
        mallory.run("GRANT SELECT ON rate TO PUBLIC");
        let _ = mallory.batch_execute(&format!("SELECT app.{name}()"));
        let _ = mallory.batch_execute("CALL app.drain()");
        stage.assert_harmless(&format!("app.{name}()"));
    }
    stage.admin.run("CALL pg_tviews_drain()");
    stage.admin.assert_views_equal(&["app.tv_item"]);
}

#[test]
fn sql_function_with_a_search_path_meets_no_temporary_view() {
    let mut stage = stage(
        "doors_sql",
        "CREATE FUNCTION app.label(k int) RETURNS text LANGUAGE sql STABLE SET search_path = app AS
         'SELECT label FROM rate LIMIT 1'",
        "SELECT pk_item, n, app.label(n) AS label FROM app.tb_item",
    );
    try_all(&mut stage, &with_temporary_view(EVIL));
}

#[test]
fn text_run_as_a_query_meets_no_temporary_view() {
    let mut stage = stage(
        "doors_xml",
        "CREATE FUNCTION app.label(k int) RETURNS text LANGUAGE sql STABLE SET search_path = app
         RETURN (query_to_xml('SELECT label FROM rate', true, true, ''))::text",
        "SELECT pk_item, n, app.label(n) AS label FROM app.tb_item",
    );
    try_all(&mut stage, &with_temporary_view(EVIL));
    // Nor under another search_path.
    try_all(&mut stage, "SET search_path = pg_temp, public");
}

#[test]
fn compiled_function_of_a_view() {
    let mut stage = stage(
        "doors_view",
        "CREATE FUNCTION app.label(k int) RETURNS pg_catalog.text LANGUAGE plpgsql IMMUTABLE AS
         $$DECLARE x text; BEGIN x := k; RETURN x; END$$",
        "SELECT pk_item, n, app.label(n) AS label FROM app.tb_item",
    );
    try_all(&mut stage, &with_decoy_type("SELECT app.label(1)"));
}

/// Below something that is not the view's text.
const LABEL: &str = "CREATE FUNCTION app.is_fine(k int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS
     $$DECLARE x text; BEGIN x := k; RETURN x IS NOT NULL; END$$";

#[test]
fn compiled_function_of_a_check_constraint() {
    let mut stage = stage("doors_check", LABEL, "SELECT pk_item, n FROM app.tb_item");
    stage
        .admin
        .run("ALTER TABLE app.tv_item ADD CHECK (app.is_fine(n))");
    try_all(&mut stage, &with_decoy_type("SELECT app.is_fine(1)"));
}

#[test]
fn compiled_function_of_a_domain() {
    let mut stage = stage(
        "doors_domain",
        &format!("{LABEL}; CREATE DOMAIN app.small AS int CHECK (app.is_fine(VALUE))"),
        "SELECT pk_item, n::app.small AS n FROM app.tb_item",
    );
    try_all(&mut stage, &with_decoy_type("SELECT app.is_fine(1)"));
}

#[test]
fn compiled_function_of_an_index() {
    let mut stage = stage("doors_index", LABEL, "SELECT pk_item, n FROM app.tb_item");
    stage.admin.run("CREATE INDEX ON app.tv_item (app.is_fine(n))");
    try_all(&mut stage, &with_decoy_type("SELECT app.is_fine(1)"));
}

#[test]
fn compiled_function_of_a_generated_column_and_a_default() {
    let mut stage = stage("doors_made", LABEL, "SELECT pk_item, n FROM app.tb_item");
    stage.admin.run(
        "ALTER TABLE app.tv_item ADD fine boolean GENERATED ALWAYS AS (app.is_fine(n)) STORED, ADD made boolean DEFAULT app.is_fine(1)",
    );
    try_all(&mut stage, &with_decoy_type("SELECT app.is_fine(1)"));
}

#[test]
fn compiled_function_of_a_trigger() {
    let mut stage = stage("doors_trigger", LABEL, "SELECT pk_item, n FROM app.tb_item");
    stage.admin.run(
        "CREATE FUNCTION app.on_write() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM app.is_fine(1); RETURN NEW; END$$;
         CREATE TRIGGER on_write BEFORE INSERT OR UPDATE ON app.tv_item FOR EACH ROW EXECUTE FUNCTION app.on_write()",
    );
    try_all(&mut stage, &with_decoy_type("SELECT app.is_fine(1)"));
}

#[test]
fn compiled_function_of_a_policy_and_an_operator() {
    let mut stage = stage(
        "doors_policy",
        "CREATE FUNCTION app.near(a int, b int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS
         $$DECLARE x text; BEGIN x := a; RETURN x IS NOT NULL; END$$;
         CREATE OPERATOR app.<~> (leftarg = int, rightarg = int, function = app.near)",
        "SELECT pk_item, n, n OPERATOR(app.<~>) 1 AS near FROM app.tb_item",
    );
    try_all(&mut stage, &with_decoy_type("SELECT app.near(1, 1)"));
}

/// How values of a built-in type are compared, by a function in PL/pgSQL.
const ORDER: &str = "CREATE FUNCTION app.compare(a int, b int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
     $$DECLARE x text; BEGIN x := a; RETURN btint4cmp(a, b); END$$;
     CREATE FUNCTION app.less(a int, b int) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN a < b;
     CREATE OPERATOR app.<~ (leftarg = int, rightarg = int, function = app.less);
     CREATE OPERATOR CLASS app.by_compare FOR TYPE int USING btree AS
         OPERATOR 1 app.<~ (int, int), OPERATOR 3 = (int, int), FUNCTION 1 app.compare(int, int)";

#[test]
fn compiled_function_of_a_sort() {
    let mut stage = stage(
        "doors_sort",
        ORDER,
        "SELECT i.pk_item, i.n, (SELECT array_agg(o.n ORDER BY o.n USING OPERATOR(app.<~)) FROM app.tb_item o) AS sorted
           FROM app.tb_item i",
    );
    try_all(&mut stage, &with_decoy_type("SELECT app.compare(1, 2)"));
}

#[test]
fn compiled_function_of_a_range() {
    let mut stage = stage(
        "doors_range",
        &format!("{ORDER}; CREATE TYPE app.span AS RANGE (subtype = int, subtype_opclass = app.by_compare)"),
        "SELECT pk_item, n, app.span(n, n + 2) * app.span(1, 3) AS span FROM app.tb_item",
    );
    try_all(&mut stage, &with_decoy_type("SELECT app.compare(1, 2)"));
}

#[test]
fn compiled_function_behind_a_cast_to_json() {
    let mut stage = stage(
        "doors_cast",
        "CREATE TYPE app.mood AS ENUM ('sad', 'ok');
         CREATE FUNCTION app.as_json(m app.mood) RETURNS json LANGUAGE plpgsql IMMUTABLE AS
         $$DECLARE x text; BEGIN x := m::pg_catalog.text; RETURN to_json(x); END$$;
         CREATE CAST (app.mood AS json) WITH FUNCTION app.as_json(app.mood);
         ALTER TABLE app.tb_item ADD mood app.mood DEFAULT 'ok'",
        "SELECT pk_item, n, to_jsonb(mood) AS data FROM app.tb_item",
    );
    try_all(&mut stage, &with_decoy_type("SELECT app.as_json('ok')"));
}
