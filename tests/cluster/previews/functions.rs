//! Queries inside functions and triggers, and whose rights count.

use super::{listen, name, open, said};
use crate::blog;
use crate::harness::{Ask, Cluster, Options};

const FUNCTIONS: &str = "
CREATE FUNCTION sql_stable(k bigint) RETURNS text LANGUAGE sql STABLE AS $$SELECT data->>'name' FROM tv_user WHERE pk_user = k$$;
CREATE FUNCTION sql_volatile(k bigint) RETURNS text LANGUAGE sql VOLATILE AS $$SELECT data->>'name' FROM tv_user WHERE pk_user = k$$;
CREATE FUNCTION pl_stable(k bigint) RETURNS text LANGUAGE plpgsql STABLE AS $$BEGIN RETURN (SELECT data->>'name' FROM tv_user WHERE pk_user = k); END$$;
CREATE FUNCTION pl_volatile(k bigint) RETURNS text LANGUAGE plpgsql VOLATILE AS $$BEGIN RETURN (SELECT data->>'name' FROM tv_user WHERE pk_user = k); END$$;
CREATE FUNCTION renamed(k bigint, new text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE seen text; one record;
BEGIN
    UPDATE tb_user SET name = new || '!' WHERE pk_user = k;
    FOR one IN SELECT data->>'name' AS name FROM tv_user WHERE pk_user = k LOOP
        UPDATE tb_user SET name = new WHERE pk_user = k;
        SELECT one.name || ' ' || (data->>'name') INTO seen FROM tv_user WHERE pk_user = k;
    END LOOP;
    RETURN seen;
END$$;
CREATE FUNCTION sql_renamed(k bigint, new text) RETURNS text LANGUAGE sql AS $$
    UPDATE tb_user SET name = new WHERE pk_user = k;
    SELECT data->>'name' FROM tv_user WHERE pk_user = k;
$$;";

const READERS: [&str; 4] = ["sql_stable", "sql_volatile", "pl_stable", "pl_volatile"];

#[test]
fn functions_of_every_kind() {
    let (_database, mut client) = open("ryw_functions");
    client.run(FUNCTIONS);
    for level in super::LEVELS {
        for reader in READERS {
            client.run(&format!(
                "BEGIN ISOLATION LEVEL {level}; UPDATE tb_user SET name = 'new' WHERE pk_user < 3"
            ));
            assert_eq!(
                client.rows(&format!(
                    "SELECT {reader}(k), {reader}(k) FROM generate_series(1, 2) k"
                )),
                ["new|new", "new|new"],
                "{reader}"
            );
            assert_eq!(client.rows(&format!("SELECT {reader}(1)")), ["new"]);
            client.run("UPDATE tb_user SET name = 'newer' WHERE pk_user = 1");
            assert_eq!(
                client.rows(&format!(
                    "SELECT data->>'name', {reader}(1) FROM tv_user WHERE pk_user = 1"
                )),
                ["newer|newer"],
                "{reader}"
            );
            client.run("ROLLBACK");
        }
    }
    assert_eq!(client.rows("SELECT renamed(1, 'a')"), ["a! a"]);
    assert_eq!(client.rows("SELECT sql_renamed(1, 'b')"), ["b"]);
    client.run("DO $$BEGIN UPDATE tb_user SET name = 'c' WHERE pk_user = 1; ASSERT pl_stable(1) = 'c'; ASSERT sql_stable(1) = 'c'; END$$");
    client.assert_follows(&blog::ENTITIES);
}

#[test]
fn a_stable_function_never_sees_the_statement_that_calls_it() {
    let (_database, mut client) = open("ryw_halloween");
    client.run(FUNCTIONS);
    client.run(
        "CREATE FUNCTION names() RETURNS bigint LANGUAGE sql STABLE AS $$
             SELECT count(*) FILTER (WHERE u.name LIKE 'stepped%') FROM tb_user u, (SELECT count(*) FROM tv_user) t $$",
    );
    client.run("BEGIN; UPDATE tb_user SET score = 1, name = 'first' WHERE pk_user = 1");
    client.run("UPDATE tb_user SET name = 'stepped ' || names() || ' ' || pl_stable(2)");
    assert_eq!(
        client.rows("SELECT DISTINCT name FROM tb_user"),
        ["stepped 0 user 2"],
        "saw rows of its own statement"
    );
    client.assert_views_equal(&blog::ENTITIES);
    client.run("COMMIT");
    client.assert_follows(&blog::ENTITIES);
}

/// Two snapshots between which one of several transactions in progress has committed: both begin and end with the same ones.
#[test]
fn a_stable_function_sees_one_version_of_a_row_that_others_have_written() {
    // Without workers nothing else commits meanwhile.
    let cluster = Cluster::start(Options::without_preload().set("autovacuum", "off"));
    let (database, mut client) = blog::open(&cluster, "ryw_snapshots");
    client.run("CALL pg_tviews_drain()");
    client.run(
        "CREATE FUNCTION seen_after() RETURNS text LANGUAGE plpgsql VOLATILE AS $$
             BEGIN PERFORM pg_advisory_lock(1); RETURN (SELECT string_agg(data->>'sum', ' ') FROM tv_total); END$$;
         CREATE FUNCTION seen_before() RETURNS text LANGUAGE sql STABLE AS $$SELECT string_agg(data->>'sum', ' ') FROM tv_total$$;",
    );
    let [mut oldest, mut middle, mut newest] = [database.client(), database.client(), database.client()];
    oldest.run("BEGIN; SELECT pg_current_xact_id()");
    middle.run("SELECT pg_advisory_lock(1); BEGIN");
    middle.run("UPDATE tb_post SET likes = 1 WHERE pk_post = 1");
    assert_eq!(middle.rows("SELECT data->>'sum' FROM tv_total"), ["1"]);
    // Its commit takes further transaction numbers: by now it has them all.
    middle.run("PREPARE TRANSACTION 'middle'");
    newest.run("BEGIN; SELECT pg_current_xact_id(); COMMIT");
    client.run("BEGIN; UPDATE tb_post SET likes = 10 WHERE pk_post = 2");
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| client.rows("SELECT seen_after(), seen_before()"));
        let waits = "SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
        newest.wait_until(waits, crate::harness::WAIT);
        middle.run("COMMIT PREPARED 'middle'");
        middle.run("SELECT pg_advisory_unlock(1)");
        assert_eq!(reader.join().unwrap(), ["11|11"]);
    });
    client.run("COMMIT");
}

