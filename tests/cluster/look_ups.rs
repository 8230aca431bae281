//! The keys of a large backlog are looked up in parts. Small changes go first, and nothing that changes meanwhile is lost.

use postgres::Client;

use crate::harness::{Ask, Cluster, Database, Options, WAIT};

/// Authors whose change is a backlog, each with one post. Those of the first hundred do not change.
const ROWS: i32 = 20_100;
/// The gate holds a look-up of the posts of authors.
const CLOSE: &str = "SELECT pg_advisory_lock(77)";
const OPEN: &str = "SELECT pg_advisory_unlock(77)";
const LOOKING_UP: &str = "SELECT count(*) > 0 FROM pg_tview_progress WHERE phase = 'finding keys'";
const OF_BACKLOG: &str = "SELECT count(*) FROM tv_post WHERE name LIKE 'new %'";

fn cluster(workers: &str) -> Cluster {
    Cluster::start(Options::preloaded().set("pg_tviews.workers", workers))
}

/// Posts with the names of their authors; `seen` has how many posts of the backlog are done when a fresh one comes.
fn open<'a>(cluster: &'a Cluster, name: &str) -> (Database<'a>, Client) {
    let database = Database::new(cluster, name);
    let mut client = database.client();
    client.run(&format!(
        "CREATE TABLE tb_author (pk_author int PRIMARY KEY, name text NOT NULL);
         CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_author int NOT NULL, title text NOT NULL);
         INSERT INTO tb_author SELECT i, 'old ' || i FROM generate_series(1, {ROWS}) i;
         INSERT INTO tb_post SELECT i, i, 'title' FROM generate_series(1, {ROWS}) i;
         ANALYZE tb_author, tb_post;
         CREATE FUNCTION gate(author int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
         $$BEGIN
             WHILE author > 100 AND NOT pg_try_advisory_xact_lock_shared(77) LOOP PERFORM pg_sleep(0.01); END LOOP;
             RETURN author;
         END$$;
         SELECT pg_tviews_create('post', 'SELECT p.pk_post, p.title, a.name FROM tb_post p JOIN tb_author a ON a.pk_author = gate(p.fk_author)');
         CREATE TABLE seen (pk int, done int);
         CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
             INSERT INTO public.seen SELECT new.pk_post, count(*) FROM public.tv_post WHERE name LIKE 'new %'; RETURN new;
         END$$;
         CREATE TRIGGER see BEFORE UPDATE ON tv_post FOR EACH ROW WHEN (new.title = 'fresh') EXECUTE FUNCTION see()"
    ));
    client.assert_follows(&["post"]);
    let number: i32 = client.one("SELECT current_setting('pg_tviews.workers')::int");
    client.wait_until(
        &format!(
            "SELECT count(*) = {number} FROM pg_stat_activity
              WHERE datname = current_database() AND backend_type = 'pg_tviews worker'"
        ),
        WAIT,
    );
    (database, client)
}

/// A backlog whose look-up the gate holds.
fn hold_a_look_up(client: &mut Client) {
    client.run(CLOSE);
    client.run("UPDATE tb_author SET name = 'new ' || pk_author WHERE pk_author > 100");
    client.wait_until(LOOKING_UP, WAIT);
}

fn small_changes_go_first(workers: &str, name: &str) {
    let cluster = cluster(workers);
    let (_database, mut client) = open(&cluster, name);
    // Both are committed before the refresh begins.
    client.run("SELECT pg_tviews_pause('post')");
    client.run("UPDATE tb_author SET name = 'new ' || pk_author WHERE pk_author > 100");
    client.run("UPDATE tb_post SET title = 'fresh' WHERE pk_post = 5");
    let token: String = client.one("SELECT pg_tviews_token()");
    client.run(CLOSE);
    client.run("SELECT pg_tviews_resume('post')");
    client.wait_until("SELECT title = 'fresh' FROM tv_post WHERE pk_post = 5", WAIT);
    assert_eq!(client.one::<i64>(OF_BACKLOG), 0);
    // These come while keys are looked up. One is a row of the backlog: its turn comes twice.
    client.wait_until(LOOKING_UP, WAIT);
    client.run("UPDATE tb_post SET title = 'fresh' WHERE pk_post IN (6, 7)");
    client.run("DELETE FROM tb_post WHERE pk_post = 8");
    let wait = format!("SELECT pg_tviews_wait_for('{token}', 'post', '1 ms')");
    assert!(
        !client.one::<bool>(&wait),
        "applied before the rest of the backlog"
    );
    client.run(OPEN);
    client.wait_until("SELECT count(*) = 3 FROM seen", WAIT);
    assert_eq!(client.rows("SELECT pk, done FROM seen WHERE pk = 5"), ["5|0"]);
    // The planner decides how many parts there are. If there is one, its end is the begin of the recomputation, which several
    // workers share.
    if workers == "1" {
        let last: i32 = client.one("SELECT max(done) FROM seen");
        assert!(last < ROWS - 100, "after {last} rows");
    }
    client.wait_until(&wait.replace("SELECT ", ""), WAIT);
    assert_eq!(client.one::<i64>(OF_BACKLOG), i64::from(ROWS) - 100);
    client.assert_follows(&["post"]);
    client.assert_queue_empties();
}

