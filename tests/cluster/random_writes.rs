//! Random INSERTs and UPDATEs whose rows are captured without the queue of triggers, beside all that can happen around
//! them: functions that write, fail and read, triggers, savepoints, other sessions. The tv tables are the views, in the
//! transaction and after it.

use std::thread;

use postgres::Client;

use crate::harness::{shared, Ask, Database, Random};

const ENTITIES: [&str; 3] = ["post", "comment", "user"];

const SCHEMA: &str = "
    CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text, biography text);
    CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int REFERENCES tb_user ON UPDATE CASCADE,
        fk_reply int REFERENCES tb_post ON UPDATE SET NULL, title text, seen int DEFAULT 0, place int UNIQUE DEFERRABLE);
    CREATE TABLE tb_comment (pk_comment int PRIMARY KEY, fk_post int REFERENCES tb_post ON UPDATE CASCADE, body text);
    ALTER TABLE tb_user ALTER biography SET STORAGE EXTERNAL;
    INSERT INTO tb_user SELECT n, 'user ' || n FROM generate_series(1, 20) n;
    INSERT INTO tb_post SELECT n, 1 + n % 20, CASE WHEN n % 3 = 0 THEN n / 3 END, 'post ' || n FROM generate_series(1, 150) n;
    INSERT INTO tb_comment SELECT n, 1 + n % 150, 'comment ' || n FROM generate_series(1, 300) n;
    SELECT pg_tviews_create('post', 'SELECT p.pk_post, p.title, p.fk_user, u.name, u.biography, r.title AS reply
        FROM tb_post p LEFT JOIN tb_user u ON u.pk_user = p.fk_user LEFT JOIN tb_post r ON r.pk_post = p.fk_reply');
    SELECT pg_tviews_create('comment', 'SELECT c.pk_comment, c.body, p.title, u.name
        FROM tb_comment c LEFT JOIN tb_post p ON p.pk_post = c.fk_post LEFT JOIN tb_user u ON u.pk_user = p.fk_user');
    SELECT pg_tviews_create('user', 'SELECT u.pk_user, u.name, (SELECT jsonb_agg(p.title ORDER BY p.pk_post)
        FROM tb_post p WHERE p.fk_user = u.pk_user) AS titles FROM tb_user u');
    CREATE FUNCTION writes(n int) RETURNS text LANGUAGE plpgsql AS $$ BEGIN
        UPDATE tb_user SET name = left(name, 8) || '*' WHERE pk_user = 1 + n % 20; RETURN 'writes'; END $$;
    CREATE FUNCTION catches(n int) RETURNS text LANGUAGE plpgsql AS $$ BEGIN
        UPDATE tb_comment SET body = 'outside' WHERE fk_post = n;
        UPDATE tb_post SET title = 'inside', fk_user = 1 + n % 20 WHERE pk_post = 151 - n AND pk_post > 75 AND n < 75;
        IF n % 2 = 0 THEN RAISE EXCEPTION 'caught'; END IF; RETURN 'catches';
        EXCEPTION WHEN raise_exception THEN RETURN 'caught'; END $$;
    CREATE FUNCTION fails(n int) RETURNS text LANGUAGE plpgsql AS $$ BEGIN
        IF n % 5 = 0 THEN RAISE EXCEPTION 'fails'; END IF; RETURN 'fails'; END $$;
    CREATE FUNCTION reads(n int) RETURNS text LANGUAGE sql AS $$ SELECT left(title || name, 12) FROM tv_post WHERE pk_post = n $$;
    CREATE FUNCTION counts() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        UPDATE tb_post SET seen = seen + 1, title = left(title, 8) || '~' WHERE pk_post = NEW.fk_post; RETURN NULL; END $$;
    CREATE FUNCTION makes(n int) RETURNS text LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO tb_comment VALUES (2000 + n, 1 + n % 150, 'now made') ON CONFLICT DO NOTHING;
        INSERT INTO tb_post (pk_post, fk_user, title) VALUES (3000 + n, 1 + n % 20, 'inside');
        IF n % 3 = 0 THEN RAISE EXCEPTION 'caught'; END IF; RETURN 'makes';
        EXCEPTION WHEN raise_exception OR unique_violation THEN RETURN 'caught'; END $$;
    CREATE FUNCTION moves() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF NEW.pk_comment % 5 = 0 THEN RETURN NULL; END IF; NEW.fk_post := 1 + NEW.fk_post % 150; RETURN NEW; END $$;
    CREATE TRIGGER moves BEFORE INSERT ON tb_comment FOR EACH ROW EXECUTE FUNCTION moves();
    CREATE TRIGGER counts AFTER INSERT OR UPDATE ON tb_comment FOR EACH ROW WHEN (NEW.body LIKE 'now%') EXECUTE FUNCTION counts();
    CREATE CONSTRAINT TRIGGER counts_later AFTER INSERT OR UPDATE ON tb_comment DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW WHEN (NEW.body LIKE 'later%') EXECUTE FUNCTION counts();";

const STATEMENTS: [&str; 38] = [
    "UPDATE tb_post SET title = 'title {99}' WHERE pk_post = {150}",
    "UPDATE tb_post SET title = 'title {99}' WHERE pk_post % 20 = {19}",
    "UPDATE tb_post SET fk_user = {20} WHERE pk_post = {150} RETURNING pk_post",
    "UPDATE tb_post SET fk_user = 1 + (fk_user + {9}) % 20, seen = seen + 1 WHERE fk_user = {20}",
    "UPDATE tb_post SET seen = seen + 1 WHERE fk_user = {20}",
    "UPDATE tb_post SET fk_reply = nullif({150}, {3}) WHERE pk_post = {150}",
    "UPDATE tb_post SET place = nullif(pk_post % {90}, 0) WHERE fk_user = {20}",
    "UPDATE tb_post SET pk_post = {150} WHERE pk_post = {150}",
    "UPDATE tb_post SET pk_post = pk_post + 1000, title = 'moved' WHERE pk_post = {150}",
    "UPDATE tb_post SET pk_post = pk_post - 1000 WHERE pk_post > 1000",
    "UPDATE tb_post SET title = writes(pk_post) WHERE fk_user = {20}",
    "UPDATE tb_post SET title = catches(pk_post), fk_user = 1 + fk_user % 20 WHERE pk_post % 15 = {14}",
    "UPDATE tb_post SET title = fails(pk_post) WHERE fk_user = {20}",
    "UPDATE tb_post SET title = 'was ' || reads(pk_post) WHERE fk_user = {20} RETURNING reads(pk_post)",
    "UPDATE tb_post p SET title = left(p.title, 5) || u.name FROM tb_user u WHERE u.pk_user % 7 = p.pk_post % 7 AND p.fk_user = {20}",
    "WITH one AS (UPDATE tb_post SET title = 'with' WHERE pk_post = {75} RETURNING fk_user)
        UPDATE tb_post p SET fk_user = o.fk_user, title = 'top' FROM one o WHERE pk_post = 75 + {75}",
    "WITH one AS (UPDATE tb_post SET title = 'unread' WHERE pk_post = {75}) UPDATE tb_post SET title = 'top' WHERE pk_post = 75 + {75}",
    "MERGE INTO tb_post USING generate_series({150}, 150) n ON pk_post = n WHEN MATCHED THEN UPDATE SET title = 'merged'",
    "INSERT INTO tb_post VALUES ({150}, {20}) ON CONFLICT (pk_post) DO UPDATE SET title = 'there', fk_user = excluded.fk_user",
    "INSERT INTO tb_post (pk_post, fk_user, fk_reply, title) VALUES (2000 + {30}, {20}, {150}, 'made {99}')",
    "INSERT INTO tb_post (pk_post, fk_user, title) SELECT n, {20}, 'made {99}' FROM generate_series(2000 + {30}, 2030) n ON CONFLICT (pk_post) DO NOTHING",
    "INSERT INTO tb_post (pk_post, fk_user, title) SELECT n, {20}, 'read ' || coalesce(reads(n), '') FROM generate_series(2000 + {30}, 2030) n
        ON CONFLICT (pk_post) DO NOTHING RETURNING reads(pk_post)",
    "INSERT INTO tb_post (pk_post, fk_user, title) SELECT n, {20}, makes(n - 2000) FROM generate_series(2000 + {30}, 2030) n ON CONFLICT (pk_post) DO NOTHING",
    "INSERT INTO tb_post (pk_post, fk_user, title) SELECT 2000 + {30}, {20}, catches({75}) || writes({150}) || fails({30})",
    "INSERT INTO tb_post (pk_post, fk_user, title, place) SELECT n, 1, 'placed', {90} FROM generate_series(2031, 2032) n ON CONFLICT (pk_post) DO NOTHING",
    "WITH one AS (INSERT INTO tb_post (pk_post, fk_user) VALUES (2000 + {15}, {20}) RETURNING *)
        INSERT INTO tb_comment SELECT 1000 + {50}, pk_post, 'with' FROM one ON CONFLICT DO NOTHING",
    "INSERT INTO tb_comment SELECT 1000 + n, {150}, 'now {99}' FROM generate_series({50}, 50) n ON CONFLICT DO NOTHING",
    "INSERT INTO tb_comment SELECT 1000 + {50}, {150}, 'later ' || makes({75})",
    "INSERT INTO tb_user SELECT 2000 + {3}, 'made', repeat('{9}', {5000}) ON CONFLICT DO NOTHING",
    "DELETE FROM tb_comment WHERE pk_comment > 1000 + {50}; DELETE FROM tb_post WHERE pk_post > 2000 + {30}",
    "UPDATE tb_user SET name = 'name {99}' WHERE pk_user = {20}",
    "UPDATE tb_user SET name = catches({150}) WHERE pk_user < {4}",
    "UPDATE tb_user SET biography = repeat('{9}', {5000}) WHERE pk_user = {20}",
    "UPDATE tb_user SET pk_user = 1000 - pk_user WHERE pk_user IN ({20}, 1000 - {20})",
    "UPDATE tb_comment SET body = 'now {99}', fk_post = {150} WHERE pk_comment = {300}",
    "UPDATE tb_comment SET body = 'later {99}' WHERE fk_post = {150}",
    "UPDATE tb_comment SET body = 'all {99}'",
    "DO $$ BEGIN FOR n IN {75}..80 LOOP BEGIN UPDATE tb_post SET title = 'loop' || n, fk_user = 1 + n % 20 WHERE pk_post = n;
        IF n % {4} = 0 THEN RAISE EXCEPTION 'loop'; END IF; EXCEPTION WHEN raise_exception THEN NULL; END; END LOOP; END $$",
];

/// Whether a statement may end so: it breaks a constraint, fails in a function, meets another session, or a row that
/// one of its functions has updated.
fn may_happen(error: &postgres::Error) -> bool {
    let code = error.code().map_or("", |code| code.code());
    ["23", "40", "27000", "P0001", "55P03"]
        .iter()
        .any(|known| code.starts_with(known))
}

/// Runs a statement, which may fail.
fn attempt(client: &mut Client, statement: &str) {
    client.run("SAVEPOINT attempt");
    match client.batch_execute(statement) {
        Ok(()) => client.run("RELEASE attempt"),
        Err(error) => {
            assert!(may_happen(&error), "{statement}\n{error:?}");
            client.run("ROLLBACK TO attempt; RELEASE attempt");
        }
    }
}

/// One transaction; `check` compares inside it, which is for the only one that writes.
fn transaction(client: &mut Client, random: &mut Random, check: bool) {
    let level = random.pick(&["READ COMMITTED", "REPEATABLE READ"]);
    client.run(&format!("BEGIN ISOLATION LEVEL {level}"));
    let mut open = 0;
    for _ in 0..random.upto(8) {
        match random.upto(10) {
            1 | 2 => {
                open += 1;
                client.run(&format!("SAVEPOINT s{open}"));
            }
            3 if open > 0 => {
                open = random.upto(open);
                client.run(&format!("ROLLBACK TO s{open}"));
            }
            4 | 5 if check => client.assert_views_equal(&ENTITIES),
            _ => {
                let statement = *random.pick(&STATEMENTS);
                attempt(client, &random.fill(statement));
            }
        }
    }
    // COMMIT calls triggers that update.
    let end = *random.pick(&["COMMIT", "COMMIT", "ROLLBACK"]);
    if let Err(error) = client.batch_execute(end) {
        assert!(may_happen(&error), "{error:?}");
    }
}

#[test]
fn writes_of_one_session() {
    let database = Database::new(shared(), "random_writes");
    let mut client = database.client();
    client.run(SCHEMA);
    let mut random = Random::announced("writes_of_one_session");
    for _ in 0..120 {
        client.assert_follows(&ENTITIES);
        transaction(&mut client, &mut random, true);
    }
    client.assert_follows(&ENTITIES);
}

#[test]
fn writes_of_sessions_that_wait_for_each_other() {
    let database = Database::new(shared(), "random_writes_together");
    let mut client = database.client();
    client.run(SCHEMA);
    let random = Random::announced("writes_of_sessions_that_wait_for_each_other");
    for round in 0..3 {
        thread::scope(|scope| {
            for writer in 0..3 {
                let mut random = random.branch(10 * round + writer);
                let mut client = database.client();
                scope.spawn(move || {
                    client.run("SET lock_timeout = '2s'");
                    (0..25).for_each(|_| transaction(&mut client, &mut random, false));
                });
            }
        });
        client.assert_follows(&ENTITIES);
    }
}
