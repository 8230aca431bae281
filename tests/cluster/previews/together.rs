//! Previews, refreshes and other previews at the same rows.

use std::time::{Duration, Instant};

use super::{listen, name, open, said};
use crate::blog;
use crate::harness::{shared, Ask, Cluster, Load, Options, Plan, Random, WAIT};

/// A server where whoever waits for a row waits for long.
fn patient() -> Cluster {
    Cluster::start(
        Options::preloaded()
            .set("pg_tviews.lock_timeout", "20s")
            .set("deadlock_timeout", "60s"),
    )
}

#[test]
fn the_second_of_two_waits_and_sees_both() {
    let cluster = patient();
    let (database, mut client) = blog::open(&cluster, "ryw_two");
    client.assert_follows(&blog::ENTITIES);
    client.run("SELECT pg_tviews_pause(e) FROM unnest('{user,post,total}'::text[]) e");
    let mut first = database.client();
    let (mut second, notices) = listen(&database);
    first.run("BEGIN; UPDATE tb_post SET title = 'by the first' WHERE pk_post = 10");
    first.run("SELECT * FROM tv_feed");
    second.run("BEGIN; UPDATE tb_post SET title = 'by the second' WHERE pk_post = 20");
    std::thread::scope(|scope| {
        let commit = scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(25));
            first.run("COMMIT");
        });
        let sql = "SELECT count(*), data->'posts'->0->>'title', data->'posts'->1->>'title' FROM tv_feed WHERE pk_feed = 1 GROUP BY 2, 3";
        let seen = second.rows(sql);
        commit.join().unwrap();
        assert_eq!(seen, ["1|by the first|by the second"], "{:?}", said(&notices));
    });
    second.run("COMMIT");
    client.run("SELECT pg_tviews_resume(e) FROM unnest('{user,post,total}'::text[]) e");
    client.assert_follows(&blog::ENTITIES);
}

#[test]
fn the_second_of_two_does_not_wait_for_ever() {
    let (database, mut client) = open("ryw_stuck");
    let mut first = database.client();
    let (mut second, notices) = listen(&database);
    first.run("BEGIN; UPDATE tb_post SET title = 'by the first' WHERE pk_post = 10; SELECT * FROM tv_feed");
    second.run("BEGIN; UPDATE tb_post SET title = 'by the second' WHERE pk_post = 20");
    let begin = Instant::now();
    for _ in 0..100 {
        assert_eq!(
            second.rows("SELECT data->'posts'->1->>'title' FROM tv_feed WHERE pk_feed = 1"),
            ["post 20"]
        );
    }
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    let heard = said(&notices);
    assert!(heard.len() == 1 && heard[0].contains("55P03"), "{heard:?}");
    second.run("COMMIT");
    first.run("COMMIT");
    client.assert_follows(&blog::ENTITIES);
}

/// The first holds a row of the tv table and waits for a row of the second, who wants that row of the tv table.
#[test]
fn nobody_gets_into_a_deadlock_by_a_preview() {
    let cluster = patient();
    let (database, mut client) = blog::open(&cluster, "ryw_crossed");
    client.assert_follows(&blog::ENTITIES);
    let mut first = database.client();
    let (mut second, notices) = listen(&database);
    first.run("BEGIN; UPDATE tb_post SET title = 'by the first' WHERE pk_post = 10; SELECT * FROM tv_feed");
    second.run("BEGIN; UPDATE tb_post SET title = 'warm' WHERE pk_post = 22; SELECT * FROM tv_feed");
    second.run("UPDATE tb_post SET title = 'by the second' WHERE pk_post = 20");
    std::thread::scope(|scope| {
        let crossed = scope.spawn(|| {
            first.run("UPDATE tb_post SET title = 'by the first' WHERE pk_post = 20");
            first.run("COMMIT");
        });
        client.wait_until("SELECT count(*) > 0 FROM pg_locks WHERE NOT granted", WAIT);
        let begin = Instant::now();
        second.run("SELECT * FROM tv_feed WHERE pk_feed = 1");
        assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
        second.run("COMMIT");
        crossed.join().unwrap();
    });
    assert_eq!(said(&notices).len(), 1);
    client.assert_follows(&blog::ENTITIES);
}

