//! Foreign keys between tv tables: a row waits until the one that it refers to is there, or the one that refers to it is gone.

use postgres::Client;

use crate::harness::{shared, Ask, Cluster, Database, Options, WAIT};

/// The table that refers to the other is refreshed first by a drain, or the other way round.
fn tviews(client: &mut Client, child_first: bool) {
    client.run(
        "CREATE TABLE tb_author (pk_author int PRIMARY KEY, name text);
         CREATE TABLE tb_book (pk_book int PRIMARY KEY, fk_author int REFERENCES tb_author, title text);
         INSERT INTO tb_author VALUES (1, 'one');
         INSERT INTO tb_book VALUES (1, 1, 'one')",
    );
    let author = "SELECT pg_tviews_create('author', 'SELECT pk_author, name FROM tb_author')";
    let book = "SELECT pg_tviews_create('book', 'SELECT pk_book, fk_author, title FROM tb_book')";
    for create in if child_first {
        [book, author]
    } else {
        [author, book]
    } {
        client.run(create);
    }
    client.run("ALTER TABLE tv_book ADD FOREIGN KEY (fk_author) REFERENCES tv_author");
}

fn nothing_has_failed(client: &mut Client) {
    client.assert_views_equal(&["author", "book"]);
    assert_eq!(client.one::<i64>("SELECT count(*) FROM pg_tview_dead_letter"), 0);
    assert_eq!(
        client.one::<i64>("SELECT count(*) FROM pg_tview_meta_audit WHERE status <> 'SUCCESS'"),
        0
    );
}

#[test]
fn a_drain_applies_rows_in_whatever_order_they_depend_on_each_other() {
    let cluster = Cluster::start(Options::without_preload());
    for child_first in [true, false] {
        let database = Database::new(&cluster, &format!("fk_drain_{child_first}"));
        let mut client = database.client();
        tviews(&mut client, child_first);
        for change in [
            "INSERT INTO tb_author SELECT i, 'a' FROM generate_series(2, 400) i; INSERT INTO tb_book SELECT i, i, 'b' FROM generate_series(2, 400) i",
            "UPDATE tb_book SET fk_author = 1 WHERE pk_book = 2; DELETE FROM tb_author WHERE pk_author = 2",
            "DELETE FROM tb_book WHERE pk_book > 2; DELETE FROM tb_author WHERE pk_author > 2",
        ] {
            client.run(change);
            client.run("CALL pg_tviews_drain()");
            nothing_has_failed(&mut client);
        }
        // One that nothing is going to help.
        client.run("DELETE FROM tb_book; DELETE FROM tb_author");
        client.run("CALL pg_tviews_drain()");
        client.run("ALTER TABLE tb_book DROP CONSTRAINT tb_book_fk_author_fkey; INSERT INTO tb_author VALUES (7, 'seven')");
        client.run("INSERT INTO tb_book VALUES (7, 7, 'seven'), (8, 8, 'eight')");
        client.run("CALL pg_tviews_drain()");
        assert_eq!(client.rows("SELECT pk_book FROM tv_book"), ["7"]);
        assert_eq!(
            client.rows("SELECT key, sqlstate FROM pg_tview_dead_letter"),
            ["{\"pk_book\": 8}|23503"]
        );
    }
}

#[test]
fn workers_leave_rows_for_later_that_depend_on_others() {
    let database = Database::new(shared(), "fk_workers");
    let mut client = database.client();
    tviews(&mut client, true);
    // What the books refer to comes late.
    client.run(
        "CREATE FUNCTION slowly(name text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS
         $$BEGIN PERFORM pg_sleep(0.05); RETURN name; END$$;
         SELECT pg_tviews_create('author', 'SELECT pk_author, slowly(name) AS name FROM tb_author')",
    );
    client.assert_follows(&["author", "book"]);
    client.started_workers();
    for n in 2..15 {
        client.run(&format!(
            "INSERT INTO tb_author VALUES ({n}, 'a'); INSERT INTO tb_book VALUES ({n}, {n}, 'b'), (100 + {n}, 1, 'other')"
        ));
        client.wait_until(
            &format!("EXISTS (SELECT 1 FROM tv_book WHERE pk_book = 100 + {n})"),
            WAIT,
        );
    }
    client.assert_follows(&["author", "book"]);
    client.run("DELETE FROM tb_book WHERE pk_book <> 1; DELETE FROM tb_author WHERE pk_author <> 1");
    assert!(client.one::<bool>("SELECT pg_tviews_wait()"));
    nothing_has_failed(&mut client);
}
