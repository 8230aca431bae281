//! Groups of TVIEWs: their members show one moment, and what cannot be refreshed stops nobody.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use postgres::{Client, Error};

use crate::harness::{shared, Ask, Cluster, Database, Options, WAIT};

/// Rows that writers count up, one writer each, first in one table and then in another.
const COUNTERS: usize = 3;
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

/// Counts up until stopped: the row of one table, then that of the other one; both, in one transaction; and rows that
/// nobody else writes, so that refreshes differ in size.
fn write(counter: usize, connect: impl Fn() -> Option<Client>, stop: &AtomicBool) {
    let mut client = None;
    for n in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let Some(mut connection) = client.take().or_else(&connect) else {
            std::thread::sleep(Duration::from_millis(20));
            continue;
        };
        let done = step(counter, n, &mut connection);
        if done.is_ok() {
            client = Some(connection);
        }
    }
}

fn step(counter: usize, n: usize, client: &mut Client) -> Result<(), Error> {
    // A connection may be lost between the two: then the second is made up for first.
    client.batch_execute(&format!(
        "UPDATE tb_b SET n = (SELECT n FROM tb_a WHERE pk_a = {counter}) WHERE pk_b = {counter}"
    ))?;
    client.batch_execute(&format!("UPDATE tb_a SET n = n + 1 WHERE pk_a = {counter}"))?;
    if n.is_multiple_of(5) {
        let (first, last) = (10 * counter, 10 * counter + n % 7);
        client.batch_execute(&format!(
            "BEGIN; UPDATE tb_b SET n = n + 1 WHERE pk_b BETWEEN {first} AND {last};
             SAVEPOINT s; UPDATE tb_a SET n = n + 7 WHERE pk_a < 40; ROLLBACK TO s;
             UPDATE tb_a SET n = n + 1 WHERE pk_a BETWEEN {first} AND {last}; COMMIT"
        ))?;
    }
    Ok(())
}

/// Rows that no moment of the database shows.
const ONE_STATEMENT: &str = "
    SELECT a.pk_a, a.n, b.n, p.*, t.* FROM tv_a a JOIN tv_b b ON pk_b = pk_a JOIN tv_pair p ON pk_pair = pk_a CROSS JOIN tv_total t
     WHERE a.n - b.n NOT IN (0, CASE WHEN a.pk_a < 10 THEN 1 ELSE 0 END) OR p.ahead <> a.n - b.n OR p.n <> b.n
        OR t.a <> (SELECT sum(n) FROM tv_a) OR t.b <> (SELECT sum(n) FROM tv_b) OR p.n_of_all <> t.a + t.b";

/// Compares the members in one statement, and in two of one transaction.
fn compare(client: &mut Client) -> Result<(), Error> {
    let wrong = client.simple_query(ONE_STATEMENT)?;
    let rows = wrong
        .iter()
        .filter(|message| matches!(message, postgres::SimpleQueryMessage::Row(_)));
    assert_eq!(rows.count(), 0, "{wrong:?}");
    let mut transaction = client
        .build_transaction()
        .isolation_level(postgres::IsolationLevel::RepeatableRead)
        .start()?;
    let mut sum = |sql: &str| -> Result<i64, Error> { Ok(transaction.query_one(sql, &[])?.get(0)) };
    let (a, total) = (
        sum("SELECT sum(n) FROM tv_a")?,
        sum("SELECT a + b FROM tv_total")?,
    );
    let (b, pairs) = (
        sum("SELECT sum(n) FROM tv_b")?,
        sum("SELECT sum(n + n + ahead) FROM tv_pair")?,
    );
    assert_eq!((a + b, pairs), (total, total), "{a} {b}");
    let consistent: bool = transaction
        .query_one("SELECT pg_tviews_consistent('{a,b,total,pair}')", &[])?
        .get(0);
    assert!(consistent, "of {a} {b}");
    transaction.commit()
}

