//! pg_tviews_wait, pause, resume, refresh, check.

use std::time::{Duration, Instant};

use crate::blog;
use crate::harness::{shared, Ask, Database, Load, Random, WAIT};

#[test]
fn wait_is_never_early() {
    let (database, mut reader) = blog::open(shared(), "never_early");
    let mut writer = database.client();
    for i in 0..1000 {
        writer.run(&format!("UPDATE tb_user SET name = 'v{i}' WHERE pk_user = 5"));
        assert!(
            reader.one::<bool>("SELECT pg_tviews_wait()"),
            "gave up in round {i}"
        );
        let user = reader.rows("SELECT data->>'name' FROM tv_user WHERE pk_user = 5");
        let posts = reader.rows("SELECT DISTINCT data->'author'->>'name' FROM tv_post WHERE fk_user = 5");
        let feed = reader.rows("SELECT data->>'name' FROM tv_feed WHERE pk_feed = 5");
        let wanted = format!("v{i}");
        assert!(
            [user, posts, feed].iter().all(|rows| rows == &[wanted.as_str()]),
            "early in round {i}"
        );
    }
}

#[test]
fn wait_is_never_early_among_other_writers() {
    let (database, mut reader) = blog::open(shared(), "early_load");
    reader.run("INSERT INTO tb_user (pk_user, name) VALUES (1000, 'watched')");
    let mut writer = database.client();
    let plan = blog::writers_who_delete_nothing(shared(), &database.name);
    let random = Random::announced("wait_is_never_early_among_other_writers");
    Load::during(&plan, 2, &random, |_| {
        for i in 0..50 {
            writer.run(&format!("UPDATE tb_user SET name = 'v{i}' WHERE pk_user = 1000"));
            assert!(
                reader.one::<bool>("SELECT pg_tviews_wait('feed')"),
                "gave up in round {i}"
            );
            let seen = reader.rows("SELECT data->>'name' FROM tv_feed WHERE pk_feed = 1000");
            assert_eq!(seen, [format!("v{i}")], "early");
        }
    });
    reader.assert_follows(&blog::ENTITIES);
}

#[test]
fn wait_does_not_wait_for_what_is_not_committed() {
    let (database, mut client) = blog::open(shared(), "open_writer");
    let mut open = database.client();
    open.run("BEGIN; UPDATE tb_user SET name = 'open' WHERE pk_user = 1");
    client.run("UPDATE tb_user SET name = 'done' WHERE pk_user = 2");
    let begin = Instant::now();
    client.assert_follows(&blog::ENTITIES);
    assert!(begin.elapsed() < Duration::from_secs(5));
    open.run("COMMIT");
    client.assert_follows(&blog::ENTITIES);
}

#[test]
fn wait_returns_false_on_timeout() {
    let database = Database::new(shared(), "timeout");
    let mut client = database.client();
    blog::create_slow(&mut client);
    client.assert_follows(&["slow"]);
    client.run("UPDATE knob SET seconds = 6");
    client.run("UPDATE tb_slow SET n = 2");
    let begin = Instant::now();
    assert!(
        !client.one::<bool>("SELECT pg_tviews_wait('slow', '200 ms')"),
        "true before it could be"
    );
    assert!(
        begin.elapsed() < Duration::from_secs(5),
        "took {:?}",
        begin.elapsed()
    );
    client.run("UPDATE knob SET seconds = 0");
    client.assert_follows(&["slow"]);
}

#[test]
fn wait_can_be_cancelled() {
    let database = Database::new(shared(), "cancelled");
    let mut client = database.client();
    blog::create_slow(&mut client);
    client.assert_follows(&["slow"]);
    client.run("UPDATE knob SET seconds = 10");
    client.run("UPDATE tb_slow SET n = 2; SET statement_timeout = '300 ms'");
    let begin = Instant::now();
    let error = client.fails("SELECT pg_tviews_wait('slow')");
    assert_eq!(error.code().code(), "57014", "{error:?}");
    assert!(begin.elapsed() < Duration::from_secs(8));
}

#[test]
fn paused_tview_keeps_its_changes_and_catches_up() {
    let (_database, mut client) = blog::open(shared(), "paused");
    client.assert_follows(&blog::ENTITIES);
    client.run("SELECT pg_tviews_pause('post')");
    assert_eq!(
        client.rows("SELECT state FROM pg_tview_meta WHERE entity_name = 'post'"),
        ["paused"]
    );
    let before = client.rows("SELECT * FROM tv_post ORDER BY 1");
    client.run(
        "UPDATE tb_post SET title = 'while paused' WHERE pk_post < 5; DELETE FROM tb_post WHERE pk_post = 6",
    );
    assert!(
        client.one::<bool>("SELECT pg_tviews_wait('feed')"),
        "another TVIEW does not follow"
    );
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(client.rows("SELECT * FROM tv_post ORDER BY 1"), before);
    assert!(
        client.one::<i64>("SELECT count(*) FROM pg_tview_queue") > 0,
        "changes of a paused TVIEW were trimmed"
    );
    for sql in ["SELECT pg_tviews_wait('post')", "SELECT pg_tviews_wait()"] {
        let error = client.fails(sql);
        assert!(
            error.message().contains("paused") && error.hint().is_some(),
            "{error:?}"
        );
    }
    client.run("SELECT pg_tviews_resume('post')");
    client.assert_follows(&blog::ENTITIES);
    client.assert_queue_empties();
    assert_eq!(
        client.rows("SELECT state FROM pg_tview_meta WHERE entity_name = 'post'"),
        ["active"]
    );
}

