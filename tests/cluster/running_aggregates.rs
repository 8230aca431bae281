//! Running aggregates: stored groups are moved by what transactions change, and tv equals v all the time.

use postgres::Client;

use crate::harness::{Ask, Cluster, Database, Load, Options, Plan, Random};

const TABLES: &str = "
    CREATE TABLE tb_post (pk_post int PRIMARY KEY, title text NOT NULL);
    CREATE TABLE tb_kind (kind text PRIMARY KEY, factor numeric(6,1), word text);
    CREATE TABLE tb_like (pk_like int PRIMARY KEY, fk_post int, kind text, amount int, price numeric(10,2), at date);
    CREATE INDEX ON tb_like (fk_post);
    CREATE INDEX ON tb_like (kind);
    INSERT INTO tb_kind SELECT 'k' || i, i / 2.0, CASE WHEN i <> 1 THEN 'word' END FROM generate_series(0, 2) i;
    INSERT INTO tb_post SELECT i, 'post ' || i FROM generate_series(1, 5) i;
    INSERT INTO tb_like SELECT i, 1 + i % 5, 'k' || i % 3, i % 7, (i % 100) / 10.0, date '2026-01-01' + i % 4
      FROM generate_series(1, 200) i";

/// All kinds of levels and of aggregates.
const TVIEWS: [(&str, &str); 13] = [
    (
        "sub_select",
        "SELECT p.pk_post, p.title, (SELECT count(*) FROM tb_like l WHERE l.fk_post = p.pk_post AND l.amount > 1) AS n,
                (SELECT sum(l.price) FROM tb_like l WHERE l.fk_post = p.pk_post) AS s FROM tb_post p",
    ),
    (
        "left_join",
        "SELECT p.pk_post, p.title, count(*) AS n, count(l.pk_like) AS likes, sum(l.amount) AS s, avg(l.price) AS a,
                max(l.amount) FILTER (WHERE l.kind = 'k1') AS m, min(l.at) AS since
           FROM tb_post p LEFT JOIN tb_like l ON l.fk_post = p.pk_post GROUP BY p.pk_post",
    ),
    (
        "from",
        "SELECT p.pk_post, p.title, coalesce(x.n, 0) AS n, x.s, x.b
           FROM tb_post p LEFT JOIN (SELECT fk_post, count(*) AS n, sum(price * amount) AS s, bool_and(amount > 0) AS b
                                       FROM tb_like GROUP BY fk_post) x ON x.fk_post = p.pk_post",
    ),
    (
        "kind",
        "SELECT l.kind, count(*) AS n, sum(l.price) AS s, bool_or(l.amount = 6) AS b FROM tb_like l
          WHERE l.kind IS NOT NULL GROUP BY l.kind HAVING count(*) > 2",
    ),
    (
        "day",
        "SELECT l.at, l.kind, count(l.amount) AS n, avg(l.amount) AS a FROM tb_like l
          WHERE l.at IS NOT NULL AND l.kind IS NOT NULL GROUP BY l.at, l.kind",
    ),
    (
        "total",
        "SELECT 1 AS pk_total, count(*) AS n, sum(l.price) AS s, avg(l.amount) AS a, max(l.price) AS m FROM tb_like l",
    ),
    (
        "any_scale",
        "SELECT l.kind, sum(CASE WHEN l.amount > 2 THEN l.price ELSE 1 END) AS s, avg(l.price / nullif(l.amount, 0)) AS a
           FROM tb_like l WHERE l.kind IS NOT NULL GROUP BY l.kind",
    ),
    (
        "join_kind",
        "SELECT k.kind, count(*) AS n, sum(l.amount * k.factor) AS s, max(l.price) AS m, bool_and(p.title < 'post 5') AS b
           FROM tb_like l JOIN tb_kind k ON k.kind = l.kind JOIN tb_post p ON p.pk_post = l.fk_post GROUP BY k.kind",
    ),
    (
        "join_sub_select",
        "SELECT p.pk_post, p.title, (SELECT sum(l.price * k.factor) FROM tb_like l, tb_kind k
                                      WHERE k.kind = l.kind AND l.fk_post = p.pk_post AND k.word IS NOT NULL) AS s FROM tb_post p",
    ),
    (
        "join_from",
        "SELECT p.pk_post, p.title, x.n, x.least
           FROM tb_post p LEFT JOIN (SELECT l.fk_post, count(k.factor) AS n, min(k.factor) AS least
                                       FROM tb_like l JOIN tb_kind k USING (kind) GROUP BY l.fk_post) x ON x.fk_post = p.pk_post",
    ),
    (
        "join_rest",
        "SELECT p.pk_post, p.title, count(*) AS n, sum(l.price * k.factor) AS s, max(l.amount) AS m
           FROM tb_post p JOIN tb_like l ON l.fk_post = p.pk_post JOIN tb_kind k ON k.kind = l.kind GROUP BY p.pk_post",
    ),
    (
        "join_total",
        "SELECT 1 AS pk_join_total, count(*) AS n, sum(a.amount * b.amount) AS s, avg(k.factor) AS a
           FROM tb_like a, tb_like b, tb_kind k WHERE b.at = a.at AND b.kind = a.kind AND b.fk_post = a.fk_post AND k.kind = a.kind",
    ),
    (
        "join_two_keys",
        "SELECT l.at, k.word, count(*) AS n, avg(l.price) AS a FROM tb_like l JOIN tb_kind k ON k.kind = l.kind AND k.factor < 100
          WHERE l.at IS NOT NULL AND k.word IS NOT NULL GROUP BY l.at, k.word HAVING sum(l.amount) > 3",
    ),
];