#[test]
fn functions_that_write_inside_a_query_over_the_same_tview() {
    let (database, mut client) = open("ryw_inside");
    client.run(FUNCTIONS);
    client.run("ALTER TABLE tv_user ADD note text");
    client.assert_follows(&blog::ENTITIES);
    let (mut session, notices) = listen(&database);
    session.run("BEGIN");
    assert_eq!(
        session.rows("SELECT pk_user, sql_renamed(pk_user, 'q'), data->>'name' FROM tv_user WHERE pk_user IN (1, 2) ORDER BY 1"),
        ["1|q|user 1", "2|q|user 2"]
    );
    assert!(said(&notices).is_empty());
    // The running UPDATE would meet a row that was changed under it: its function reads what is there.
    session.run("UPDATE tv_user SET note = sql_renamed(pk_user, 'w') WHERE pk_user IN (1, 2)");
    let heard = said(&notices);
    assert!(
        heard.len() == 1 && heard[0].contains("still running"),
        "{heard:?}"
    );
    session.assert_views_equal(&blog::ENTITIES);
    session.run("COMMIT");
    client.assert_follows(&blog::ENTITIES);
    assert_eq!(client.rows("SELECT note FROM tv_user WHERE pk_user = 2"), ["q"]);
}

#[test]
fn triggers_that_read_a_tv_table() {
    let (_database, mut client) = open("ryw_triggers");
    client.run(
        "CREATE TABLE seen (at text, name text);
         CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS
         $$BEGIN INSERT INTO seen SELECT TG_OP || ' ' || TG_WHEN || ' ' || TG_LEVEL, data->>'name' FROM tv_user WHERE pk_user = 1; RETURN NEW; END$$;
         CREATE TRIGGER a BEFORE UPDATE ON tb_user FOR EACH ROW EXECUTE FUNCTION look();
         CREATE TRIGGER z AFTER UPDATE ON tb_user FOR EACH ROW EXECUTE FUNCTION look();
         CREATE TRIGGER s AFTER UPDATE ON tb_user FOR EACH STATEMENT EXECUTE FUNCTION look();
         CREATE CONSTRAINT TRIGGER d AFTER UPDATE ON tb_user DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION look()",
    );
    client.run("BEGIN; UPDATE tb_user SET name = 'one' WHERE pk_user = 1; UPDATE tb_user SET name = 'two' WHERE pk_user = 1; COMMIT");
    assert_eq!(
        client.rows("SELECT at, string_agg(name, ',' ORDER BY ctid) FROM seen GROUP BY at ORDER BY at"),
        [
            "UPDATE AFTER ROW|one,two,two,two",
            "UPDATE AFTER STATEMENT|one,two",
            "UPDATE BEFORE ROW|user 1,one"
        ]
    );
    client.assert_follows(&blog::ENTITIES);
}

