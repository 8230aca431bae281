//! What verification takes for damage, and what keeps it from going on: rows of which several contents are right, rows
//! without a place in the table, rows that take long.

use crate::harness::{Ask, Database, WAIT};
use crate::verification::{behind_the_back, cluster, verified_again, DRIFT};

/// Rows that come in another order than when they were computed are not damage. Missing rows still are.
#[test]
fn the_order_of_rows_is_not_taken_for_damage() {
    let cluster = cluster();
    let database = Database::new(&cluster, "verify_order");
    let mut client = database.client();
    client.run(
        "CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text);
         CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int, n float8, title text, unused int);
         CREATE INDEX ON tb_post (fk_user, n);
         INSERT INTO tb_user SELECT i, 'user ' || i FROM generate_series(1, 100) i;
         INSERT INTO tb_post SELECT i, i % 100 + 1, power(10, i / 100 % 20) / 3, 'post ' || i, 0 FROM generate_series(1, 2000) i;
         ANALYZE",
    );
    let views = [
        ("sum", "SELECT fk_user AS pk_sum, sum(n) AS n FROM tb_post GROUP BY fk_user"),
        ("list", "SELECT fk_user AS pk_list, jsonb_agg(title) AS titles FROM tb_post GROUP BY fk_user"),
        ("any", "SELECT pk_user AS pk_any, (SELECT title FROM tb_post WHERE fk_user = pk_user LIMIT 1) AS title FROM tb_user"),
        ("place", "SELECT pk_post AS pk_place, row_number() OVER (PARTITION BY fk_user) AS n FROM tb_post"),
        ("sorted", "SELECT fk_user AS pk_sorted, jsonb_agg(title ORDER BY pk_post) AS titles FROM tb_post GROUP BY fk_user"),
    ];
    for (name, view) in views {
        client.run(&format!("SELECT pg_tviews_create('{name}', $q${view}$q$)"));
    }
    // Rows move, and nothing changes that a view returns.
    client.run("UPDATE tb_post SET unused = 1 WHERE pk_post % 3 = 0");
    let because = "contents depend on the order in which rows are read";
    for (name, _) in views {
        verified_again(&mut client, name);
        let said: bool = client.one(&format!(
            "SELECT unverified_because IS NOT DISTINCT FROM '{because}' FROM pg_tview_status WHERE entity_name = '{name}'"
        ));
        assert_eq!(said, name != "sorted", "{name}");
    }
    assert_eq!(client.one::<i64>(DRIFT), 0);
    behind_the_back(
        &mut client,
        "DELETE FROM tv_list WHERE pk_list = 7; UPDATE tv_sorted SET titles = '[]' WHERE pk_sorted = 7",
    );
    for (table, key) in [("tv_list", "pk_list"), ("tv_sorted", "pk_sorted")] {
        client.wait_until(
            &format!(
                "SELECT EXISTS (SELECT 1 FROM {table} WHERE {key} = 7 AND jsonb_array_length(titles) = 20)"
            ),
            2 * WAIT,
        );
    }
    client.wait_until(&format!("SELECT ({DRIFT}) = 2"), 2 * WAIT);
}

/// Keys that the view returns twice are no damage, and do not keep the verification from the rows after them.
#[test]
fn many_rows_without_a_place_do_not_hold_the_walk() {
    let cluster = cluster();
    let database = Database::new(&cluster, "verify_twice");
    let mut client = database.client();
    client.run(
        "CREATE TABLE tb_row (id serial PRIMARY KEY, a int, b int);
         CREATE INDEX ON tb_row (a);
         INSERT INTO tb_row (a, b) SELECT i, i FROM generate_series(1, 5000) i;
         ANALYZE",
    );
    client.run("SELECT pg_tviews_create('twice', 'SELECT a AS pk_twice, b FROM tb_row')");
    client.run("INSERT INTO tb_row (a, b) SELECT a, 0 FROM tb_row WHERE a <= 4000");
    verified_again(&mut client, "twice");
    assert_eq!(client.one::<i64>(DRIFT), 0);
    behind_the_back(&mut client, "UPDATE tv_twice SET b = -1 WHERE pk_twice = 5000");
    client.wait_until("SELECT b = 5000 FROM tv_twice WHERE pk_twice = 5000", 2 * WAIT);
}

/// Damaged rows are examined one by one if they take long.
#[test]
fn rows_that_take_long_are_found_and_recomputed() {
    let cluster = cluster();
    let database = Database::new(&cluster, "verify_slow");
    let mut client = database.client();
    client.run(
        "CREATE TABLE tb_row (pk_row int PRIMARY KEY, n int);
         INSERT INTO tb_row SELECT i, i FROM generate_series(1, 7) i;
         CREATE TABLE tb_speed (is_slow bool);
         INSERT INTO tb_speed VALUES (false);
         CREATE FUNCTION slowly(n int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS
         $$BEGIN IF (SELECT is_slow FROM public.tb_speed) THEN PERFORM pg_sleep(0.09); END IF; RETURN n; END$$",
    );
    client.run("SELECT pg_tviews_create('row', 'SELECT pk_row, slowly(n) AS n FROM tb_row')");
    verified_again(&mut client, "row");
    client.run("UPDATE tb_speed SET is_slow = true");
    behind_the_back(&mut client, "UPDATE tv_row SET n = -1");
    client.wait_until("SELECT bool_and(n = pk_row) FROM tv_row", 2 * WAIT);
    client.wait_until(&format!("SELECT ({DRIFT}) > 0"), 2 * WAIT);
}

/// Few rows are compared together, and one by one if they take long together.
#[test]
fn few_rows_that_take_long_are_verified() {
    let cluster = cluster();
    let database = Database::new(&cluster, "verify_few_slow");
    let mut client = database.client();
    client.run(
        "CREATE TABLE tb_huge (pk_huge int PRIMARY KEY, n int);
         INSERT INTO tb_huge SELECT i, i FROM generate_series(1, 6) i;
         CREATE TABLE tb_speed (seconds float8);
         INSERT INTO tb_speed VALUES (0);
         CREATE FUNCTION slowly(n int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS
         $$BEGIN PERFORM pg_sleep((SELECT seconds FROM public.tb_speed)); RETURN n; END$$;
         SELECT pg_tviews_create('huge', 'SELECT pk_huge, slowly(n) AS n FROM tb_huge')",
    );
    verified_again(&mut client, "huge");
    // A third of what a slice may take, and twice as long as that for all six.
    client.run("UPDATE tb_speed SET seconds = 0.35");
    verified_again(&mut client, "huge");
    assert_eq!(client.one::<i64>(DRIFT), 0);
    behind_the_back(&mut client, "UPDATE tv_huge SET n = -1 WHERE pk_huge = 4");
    client.wait_until("SELECT bool_and(n = pk_huge) FROM tv_huge", 2 * WAIT);
    client.wait_until(&format!("SELECT ({DRIFT}) = 1"), 2 * WAIT);
    // A row that takes too long alone is the reason that is given.
    client.run("UPDATE tb_speed SET seconds = 3");
    client.wait_until(
        "SELECT unverified_because = 'comparing one row takes longer than 1000 ms' FROM pg_tview_status",
        3 * WAIT,
    );
}