/// Stops writers and readers, also where a test fails.
struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn no_reader_sees_two_moments() {
    let (database, mut client) = open("groups_moments");
    let (stop, compared) = (AtomicBool::new(false), AtomicUsize::new(0));
    let connect = || Some(database.client());
    std::thread::scope(|scope| {
        let _end = StopAtEnd(&stop);
        for counter in 1..=COUNTERS {
            let stop = &stop;
            scope.spawn(move || write(counter, connect, stop));
        }
        let read = || {
            let _end = StopAtEnd(&stop);
            let mut client = database.client();
            while !stop.load(Ordering::Relaxed) {
                compare(&mut client).expect("compared");
                compared.fetch_add(1, Ordering::Relaxed);
            }
        };
        let readers = [scope.spawn(read), scope.spawn(read)];
        let begin = Instant::now();
        while (compared.load(Ordering::Relaxed) < 1000 || begin.elapsed() < Duration::from_secs(10))
            && !stop.load(Ordering::Relaxed)
        {
            std::thread::sleep(Duration::from_millis(50));
        }
        stop.store(true, Ordering::Relaxed);
        readers
            .into_iter()
            .for_each(|reader| reader.join().expect("no two moments"));
    });
    client.assert_follows(&MEMBERS);
    // Refreshed while they were compared, and together.
    let refreshes: i64 = client.one("SELECT count(*) FROM pg_tview_meta_audit WHERE operation = 'refresh'");
    assert!(refreshes > 100, "{refreshes} refreshes");
    assert_eq!(client.one::<i64>(ALONE), 0);
    client.assert_queue_empties();
}

/// Positions of one of the members alone, where others have changes, too.
const ALONE: &str = "
    SELECT count(*) FROM (SELECT position::text FROM pg_tview_meta_audit WHERE operation = 'refresh'
                           GROUP BY 1 HAVING count(*) FILTER (WHERE entity_name IN ('a', 'b')) > 0
                                         AND count(*) FILTER (WHERE entity_name = 'total') = 0) alone";

#[test]
fn a_worker_that_is_killed_leaves_one_moment() {
    let cluster = Cluster::start(Options::preloaded().set("restart_after_crash", "on"));
    let database = Database::new(&cluster, "groups_killed");
    let mut client = database.client();
    create(&mut client);
    client.started_workers();
    client.assert_follows(&MEMBERS);
    let (stop, compared) = (AtomicBool::new(false), AtomicUsize::new(0));
    let connect = || cluster.try_client(&database.name, "postgres").ok();
    std::thread::scope(|scope| {
        let _end = StopAtEnd(&stop);
        for counter in 1..=COUNTERS {
            let stop = &stop;
            scope.spawn(move || write(counter, connect, stop));
        }
        let read = || {
            let _end = StopAtEnd(&stop);
            while !stop.load(Ordering::Relaxed) {
                let Some(mut client) = connect() else {
                    std::thread::sleep(Duration::from_millis(20));
                    continue;
                };
                while !stop.load(Ordering::Relaxed) && compare(&mut client).is_ok() {
                    compared.fetch_add(1, Ordering::Relaxed);
                }
            }
        };
        let readers = [scope.spawn(read), scope.spawn(read)];
        for round in 0..3 {
            let goal = compared.load(Ordering::Relaxed) + 100;
            let begin = Instant::now();
            while compared.load(Ordering::Relaxed) < goal && begin.elapsed() < WAIT {
                std::thread::sleep(Duration::from_millis(20));
            }
            let pid = client.started_workers()[round % 2];
            cluster.kill(pid, &mut client, &database.name);
        }
        stop.store(true, Ordering::Relaxed);
        readers
            .into_iter()
            .for_each(|reader| reader.join().expect("no two moments"));
    });
    assert!(compared.load(Ordering::Relaxed) >= 200, "{compared:?}");
    client.assert_follows(&MEMBERS);
}

/// Whether `pg_tview_status` says that the members agree.
const CONSISTENT: &str = "SELECT bool_and(consistent) FROM pg_tview_status WHERE refresh_group = 'shop'";

