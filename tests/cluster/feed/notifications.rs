//! Notifications for consumers that LISTEN.

use std::time::Duration;

use postgres::fallible_iterator::FallibleIterator;
use postgres::Client;

use super::feed_on;
use crate::blog;
use crate::harness::{Ask, Cluster, Options, WAIT};

/// The payloads of notifications that arrive, until none does for so many milliseconds.
fn notified(client: &mut Client, milliseconds: u64) -> Vec<String> {
    let mut notifications = client.notifications();
    let arriving = notifications.timeout_iter(Duration::from_millis(milliseconds));
    arriving
        .map(|notification| Ok(notification.payload().to_owned()))
        .collect()
        .expect("connected")
}

#[test]
fn workers_notify_consumers_if_they_are_to() {
    let cluster = Cluster::start(Options::preloaded());
    let (database, mut client) = blog::open(&cluster, "feed_notify");
    feed_on(&mut client, "user");
    let mut listener = database.client();
    listener.run("LISTEN pg_tviews");
    client.run("UPDATE tb_user SET name = 'off' WHERE pk_user = 1");
    client.run("SELECT pg_tviews_wait()");
    client.run("ALTER SYSTEM SET pg_tviews.feed_notify = on");
    client.run("SELECT pg_reload_conf()");
    client.wait_until(
        "SELECT setting = 'on' FROM pg_settings WHERE name = 'pg_tviews.feed_notify'",
        WAIT,
    );
    let mut heard: Vec<String> = Vec::new();
    let mut last = String::new();
    // Workers read the setting a moment later than this session.
    for n in 0..200 {
        client.run(&format!(
            "UPDATE tb_user SET name = 'on {n}' WHERE pk_user = 1; UPDATE tb_post SET likes = likes + 1"
        ));
        client.run("SELECT pg_tviews_wait()");
        last = format!("on {n}");
        heard.extend(notified(&mut listener, 20));
        if heard.len() > 3 {
            break;
        }
    }
    // The last one follows, however soon after another.
    heard.extend(notified(&mut listener, 500));
    assert!(heard.len() > 3, "{heard:?}");
    assert!(heard.iter().all(|payload| payload == "user"), "{heard:?}");
    assert_eq!(
        client.rows("SELECT data->>'name' FROM tv_user WHERE pk_user = 1"),
        [last]
    );
}
