//! What goes from the feed: what every consumer has acknowledged, and what is too old or too much.

use std::time::Duration;

use super::{feed_on, take};
use crate::blog;
use crate::harness::{Ask, Cluster, Database, Options};

/// Housekeeping comes after ten seconds.
const TRIM: Duration = Duration::from_secs(60);

#[test]
fn what_was_acknowledged_goes_and_an_absent_consumer_starts_anew() {
    let cluster = Cluster::start(Options::preloaded());
    let (database, mut client) = blog::open(&cluster, "feed_trim");
    feed_on(&mut client, "user");
    feed_on(&mut client, "post");
    let mut early = database.client();
    early.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1");
    client.run("SELECT pg_tviews_subscribe('present'), pg_tviews_subscribe('posts', '{post}')");
    client.run("UPDATE tb_user SET score = 1, name = 'first' WHERE pk_user = 1");
    client.run("SELECT pg_tviews_wait('user')");
    assert!(take(&mut client, "present").contains(&r#"user|UPDATE|{"pk_user": 1}"#.to_owned()));
    // Rows of posts follow from users; the rest is acknowledged by all, but a session may not see it yet.
    take(&mut client, "posts");
    client.run("SELECT pg_tviews_wait()");
    std::thread::sleep(Duration::from_secs(15));
    let token: String = early.one("SELECT pg_tviews_subscribe('early')");
    early.run("COMMIT");
    assert!(take(&mut client, "early").contains(&r#"user|UPDATE|{"pk_user": 1}"#.to_owned()));
    take(&mut client, "present");
    take(&mut client, "posts");
    client.wait_until("SELECT count(*) = 0 FROM pg_tview_change", TRIM);
    client.wait_until("SELECT count(*) = 3 FROM pg_tview_acknowledgement", TRIM);
    // An absent consumer keeps changes until they are too old.
    client.run("UPDATE tb_user SET name = 'second' WHERE pk_user = 1");
    client.run("SELECT pg_tviews_wait()");
    take(&mut client, "present");
    let behind =
        "SELECT rows_behind > 0 AND state = 'active' FROM pg_tview_consumer WHERE consumer = 'early'";
    assert!(client.one::<bool>(behind));
    client.run("ALTER SYSTEM SET pg_tviews.feed_retention = '1s'");
    client.run("SELECT pg_reload_conf()");
    client.wait_until(
        "SELECT state = 'resnapshot' FROM pg_tview_consumer WHERE consumer = 'early'",
        TRIM,
    );
    assert_eq!(
        client.one::<String>("SELECT state FROM pg_tview_consumer WHERE consumer = 'present'"),
        "active"
    );
    assert_eq!(client.one::<i64>("SELECT count(*) FROM pg_tview_change"), 0);
    for call in [
        "pg_tviews_changes('early')".to_owned(),
        format!("pg_tviews_ack('early', '{token}')"),
    ] {
        let error = client.fails(&format!("SELECT {call}"));
        assert_eq!(error.code().code(), "55000");
        assert!(error
            .hint()
            .is_some_and(|hint| hint.contains("pg_tviews_subscribe('early'")));
    }
    client.run("SELECT pg_tviews_subscribe('early')");
    client.run("UPDATE tb_user SET name = 'third' WHERE pk_user = 1");
    client.run("SELECT pg_tviews_wait('user')");
    assert!(take(&mut client, "early").contains(&r#"user|UPDATE|{"pk_user": 1}"#.to_owned()));
}

#[test]
fn the_feed_does_not_outgrow_its_size() {
    let cluster = Cluster::start(Options::preloaded().set("pg_tviews.feed_max_size", "1MB"));
    let database = Database::new(&cluster, "feed_size");
    let mut client = database.client();
    client.run(
        "CREATE TABLE tb_item (pk_item text PRIMARY KEY, n int);
         INSERT INTO tb_item SELECT md5(i::text), 0 FROM generate_series(1, 5000) i;
         SELECT pg_tviews_create('item', 'SELECT pk_item, n FROM tb_item')",
    );
    feed_on(&mut client, "item");
    client.run("SELECT pg_tviews_subscribe('absent')");
    for n in 1..12 {
        client.run(&format!("UPDATE tb_item SET n = {n}"));
        client.run("SELECT pg_tviews_wait()");
    }
    client.wait_until("SELECT state = 'resnapshot' FROM pg_tview_consumer", TRIM);
    client.wait_until(
        "SELECT coalesce(sum(pg_column_size(keys)), 0) < 1024 * 1024 FROM pg_tview_change",
        TRIM,
    );
}