#[test]
fn a_broken_member_does_not_stop_the_others() {
    let database = Database::new(shared(), "groups_broken");
    let mut client = database.client();
    client.run("CREATE FUNCTION scale(n int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN n; END'");
    create(&mut client);
    client.run("SELECT pg_tviews_create('c', 'SELECT pk_a AS pk_c, scale(n) AS n FROM tb_a')");
    client.run("UPDATE pg_tview_meta SET refresh_group = 'shop' WHERE entity_name = 'c'");
    client.started_workers();
    client.assert_follows(&["c"]);
    client.run(
        "CREATE OR REPLACE FUNCTION scale(n int) RETURNS int LANGUAGE plpgsql AS $$BEGIN RAISE 'broken'; END$$",
    );
    client.wait_until(
        "SELECT state = 'suspended' FROM pg_tview_meta WHERE entity_name = 'c'",
        WAIT,
    );
    for n in 1..4 {
        client.run(&format!(
            "UPDATE tb_a SET n = {n} WHERE pk_a < 4; UPDATE tb_b SET n = {n} WHERE pk_b < 4"
        ));
        for member in MEMBERS {
            assert!(
                client.one::<bool>(&format!("SELECT pg_tviews_wait('{member}')")),
                "{member}"
            );
        }
        client.assert_views_equal(&MEMBERS);
        assert!(!client.one::<bool>(CONSISTENT));
        assert!(client.one::<bool>("SELECT pg_tviews_consistent('{a,b,total,pair}')"));
    }
    client
        .run("CREATE OR REPLACE FUNCTION scale(n int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN n; END'");
    client.wait_until(
        "SELECT state = 'active' FROM pg_tview_meta WHERE entity_name = 'c'",
        WAIT,
    );
    client.wait_until(CONSISTENT, WAIT);
    client.assert_follows(&["a", "b", "total", "pair", "c"]);
    assert_refreshed_together(&mut client, &["a", "b", "total", "pair", "c"]);
}

/// Changes something until all of them are refreshed in one transaction.
#[track_caller]
fn assert_refreshed_together(client: &mut Client, members: &[&str]) {
    let begin = Instant::now();
    loop {
        client.run("UPDATE tb_a SET n = n + 1 WHERE pk_a = 1; UPDATE tb_b SET n = n + 1 WHERE pk_b = 1");
        client.assert_follows(members);
        let together: i64 = client.one(
            "SELECT count(DISTINCT entity_name) FROM pg_tview_meta_audit
              WHERE operation = 'refresh'
                AND position::text = (SELECT position::text FROM pg_tview_meta_audit WHERE operation = 'refresh'
                                       ORDER BY audit_id DESC LIMIT 1)",
        );
        if together == members.len() as i64 {
            return;
        }
        assert!(begin.elapsed() < WAIT, "{together} of {members:?}");
    }
}

#[test]
fn a_key_that_fails_does_not_stop_the_group() {
    let database = Database::new(shared(), "groups_dead_key");
    let mut client = database.client();
    create(&mut client);
    client.run("SELECT pg_tviews_create('c', 'SELECT pk_a AS pk_c, 100 / (n - 66) AS n FROM tb_a')");
    client.run("UPDATE pg_tview_meta SET refresh_group = 'shop' WHERE entity_name = 'c'");
    client.started_workers();
    client.assert_follows(&["c"]);
    assert_refreshed_together(&mut client, &["a", "b", "total", "pair", "c"]);
    client.run("UPDATE tb_a SET n = 66 WHERE pk_a = 9");
    client.wait_until("SELECT count(*) = 1 FROM pg_tview_dead_letter", WAIT);
    // The attempt with the others counts, and that alone.
    let failures: i64 =
        client.one("SELECT failures_data::bigint FROM pg_tview_metrics WHERE entity_name = 'c'");
    assert!(failures >= 2, "{failures}");
    client.run("SELECT pg_tviews_wait()");
    client.assert_views_equal(&MEMBERS);
    assert!(client.one::<bool>(CONSISTENT));
    let begin = Instant::now();
    loop {
        client.run("UPDATE tb_a SET n = n + 1 WHERE pk_a = 2");
        client.run("SELECT pg_tviews_wait()");
        let together: bool = client.one(
            "SELECT count(DISTINCT position::text) = 1 AND count(DISTINCT audit_id) = 4
               FROM (SELECT DISTINCT ON (entity_name) entity_name, audit_id, position FROM pg_tview_meta_audit
                      WHERE operation = 'refresh' AND entity_name IN ('a', 'c', 'total', 'pair')
                      ORDER BY entity_name, audit_id DESC) newest",
        );
        if together {
            break;
        }
        assert!(begin.elapsed() < WAIT, "not refreshed together");
    }
    client.run("UPDATE tb_a SET n = 1 WHERE pk_a = 9");
    client.assert_follows(&["a", "b", "total", "pair", "c"]);
}

