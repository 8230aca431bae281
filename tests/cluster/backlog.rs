//! TVIEWs that stand still give up a backlog beyond `pg_tviews.max_backlog`, say so, and lose nothing.

use postgres::Client;

use crate::harness::{Ask, Cluster, Database, Options, StopMode, WAIT};

fn open<'a>(cluster: &'a Cluster, name: &str) -> (Database<'a>, Client) {
    let database = Database::new(cluster, name);
    let mut client = database.client();
    client.run(
        "CREATE TABLE tb_order (pk_order int PRIMARY KEY, price int);
         INSERT INTO tb_order SELECT i, i FROM generate_series(1, 1000) AS i;
         SELECT pg_tviews_create('order', 'SELECT pk_order, price + 1 AS price FROM tb_order');
         SELECT pg_tviews_create('plain', 'SELECT pk_order AS id, price FROM tb_order')",
    );
    client.assert_follows(&["order", "plain"]);
    client.started_workers();
    (database, client)
}

fn cluster() -> Cluster {
    let options = Options::preloaded()
        .set("pg_tviews.max_backlog", "100")
        .set("pg_tviews.retry_limit", "1000")
        .set("pg_tviews.retry_backoff", "100ms");
    Cluster::start(options)
}

const GIVEN_UP: &str =
    "SELECT count(*) > 0 FROM pg_tview_meta_audit WHERE entity_name = 'order' AND operation = 'give_up' AND sqlstate = '53400'";
const STATUS: &str = "SELECT state, within_bound, lag > interval '0', left(last_error, 5) FROM pg_tview_status WHERE entity_name = 'order'";

#[test]
fn a_paused_tview_gives_up_what_is_too_much_and_is_compared_when_resumed() {
    let cluster = cluster();
    let (_database, mut client) = open(&cluster, "backlog_paused");
    client.run("SELECT pg_tviews_pause('order')");
    client.run("UPDATE tb_order SET price = price + 1 WHERE pk_order <= 90");
    client.run("UPDATE tb_order SET price = price + 1 WHERE pk_order > 500");
    client.wait_until(GIVEN_UP, WAIT);
    client.assert_queue_empties();
    assert_eq!(client.rows(STATUS), ["paused|f|t|53400"]);
    assert!(cluster
        .read_log()
        .contains("WARNING:  590 changes that waited for public.tv_order were given up"));
    // It is not up to date, although nothing waits in the queue.
    let error = client.fails("SELECT pg_tviews_wait('order')");
    assert_eq!(error.code().code(), "55000");
    // One that works is not concerned.
    assert!(client.one::<bool>("SELECT pg_tviews_wait('plain')"));
    client.assert_views_equal(&["plain"]);
    assert_eq!(
        client.rows(
            "SELECT count(*) FROM pg_tview_meta_audit WHERE operation = 'give_up' AND entity_name <> 'order'"
        ),
        ["0"]
    );
    // What happens later is kept as before.
    client.run("DELETE FROM tb_order WHERE pk_order = 1");
    client.run("SELECT pg_tviews_resume('order')");
    client.assert_follows(&["order", "plain"]);
    client.wait_until(
        "SELECT state = 'active' AND last_error IS NULL FROM pg_tview_status WHERE entity_name = 'order'",
        WAIT,
    );
    assert_eq!(
        client.rows("SELECT operation FROM pg_tview_meta_audit WHERE entity_name = 'order' AND operation IN ('pause', 'give_up', 'resume', 'populate') ORDER BY audit_id"),
        ["pause", "give_up", "resume", "populate"]
    );
}

#[test]
fn a_backlog_within_the_limit_is_kept() {
    let cluster = cluster();
    let (_database, mut client) = open(&cluster, "backlog_kept");
    client.run("SELECT pg_tviews_pause('order')");
    client.run("UPDATE tb_order SET price = price + 1 WHERE pk_order <= 100");
    client.run("CALL pg_tviews_drain()");
    assert_eq!(
        client.rows("SELECT pending_changes FROM pg_tview_status WHERE entity_name = 'order'"),
        ["100"]
    );
    client.run("INSERT INTO tb_order VALUES (2000, 1)");
    // Where there are no workers, a drain does it.
    client.run("CALL pg_tviews_drain()");
    assert!(client.one::<bool>(GIVEN_UP));
    assert_eq!(client.rows("SELECT count(*) FROM pg_tview_queue"), ["0"]);
    client.run("SELECT pg_tviews_resume('order')");
    client.assert_follows(&["order", "plain"]);
}