#[test]
fn a_role_that_may_only_read_the_tv_table() {
    let (database, mut client) = open("ryw_roles");
    client.run(
        "DROP ROLE IF EXISTS ryw_writer; CREATE ROLE ryw_writer LOGIN;
         GRANT SELECT ON tv_user TO ryw_writer;
         CREATE FUNCTION rename_user(k bigint, new text) RETURNS void LANGUAGE sql SECURITY DEFINER
             SET search_path = public AS $$UPDATE tb_user SET name = new WHERE pk_user = k$$;
         CREATE FUNCTION shown_name(k bigint) RETURNS text LANGUAGE sql SECURITY DEFINER
             SET search_path = public AS $$SELECT data->>'name' FROM tv_feed WHERE pk_feed = k$$;
         ALTER TABLE tv_user ENABLE ROW LEVEL SECURITY;
         CREATE POLICY first_two ON tv_user TO ryw_writer USING (pk_user < 3)",
    );
    client.run("UPDATE tb_user SET name = 'followed' WHERE pk_user = 9");
    client.assert_follows(&blog::ENTITIES);
    let mut writer = database.client_as("ryw_writer");
    writer.run("BEGIN; SET LOCAL TimeZone = 'Asia/Tokyo'; SELECT rename_user(k, 'by role') FROM generate_series(2, 3) k");
    assert_eq!(
        writer.rows("SELECT pk_user, data->>'name' FROM tv_user ORDER BY 1"),
        ["1|user 1", "2|by role"]
    );
    assert_eq!(writer.rows("SELECT shown_name(3)"), ["by role"]);
    assert_eq!(
        writer.rows("SELECT current_user, current_setting('TimeZone'), current_setting('search_path')"),
        ["ryw_writer|Asia/Tokyo|\"$user\", public"]
    );
    writer.run("SAVEPOINT s");
    let error = writer.fails("SELECT * FROM tv_post");
    assert_eq!(error.code().code(), "42501", "{error:?}");
    writer.run("ROLLBACK TO s; COMMIT");
    assert_eq!(name(&mut client, "user", 3), ["by role"]);
    client.assert_follows(&blog::ENTITIES);
    drop(writer);
    client.run("DROP OWNED BY ryw_writer; DROP ROLE ryw_writer");
}