#[test]
fn progress_ends_with_the_refresh() {
    let (_database, mut client) = open("groups_progress");
    assert_refreshed_together(&mut client, &MEMBERS);
    client.run("UPDATE tb_a SET n = n + 1; UPDATE tb_b SET n = n + 1");
    client.run("CALL pg_tviews_drain()");
    client.wait_until(
        "SELECT count(*) = 0 FROM pg_tview_progress WHERE datname = current_database()",
        WAIT,
    );
}

#[test]
fn a_paused_member_does_not_stop_the_others() {
    let (_database, mut client) = open("groups_paused");
    client.run("SELECT pg_tviews_pause('b')");
    client.run("UPDATE tb_a SET n = 1 WHERE pk_a = 1; UPDATE tb_b SET n = 1 WHERE pk_b = 1");
    assert!(client.one::<bool>("SELECT pg_tviews_wait('a')"));
    client.assert_views_equal(&["a"]);
    assert!(!client.one::<bool>(CONSISTENT));
    assert_eq!(client.rows("SELECT n FROM tv_b WHERE pk_b = 1"), ["0"]);
    client.run("SELECT pg_tviews_resume('b')");
    client.assert_follows(&MEMBERS);
    client.wait_until(CONSISTENT, WAIT);
    assert_refreshed_together(&mut client, &MEMBERS);
}

#[test]
fn a_member_that_is_redefined_or_dropped_does_not_stop_the_others() {
    let (_database, mut client) = open("groups_redefined");
    client.run("SELECT pg_tviews_create('b', 'SELECT pk_b, n, n * 2 AS twice FROM tb_b')");
    client.run("UPDATE tb_a SET n = 1 WHERE pk_a = 1; UPDATE tb_b SET n = 1 WHERE pk_b = 1");
    client.assert_follows(&MEMBERS);
    assert_eq!(
        client.rows("SELECT refresh_group FROM pg_tview_meta WHERE entity_name = 'b'"),
        ["shop"]
    );
    assert_refreshed_together(&mut client, &MEMBERS);
    client.run("SELECT pg_tviews_drop('pair'); SELECT pg_tviews_drop('total'); SELECT pg_tviews_drop('b')");
    client.run("UPDATE tb_a SET n = 2 WHERE pk_a = 1");
    client.assert_follows(&["a"]);
    assert!(client.one::<bool>(CONSISTENT));
    client.run("UPDATE pg_tview_meta SET refresh_group = NULL");
    client.run("UPDATE tb_a SET n = 3 WHERE pk_a = 1");
    client.assert_follows(&["a"]);
    assert_eq!(
        client.one::<i64>("SELECT count(consistent) FROM pg_tview_status"),
        0
    );
}

#[test]
fn a_backlog_is_applied_alone_and_then_they_agree_again() {
    let cluster = Cluster::start(Options::preloaded().set("pg_tviews.batch_size", "10"));
    let database = Database::new(&cluster, "groups_backlog");
    let mut client = database.client();
    create(&mut client);
    client.started_workers();
    client.run("INSERT INTO tb_a SELECT i, 0 FROM generate_series(41, 3000) i; INSERT INTO tb_b SELECT i, 0 FROM generate_series(41, 3000) i");
    client.assert_follows(&MEMBERS);
    // Several batches in one transaction.
    client.run("UPDATE tb_b SET n = n + 1 WHERE pk_b BETWEEN 100 AND 130; UPDATE tb_a SET n = n + 1 WHERE pk_a BETWEEN 100 AND 130");
    client.assert_follows(&MEMBERS);
    // More than a transaction is to do.
    client.run("UPDATE tb_a SET n = n + 1; UPDATE tb_b SET n = n + 1");
    client.assert_follows(&MEMBERS);
    client.wait_until(CONSISTENT, WAIT);
    client.assert_queue_empties();
}

