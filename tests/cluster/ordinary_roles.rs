//! Writers need no rights on the extension, and nothing about their session keeps a change from being seen.

use postgres::Client;

use crate::blog;
use crate::harness::{shared, Ask, Database};

/// The blog with the extension in a schema of its own, and a role that may only write the tables.
fn open(name: &str) -> (Database<'static>, Client, Client) {
    let database = Database::without_extension(shared(), name);
    let mut owner = database.client();
    owner.run(&format!(
        "DO $$BEGIN IF to_regrole('{name}_writer') IS NULL THEN CREATE ROLE {name}_writer LOGIN; END IF; END$$;
         CREATE SCHEMA tools; CREATE EXTENSION pg_tviews SCHEMA tools; SET search_path = public, tools"
    ));
    blog::create(&mut owner);
    owner.run(&format!(
        "GRANT SELECT, INSERT, UPDATE, DELETE ON tb_user, tb_post TO {name}_writer;
         GRANT SELECT ON tv_user, tv_post, tv_feed TO {name}_writer"
    ));
    owner.assert_follows(&blog::ENTITIES);
    let writer = database.client_as(&format!("{name}_writer"));
    (database, owner, writer)
}

#[test]
fn writer_without_rights_on_the_extension() {
    let (_database, mut owner, mut writer) = open("no_rights");
    writer.run("UPDATE tb_user SET name = 'by a writer' WHERE pk_user = 1");
    writer
        .run("INSERT INTO tb_post (fk_user, title) VALUES (1, 'new'); DELETE FROM tb_post WHERE pk_post = 2");
    owner.assert_follows(&blog::ENTITIES);
    assert_eq!(
        writer.rows("SELECT data->>'name' FROM tv_user WHERE pk_user = 1"),
        ["by a writer"]
    );
    let error = writer.fails("INSERT INTO tools.pg_tview_queue SELECT");
    assert_eq!(error.code().code(), "42501", "{error:?}");
}

#[test]
fn writer_with_an_empty_search_path() {
    let (_database, mut owner, mut writer) = open("no_path");
    writer.run("SET search_path = ''; UPDATE public.tb_user SET name = 'no path' WHERE pk_user = 1");
    writer.run("SET search_path = pg_temp; INSERT INTO public.tb_post (fk_user, title) VALUES (1, 'new')");
    owner.assert_follows(&blog::ENTITIES);
}

#[test]
fn writer_with_decoys_in_its_search_path() {
    let (_database, mut owner, mut writer) = open("decoys");
    owner.run("GRANT CREATE ON DATABASE decoys TO decoys_writer");
    writer.run(
        "CREATE SCHEMA decoy;
         CREATE TABLE decoy.pg_tview_queue (xid xid8, source_oid regclass, operation text, keys jsonb, enqueued_at timestamptz);
         CREATE FUNCTION decoy.pg_tviews_capture() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$;
         SET search_path = decoy, public",
    );
    writer.run("UPDATE tb_user SET name = 'past the decoy'");
    assert_eq!(writer.rows("SELECT count(*) FROM decoy.pg_tview_queue"), ["0"]);
    owner.assert_follows(&blog::ENTITIES);
}

#[test]
fn writer_in_replica_role() {
    let (_database, mut owner, mut writer) = open("replica");
    owner.run("GRANT SET ON PARAMETER session_replication_role TO replica_writer");
    writer.run("SET session_replication_role = replica");
    writer.run(
        "UPDATE tb_user SET name = 'replicated' WHERE pk_user < 4; DELETE FROM tb_post WHERE pk_post = 1",
    );
    owner.run("TRUNCATE tb_post; SET session_replication_role = replica; INSERT INTO tb_post (fk_user, title) VALUES (1, 'x')");
    owner.run("TRUNCATE tb_post");
    owner.assert_follows(&blog::ENTITIES);
    owner.run("REVOKE SET ON PARAMETER session_replication_role FROM replica_writer");
}

#[test]
fn transaction_made_read_only_after_writing() {
    let (_database, mut owner, mut writer) = open("read_only");
    writer
        .run("BEGIN; UPDATE tb_user SET name = 'late' WHERE pk_user = 1; SET TRANSACTION READ ONLY; COMMIT");
    writer.run("SET default_transaction_read_only = on");
    writer.run("BEGIN READ WRITE; UPDATE tb_user SET name = 'write' WHERE pk_user = 2; COMMIT");
    owner.assert_follows(&blog::ENTITIES);
    assert_eq!(
        owner.rows("SELECT data->>'name' FROM tv_user WHERE pk_user < 3 ORDER BY 1"),
        ["late", "write"]
    );
}

