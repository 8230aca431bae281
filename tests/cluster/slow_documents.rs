//! A TVIEW of documents that take a while to compute, in a cluster with small batches.

use postgres::Client;

use crate::harness::{Ask, Cluster, Database, Options};

/// Batches of 400 keys.
pub fn cluster() -> Cluster {
    Cluster::start(options())
}

/// Batches of 400 keys, also after a redefinition.
pub fn cluster_always_in_batches() -> Cluster {
    Cluster::start(options().set("pg_tviews.redefine_limit", "0"))
}

fn options() -> Options {
    Options::preloaded().set("pg_tviews.batch_size", "400")
}

/// The TVIEW `doc`: so many rows, each tenth of which takes so many milliseconds. `cost`: what the planner is told that each takes.
pub fn create<'c>(
    cluster: &'c Cluster,
    database: &str,
    (rows, milliseconds, cost): (i32, u32, u32),
) -> (Database<'c>, Client) {
    let database = Database::new(cluster, database);
    let mut client = database.client();
    client.run(&format!(
        "CREATE TABLE tb_doc (pk_doc int PRIMARY KEY, n int NOT NULL);
         INSERT INTO tb_doc SELECT i, 1 FROM generate_series(1, {rows}) i;
         CREATE FUNCTION slowly(pk int, n int) RETURNS int LANGUAGE plpgsql IMMUTABLE COST {cost} AS
         $$BEGIN IF pk % 10 = 0 THEN PERFORM pg_sleep({milliseconds} / 1000.0); END IF; RETURN 100 / n; END$$"
    ));
    client.run("SELECT pg_tviews_create('doc', 'SELECT pk_doc, n, slowly(pk_doc, n) AS slow FROM tb_doc')");
    (database, client)
}

/// Everything is applied, and nothing of how is kept: the rows of this table of the extension.
pub fn nothing_is_left(client: &mut Client, under_way: &str) {
    client.assert_follows(&["doc"]);
    assert_eq!(client.one::<i64>(&format!("SELECT count(*) FROM {under_way}")), 0);
    client.assert_queue_empties();
}