#[test]
fn one_worker_applies_small_changes_before_it_looks_up_the_rest() {
    small_changes_go_first("1", "look_up_one_worker");
}

#[test]
fn two_workers_apply_small_changes_before_they_look_up_the_rest() {
    small_changes_go_first("2", "look_up_two_workers");
}

#[test]
fn rows_that_are_moved_during_a_look_up_are_right_when_it_counts_as_applied() {
    let cluster = cluster("1");
    let (_database, mut client) = open(&cluster, "look_up_moved");
    hold_a_look_up(&mut client);
    let token: String = client.one("SELECT pg_tviews_token()");
    // Their authors do not lead to them any more. So many are not applied in between.
    client.run("UPDATE tb_post SET fk_author = fk_author % 100 + 1 WHERE pk_post % 10 = 0");
    client.run("DELETE FROM tb_post WHERE pk_post % 10 = 1");
    client.run(OPEN);
    client.wait_until(&format!("pg_tviews_wait_for('{token}', 'post', '1 ms')"), WAIT);
    let late = "SELECT count(*) FROM tv_post t JOIN tb_author a ON a.pk_author = t.pk_post WHERE a.pk_author > 100 AND t.name LIKE 'old %' AND t.pk_post % 10 > 1";
    assert_eq!(client.one::<i64>(late), 0);
    let moved =
        "SELECT count(*) FROM tv_post WHERE pk_post % 10 = 0 AND name = 'old ' || pk_post AND pk_post > 100";
    assert_eq!(client.one::<i64>(moved), 0);
    client.assert_follows(&["post"]);
    client.assert_queue_empties();
}

#[test]
fn a_request_and_a_truncate_during_a_look_up_are_applied() {
    let cluster = cluster("2");
    let (_database, mut client) = open(&cluster, "look_up_request");
    hold_a_look_up(&mut client);
    client.run("SELECT pg_tviews_refresh('post', '{5}')");
    client.run("UPDATE tb_post SET title = 'fresh' WHERE pk_post = 5");
    client.run(OPEN);
    client.assert_follows(&["post"]);
    client.run(CLOSE);
    client.run("UPDATE tb_author SET name = 'newer ' || pk_author WHERE pk_author > 100");
    client.wait_until(LOOKING_UP, WAIT);
    client.run("UPDATE tb_author SET name = 'newest ' || pk_author WHERE pk_author > 10000");
    let mut other = cluster.client("look_up_request");
    let truncate =
        std::thread::spawn(move || other.run("TRUNCATE tb_post; INSERT INTO tb_post VALUES (1, 1, 'one')"));
    client.run(OPEN);
    truncate.join().expect("the table is truncated");
    client.assert_follows(&["post"]);
    assert_eq!(client.one::<i64>("SELECT count(*) FROM tv_post"), 1);
    client.assert_queue_empties();
}

#[test]
fn a_crash_during_a_look_up_loses_nothing() {
    let cluster = cluster("1");
    let (database, mut client) = open(&cluster, "look_up_crash");
    hold_a_look_up(&mut client);
    client.run("UPDATE tb_post SET title = 'fresh' WHERE pk_post = 7");
    let pid: i32 = client.one("SELECT pid FROM pg_tview_progress WHERE phase = 'finding keys'");
    // The gate opens with the session that has closed it.
    cluster.kill(pid, &mut client, &database.name);
    client.assert_follows(&["post"]);
    assert_eq!(client.one::<i64>(OF_BACKLOG), i64::from(ROWS) - 100);
    client.assert_queue_empties();
}

#[test]
fn a_drain_looks_up_in_parts_too() {
    let cluster = cluster("1");
    let (_database, mut client) = open(&cluster, "look_up_drain");
    client.run("SELECT pg_tviews_pause('post')");
    client.run("UPDATE tb_author SET name = 'new ' || pk_author WHERE pk_author > 100");
    client.run("UPDATE tb_post SET title = 'fresh' WHERE pk_post = 5");
    client.run("SELECT pg_tviews_resume('post')");
    client.run("CALL pg_tviews_drain('post')");
    client.assert_views_equal(&["post"]);
    client.assert_follows(&["post"]);
}
