//! A large TVIEW that is redefined: readers see the rows of one definition, the old one or the new one.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use postgres::Client;

use crate::harness::{Ask, Cluster, Database, Load, Options, Plan, Random, WAIT};
use crate::slow_documents::{self, cluster};

/// More than a call of `pg_tviews_create` fills itself.
pub const ROWS: usize = 30_000;
pub const SLOW_ROWS: i32 = 3_000;

/// What readers see in one statement: the definition of each row, and whether the row has a value in the column that
/// one of the definitions has in addition.
pub const SEEN: &str =
    "SELECT DISTINCT to_jsonb(t) ->> 'def', to_jsonb(t) ->> 'extra' IS NOT NULL FROM tv_doc t ORDER BY 1, 2";

fn query(def: &str, columns: &str) -> String {
    format!("SELECT pg_tviews_create('doc', $$SELECT pk_doc, {columns}, '{def}'::text AS def FROM tb_doc$$)")
}

/// A reader at work.
#[derive(Default)]
pub struct Reads {
    stop: AtomicBool,
    count: AtomicU64,
}

impl Reads {
    /// Reads while `body` runs; returns what was seen. Fails if a statement saw nothing, or two definitions.
    pub fn during(database: &Database, body: impl FnOnce(&Reads)) -> BTreeSet<String> {
        struct StopAtEnd<'a>(&'a Reads);
        impl Drop for StopAtEnd<'_> {
            fn drop(&mut self) {
                self.0.stop.store(true, Ordering::Relaxed);
            }
        }
        let reads = Reads::default();
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let _end = StopAtEnd(&reads);
                reads.read(database)
            });
            let end = StopAtEnd(&reads);
            body(&reads);
            drop(end);
            reader.join().expect("the reader saw one definition at a time")
        })
    }

    fn read(&self, database: &Database) -> BTreeSet<String> {
        let mut reader = database.client();
        let mut seen = BTreeSet::new();
        while !self.stop.load(Ordering::Relaxed) {
            let rows = reader.rows(SEEN);
            assert_eq!(rows.len(), 1, "readers see rows of one definition: {rows:?}");
            seen.extend(rows);
            self.count.fetch_add(1, Ordering::Relaxed);
        }
        seen
    }

    /// Waits until a statement that begins now has been read.
    pub fn let_pass(&self) {
        let goal = self.count.load(Ordering::Relaxed) + 2;
        while self.count.load(Ordering::Relaxed) < goal && !self.stop.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

#[test]
fn readers_see_the_old_rows_or_the_new_ones() {
    let cluster = cluster();
    let database = Database::new(&cluster, "at_once_readers");
    let mut client = database.client();
    client.run(&format!(
        "CREATE TABLE tb_doc (pk_doc int PRIMARY KEY, n int NOT NULL);
         INSERT INTO tb_doc SELECT i, 1 FROM generate_series(1, {ROWS}) i"
    ));
    client.run(&query("zero", "n"));
    assert!(client.one::<bool>("SELECT pg_tviews_wait()"));
    let random = Random::announced("readers_see_the_old_rows_or_the_new_ones");
    let plan = Plan {
        cluster: &cluster,
        database: &database.name,
        statements: &[
            "UPDATE tb_doc SET n = n + 1 WHERE pk_doc = {30000}",
            "DELETE FROM tb_doc WHERE pk_doc = {30000}",
            "INSERT INTO tb_doc VALUES ({30000}, {9}) ON CONFLICT DO NOTHING",
            "UPDATE tb_doc SET n = {9} WHERE pk_doc % 1200 = {1199}",
        ],
        crashes: false,
    };
    let seen = Reads::during(&database, |reads| {
        Load::during(&plan, 2, &random, |load| {
            for (def, columns) in [
                ("same columns", "n"),
                ("added column", "n, n * 2 AS extra"),
                ("dropped column", "n"),
                ("changed type", "n::bigint AS n"),
                ("overtaken", "n::bigint AS n"),
                ("last", "n::bigint AS n"),
            ] {
                load.let_pass(5);
                client.run(&query(def, columns));
                if def == "overtaken" {
                    client.wait_until(BEGUN, WAIT);
                } else {
                    client.wait_until(ACTIVE, WAIT);
                    reads.let_pass();
                }
            }
        });
    });
    for def in [
        "same columns|f",
        "added column|t",
        "dropped column|f",
        "changed type|f",
        "last|f",
    ] {
        assert!(seen.contains(def), "{def} in {seen:?}");
    }
    client.assert_follows(&["doc"]);
    assert_eq!(client.rows(SEEN), ["last|f"]);
    // It was complete in the end: no comparison in batches was needed.
    assert_eq!(comparisons(&mut client), 1, "only the first population");
}

/// How often a comparison in batches has begun.
fn comparisons(client: &mut Client) -> i64 {
    client.one("SELECT count(*) FROM pg_tview_meta_audit WHERE operation = 'compare'")
}

/// The rows of `slow_documents`, complete under the first definition.
pub fn slow<'c>(cluster: &'c Cluster, name: &str) -> (Database<'c>, Client) {
    slower(cluster, name, 1)
}

