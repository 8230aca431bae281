//! Readers that compare the members of a group never see two moments.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use postgres::{Client, Error};

use super::{create, open, StopAtEnd, MEMBERS};
use crate::harness::{Ask, Cluster, Database, Options, WAIT};

/// Rows that writers count up, one writer each, first in one table and then in another.
const COUNTERS: usize = 3;

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

/// Before a worker loads the definitions that it works by: it does so a few times per second at most.
#[test]
fn a_group_holds_from_its_commit_on() {
    let (_database, mut client) = open("groups_at_once");
    for round in 1..=10 {
        client.run("UPDATE pg_tview_meta SET refresh_group = NULL");
        // Workers load definitions now, and not again before a while.
        std::thread::sleep(Duration::from_millis(30));
        let before: i64 = client.one("SELECT max(audit_id) FROM pg_tview_meta_audit");
        client.run("UPDATE pg_tview_meta SET refresh_group = 'shop'");
        client.run("BEGIN; UPDATE tb_a SET n = n + 1; UPDATE tb_b SET n = n + 1; COMMIT");
        assert!(client.one::<bool>("SELECT pg_tviews_wait()"));
        let alone = ALONE.replace("'refresh'", &format!("'refresh' AND audit_id > {before}"));
        assert_eq!(client.one::<i64>(&alone), 0, "round {round}");
    }
    client.assert_follows(&MEMBERS);
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
