//! Refreshes that fail while everything else goes on: single keys, whole views, and how both come back by themselves.

use std::time::Duration;

use postgres::Client;

use crate::harness::{shared, Ask, Database, WAIT};

/// Orders at a rate per country, and a TVIEW next to it that always works.
fn open(name: &str) -> (Database<'static>, Client) {
    let database = Database::new(shared(), name);
    let mut client = database.client();
    client.run(
        "CREATE TABLE tb_rate (pk_rate int PRIMARY KEY, percent int NOT NULL);
         CREATE TABLE tb_order (pk_order int PRIMARY KEY, fk_rate int, price int, pieces int NOT NULL DEFAULT 1);
         INSERT INTO tb_rate VALUES (1, 50);
         INSERT INTO tb_order SELECT i, 1, i FROM generate_series(1, 500) AS i;
         SELECT pg_tviews_create('order', 'SELECT pk_order, price / pieces AS price FROM tb_order');
         SELECT pg_tviews_create('plain', 'SELECT pk_order AS id, price, pieces FROM tb_order')",
    );
    client.assert_follows(&["order", "plain"]);
    client.started_workers();
    (database, client)
}

#[test]
fn two_poisoned_keys_of_500_do_not_keep_the_others() {
    let (_database, mut client) = open("poisoned");
    client.run("UPDATE tb_order SET price = price + 1000, pieces = CASE WHEN pk_order IN (77, 300) THEN 0 ELSE 1 END");
    let others = "SELECT count(*) = 498 FROM tv_order WHERE price > 1000";
    client.wait_until(others, Duration::from_secs(5));
    assert!(client.one::<bool>("SELECT pg_tviews_wait()"));
    assert_eq!(
        client.rows("SELECT key, sqlstate, message FROM pg_tview_dead_letter ORDER BY key"),
        [
            "{\"pk_order\": 77}|22012|division by zero",
            "{\"pk_order\": 300}|22012|division by zero"
        ]
    );
    // They keep nobody later on either, and heal with their data.
    client.run("UPDATE tb_order SET price = price + 1");
    client.wait_until(
        "SELECT count(*) = 498 FROM tv_order WHERE price > 1001",
        Duration::from_secs(5),
    );
    client.run("UPDATE tb_order SET pieces = 2 WHERE pieces = 0");
    client.assert_follows(&["order", "plain"]);
    assert_eq!(client.one::<i64>("SELECT count(*) FROM pg_tview_dead_letter"), 0);
}

#[test]
fn a_dead_key_is_tried_again_without_a_change() {
    let (_database, mut client) = open("tried_again");
    // What the function reads is not followed: nothing tells that it works again.
    client.run(
        "CREATE TABLE broken (pk_order int);
         CREATE FUNCTION shipped(int) RETURNS text LANGUAGE plpgsql STABLE AS $$
         BEGIN
             IF EXISTS (SELECT FROM public.broken WHERE pk_order = $1) THEN RAISE 'no answer for %', $1 USING ERRCODE = 'TV001'; END IF;
             RETURN 'yes';
         END $$;
         SELECT pg_tviews_create('shipping', 'SELECT pk_order, price, shipped(pk_order) AS shipped FROM tb_order', key_columns => '{pk_order}')",
    );
    client.assert_follows(&["shipping"]);
    client.run("INSERT INTO broken VALUES (9)");
    client.run("UPDATE tb_order SET price = 0 WHERE pk_order IN (8, 9, 10)");
    client.wait_until(
        "SELECT attempts >= 2 FROM pg_tview_dead_letter WHERE sqlstate = 'TV001'",
        WAIT,
    );
    assert_eq!(
        client.rows("SELECT pk_order FROM tv_shipping WHERE price = 0 ORDER BY 1"),
        ["8", "10"]
    );
    client.run("TRUNCATE broken");
    client.wait_until("SELECT count(*) = 0 FROM pg_tview_dead_letter", WAIT);
    client.assert_views_equal(&["shipping"]);
}

