//! A role that locks what its own TVIEWs read: nothing of other roles waits.

use crate::harness::{shared, Ask, Database, WAIT};

/// More than there are workers.
const LOCKED: usize = 6;

#[test]
fn locks_on_sources_of_one_role_keep_no_tview_of_another() {
    let database = Database::new(shared(), "locks_sources");
    let mut admin = database.client();
    for role in ["locks_mallory", "locks_owner"] {
        admin.run(&format!(
            "DO $$BEGIN IF to_regrole('{role}') IS NULL THEN CREATE ROLE {role} LOGIN; END IF; END$$;
             CREATE SCHEMA {role} AUTHORIZATION {role}"
        ));
    }
    let mut mallory = database.client_as("locks_mallory");
    let mut owner = database.client_as("locks_owner");
    let make = |schema: &str, number: usize| {
        format!(
            "CREATE TABLE {schema}.tb_{number} (pk int PRIMARY KEY, n int);
             INSERT INTO {schema}.tb_{number} VALUES (1, 0);
             SELECT pg_tviews_create('{schema}.t{number}', 'SELECT pk AS id, n FROM {schema}.tb_{number}')"
        )
    };
    for number in 0..LOCKED {
        mallory.run(&make("locks_mallory", number));
    }
    owner.run(&make("locks_owner", 0));
    admin.assert_follows(&["locks_owner.tv_t0"]);
    let of_all = |prefix: &str| {
        let tables = (0..LOCKED).map(|number| format!("locks_mallory.{prefix}{number}"));
        tables.collect::<Vec<_>>()
    };
    let mut holder = database.client_as("locks_mallory");
    holder.run(&format!("BEGIN; LOCK TABLE {}", of_all("tv_t").join(", ")));
    for table in of_all("tb_") {
        mallory.run(&format!("UPDATE {table} SET n = 1"));
    }
    mallory.run(&format!("BEGIN; LOCK TABLE {}", of_all("tb_").join(", ")));
    for n in 1..6 {
        owner.run(&format!("UPDATE locks_owner.tb_0 SET n = {n}"));
        assert!(owner.one::<bool>("SELECT pg_tviews_wait('locks_owner.tv_t0')"));
        owner.run(&format!("UPDATE locks_owner.tb_0 SET n = -{n}"));
        owner.run("CALL pg_tviews_drain('locks_owner.tv_t0')");
        owner.run("CALL pg_tviews_drain()");
        assert_eq!(owner.rows("SELECT n FROM locks_owner.tv_t0"), [(-n).to_string()]);
    }
    owner.run("SELECT pg_tviews_refresh('locks_owner.tv_t0')");
    owner.run("SELECT pg_tviews_create('locks_owner.again', 'SELECT pk AS id, n FROM locks_owner.tb_0')");
    owner.run("SELECT pg_tviews_drop('locks_owner.again')");
    mallory.run("COMMIT");
    holder.run("COMMIT");
    admin.wait_until("SELECT pg_tviews_wait()", WAIT);
    admin.assert_views_equal(&["locks_mallory.tv_t1", "locks_owner.tv_t0"]);
}