/// The same; each tenth row takes so many milliseconds.
fn slower<'c>(cluster: &'c Cluster, name: &str, milliseconds: u32) -> (Database<'c>, Client) {
    let (database, mut client) = slow_documents::create(cluster, name, (SLOW_ROWS, milliseconds, 100_000));
    assert!(client.one::<bool>("SELECT pg_tviews_wait()"));
    assert_eq!(client.rows(SHOWN), ["100"]);
    // A key is computed only once no session has closed the gate.
    client.run(
        "CREATE FUNCTION gate(pk int) RETURNS int LANGUAGE plpgsql IMMUTABLE COST 1 AS
         $$BEGIN
             WHILE pk = 10 AND NOT pg_try_advisory_xact_lock_shared(77) LOOP PERFORM pg_sleep(0.01); END LOOP;
             RETURN 0;
         END$$",
    );
    (database, client)
}

pub const CLOSE: &str = "SELECT pg_advisory_lock(77)";
pub const OPEN: &str = "SELECT pg_advisory_unlock(77)";

/// What `slow_documents` show.
pub const SHOWN: &str = "SELECT DISTINCT slow FROM tv_doc ORDER BY 1";

pub fn redefine(more: i32) -> String {
    format!(
        "SELECT pg_tviews_create('doc',
             'SELECT pk_doc, n, slowly(pk_doc, n) + gate(pk_doc) + {more} AS slow FROM tb_doc')"
    )
}

/// A worker is computing all rows.
const UNDER_WAY: &str =
    "SELECT count(*) > 0 FROM pg_tview_progress WHERE operation = 'populate' AND phase = 'comparing rows'";
/// The same, or it has done so.
const BEGUN: &str = "SELECT state = 'active' OR EXISTS (SELECT 1 FROM pg_tview_progress) FROM pg_tview_meta";
/// A session waits for the TVIEW.
const WAITS: &str = "SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'object' AND NOT granted";
const ACTIVE: &str = "SELECT state = 'active' FROM pg_tview_meta";

pub fn nothing_is_left(client: &mut Client) {
    client.wait_until(ACTIVE, WAIT);
    slow_documents::nothing_is_left(client, "pg_tview_comparison");
}

#[test]
fn a_row_that_fails_leaves_the_old_rows() {
    let cluster = cluster();
    let (_database, mut client) = slow(&cluster, "at_once_poison");
    client.run("SELECT pg_tviews_create('doc', 'SELECT pk_doc, n, slowly(pk_doc, n - (pk_doc = 2900)::int) + 1 AS slow FROM tb_doc')");
    client.wait_until("SELECT state = 'suspended' FROM pg_tview_meta", WAIT);
    assert_eq!(client.rows(SHOWN), ["100"]);
    assert_eq!(
        client.rows("SELECT last_error, dead_letter_keys FROM pg_tview_status"),
        ["22012: division by zero|0"]
    );
    let hint = client
        .one::<String>("SELECT details ->> 'hint' FROM pg_tview_meta_audit WHERE operation = 'suspend'");
    assert!(hint.contains("redefine_limit"), "{hint}");
    // The row is corrected.
    client.run("UPDATE tb_doc SET n = 2 WHERE pk_doc = 2900");
    nothing_is_left(&mut client);
    assert_eq!(client.rows(SHOWN), ["101"]);
    // So is the definition.
    client.run("SELECT pg_tviews_create('doc', 'SELECT pk_doc, n, slowly(pk_doc, n - (pk_doc = 2990)::int) + 2 AS slow FROM tb_doc')");
    client.wait_until("SELECT state = 'suspended' FROM pg_tview_meta", WAIT);
    assert_eq!(client.rows(SHOWN), ["101"]);
    // A row that comes twice would stay as it is.
    client.run(
        "SELECT pg_tviews_create('doc', 'SELECT pk_doc, n, slowly(pk_doc, n) + 2 AS slow FROM tb_doc
                UNION ALL SELECT pk_doc, n, 0 FROM tb_doc WHERE pk_doc = 2950')",
    );
    client.wait_until(
        "SELECT state = 'suspended' AND last_error LIKE '21000: %' FROM pg_tview_status",
        WAIT,
    );
    assert_eq!(client.rows(SHOWN), ["101"]);
    client.run(&redefine(3));
    nothing_is_left(&mut client);
    assert_eq!(comparisons(&mut client), 1, "only the first population");
}