#[test]
fn a_preview_that_stays_open_keeps_no_other_rows_from_being_refreshed() {
    let (database, mut client) = open("ryw_yields");
    let mut session = database.client();
    session
        .run("BEGIN; UPDATE tb_post SET title = 'mine' WHERE pk_post = 10; SELECT * FROM tv_feed, tv_total");
    for round in 0..3 {
        // Of feeds 1 (held) and 2, and of all.
        client.run(&format!(
            "UPDATE tb_post SET title = 'round {round}' WHERE pk_post IN (20, 21); UPDATE tb_user SET score = {round} WHERE pk_user <> 1"
        ));
        let took = client.wait_until(
            &format!("SELECT bool_and(data->>'score' = '{round}') FROM tv_feed WHERE pk_feed <> 1"),
            WAIT,
        );
        assert!(took < Duration::from_secs(3), "{took:?}");
        assert_eq!(
            client.rows("SELECT data->'posts'->1->>'title' FROM tv_feed WHERE pk_feed = 1"),
            ["post 20"]
        );
    }
    assert!(client.one::<i64>("SELECT count(*) FROM pg_tview_queue") > 0);
    session.run("COMMIT");
    client.assert_follows(&blog::ENTITIES);
    client.assert_queue_empties();
}

#[test]
fn a_new_row_that_is_previewed_keeps_its_own_key_waiting_and_no_other() {
    let (database, mut client) = open("ryw_inserted");
    client.run(
        "CREATE TABLE tb_item (pk_item int PRIMARY KEY, grp text);
         INSERT INTO tb_item SELECT i, 'group ' || i % 300 FROM generate_series(1, 600) i",
    );
    client.run("SELECT pg_tviews_create('grp', 'SELECT grp AS id, count(*) AS n FROM tb_item GROUP BY grp')");
    client.assert_follows(&["grp"]);
    let mut session = database.client();
    session.run("BEGIN; INSERT INTO tb_item VALUES (1001, 'mine'), (1002, 'ours')");
    assert_eq!(
        session.rows("SELECT n FROM tv_grp WHERE id IN ('mine', 'ours')"),
        ["1", "1"]
    );
    client.run("INSERT INTO tb_item SELECT 2000 + i, 'group ' || i FROM generate_series(0, 299) i");
    client.run("INSERT INTO tb_item VALUES (3001, 'ours'), (3002, 'theirs')");
    client.wait_until(
        "SELECT count(*) = 300 FROM tv_grp WHERE n = 3 AND id LIKE 'group%'",
        WAIT,
    );
    client.wait_until("SELECT n = 1 FROM tv_grp WHERE id = 'theirs'", WAIT);
    assert!(!client.one::<bool>("SELECT pg_tviews_wait('grp', timeout => '300 ms')"));
    session.run("COMMIT");
    client.assert_follows(&["grp"]);
    client.assert_queue_empties();
    assert_eq!(client.one::<i64>("SELECT count(*) FROM pg_tview_dead_letter"), 0);
}

#[test]
fn a_row_refreshed_after_the_snapshot() {
    let (database, mut client) = open("ryw_refreshed");
    let (mut session, notices) = listen(&database);
    session
        .run("BEGIN ISOLATION LEVEL REPEATABLE READ; UPDATE tb_post SET title = 'mine' WHERE pk_post = 10");
    client.run("UPDATE tb_post SET title = 'theirs' WHERE pk_post = 20");
    client.assert_follows(&blog::ENTITIES);
    assert_eq!(
        session.rows(
            "SELECT data->'posts'->0->>'title', data->'posts'->1->>'title' FROM tv_feed WHERE pk_feed = 1"
        ),
        ["post 10|post 20"],
        "what is there in its snapshot"
    );
    let heard = said(&notices);
    assert!(heard.len() == 1 && heard[0].contains("40001"), "{heard:?}");
    session.run("COMMIT");
    client.assert_follows(&blog::ENTITIES);
}

