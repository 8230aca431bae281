//! Groups of TVIEWs: their members show one moment, and what cannot be refreshed stops nobody.

mod members;
mod moments;

use std::sync::atomic::{AtomicBool, Ordering};

use postgres::Client;

use crate::harness::{shared, Ask, Database};

/// All members of the group.
const MEMBERS: [&str; 4] = ["a", "b", "total", "pair"];

/// Two tables, a TVIEW over each, one over both TVIEWs, and one over that and a table.
fn create(client: &mut Client) {
    client.run(
        "CREATE TABLE tb_a (pk_a int PRIMARY KEY, n int NOT NULL);
         CREATE TABLE tb_b (pk_b int PRIMARY KEY, n int NOT NULL);
         INSERT INTO tb_a SELECT i, 0 FROM generate_series(1, 40) i;
         INSERT INTO tb_b SELECT i, 0 FROM generate_series(1, 40) i;",
    );
    for (name, query) in [
        ("a", "SELECT pk_a, n FROM tb_a"),
        ("b", "SELECT pk_b, n FROM tb_b"),
        (
            "total",
            "SELECT 1 AS pk_total, (SELECT sum(n) FROM tv_a) AS a, (SELECT sum(n) FROM tv_b) AS b",
        ),
        (
            "pair",
            "SELECT pk_a AS pk_pair, a.n - b.n AS ahead, b.n, t.a + t.b AS n_of_all
               FROM tv_a a JOIN tb_b b ON pk_b = pk_a CROSS JOIN tv_total t",
        ),
    ] {
        client.run(&format!("SELECT pg_tviews_create('{name}', $${query}$$)"));
    }
    client.run(
        "UPDATE pg_tview_meta SET refresh_group = 'shop' WHERE entity_name IN ('a', 'b', 'total', 'pair')",
    );
}

fn open(name: &str) -> (Database<'static>, Client) {
    let database = Database::new(shared(), name);
    let mut client = database.client();
    create(&mut client);
    client.started_workers();
    client.assert_follows(&MEMBERS);
    (database, client)
}

/// Stops writers and readers, also where a test fails.
struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