#[test]
fn a_row_that_another_session_holds_comes_later() {
    let cluster = cluster();
    let (database, mut client) = slow(&cluster, "at_once_held");
    let mut holder = database.client();
    holder.run("BEGIN; SELECT FROM tv_doc WHERE pk_doc = 5 FOR UPDATE");
    client.run(&redefine(1));
    let all = format!("SELECT count(*) = {SLOW_ROWS} - 1 FROM tv_doc WHERE slow = 101");
    client.wait_until("SELECT count(*) FILTER (WHERE slow = 101) > 0 FROM tv_doc", WAIT);
    assert!(client.one::<bool>(&all), "all others at the same moment");
    // Changes of other rows do not wait for the session.
    client.run("UPDATE tb_doc SET n = 2 WHERE pk_doc = 6");
    client.wait_until("SELECT n = 2 FROM tv_doc WHERE pk_doc = 6", WAIT);
    assert!(!client.one::<bool>("SELECT pg_tviews_wait('doc', timeout => '300 ms')"));
    holder.run("COMMIT");
    nothing_is_left(&mut client);
}

#[test]
fn what_takes_too_long_is_done_in_batches() {
    for (setting, value) in [
        ("pg_tviews.redefine_limit", "100ms"),
        ("pg_tviews.redefine_limit", "0"),
        ("pg_tviews.refresh_timeout", "1s"),
    ] {
        let cluster = Cluster::start(
            Options::preloaded()
                .set("pg_tviews.batch_size", "400")
                .set(setting, value),
        );
        // All rows take more than a second, and a batch a fifth of that.
        let (_database, mut client) = slower(&cluster, "at_once_limit", 5);
        client.run(&redefine(1));
        nothing_is_left(&mut client);
        assert_eq!(client.rows(SHOWN), ["101"]);
        assert_eq!(comparisons(&mut client), 2, "{setting} = {value}");
    }
}

#[test]
fn a_crash_leaves_the_old_rows_until_the_new_ones_are_complete() {
    let cluster = cluster();
    let (database, mut client) = slow(&cluster, "at_once_crash");
    client.run(CLOSE);
    client.run(&redefine(1));
    client.wait_until(UNDER_WAY, WAIT);
    assert_eq!(client.rows(SHOWN), ["100"]);
    let pid = client.workers()[0];
    cluster.kill(pid, &mut client, &database.name);
    let seen = client.rows(SHOWN);
    assert!(seen == ["100"] || seen == ["101"], "{seen:?}");
    nothing_is_left(&mut client);
    assert_eq!(client.rows(SHOWN), ["101"]);
    assert_eq!(comparisons(&mut client), 1, "only the first population");
}

#[test]
fn whoever_pauses_redefines_or_drops_it_meanwhile_comes_next() {
    let cluster = cluster();
    let (database, mut client) = slow(&cluster, "at_once_meanwhile");
    let mut other = database.client();
    let mut meanwhile = |client: &mut Client, more: i32, call: &str| {
        client.run(CLOSE);
        client.run(&redefine(more));
        client.wait_until(UNDER_WAY, WAIT);
        std::thread::scope(|scope| {
            let call = scope.spawn(|| other.run(call));
            // It may have given way already, before the key at the gate.
            while !call.is_finished() && !client.one::<bool>(WAITS) {
                std::thread::sleep(Duration::from_millis(10));
            }
            client.run(OPEN);
            call.join().expect("the call came next");
        });
    };
    meanwhile(&mut client, 1, "SELECT pg_tviews_pause('doc')");
    let seen = client.rows(SHOWN);
    assert!(seen == ["100"] || seen == ["101"], "{seen:?}");
    client.run("SELECT pg_tviews_resume('doc')");
    meanwhile(&mut client, 2, &redefine(3));
    nothing_is_left(&mut client);
    assert_eq!(client.rows(SHOWN), ["103"]);
    meanwhile(&mut client, 4, "SELECT pg_tviews_drop('doc')");
    assert_eq!(client.one::<i64>("SELECT count(*) FROM pg_tview_meta"), 0);
}