#[test]
fn a_suspended_tview_is_compared_when_it_works_again() {
    let cluster = cluster();
    let (_database, mut client) = open(&cluster, "backlog_suspended");
    client.run("DROP VIEW v_order");
    client.run("UPDATE tb_order SET price = 7");
    client.wait_until(GIVEN_UP, WAIT);
    client.assert_queue_empties();
    assert_eq!(client.rows(STATUS), ["suspended|f|t|53400"]);
    client.run("CREATE VIEW v_order AS SELECT pk_order, price + 1 AS price FROM tb_order");
    client.wait_until(
        "SELECT state = 'active' FROM pg_tview_status WHERE entity_name = 'order'",
        WAIT,
    );
    client.assert_follows(&["order", "plain"]);
}

#[test]
fn a_failing_tview_is_compared_when_it_works_again() {
    let cluster = cluster();
    let (_database, mut client) = open(&cluster, "backlog_failing");
    client.run(
        "CREATE TABLE trouble (here bool);
         INSERT INTO trouble VALUES (false);
         CREATE FUNCTION troubled(price int) RETURNS int LANGUAGE plpgsql STABLE AS
         $$BEGIN IF (SELECT here FROM public.trouble) THEN RAISE 'no room' USING ERRCODE = 'disk_full'; END IF; RETURN price + 1; END$$;
         CREATE OR REPLACE VIEW v_order AS SELECT pk_order, troubled(price) AS price FROM tb_order",
    );
    client.assert_follows(&["order"]);
    client.run("UPDATE trouble SET here = true");
    client.run("UPDATE tb_order SET price = 7");
    client.wait_until(GIVEN_UP, WAIT);
    client.assert_queue_empties();
    client.wait_until(
        "SELECT state = 'populating' AND last_error LIKE '53100%' FROM pg_tview_status WHERE entity_name = 'order'",
        WAIT,
    );
    assert!(!client.one::<bool>("SELECT pg_tviews_wait('order', '100 ms')"));
    client.run("UPDATE trouble SET here = false");
    client.assert_follows(&["order", "plain"]);
}

#[test]
fn writers_at_work_meanwhile_lose_nothing() {
    let cluster = cluster();
    let (database, mut client) = open(&cluster, "backlog_writers");
    // Open while the position moves, committed afterwards.
    let mut early = database.client();
    early.run("BEGIN");
    early.run("UPDATE tb_order SET price = 1 WHERE pk_order = 1");
    client.run("SELECT pg_tviews_pause('order')");
    let mut writer = database.client();
    let writing = std::thread::spawn(move || {
        for n in 0..400 {
            writer.run(&format!(
                "UPDATE tb_order SET price = price + {n} WHERE pk_order = 2 + {n} % 50"
            ));
        }
    });
    client.run("UPDATE tb_order SET price = price + 1 WHERE pk_order > 500");
    client.run("CALL pg_tviews_drain()");
    client.run("SELECT pg_tviews_resume('order')");
    assert!(client.one::<bool>("SELECT pg_tviews_wait()"));
    early.run("COMMIT");
    writing.join().expect("the writer ends");
    client.assert_follows(&["order", "plain"]);
    assert!(client.one::<bool>(GIVEN_UP));
}

/// The audit row that tells of a redefinition is what makes a paused TVIEW be compared.
#[test]
fn retention_does_not_forget_that_a_paused_tview_was_redefined() {
    let cluster = Cluster::start(Options::preloaded().set("pg_tviews.audit_retention", "1s"));
    let database = Database::new(&cluster, "backlog_retention");
    let mut client = database.client();
    client.run(
        "CREATE TABLE tb_big (pk_big int PRIMARY KEY, n int);
         INSERT INTO tb_big SELECT i, i FROM generate_series(1, 30000) AS i;
         ANALYZE tb_big;
         SELECT pg_tviews_create('big', 'SELECT pk_big, n FROM tb_big')",
    );
    client.assert_follows(&["big"]);
    client.run("SELECT pg_tviews_create('big', 'SELECT pk_big, n + 1 AS n FROM tb_big'); SELECT pg_tviews_pause('big')");
    assert_eq!(
        client.fails("SELECT pg_tviews_wait('big')").code().code(),
        "55000"
    );
    std::thread::sleep(std::time::Duration::from_millis(1500));
    cluster.restart(StopMode::Fast);
    let mut client = database.client();
    client.wait_until(
        "SELECT count(*) = 0 FROM pg_tview_meta_audit WHERE operation = 'pause'",
        WAIT,
    );
    client.run("SELECT pg_tviews_resume('big')");
    client.assert_follows(&["big"]);
}