#[test]
fn a_view_that_fails_as_a_whole_waits_and_goes_on_by_itself() {
    let (_database, mut client) = open("suspended");
    client.run(
        "SELECT pg_tviews_create('net', 'SELECT pk_order, price * 100 / (SELECT percent FROM tb_rate WHERE pk_rate = 1) AS net FROM tb_order', key_columns => '{pk_order}')",
    );
    client.assert_follows(&["net"]);
    client.run("UPDATE tb_rate SET percent = 0");
    let state = "SELECT state || ' ' || last_error FROM pg_tview_status WHERE entity_name = 'net'";
    client.wait_until(
        &format!("SELECT ({state}) = 'suspended 22012: division by zero'"),
        WAIT,
    );
    // Others keep up; whoever waits for it is told at once.
    client.run("UPDATE tb_order SET price = price * 2");
    assert!(client.one::<bool>("SELECT pg_tviews_wait('plain') AND pg_tviews_wait('order')"));
    client.assert_views_equal(&["plain", "order"]);
    let error = client.fails("SELECT pg_tviews_wait('net', '1 hour')");
    assert_eq!(error.code().code(), "55000");
    assert!(
        error
            .detail()
            .is_some_and(|detail| detail.contains("22012: division by zero")),
        "{error:?}"
    );
    client.run("UPDATE tb_rate SET percent = 20");
    client.wait_until(
        "SELECT state = 'active' FROM pg_tview_status WHERE entity_name = 'net'",
        WAIT,
    );
    client.assert_follows(&["net"]);
    assert_eq!(
        client.rows("SELECT operation FROM pg_tview_meta_audit WHERE entity_name = 'net' AND operation IN ('suspend', 'resume') ORDER BY audit_id"),
        ["suspend", "resume"]
    );
}

#[test]
fn keys_that_are_gone_do_not_show_that_a_view_works() {
    let (_database, mut client) = open("keys_gone");
    client.run(
        "CREATE TABLE broken (pk int);
         CREATE FUNCTION taxed(int) RETURNS int LANGUAGE plpgsql STABLE AS $$
         BEGIN
             IF EXISTS (SELECT FROM public.broken) THEN RAISE 'no rate' USING ERRCODE = 'TV001'; END IF;
             RETURN $1;
         END $$;
         SELECT pg_tviews_create('taxed', 'SELECT pk_order, taxed(price) AS price FROM tb_order', key_columns => '{pk_order}')",
    );
    client.assert_follows(&["taxed"]);
    client.run("INSERT INTO broken VALUES (1)");
    client.run("BEGIN; DELETE FROM tb_order WHERE pk_order <= 60; UPDATE tb_order SET price = 0 WHERE pk_order > 490; COMMIT");
    client.wait_until(
        "SELECT state = 'suspended' FROM pg_tview_status WHERE entity_name = 'taxed'",
        WAIT,
    );
    assert_eq!(client.one::<i64>("SELECT count(*) FROM pg_tview_dead_letter"), 0);
    client.run("TRUNCATE broken");
    client.wait_until(
        "SELECT state = 'active' FROM pg_tview_status WHERE entity_name = 'taxed'",
        WAIT,
    );
    // A retry that was under way when the table was emptied has seen some keys fail, and others not.
    client.wait_until("SELECT count(*) = 0 FROM pg_tviews_check('taxed')", WAIT);
    client.wait_until("SELECT count(*) = 0 FROM pg_tview_dead_letter", WAIT);
    // Where no other key is left, the data is at fault.
    client.run("DELETE FROM tb_order WHERE pk_order <> 100");
    client.assert_follows(&["order"]);
    client.run("BEGIN; INSERT INTO tb_order VALUES (1, 1, 1); DELETE FROM tb_order WHERE pk_order = 1; UPDATE tb_order SET pieces = 0; COMMIT");
    client.wait_until("SELECT count(*) = 1 FROM pg_tview_dead_letter", WAIT);
}

#[test]
fn a_dropped_view_suspends_and_a_new_one_resumes() {
    let (_database, mut client) = open("view_dropped");
    client.run("DROP VIEW v_order; UPDATE tb_order SET price = 1");
    client.wait_until(
        "SELECT state = 'suspended' FROM pg_tview_status WHERE entity_name = 'order'",
        WAIT,
    );
    client.run("CREATE VIEW v_order AS SELECT pk_order, price + 1 AS price FROM tb_order");
    let took = client.wait_until(
        "SELECT state = 'active' FROM pg_tview_status WHERE entity_name = 'order'",
        WAIT,
    );
    assert!(took < Duration::from_secs(4), "DDL wakes: {took:?}");
    client.assert_follows(&["order", "plain"]);
}

#[test]
fn a_first_population_goes_around_poisoned_keys() {
    let (_database, mut client) = open("poisoned_population");
    client.run(
        "CREATE TABLE tb_big (pk_big int PRIMARY KEY, v int);
         INSERT INTO tb_big SELECT i, i % 25000 FROM generate_series(1, 30000) AS i;
         SELECT pg_tviews_create('big', 'SELECT pk_big, 100000 / v AS share FROM tb_big')",
    );
    client.wait_until(
        "SELECT state = 'active' FROM pg_tview_status WHERE entity_name = 'big'",
        WAIT,
    );
    assert_eq!(client.one::<i64>("SELECT count(*) FROM tv_big"), 29_999);
    assert_eq!(
        client.rows("SELECT key FROM pg_tview_dead_letter"),
        ["{\"pk_big\": 25000}"]
    );
    client.run("UPDATE tb_big SET v = 5 WHERE v = 0");
    client.assert_follows(&["big"]);
}