#[test]
fn an_attempt_that_is_cancelled_is_repeated() {
    let cluster = cluster();
    let (_database, mut client) = slow(&cluster, "at_once_cancel");
    client.run(CLOSE);
    client.run(&redefine(1));
    client.wait_until(UNDER_WAY, WAIT);
    client.run("SELECT pg_cancel_backend(pid) FROM pg_tview_progress");
    client.wait_until(
        "SELECT count(*) > 0 FROM pg_tview_meta_audit WHERE operation = 'refresh' AND sqlstate = '57014'",
        WAIT,
    );
    assert_eq!(client.rows(SHOWN), ["100"]);
    client.run(OPEN);
    nothing_is_left(&mut client);
    assert_eq!(client.rows(SHOWN), ["101"]);
    assert_eq!(comparisons(&mut client), 1, "only the first population");
}

#[test]
fn writers_and_readers_go_on() {
    let cluster = cluster();
    let (database, mut client) = slow(&cluster, "at_once_writers");
    client.run("SELECT pg_tviews_create_fresh_view('doc')");
    client.run(CLOSE);
    client.run(&redefine(1));
    client.wait_until(UNDER_WAY, WAIT);
    let mut writer = database.client();
    // A fresh view has the new rows from the call on.
    assert_eq!(writer.rows("SELECT slow FROM fv_doc WHERE pk_doc = 11"), ["101"]);
    writer.run("BEGIN; UPDATE tb_doc SET n = 2 WHERE pk_doc = 11");
    // The table has its old rows for all sessions.
    assert_eq!(writer.rows("SELECT n FROM tv_doc WHERE pk_doc = 11"), ["1"]);
    writer.run("COMMIT");
    assert!(client.one::<bool>(UNDER_WAY), "the writer did not wait");
    client.run(OPEN);
    nothing_is_left(&mut client);
}

#[test]
fn it_gives_way_to_ddl_and_to_calls() {
    let cluster = cluster();
    let (database, mut client) = slow(&cluster, "at_once_gives_way");
    // With the gate closed, all rows take about half a minute.
    client.run(
        "CREATE FUNCTION trickle(pk int) RETURNS int LANGUAGE plpgsql IMMUTABLE COST 1 AS
         $$BEGIN
             IF NOT pg_try_advisory_xact_lock_shared(77) THEN PERFORM pg_sleep(0.01); END IF;
             RETURN 0;
         END$$",
    );
    let mut other = database.client();
    client.run(CLOSE);
    client.run(
        "SELECT pg_tviews_create('doc', 'SELECT pk_doc, n, slowly(pk_doc, n) + trickle(pk_doc) + 1 AS slow FROM tb_doc')",
    );
    for call in [
        "ALTER TABLE tb_doc ADD COLUMN more int",
        "SELECT pg_tviews_pause('doc')",
    ] {
        client.wait_until(UNDER_WAY, WAIT);
        other.run(call);
        assert_eq!(client.rows(SHOWN), ["100"], "{call} did not wait for the end");
    }
    client.run(OPEN);
    client.run("SELECT pg_tviews_resume('doc')");
    nothing_is_left(&mut client);
    assert_eq!(client.rows(SHOWN), ["101"]);
    assert_eq!(comparisons(&mut client), 1, "only the first population");
}

#[test]
fn a_session_that_drains_does_the_same() {
    let cluster = Cluster::start(Options::without_preload().set("pg_tviews.batch_size", "400"));
    let database = Database::new(&cluster, "at_once_drain");
    let mut client = database.client();
    client.run(&format!(
        "CREATE TABLE tb_doc (pk_doc int PRIMARY KEY, n int NOT NULL);
         INSERT INTO tb_doc SELECT i, 1 FROM generate_series(1, {ROWS}) i"
    ));
    client.run(&query("first", "n"));
    client.run("CALL pg_tviews_drain()");
    client.run("UPDATE pg_tview_meta SET feed = true");
    client.run("SELECT pg_tviews_subscribe('c')");
    let begin = client.one::<i64>("SELECT coalesce(max(change_id), 0) FROM pg_tview_change");
    client.run(&query("second", "n"));
    let seen = Reads::during(&database, |reads| {
        reads.let_pass();
        client.run("CALL pg_tviews_drain()");
        assert_eq!(client.rows(SEEN), ["second|f"]);
    });
    assert!(seen.contains("first|f"), "{seen:?}");
    client.assert_views_equal(&["doc"]);
    // So does a consumer of the feed: there are more keys than it lists.
    let changes = format!("SELECT operation FROM pg_tview_change WHERE change_id > {begin}");
    assert_eq!(client.rows(&changes), ["EVERYTHING"]);
}