/// `{n}` becomes a number from 1 to n.
const STATEMENTS: [&str; 19] = [
    "INSERT INTO tb_like VALUES (200 + {300}, {5}, 'k' || {3}, {7}, {100} / 10.0, date '2026-01-01' + {4}) ON CONFLICT DO NOTHING",
    "INSERT INTO tb_like VALUES (200 + {300}, {6}, NULL, NULL, NULL, NULL) ON CONFLICT (pk_like) DO UPDATE SET amount = excluded.amount",
    "UPDATE tb_like SET amount = amount + {3} WHERE pk_like = {500}",
    "UPDATE tb_like SET price = price + {9} / 7.0, amount = NULL WHERE pk_like = {500}",
    "UPDATE tb_like SET fk_post = {6} WHERE pk_like = {500}",
    "UPDATE tb_like SET fk_post = NULL, kind = 'k' || {4} WHERE pk_like = {500}",
    "UPDATE tb_like SET at = at + {2} WHERE pk_like % 50 = {49}",
    "DELETE FROM tb_like WHERE pk_like = {500}",
    "DELETE FROM tb_like WHERE fk_post = {5} AND amount = {7}",
    "UPDATE tb_post SET title = title || '.' WHERE pk_post = {5}",
    "SAVEPOINT s; UPDATE tb_like SET amount = 1000 WHERE pk_like % 10 = {9}; ROLLBACK TO s",
    "SAVEPOINT s; UPDATE tb_like SET amount = {5} WHERE pk_like = {500}; RELEASE s",
    "UPDATE tb_kind SET factor = factor + {3} / 2.0 WHERE kind = 'k' || {3}",
    "UPDATE tb_kind SET word = CASE WHEN word IS NULL THEN 'word ' || {2} END WHERE kind = 'k' || {3}",
    "DELETE FROM tb_kind WHERE kind = 'k' || {5}",
    "INSERT INTO tb_kind VALUES ('k' || {5}, {5}, 'word') ON CONFLICT (kind) DO UPDATE SET factor = NULL; UPDATE tb_like SET amount = {5} WHERE pk_like = {500}",
    "UPDATE tb_post SET title = 'post ' || {9}; UPDATE tb_kind SET factor = {5}; UPDATE tb_like SET kind = 'k' || {3} WHERE pk_like % 50 = {49}",
    "UPDATE tb_like SET pk_like = pk_like WHERE pk_like = {500}",
    "INSERT INTO tb_like SELECT 1000 + i, {5}, 'many', 1, 1, NULL FROM generate_series(1, 1100) i ON CONFLICT DO NOTHING;
     DELETE FROM tb_like WHERE kind = 'many'",
];

fn cluster() -> Cluster {
    Cluster::start(
        Options::preloaded()
            .set("pg_tviews.running_threshold", "1")
            .set("max_prepared_transactions", "5")
            .set("restart_after_crash", "on"),
    )
}

fn open<'a>(cluster: &'a Cluster, name: &str) -> (Database<'a>, Client) {
    let database = Database::new(cluster, name);
    let mut client = database.client();
    client.run(TABLES);
    for (entity, query) in TVIEWS {
        let keys = match entity {
            "kind" | "any_scale" | "join_kind" => ", key_columns => '{kind}'",
            "day" => ", key_columns => '{at,kind}'",
            "join_two_keys" => ", key_columns => '{at,word}'",
            "total" | "join_total" => "",
            _ => ", key_columns => '{pk_post}'",
        };
        client.run(&format!(
            "SELECT pg_tviews_create('{entity}', $q${query}$q${keys})"
        ));
    }
    assert_right(&mut client);
    (database, client)
}

