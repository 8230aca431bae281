//! Reads under a bound: pg_tviews.max_staleness and pg_tviews_require.

mod bound;
mod late;
mod waits;

use postgres::error::DbError;
use postgres::Client;

use crate::harness::{shared, Ask, Database};

/// SQLSTATE of a read that is too late.
const TOO_LATE: &str = "55T01";

/// Counters, a TVIEW over them and one over that. Each refresh of the first takes as long as the table `knob` says.
fn counters(name: &str) -> (Database<'static>, Client) {
    let database = Database::new(shared(), name);
    let mut client = database.client();
    client.run(
        "CREATE TABLE knob AS SELECT 0.0 AS seconds;
         CREATE TABLE tb_counter (pk_counter bigint PRIMARY KEY, n bigint NOT NULL DEFAULT 0);
         INSERT INTO tb_counter SELECT generate_series(0, 2);
         CREATE TABLE copied (pk_counter bigint, n bigint);
         CREATE FUNCTION slowly(n bigint) RETURNS bigint LANGUAGE plpgsql AS
         $$BEGIN PERFORM pg_sleep((SELECT seconds FROM public.knob)); RETURN n; END$$",
    );
    client.run("SELECT pg_tviews_create('counter', 'SELECT pk_counter, slowly(n) AS n FROM tb_counter')");
    client.run(
        "SELECT pg_tviews_create('doubled', 'SELECT pk_counter AS pk_doubled, n * 2 AS n FROM tv_counter')",
    );
    client.run(
        "CREATE VIEW above AS SELECT * FROM tv_counter;
         CREATE FUNCTION volatile_counters() RETURNS SETOF tv_counter LANGUAGE plpgsql AS
         $$BEGIN RETURN QUERY SELECT * FROM tv_counter; END$$;
         CREATE FUNCTION stable_counters() RETURNS SETOF tv_counter LANGUAGE plpgsql STABLE AS
         $$BEGIN RETURN QUERY SELECT * FROM tv_counter; END$$",
    );
    client.assert_follows(&["counter", "doubled"]);
    (database, client)
}

/// Two changes that nobody applies: the TVIEW is paused.
fn behind(client: &mut Client) {
    client.run(
        "SELECT pg_tviews_pause('counter');
         UPDATE tb_counter SET n = 7 WHERE pk_counter = 1",
    );
    client.run("UPDATE tb_counter SET n = 8 WHERE pk_counter = 1");
}

fn assert_too_late(error: &DbError, hint: &str) {
    assert_eq!(error.code().code(), TOO_LATE, "{error:?}");
    assert!(error.message().contains("tv_counter"), "{error:?}");
    assert!(
        error
            .detail()
            .is_some_and(|detail| detail.contains("2 changes are pending")),
        "{error:?}"
    );
    assert!(error.hint().is_some_and(|text| text.contains(hint)), "{error:?}");
}
