//! No read is later than its bound. The truth is a list of commits with the times at which they were acknowledged.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use postgres::Client;

use super::counters;
use crate::harness::{send_signal, Ask, Database};

/// Rows that writers count up, one writer each.
const COUNTERS: usize = 3;

/// What each writer had committed, and since when it knew.
#[derive(Default)]
struct Truth {
    commits: [Mutex<Vec<(Instant, i64)>>; COUNTERS],
}

impl Truth {
    /// The number that a row must have reached for a reader that began then.
    fn least(&self, counter: usize, began: Instant, bound: Duration) -> i64 {
        let Some(upto) = began.checked_sub(bound) else {
            return 0;
        };
        let commits = self.commits[counter].lock().unwrap();
        let done = commits.partition_point(|(at, _)| *at <= upto);
        done.checked_sub(1).map_or(0, |last| commits[last].1)
    }

    fn write(&self, counter: usize, client: &mut Client, stop: &AtomicBool) {
        for n in 1.. {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            client.run(&format!(
                "UPDATE tb_counter SET n = {n} WHERE pk_counter = {counter}"
            ));
            self.commits[counter].lock().unwrap().push((Instant::now(), n));
        }
    }

    /// Reads with a bound until stopped, in all ways in which an application reads.
    fn read(&self, client: &mut Client, bound: Duration, reads: &AtomicUsize, stop: &AtomicBool) {
        let ways = ways(client);
        let check = |way: &str, began: Instant, rows: Vec<(i64, i64)>| {
            assert_eq!(rows.len(), COUNTERS, "{way}");
            for (counter, n) in rows {
                let least = self.least(counter as usize, began, bound);
                assert!(
                    n >= least,
                    "{way}: read {n}, but {least} was committed {bound:?} before"
                );
            }
            reads.fetch_add(1, Ordering::Relaxed);
        };
        while !stop.load(Ordering::Relaxed) {
            for (way, sql) in ways {
                let began = Instant::now();
                check(way, began, numbers(client.rows(sql)));
            }
            let statement = client
                .prepare("SELECT pk_doubled, n / 2 FROM tv_doubled")
                .unwrap();
            let began = Instant::now();
            let rows = client.query(&statement, &[]).unwrap();
            let rows = rows.iter().map(|row| (row.get(0), row.get(1)));
            check("extended protocol", began, rows.collect());
            let mut transaction = client.transaction().unwrap();
            let began = Instant::now();
            transaction
                .batch_execute("DECLARE c NO SCROLL CURSOR FOR SELECT pk_counter, n FROM tv_counter")
                .unwrap();
            let rows = transaction.query("FETCH ALL FROM c", &[]).unwrap();
            let rows = rows.iter().map(|row| (row.get(0), row.get(1)));
            check("cursor", began, rows.collect());
            transaction.commit().unwrap();
        }
    }
}

fn numbers(rows: Vec<String>) -> Vec<(i64, i64)> {
    let pair = |row: &String| {
        let (counter, n) = row.split_once('|').unwrap();
        (counter.parse().unwrap(), n.parse().unwrap())
    };
    rows.iter().map(pair).collect()
}

/// Statements that return counters and their numbers.
fn ways(client: &mut Client) -> &'static [(&'static str, &'static str)] {
    client.run(
        "PREPARE counters AS SELECT pk_counter, n FROM tv_counter;
         PREPARE doubled(bigint) AS SELECT pk_doubled, n / 2 FROM tv_doubled WHERE pk_doubled >= $1",
    );
    for _ in 0..6 {
        client.run("EXECUTE counters; EXECUTE doubled(0)");
    }
    &[
        ("table", "SELECT pk_counter, n FROM tv_counter"),
        ("TVIEW over the TVIEW", "SELECT pk_doubled, n / 2 FROM tv_doubled"),
        ("both", "SELECT pk_counter, least(c.n, d.n / 2) FROM tv_counter c JOIN tv_doubled d ON pk_doubled = pk_counter"),
        ("view over the table", "SELECT pk_counter, n FROM above"),
        ("prepared statement", "EXECUTE counters"),
        ("prepared statement with a parameter", "EXECUTE doubled(0)"),
        ("function", "SELECT * FROM volatile_counters()"),
        ("INSERT", "INSERT INTO copied SELECT pk_counter, n FROM tv_counter RETURNING *"),
    ]
}

/// Stops the workers again and again, for moments.
fn disturb(database: &Database, stop: &AtomicBool) {
    let mut client = database.client();
    while !stop.load(Ordering::Relaxed) {
        let workers = client.workers();
        workers.iter().for_each(|pid| send_signal("STOP", *pid));
        std::thread::sleep(Duration::from_millis(150));
        workers.iter().for_each(|pid| send_signal("CONT", *pid));
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn no_read_is_later(name: &str, seconds: &str, disturbed: bool) {
    let (database, mut client) = counters(name);
    client.run(&format!("UPDATE knob SET seconds = {seconds}"));
    let (truth, stop) = (Truth::default(), AtomicBool::new(false));
    let reads: [(u64, AtomicUsize); 3] = [0, 40, 400].map(|bound| (bound, AtomicUsize::new(0)));
    std::thread::scope(|scope| {
        let (database, truth, stop, reads) = (&database, &truth, &stop, &reads);
        for counter in 0..COUNTERS {
            scope.spawn(move || truth.write(counter, &mut database.client(), stop));
        }
        if disturbed {
            scope.spawn(move || disturb(database, stop));
        }
        let mut readers = Vec::new();
        for (bound, reads) in reads {
            readers.push(scope.spawn(move || {
                let mut reader = database.client();
                reader.run(&format!("SET pg_tviews.max_staleness = {bound}"));
                truth.read(&mut reader, Duration::from_millis(*bound), reads, stop);
            }));
        }
        // A reader that fails ends the test immediately.
        let begin = Instant::now();
        let enough = |(_, reads): &(u64, AtomicUsize)| reads.load(Ordering::Relaxed) > 50;
        while (begin.elapsed() < Duration::from_secs(5) || !reads.iter().all(enough))
            && begin.elapsed() < Duration::from_secs(60)
            && !readers.iter().any(|reader| reader.is_finished())
        {
            std::thread::sleep(Duration::from_millis(20));
        }
        stop.store(true, Ordering::Relaxed);
        readers
            .into_iter()
            .for_each(|reader| reader.join().expect("no read was late"));
        assert!(reads.iter().all(enough), "{reads:?}");
    });
    client.assert_follows(&["counter", "doubled"]);
}

#[test]
fn no_read_is_later_than_its_bound_with_writers_at_full_speed() {
    no_read_is_later("bounds_fast", "0", false);
}

#[test]
fn no_read_is_later_than_its_bound_with_slow_workers() {
    no_read_is_later("bounds_slow", "0.03", false);
}

#[test]
fn no_read_is_later_than_its_bound_with_stopped_workers() {
    no_read_is_later("bounds_stopped", "0", true);
}

#[test]
fn a_pool_that_cannot_set_requires() {
    let (database, mut client) = counters("bounds_required");
    let mut writer = database.client();
    for n in 1..200 {
        writer.run(&format!("UPDATE tb_counter SET n = {n} WHERE pk_counter = 0"));
        let entity = if n % 2 == 0 { "counter" } else { "doubled" };
        client.run(&format!("SELECT pg_tviews_require('{entity}', '0')"));
        let sql = match entity {
            "counter" => "SELECT n FROM tv_counter WHERE pk_counter = 0",
            _ => "SELECT n / 2 FROM tv_doubled WHERE pk_doubled = 0",
        };
        assert_eq!(client.one::<i64>(sql), n);
    }
}