#[test]
fn writer_under_row_security() {
    let (_database, mut owner, mut writer) = open("row_rules");
    // Each by itself: deadlocks are looked for so soon here that a refresh does not give way to who holds several locks.
    for ddl in [
        "ALTER TABLE tb_user ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY few ON tb_user USING (pk_user < 5)",
        "ALTER TABLE tools.pg_tview_queue ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE tools.pg_tview_queue FORCE ROW LEVEL SECURITY",
    ] {
        owner.run(ddl);
    }
    writer.run("UPDATE tb_user SET name = 'allowed rows'; SET row_security = off");
    writer.run("UPDATE tb_post SET title = 'x' WHERE pk_post = 1");
    owner.assert_follows(&blog::ENTITIES);
    assert_eq!(
        owner.rows("SELECT count(*) FROM tv_user WHERE data->>'name' = 'allowed rows'"),
        ["4"]
    );
}

#[test]
fn changes_by_cascade_copy_merge_and_triggers() {
    let (_database, mut owner, mut writer) = open("all_ways");
    owner.run(
        "CREATE FUNCTION trim_title() RETURNS trigger LANGUAGE plpgsql AS
         $$BEGIN UPDATE tb_post SET title = left(title, 5), likes = likes + 1 WHERE pk_post = NEW.pk_post; RETURN NULL; END$$;
         CREATE TRIGGER trim_title AFTER UPDATE OF title ON tb_post FOR EACH ROW WHEN (length(NEW.title) > 5) EXECUTE FUNCTION trim_title();
         CREATE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql AS
         $$BEGIN UPDATE tb_user SET name = 'at commit' WHERE pk_user = 9; RETURN NULL; END$$;
         CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON tb_post DEFERRABLE INITIALLY DEFERRED
         FOR EACH ROW EXECUTE FUNCTION at_commit()",
    );
    writer.run("UPDATE tb_user SET pk_user = 50 WHERE pk_user = 2; DELETE FROM tb_user WHERE pk_user = 3");
    writer.run("UPDATE tb_post SET title = 'a title that is too long' WHERE fk_user = 4");
    writer.run(
        "MERGE INTO tb_user t USING (VALUES (1, 'merged'), (60, 'added')) s (pk, name) ON t.pk_user = s.pk
         WHEN MATCHED THEN UPDATE SET name = s.name WHEN NOT MATCHED THEN INSERT (pk_user, name) VALUES (s.pk, s.name)",
    );
    writer.run("INSERT INTO tb_user (pk_user, name) VALUES (4, 'conflict') ON CONFLICT (pk_user) DO UPDATE SET name = EXCLUDED.name");
    let script = "SET search_path = public;\nCOPY tb_post (fk_user, title) FROM stdin;\n5\tcopied 1\n60\tcopied 2\n\\.\n";
    let output = shared().psql("all_ways", script);
    assert!(output.status.success(), "{output:?}");
    owner.assert_follows(&blog::ENTITIES);
    assert_eq!(
        owner.rows("SELECT data->>'name' FROM tv_user WHERE pk_user = 9"),
        ["at commit"]
    );
}

#[test]
fn ddl_where_the_public_may_call_and_read_little() {
    let (_database, mut owner, mut writer) = open("little_public");
    owner.run(
        "REVOKE EXECUTE ON FUNCTION pg_event_trigger_ddl_commands(), pg_event_trigger_dropped_objects() FROM PUBLIC;
         REVOKE SELECT ON pg_class, pg_namespace, pg_inherits, pg_trigger, pg_depend, pg_proc, pg_type, pg_constraint, pg_policy, pg_index FROM PUBLIC;
         GRANT CREATE ON DATABASE little_public TO little_public_writer;
         CREATE SCHEMA own AUTHORIZATION little_public_writer;
         ALTER TABLE tb_post OWNER TO little_public_writer",
    );
    for ddl in [
        "CREATE TABLE own.t (pk int PRIMARY KEY, x text)",
        "CREATE VIEW own.v AS SELECT pk FROM own.t",
        "ALTER TABLE own.t RENAME COLUMN x TO y",
        "CREATE FUNCTION own.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        "CREATE TRIGGER f AFTER INSERT ON own.t FOR EACH ROW EXECUTE FUNCTION own.f()",
        "ALTER TRIGGER f ON own.t RENAME TO g",
        "ALTER TABLE tb_post DISABLE TRIGGER USER",
        "CREATE TABLE own.more (LIKE tb_post)",
        "ALTER TABLE own.more INHERIT tb_post",
        "ALTER TABLE own.more NO INHERIT tb_post",
        "ALTER TABLE tb_post ADD note text, ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY all_rows ON tb_post USING (true)",
        "DROP POLICY all_rows ON tb_post",
        "ALTER SCHEMA own RENAME TO mine",
        "DROP TRIGGER g ON mine.t",
        "DROP SCHEMA mine CASCADE",
    ] {
        writer.run(ddl);
    }
    writer.run("UPDATE tb_user SET name = 'seen' WHERE pk_user = 1");
    owner.assert_follows(&blog::ENTITIES);
}