#[test]
fn pause_takes_effect_at_commit_only() {
    let (_database, mut client) = blog::open(shared(), "pause_undone");
    client.run("BEGIN; SELECT pg_tviews_pause('user'); ROLLBACK; UPDATE tb_user SET name = 'x'");
    client.assert_follows(&blog::ENTITIES);
}

#[test]
fn refresh_repairs_rows_that_were_tampered_with() {
    let (_database, mut client) = blog::open(shared(), "tampered");
    client.assert_follows(&blog::ENTITIES);
    client.run("SET pg_tviews.allow_table_writes = on");
    client
        .run("UPDATE tv_user SET data = '{}' WHERE pk_user IN (1, 2); DELETE FROM tv_user WHERE pk_user = 3");
    client.run("INSERT INTO tv_user (pk_user, id, data) VALUES (999, gen_random_uuid(), '{}')");
    let found = client.rows("SELECT problem, count(*) FROM pg_tviews_check('user') GROUP BY 1 ORDER BY 1");
    assert_eq!(found, ["different|2", "extra|1", "missing|1"]);
    client.run("SELECT pg_tviews_refresh('user', '{1}')");
    assert!(client.one::<bool>("SELECT pg_tviews_wait()"));
    let found = client.rows("SELECT problem, count(*) FROM pg_tviews_check('user') GROUP BY 1 ORDER BY 1");
    assert_eq!(found, ["different|1", "extra|1", "missing|1"]);
    client.run("BEGIN; SELECT pg_tviews_refresh('user'); ROLLBACK");
    assert!(client.one::<bool>("SELECT pg_tviews_wait()"));
    assert_eq!(client.rows("SELECT count(*) FROM pg_tviews_check('user')"), ["3"]);
    client.run("SELECT pg_tviews_refresh('user')");
    client.assert_follows(&blog::ENTITIES);
    assert_eq!(client.rows("SELECT count(*) FROM pg_tviews_check('user')"), ["0"]);
}

#[test]
fn wait_covers_the_first_population() {
    let database = Database::new(shared(), "populating");
    let mut client = database.client();
    client.run(
        "CREATE TABLE tb_big (pk_big int PRIMARY KEY, n int NOT NULL DEFAULT 0);
         INSERT INTO tb_big SELECT generate_series(1, 150000)",
    );
    client.run("SELECT pg_tviews_create('big', 'SELECT pk_big, n FROM tb_big')");
    let mut writer = database.client();
    let begin = Instant::now();
    for i in 1..=20 {
        writer.run(&format!(
            "UPDATE tb_big SET n = {i} WHERE pk_big % 1000 = {i}; DELETE FROM tb_big WHERE pk_big = 5 * {i}"
        ));
    }
    assert!(
        begin.elapsed() < Duration::from_secs(20),
        "writers waited for the population: {:?}",
        begin.elapsed()
    );
    client.assert_follows(&["big"]);
    assert_eq!(client.rows("SELECT state FROM pg_tview_meta"), ["active"]);
    client.wait_until("SELECT count(*) = 149980 FROM tv_big", WAIT);
}

#[test]
fn wait_knows_a_table_of_an_earlier_life_as_unfilled() {
    let database = Database::new(shared(), "earlier_life");
    let mut client = database.client();
    client.run(
        "CREATE TABLE tb_big (pk_big int PRIMARY KEY, n int NOT NULL DEFAULT 0);
         INSERT INTO tb_big SELECT generate_series(1, 150000)",
    );
    let create = "SELECT pg_tviews_create('big', 'SELECT pk_big, n FROM tb_big')";
    client.run(create);
    client.assert_follows(&["big"]);
    client.run("SELECT pg_tviews_drop('big', keep_table => true)");
    client.run("DELETE FROM tb_big WHERE pk_big <= 1000");
    // No worker fills it in between.
    client.run(&format!("BEGIN; {create}; SELECT pg_tviews_pause('big'); COMMIT"));
    let refused = client.batch_execute("SELECT pg_tviews_wait('big')").unwrap_err();
    assert!(format!("{refused:?}").contains("is paused"), "{refused:?}");
    client.run("SELECT pg_tviews_resume('big')");
    client.assert_follows(&["big"]);
}