#[test]
fn a_locked_member_does_not_stop_the_others_for_long() {
    let (database, mut client) = open("groups_locked");
    let mut holder = database.client();
    holder.run("BEGIN; LOCK TABLE tv_b IN SHARE MODE");
    client.run("UPDATE tb_a SET n = 1 WHERE pk_a = 1; UPDATE tb_b SET n = 1 WHERE pk_b = 1");
    assert!(client.one::<bool>("SELECT pg_tviews_wait('a')"));
    client.assert_views_equal(&["a"]);
    assert!(!client.one::<bool>(CONSISTENT));
    holder.run("COMMIT");
    client.assert_follows(&MEMBERS);
    assert_refreshed_together(&mut client, &MEMBERS);
}

#[test]
fn a_trigger_that_changes_a_source_is_not_lost() {
    let (_database, mut client) = open("groups_trigger");
    // The last member writes what the first one reads, twice.
    client.run(
        "CREATE FUNCTION back() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
             IF NEW.n < 6 AND NEW.pk_pair = 1 THEN
                 UPDATE public.tb_a SET n = n + 1 WHERE pk_a = 2;
                 UPDATE public.tb_b SET n = n + 2 WHERE pk_b = 1;
             END IF;
             RETURN NULL; END$$;
         CREATE TRIGGER back AFTER UPDATE ON tv_pair FOR EACH ROW EXECUTE FUNCTION back()",
    );
    client.run("UPDATE tb_b SET n = 1 WHERE pk_b = 1");
    client.wait_until("SELECT n >= 6 FROM tv_b WHERE pk_b = 1", WAIT);
    client.assert_follows(&MEMBERS);
    client.wait_until(CONSISTENT, WAIT);
    client.assert_follows(&MEMBERS);
    client.assert_queue_empties();
}

#[test]
fn what_a_preview_has_shown_early_is_not_one_moment() {
    let (_database, mut client) = open("groups_preview");
    client.run("BEGIN; UPDATE tb_a SET n = 5 WHERE pk_a = 1; UPDATE tb_b SET n = 5 WHERE pk_b = 1");
    assert_eq!(client.rows("SELECT n FROM tv_a WHERE pk_a = 1"), ["5"]);
    // Its own rows are committed with the transaction.
    client.run("SELECT pg_tviews_pause('b'); COMMIT");
    assert_eq!(client.rows("SELECT n FROM tv_b WHERE pk_b = 1"), ["0"]);
    assert!(!client.one::<bool>("SELECT pg_tviews_consistent('{a,b}')"));
    client.run("SELECT pg_tviews_resume('b')");
    client.assert_follows(&MEMBERS);
    client.wait_until(CONSISTENT, WAIT);
}

#[test]
fn a_drain_keeps_a_group_together() {
    let cluster = Cluster::start(Options::without_preload());
    let database = Database::new(&cluster, "groups_drain");
    let mut client = database.client();
    create(&mut client);
    client.run("CALL pg_tviews_drain()");
    for (n, call) in ["CALL pg_tviews_drain()", "CALL pg_tviews_drain('b')"]
        .into_iter()
        .enumerate()
    {
        client.run(&format!("UPDATE tb_a SET n = {n} + 1 WHERE pk_a = 1"));
        client.run(&format!("UPDATE tb_b SET n = {n} + 1 WHERE pk_b = 1"));
        // Nothing of it is in any.
        assert!(client.one::<bool>(CONSISTENT));
        client.run(call);
        client.assert_views_equal(&MEMBERS);
        assert!(client.one::<bool>(CONSISTENT));
        let positions = client.rows(
            "SELECT count(*), count(DISTINCT position::text) FROM (SELECT * FROM pg_tview_meta_audit ORDER BY audit_id DESC LIMIT 4) a",
        );
        assert_eq!(positions, ["4|1"], "{call}");
        assert_eq!(
            client.one::<i64>("SELECT count(*) FROM pg_tview_queue"),
            0,
            "{call}"
        );
    }
    a_drain_ends_when_it_is_cancelled(&database);
}

