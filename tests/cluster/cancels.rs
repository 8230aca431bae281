//! A cancel, a timeout or lack of memory ends the command: it is never taken for a fault of what was attempted.

use crate::harness::{shared, Ask, Database, WAIT};

/// A function that takes a while, and one that ends like a command that an administrator ended.
const SLOW: &str = "CREATE FUNCTION slow(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
                    $$BEGIN PERFORM pg_sleep(60); RETURN n; END$$;
                    CREATE FUNCTION ends_with(code text, n int) RETURNS int LANGUAGE plpgsql AS
                    $$BEGIN RAISE 'ended' USING ERRCODE = code; END$$";

#[test]
fn auto_conversion_ends() {
    let database = Database::new(shared(), "cancelled_conversion");
    let mut client = database.client();
    client.run(&format!(
        "{SLOW};
         CREATE TABLE tb_a (pk_a int PRIMARY KEY, n int); INSERT INTO tb_a VALUES (1, 1);
         CREATE VIEW v_a AS SELECT pk_a, slow(n) AS n FROM tb_a; CREATE TABLE tv_a (pk_a int PRIMARY KEY, n int);
         CREATE TABLE tb_b (pk_b int PRIMARY KEY, n int); CREATE TABLE tv_b (pk_b int PRIMARY KEY, data jsonb)"
    ));
    // Sooner than the time for which the view is measured.
    client.run("SET statement_timeout = '100ms'");
    let error = client.fails("SELECT pg_tviews_auto_convert('public')");
    assert_eq!(error.code().code(), "57014", "{error:?}");
    client.run("SET statement_timeout = 0");
    assert_eq!(client.one::<i64>("SELECT count(*) FROM pg_tview_meta"), 0);
    // Any other error of one table stops no other.
    for (code, ends) in [
        ("57P01", true),
        ("53200", true),
        ("22012", false),
        ("53100", false),
    ] {
        client.run(&format!(
            "CREATE OR REPLACE VIEW v_a AS SELECT pk_a, ends_with('{code}', n) AS n FROM tb_a"
        ));
        if ends {
            let error = client.fails("SELECT pg_tviews_auto_convert('public')");
            assert_eq!(error.code().code(), code, "{error:?}");
            assert_eq!(error.message(), "ended");
        } else {
            assert_eq!(
                client.rows("SELECT entity, status FROM pg_tviews_auto_convert('public') ORDER BY 1"),
                ["a|ERROR", "b|SUCCESS"]
            );
            client.run("SELECT pg_tviews_drop('b', keep_table => true); DROP VIEW IF EXISTS v_b");
        }
    }
}

#[test]
fn explaining_ends() {
    let database = Database::new(shared(), "cancelled_explain");
    let mut client = database.client();
    client.run(&format!("{SLOW}; CREATE TABLE tb_a (id int PRIMARY KEY, n int)"));
    client.run("SET statement_timeout = '500ms'");
    // The planner computes it.
    let error = client.fails("SELECT * FROM pg_tviews_explain('SELECT id FROM tb_a WHERE n = slow(1)')");
    assert_eq!(error.code().code(), "57014", "{error:?}");
}

#[test]
fn making_the_unique_index_ends() {
    let database = Database::new(shared(), "cancelled_index");
    let mut client = database.client();
    client.run(
        "CREATE TABLE tb_a (pk_a int PRIMARY KEY, n int); CREATE TABLE tv_a (pk_a int, n int);
         INSERT INTO tv_a SELECT i, i FROM generate_series(1, 10) AS i",
    );
    let mut holder = database.client();
    holder.run("BEGIN; INSERT INTO tv_a VALUES (11, 11)");
    client.run("SET statement_timeout = '500ms'");
    let error = client.fails("SELECT pg_tviews_create('a', 'SELECT pk_a, n FROM tb_a')");
    assert_eq!(error.code().code(), "57014", "{error:?}");
    assert!(!error.message().contains("unique"), "{error:?}");
    client.run("SET statement_timeout = 0; SET lock_timeout = '300ms'");
    let error = client.fails("SELECT pg_tviews_create('a', 'SELECT pk_a, n FROM tb_a')");
    assert_eq!(error.code().code(), "55P03", "{error:?}");
    holder.run("ROLLBACK");
    client.run("INSERT INTO tv_a VALUES (1, 1)");
    let error = client.fails("SELECT pg_tviews_create('a', 'SELECT pk_a, n FROM tb_a')");
    assert_eq!(error.code().code(), "23505", "{error:?}");
    assert!(error.message().contains("is not unique"), "{error:?}");
}

#[test]
fn asking_what_is_pending_ends() {
    let database = Database::new(shared(), "cancelled_pending");
    let mut client = database.client();
    client.run(
        "CREATE TABLE tb_a (pk_a int PRIMARY KEY, n int); INSERT INTO tb_a SELECT i, 0 FROM generate_series(1, 200000) AS i;
         SELECT pg_tviews_create('a', 'SELECT pk_a, n FROM tb_a')",
    );
    assert!(client.one::<bool>("SELECT pg_tviews_wait(timeout => '5 minutes')"));
    client.run("SELECT pg_tviews_pause('a')");
    // A larger transaction would log one change of all rows.
    client.run(
        "DO $$BEGIN FOR i IN 0..39 LOOP
             UPDATE tb_a SET n = 1 WHERE pk_a > i * 5000 AND pk_a <= (i + 1) * 5000; COMMIT;
         END LOOP; END$$",
    );
    let mut caller = database.client();
    let pid: i32 = caller.one("SELECT pg_backend_pid()");
    std::thread::scope(|scope| {
        let call = scope.spawn(|| caller.fails("SELECT count(*) FROM pg_tviews_pending('a')"));
        let runs = format!(
            "SELECT query LIKE '%pending%' AND state = 'active' AND clock_timestamp() - query_start > '100 ms'
               FROM pg_stat_activity WHERE pid = {pid}"
        );
        client.wait_until(&runs, WAIT);
        assert!(client.one::<bool>(&format!("SELECT pg_cancel_backend({pid})")));
        let error = call.join().expect("the call ends");
        assert_eq!(error.code().code(), "57014", "{error:?}");
    });
    assert_eq!(
        caller.rows("SELECT count(*) FROM pg_tviews_pending('a', '{1,200000,200001}')"),
        ["2"]
    );
}
