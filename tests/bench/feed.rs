//! What the change feed costs refreshes: the same changes in two databases in turn, one with the feed on.

use std::cell::RefCell;

use postgres::Client;

use crate::compare::{in_turn, Measured};
use crate::harness::{Ask, Cluster};
use crate::processes::cpu_milliseconds;
use crate::report::{Reach, Report};
use crate::scale::Scale;
use crate::world::{caught_up, patient, start_cluster};

/// Single changes in one turn.
const SINGLE: i32 = 100;

/// What is measured.
type Changes = fn(&Side, &mut Client);

/// One of the two databases.
struct Side {
    client: RefCell<Client>,
    workers: Vec<i32>,
    has_feed: bool,
    posts: i32,
    bulk: i32,
}

impl Side {
    fn create(cluster: &Cluster, scale: &Scale, has_feed: bool) -> Side {
        let name = if has_feed { "feed_on" } else { "feed_off" };
        patient(cluster, "postgres").run(&format!("CREATE DATABASE {name}"));
        let mut client = patient(cluster, name);
        client.run(&format!(
            "CREATE EXTENSION pg_tviews;
             CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text NOT NULL);
             CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int NOT NULL REFERENCES tb_user, title text NOT NULL);
             INSERT INTO tb_user SELECT i, 'user ' || i FROM generate_series(1, 1000) i;
             INSERT INTO tb_post SELECT i, 1 + i % 1000, 'post ' || i FROM generate_series(1, {0}) i;
             SELECT pg_tviews_create('post', $$SELECT pk_post, fk_user, jsonb_build_object('title', title,
                 'author', jsonb_build_object('id', pk_user, 'name', name)) AS data FROM tb_post JOIN tb_user ON pk_user = fk_user$$)",
            scale.posts
        ));
        if has_feed {
            client.run("UPDATE pg_tview_meta SET feed = true");
            client.run("SELECT pg_tviews_subscribe('consumer')");
        }
        caught_up(&mut client);
        client.run("VACUUM ANALYZE");
        let workers = client.started_workers();
        Side {
            client: RefCell::new(client),
            workers,
            has_feed,
            posts: scale.posts,
            bulk: scale.bulk,
        }
    }

    /// One row after the other, each with a refresh of its own.
    fn single(&self, client: &mut Client) {
        client.run(&format!(
            "DO $$ BEGIN FOR i IN 1..{SINGLE} LOOP
                 UPDATE tb_post SET title = 'title ' || random() WHERE pk_post = 1 + (random() * ({} - 1))::int;
                 COMMIT; PERFORM pg_tviews_wait(); COMMIT;
             END LOOP; END $$",
            self.posts
        ));
    }

    /// Many rows in one transaction, applied in batches.
    fn many(&self, client: &mut Client) {
        client.run(&format!(
            "UPDATE tb_post SET title = 'title ' || random() WHERE pk_post <= {}",
            self.bulk
        ));
        caught_up(client);
    }

    /// CPU of the workers for these changes. A consumer has taken what was there before, and it was removed.
    fn cpu(&self, changes: Changes, times: &RefCell<Vec<f64>>) -> f64 {
        let client = &mut self.client.borrow_mut();
        if self.has_feed {
            client.run("SELECT pg_tviews_unsubscribe('consumer'); SELECT pg_tviews_subscribe('consumer')");
        }
        client.run("CHECKPOINT");
        let last: i64 = client.one("SELECT coalesce(max(audit_id), 0) FROM pg_tview_meta_audit");
        let before = cpu_milliseconds(&self.workers);
        changes(self, client);
        let after = cpu_milliseconds(&self.workers);
        let time = "SELECT sum(extract(epoch FROM finished_at - started_at))::float8 * 1000 FROM pg_tview_meta_audit";
        times.borrow_mut().push(client.one(&format!(
            "{time} WHERE audit_id > {last} AND operation = 'refresh'"
        )));
        after - before
    }
}

/// Refreshes of one row, and of many.
pub fn measure(scale: &Scale, report: &mut Report) {
    let cluster = start_cluster();
    let [on, off] = [true, false].map(|has_feed| Side::create(&cluster, scale, has_feed));
    let rows = scale.bulk;
    let kinds: [(String, Changes); 2] = [
        ("one row per refresh".to_owned(), Side::single),
        (format!("{rows}-row UPDATE"), Side::many),
    ];
    for (scenario, changes) in kinds {
        let times = [RefCell::default(), RefCell::default()];
        let [with, without] = in_turn(
            2 * scale.cpu_rounds,
            "ms",
            [&mut || on.cpu(changes, &times[0]), &mut || {
                off.cpu(changes, &times[1])
            }],
        );
        let scenario = format!("{scenario}, feed on");
        report.ratio(
            &scenario,
            "CPU of workers / feed off",
            &with,
            &without,
            Reach::AtMost(1.05),
        );
        let [with, without] = times.map(|times| Measured::of("ms", times.into_inner()));
        report.ratio(
            &scenario,
            "time of refreshes / feed off",
            &with,
            &without,
            Reach::AtMost(1.05),
        );
    }
    for side in [&on, &off] {
        side.client.borrow_mut().assert_views_equal(&["post"]);
    }
}