#[track_caller]
fn assert_right(client: &mut Client) {
    assert!(
        client.one::<bool>("SELECT pg_tviews_wait()"),
        "pg_tviews_wait gave up"
    );
    for (entity, _) in TVIEWS {
        client.assert_views_equal(&[&format!("tv_{entity}")]);
    }
}

/// How often stored groups were read by refreshes of a TVIEW.
fn helped(client: &mut Client, entity: &str) -> i64 {
    client.one(&format!(
        "SELECT coalesce((SELECT helped FROM pg_tview_running_position WHERE tview_oid = 'tv_{entity}'::regclass), 0)"
    ))
}

#[test]
fn each_kind_of_level_is_stored_and_moved() {
    let cluster = cluster();
    let (_database, mut client) = open(&cluster, "levels");
    for amount in 1..6 {
        client.run(&format!(
            "UPDATE tb_like SET amount = {amount}, price = {amount} WHERE pk_like IN (5, 6)"
        ));
        assert_right(&mut client);
        client.run(&format!(
            "UPDATE tb_kind SET factor = {amount}; INSERT INTO tb_like VALUES (300 + {amount}, 1, 'k0', 1, 1, '2026-01-02')"
        ));
        assert_right(&mut client);
    }
    for (entity, _) in TVIEWS {
        assert!(helped(&mut client, entity) > 0, "{entity}");
    }
}

#[test]
fn stored_groups_are_exact_under_random_writers() {
    let cluster = cluster();
    let (database, mut client) = open(&cluster, "writers");
    let random = Random::announced("stored_groups");
    let plan = Plan {
        cluster: &cluster,
        database: &database.name,
        statements: &STATEMENTS,
        crashes: false,
    };
    for round in 0..4 {
        let commits = Load::run(&plan, 3, 40, &random.branch(1000 * round));
        assert!(commits > 20, "only {commits} transactions committed");
        assert_right(&mut client);
    }
    client.run("TRUNCATE tb_like");
    assert_right(&mut client);
}

#[test]
fn stored_groups_are_exact_after_crashes() {
    let cluster = cluster();
    let (database, mut client) = open(&cluster, "crashes");
    let random = Random::announced("stored_groups_crash");
    let plan = Plan {
        cluster: &cluster,
        database: &database.name,
        statements: &STATEMENTS,
        crashes: true,
    };
    for round in 0..2 {
        Load::during(&plan, 2, &random.branch(round), |load| {
            load.let_pass(20);
            let workers = client.started_workers();
            cluster.kill(*workers.first().expect("a worker"), &mut client, &database.name);
            load.let_pass(20);
        });
        assert_right(&mut client);
    }
}

#[test]
fn prepared_transactions_move_stored_groups_when_they_commit() {
    let cluster = cluster();
    let (_database, mut client) = open(&cluster, "prepared");
    for end in ["COMMIT", "ROLLBACK"] {
        client.run("BEGIN");
        client.run("UPDATE tb_like SET amount = amount + 10, price = price + 1 WHERE fk_post = 2");
        client.run("PREPARE TRANSACTION 'p'");
        for _ in 0..2 {
            client.run("UPDATE tb_like SET amount = amount + 1 WHERE fk_post = 3");
            assert_right(&mut client);
        }
        client.run(&format!("{end} PREPARED 'p'"));
        assert_right(&mut client);
    }
}

/// With a second capture trigger each change would count twice.
#[test]
fn net_changes_are_told_by_one_trigger_only() {
    let cluster = cluster();
    let (_database, mut client) = open(&cluster, "copies");
    client.run(
        "ALTER EVENT TRIGGER pg_tviews_ddl_happened DISABLE;
         DO $$BEGIN
            EXECUTE (SELECT replace(pg_get_triggerdef(oid), ' TRIGGER pg_tviews_capture ', ' TRIGGER another ')
                       FROM pg_trigger WHERE tgrelid = 'tb_like'::regclass AND tgname = 'pg_tviews_capture');
            ALTER TABLE tb_like ENABLE ALWAYS TRIGGER another;
         END$$;
         ALTER EVENT TRIGGER pg_tviews_ddl_happened ENABLE ALWAYS",
    );
    for amount in 1..4 {
        client.run(&format!(
            "UPDATE tb_like SET amount = {amount} WHERE pk_like IN (5, 6)"
        ));
        assert_right(&mut client);
    }
}