/// Also while the plan of a member is being made.
fn a_drain_ends_when_it_is_cancelled(database: &Database) {
    let mut client = database.client();
    client.run(
        "CREATE FUNCTION slow() RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN PERFORM pg_sleep(2); RETURN 1; END'",
    );
    client.run("SELECT pg_tviews_create('slow', 'SELECT pk_a AS pk_slow, slow() AS n FROM tb_a')");
    client.run("CALL pg_tviews_drain()");
    client.run("UPDATE pg_tview_meta SET refresh_group = 'shop' WHERE entity_name = 'slow'");
    client.run("UPDATE tb_a SET n = n + 1");
    // This one has no plan yet.
    let mut other = database.client();
    other.run("SET statement_timeout = '300ms'");
    let error = other.fails("CALL pg_tviews_drain()");
    assert_eq!(error.code().code(), "57014", "{error:?}");
    other.run("RESET statement_timeout");
    other.run("CALL pg_tviews_drain()");
    client.assert_views_equal(&MEMBERS);
}

#[test]
fn large_groups_of_rows_run_along_in_a_group() {
    let cluster = Cluster::start(Options::preloaded().set("pg_tviews.running_threshold", "2"));
    let database = Database::new(&cluster, "groups_running");
    let mut client = database.client();
    client.run(
        "CREATE TABLE tb_item (pk_item int PRIMARY KEY, kind int NOT NULL, n int NOT NULL);
         INSERT INTO tb_item SELECT i, i % 5, i FROM generate_series(1, 2000) i;
         CREATE INDEX ON tb_item (kind);
         CREATE TABLE tb_kind (pk_kind int PRIMARY KEY, name text);
         INSERT INTO tb_kind SELECT i, 'kind ' || i FROM generate_series(0, 4) i;
         SELECT pg_tviews_create('item', 'SELECT pk_item, kind, n FROM tb_item');
         CREATE INDEX ON tv_item (kind);
         SELECT pg_tviews_create('kind', 'SELECT pk_kind, name, (SELECT count(*) FROM tv_item WHERE kind = pk_kind) AS items,
             (SELECT sum(n) FROM tv_item WHERE kind = pk_kind) AS n FROM tb_kind');
         SELECT pg_tviews_create('base', 'SELECT pk_kind AS pk_base, (SELECT sum(n) FROM tb_item WHERE kind = pk_kind) AS n FROM tb_kind');
         UPDATE pg_tview_meta SET refresh_group = 'items'",
    );
    client.started_workers();
    client.assert_follows(&["item", "kind", "base"]);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _end = StopAtEnd(&stop);
        for writer in 0..2 {
            let (database, stop) = (&database, &stop);
            scope.spawn(move || {
                let mut client = database.client();
                for n in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let row = 1 + 2 * (n * 37 % 1000) + writer;
                    client.run(&format!(
                        "UPDATE tb_item SET n = n + {n}, kind = (kind + {n} % 3) % 5 WHERE pk_item = {row}"
                    ));
                }
            });
        }
        let mut reader = database.client();
        for _ in 0..400 {
            let wrong = reader.rows(
                "SELECT * FROM tv_kind JOIN tv_base ON pk_base = pk_kind WHERE tv_kind.n IS DISTINCT FROM tv_base.n",
            );
            assert!(wrong.is_empty(), "{wrong:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    client.assert_follows(&["item", "kind", "base"]);
    let reads: i64 = client.one("SELECT sum(stored_group_reads)::bigint FROM pg_tview_status");
    assert!(reads > 0, "no stored group was read");
}