/// A row of the tv table that a preview wrote may be one that the changes do not lead to any more when they are applied.
#[test]
fn a_preview_by_ways_that_changed_meanwhile() {
    let (database, mut client) = open("ryw_moved");
    client.run(
        "CREATE TABLE tb_list (pk_list int PRIMARY KEY);
         CREATE TABLE tb_part (pk_part int PRIMARY KEY, fk_list int NOT NULL);
         CREATE TABLE tb_item (pk_item int PRIMARY KEY, fk_part int NOT NULL);
         INSERT INTO tb_list VALUES (1), (2);
         INSERT INTO tb_part VALUES (1, 1)",
    );
    client.run(
        "SELECT pg_tviews_create('list', $$SELECT l.pk_list, (SELECT coalesce(jsonb_agg(i.pk_item ORDER BY 1), '[]') FROM tb_part p
            JOIN tb_item i ON i.fk_part = p.pk_part WHERE p.fk_list = l.pk_list) AS data FROM tb_list l$$)",
    );
    client.assert_follows(&["list"]);
    for level in super::LEVELS {
        let mut session = database.client();
        session.run(&format!(
            "BEGIN ISOLATION LEVEL {level}; INSERT INTO tb_item VALUES (7, 1)"
        ));
        session.run("SELECT pk_list FROM tv_list WHERE data <> '[]'");
        client.run("UPDATE tb_part SET fk_list = 3 - fk_list");
        // Seen or not, nothing of list 1 has changed by that: it is not written.
        std::thread::sleep(Duration::from_millis(100));
        session.run("COMMIT");
        client.assert_follows(&["list"]);
        client.run("DELETE FROM tb_item");
        client.assert_follows(&["list"]);
    }
}

#[test]
fn a_crash_after_a_preview_leaves_nothing() {
    let cluster = Cluster::start(Options::preloaded());
    let database = crate::harness::Database::new(&cluster, "ryw_crash");
    let mut client = database.client();
    blog::create(&mut client);
    client.assert_follows(&blog::ENTITIES);
    let mut session = database.client();
    session.run("BEGIN; UPDATE tb_user SET name = 'lost' WHERE pk_user = 1");
    assert_eq!(name(&mut session, "feed", 1), ["lost"]);
    let pid: i32 = session.one("SELECT pg_backend_pid()");
    cluster.kill(pid, &mut client, &database.name);
    client.assert_follows(&blog::ENTITIES);
    assert_eq!(name(&mut client, "feed", 1), ["user 1"]);
}

const READS: [&str; 5] = [
    "SELECT * FROM tv_user WHERE pk_user = {20}",
    "SELECT * FROM tv_feed WHERE pk_feed IN ({20}, {20}) FOR SHARE",
    "SELECT count(*) FROM tv_post JOIN tv_user ON pk_user = fk_user",
    "SELECT * FROM tv_total",
    "SELECT * FROM tv_feed",
];

#[test]
fn writers_with_previews_end_with_tables_equal_to_their_views() {
    let (database, mut client) = open("ryw_mix");
    let statements: Vec<&str> = blog::STATEMENTS.into_iter().chain(READS).chain(READS).collect();
    let plan = Plan {
        cluster: shared(),
        database: &database.name,
        statements: &statements,
        crashes: false,
    };
    let random = Random::announced("writers_with_previews");
    let commits = Load::during(&plan, 4, &random, |load| {
        std::thread::sleep(Duration::from_secs(8));
        load.stop();
    });
    assert!(commits > 50, "only {commits} transactions came through");
    client.assert_follows(&blog::ENTITIES);
    client.assert_queue_empties();
}

/// No query of a transaction ever finds a row twice, or not at all, whatever others and refreshes do meanwhile.
#[test]
fn every_row_is_seen_exactly_once() {
    let (database, mut client) = open("ryw_exactly_once");
    let plan = Plan {
        cluster: shared(),
        database: &database.name,
        statements: &[
            "UPDATE tb_post SET likes = likes + 1 WHERE pk_post = {30}",
            "UPDATE tb_user SET name = 'n{1000}' WHERE pk_user = {10}",
        ],
        crashes: false,
    };
    let random = Random::announced("every_row_is_seen_exactly_once");
    let mut own = random.branch(1000);
    let mut session = database.client();
    Load::during(&plan, 2, &random, |_| {
        for _ in 0..300 {
            session.run("BEGIN");
            session.run(&own.fill("UPDATE tb_post SET likes = likes + 1 WHERE pk_post = {30}"));
            let seen = session.rows("SELECT (SELECT count(*) FROM tv_feed), (SELECT count(DISTINCT pk_feed) FROM tv_feed), (SELECT count(*) FROM tv_post)");
            assert_eq!(seen, ["10|10|30"]);
            session.run("COMMIT");
        }
    });
    client.assert_follows(&blog::ENTITIES);
}
