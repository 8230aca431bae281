//! Fresh views: what the backing view returns, at any moment, in any snapshot. Each comparison is one statement, so both sides
//! are read in one snapshot.

use postgres::{Client, Error};

use crate::blog;
use crate::harness::{repository, shared, Ask, Cluster, Database, Load, Options, Random, WAIT};

const LEVELS: [&str; 3] = ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"];
const ROUNDS: usize = 250;

/// TVIEWs over the blog's TVIEWs, one through an ordinary view; and what they would return if the tables below were never behind.
const ABOVE: &str = "
SELECT pg_tviews_create('card', $$
    SELECT u.pk_user AS pk_card, u.data ->> 'name' AS name, count(p.pk_post) AS posts
      FROM tv_user u LEFT JOIN tb_post p ON p.fk_user = u.pk_user GROUP BY u.pk_user, u.data $$);
CREATE VIEW titled AS SELECT pk_card, upper(name) AS name FROM tv_card WHERE posts > 0;
SELECT pg_tviews_create('badge', 'SELECT pk_card AS pk_badge, name FROM titled');
CREATE VIEW true_card AS
    SELECT u.pk_user AS pk_card, u.data ->> 'name' AS name, count(p.pk_post) AS posts
      FROM v_user u LEFT JOIN tb_post p ON p.fk_user = u.pk_user GROUP BY u.pk_user, u.data;
CREATE VIEW true_badge AS SELECT pk_card AS pk_badge, upper(name) AS name FROM true_card WHERE posts > 0;
CREATE TABLE scratch (n int);
CREATE FUNCTION found(query text) RETURNS bigint LANGUAGE plpgsql AS $$DECLARE n bigint; BEGIN EXECUTE query INTO n; RETURN n; END$$;
SELECT pg_tviews_create_fresh_view(name) FROM unnest('{user,post,feed,total,card,badge}'::text[]) name;
";

/// Fresh views, what they must equal, and conditions to read them with.
const PAIRS: [(&str, &str, &[&str]); 6] = [
    (
        "fv_user",
        "v_user",
        &[
            "pk_user = {20}",
            "pk_user IN ({20}, {20})",
            "data->>'name' LIKE 'n%'",
        ],
    ),
    (
        "fv_post",
        "v_post",
        &[
            "pk_post = {40}",
            "fk_user = {20}",
            "pk_post BETWEEN {40} AND 40",
            "pk_post = {40} OR fk_user = {20}",
        ],
    ),
    ("fv_feed", "v_feed", &["pk_feed = {20}", "pk_feed > {20}"]),
    ("fv_total", "v_total", &["pk_total = 1"]),
    ("fv_card", "true_card", &["pk_card = {20}", "name < 'o'"]),
    ("fv_badge", "true_badge", &["pk_badge = {20}"]),
];

fn open(name: &str) -> (Database<'static>, Client) {
    let (database, mut client) = blog::open(shared(), name);
    client.run(ABOVE);
    (database, client)
}

/// A query of the rows in which a fresh view and its view differ.
fn difference(random: &mut Random) -> String {
    let (fresh, view, conditions) = *random.pick(&PAIRS);
    let mut condition = "true".to_string();
    if random.chance(60) {
        let template = *random.pick(conditions);
        condition = random.fill(template);
    }
    let [fresh, view] = [fresh, view].map(|relation| format!("SELECT * FROM {relation} WHERE {condition}"));
    format!("({fresh} EXCEPT ALL {view}) UNION ALL ({view} EXCEPT ALL {fresh})")
}

/// Whether a statement failed because of other transactions, or of rows that are there already.
fn may_fail(error: &Error) -> bool {
    let code = error.code().map_or("", |code| code.code());
    code.starts_with("23") || code.starts_with("40")
}

/// A transaction at random, with changes of its own, savepoints, and comparisons in between. An error of other transactions
/// ends it.
fn transaction(client: &mut Client, random: &mut Random) -> Result<(), Error> {
    let level = *random.pick(&LEVELS);
    // A snapshot that is kept still shows the row of a key that another transaction has deleted. A new row with that key makes two,
    // and what a view returns then depends on its plan.
    let statements = match level {
        "READ COMMITTED" => &blog::STATEMENTS[..],
        _ => &blog::STATEMENTS[1..10],
    };
    client.batch_execute(&format!("BEGIN ISOLATION LEVEL {level}"))?;
    let mut open = 0;
    for _ in 0..random.upto(7) {
        match random.upto(10) {
            1 => {
                open += 1;
                client.batch_execute(&format!("SAVEPOINT s{open}"))?;
            }
            2 if open > 0 => {
                open = random.upto(open);
                client.batch_execute(&format!("ROLLBACK TO s{open}"))?;
            }
            3..=5 => {
                let statement = *random.pick(statements);
                client.batch_execute(&random.fill(statement))?;
            }
            6 => {
                // A preview writes rows of tables that the next comparison reads.
                let table = random.pick(&["tv_user", "tv_post", "tv_feed", "tv_card"]);
                client.batch_execute(&format!("SELECT * FROM {table}"))?;
            }
            _ => compare(client, random)?,
        }
    }
    compare(client, random)?;
    client.batch_execute(if random.chance(50) { "COMMIT" } else { "ROLLBACK" })
}

/// Runs a comparison in one of several ways. Some of them read tv tables besides, which are previewed for the query.
fn compare(client: &mut Client, random: &mut Random) -> Result<(), Error> {
    let query = difference(random);
    let table = *random.pick(&["tv_user", "tv_post", "tv_feed"]);
    let beside = format!("FROM ({query}) differs, (SELECT count(*) FROM {table}) beside");
    let rows = match random.upto(6) {
        1 => {
            client.batch_execute(&format!("DECLARE compared CURSOR FOR {query}"))?;
            let rows = client.query("FETCH ALL FROM compared", &[])?.len();
            client.batch_execute("CLOSE compared")?;
            rows
        }
        2 => client.execute(&format!("INSERT INTO scratch SELECT 1 {beside}"), &[])? as usize,
        3 => client
            .query_one(&format!("SELECT found($$SELECT count(*) {beside}$$)"), &[])?
            .get::<_, i64>(0) as usize,
        4 => client.query(&format!("SELECT 1 {beside}"), &[])?.len(),
        _ => client.query(&query, &[])?.len(),
    };
    assert_eq!(rows, 0, "not equal: {query}");
    Ok(())
}

fn transactions(client: &mut Client, random: &mut Random, rounds: usize) {
    for _ in 0..rounds {
        match transaction(client, random) {
            Ok(()) => {}
            Err(error) if may_fail(&error) => client.run("ROLLBACK"),
            Err(error) => panic!("{error:?}"),
        }
    }
}

#[test]
fn fresh_views_equal_views_alone() {
    let (_database, mut client) = open("fresh_alone");
    let mut random = Random::announced("fresh_views_equal_views_alone");
    transactions(&mut client, &mut random, ROUNDS);
}

#[test]
fn fresh_views_equal_views_while_others_write() {
    let (database, mut client) = open("fresh_load");
    let plan = blog::writers(shared(), &database.name);
    let random = Random::announced("fresh_views_equal_views_while_others_write");
    let mut reader = database.client();
    let mut own = random.branch(100);
    Load::during(&plan, 2, &random, |_| transactions(&mut reader, &mut own, ROUNDS));
    client.assert_follows(&blog::ENTITIES);
}

#[test]
fn fresh_views_equal_views_while_nothing_is_refreshed() {
    let (database, mut client) = open("fresh_paused");
    client.assert_follows(&blog::ENTITIES);
    let plan = blog::writers(shared(), &database.name);
    let random = Random::announced("fresh_views_equal_views_while_nothing_is_refreshed");
    let mut reader = database.client();
    let mut own = random.branch(100);
    let mut paused = random.branch(200);
    Load::during(&plan, 2, &random, |_| {
        for _ in 0..8 {
            // Some are refreshed, others are not: also those that others are made from.
            for (fresh, _, _) in PAIRS {
                let name = fresh.trim_start_matches("fv_");
                let call = if paused.chance(60) { "pause" } else { "resume" };
                client.run(&format!("SELECT pg_tviews_{call}('{name}')"));
            }
            transactions(&mut reader, &mut own, ROUNDS / 8);
        }
    });
}

#[test]
fn a_snapshot_that_is_older_than_refreshes() {
    let (database, mut client) = open("fresh_old");
    client.assert_follows(&blog::ENTITIES);
    let mut random = Random::announced("a_snapshot_that_is_older_than_refreshes");
    let mut reader = database.client();
    for level in &LEVELS[1..] {
        reader.run(&format!("BEGIN ISOLATION LEVEL {level}; SELECT FROM fv_user"));
        let before = reader.rows("SELECT * FROM fv_post ORDER BY 1");
        for _ in 0..20 {
            let statement = random.pick(&blog::STATEMENTS[..6]).to_string();
            client.run(&random.fill(&statement));
            compare(&mut reader, &mut random).unwrap();
        }
        client.assert_follows(&blog::ENTITIES);
        for _ in 0..20 {
            compare(&mut reader, &mut random).unwrap();
        }
        assert_eq!(reader.rows("SELECT * FROM fv_post ORDER BY 1"), before);
        reader.run("COMMIT");
    }
}

/// Blocks that a query reads, as EXPLAIN counts them.
fn blocks(client: &mut Client, query: &str) -> u64 {
    let plan = client.rows(&format!(
        "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON, COSTS off, TIMING off) {query}"
    ));
    let plan: serde_json::Value = serde_json::from_str(&plan.concat()).unwrap();
    let top = &plan[0]["Plan"];
    ["Shared Hit Blocks", "Shared Read Blocks"]
        .iter()
        .map(|name| top[name].as_u64().unwrap())
        .sum()
}

#[test]
fn one_key_takes_few_pages_while_many_others_are_pending() {
    let database = Database::new(shared(), "fresh_one_key");
    let mut client = database.client();
    client.run(
        "CREATE TABLE tb_item (pk_item bigint PRIMARY KEY, fk_kind int NOT NULL, name text NOT NULL);
         INSERT INTO tb_item SELECT i, i % 20000, 'item ' || i FROM generate_series(1, 120000) i;
         CREATE INDEX ON tb_item (fk_kind);
         SELECT pg_tviews_create('item', $$SELECT pk_item, fk_kind, jsonb_build_object('name', name) AS data FROM tb_item$$);
         CREATE INDEX ON tv_item (fk_kind);
         SELECT pg_tviews_create_fresh_view('item')",
    );
    client.assert_follows(&["item"]);
    client.run("VACUUM ANALYZE tb_item");
    client.run("VACUUM ANALYZE tv_item");
    client.run("SELECT pg_tviews_pause('item')");
    client.run("UPDATE tb_item SET name = upper(name) WHERE pk_item > 20000");
    client.run("VACUUM tb_item");
    assert_eq!(
        client.one::<i64>("SELECT count(*) FROM pg_tviews_pending('item')"),
        100_000
    );
    for (key, name) in [(42, "item 42"), (50_000, "ITEM 50000")] {
        let query = format!("SELECT data->>'name' FROM fv_item WHERE pk_item = {key}");
        // The first query of a session reads catalogs and plans.
        assert_eq!(client.rows(&query), [name]);
        let read = blocks(&mut client, &query);
        assert!(read < 60, "{read} blocks for key {key}");
    }
    client.run("PREPARE one(bigint) AS SELECT data FROM fv_item WHERE pk_item = $1; SET plan_cache_mode = force_generic_plan");
    client.run("EXECUTE one(42)");
    let read = blocks(&mut client, "EXECUTE one(50001)");
    assert!(read < 60, "{read} blocks of a prepared statement");
    // Nothing is pending for anything else than the view itself: all rows come from the table.
    client.run("SELECT pg_tviews_resume('item')");
    client.assert_follows(&["item"]);
    client.run("VACUUM ANALYZE tv_item");
    client.run("SELECT FROM fv_item WHERE pk_item = 1");
    assert_eq!(
        client.rows("SELECT data->>'name' FROM fv_item WHERE pk_item = 50000"),
        ["ITEM 50000"]
    );
    let plan = client.rows("EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off) SELECT * FROM fv_item");
    let visited = plan.iter().filter(|line| line.contains("on tb_item"));
    assert!(
        visited.clone().all(|line| line.contains("never executed")),
        "{plan:#?}"
    );
    assert!(visited.count() >= 2, "{plan:#?}");
}

#[test]
fn few_pending_keys_are_found_by_index() {
    let (_database, mut client) = open("fresh_list");
    client.run("INSERT INTO tb_post (pk_post, fk_user, title) SELECT i, 1 + i % 10, 't' FROM generate_series(1000, 30000) i; ANALYZE");
    client.assert_follows(&blog::ENTITIES);
    client.run("ANALYZE; SELECT pg_tviews_pause('post'); UPDATE tb_post SET title = 'u' WHERE pk_post BETWEEN 2000 AND 2099");
    let plan = client.rows("EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off) SELECT * FROM fv_post");
    let read = plan.iter().find(|line| line.contains("on tb_post p ")).unwrap();
    assert!(
        !read.contains("Seq Scan") && read.contains("rows=100"),
        "{plan:#?}"
    );
    let rest = plan.iter().find(|line| line.contains("on tb_post p_1")).unwrap();
    assert!(rest.contains("never executed"), "{plan:#?}");
}

/// Compares all fresh views with what they must equal.
fn assert_all_equal(client: &mut Client) {
    for (fresh, view, _) in PAIRS {
        let [fresh, view] = [fresh, view].map(|relation| format!("SELECT * FROM {relation}"));
        let rows = client.rows(&format!(
            "({fresh} EXCEPT ALL {view}) UNION ALL ({view} EXCEPT ALL {fresh})"
        ));
        assert!(rows.is_empty(), "{fresh}: {rows:#?}");
    }
}

#[test]
fn fresh_views_survive_dump_and_restore() {
    let (database, mut client) = open("fresh_dumped");
    client.run("CREATE ROLE fresh_reader; GRANT SELECT ON fv_post TO fresh_reader");
    client.assert_follows(&blog::ENTITIES);
    client.run("SELECT pg_tviews_pause('post'); UPDATE tb_post SET title = 'dumped'");
    let dump = shared()
        .program("pg_dump", repository())
        .arg(&database.name)
        .output()
        .unwrap();
    assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
    let restored = Database::without_extension(shared(), "fresh_restored");
    let result = shared().psql(&restored.name, &String::from_utf8_lossy(&dump.stdout));
    assert!(
        result.status.success(),
        "{}",
        String::from_utf8_lossy(&result.stderr)
    );
    let mut client = restored.client();
    assert_all_equal(&mut client);
    client.run("SELECT pg_tviews_resume('post')");
    client.assert_follows(&blog::ENTITIES);
    client.run("UPDATE tb_user SET name = 'restored' WHERE pk_user = 1");
    assert_all_equal(&mut client);
    assert_eq!(
        client.rows("SELECT pg_tviews_create_fresh_view('post')"),
        ["fv_post"]
    );
    assert!(client.one::<bool>("SELECT has_table_privilege('fresh_reader', 'fv_post', 'SELECT')"));
}

#[test]
fn whoever_may_not_read_the_table_learns_no_key() {
    let (database, mut client) = open("fresh_rights");
    client.assert_follows(&blog::ENTITIES);
    client.run(
        "CREATE ROLE fresh_stranger LOGIN;
         SELECT pg_tviews_pause('user');
         UPDATE tb_user SET name = 'secret' WHERE pk_user = 3",
    );
    let mut stranger = database.client_as("fresh_stranger");
    assert_eq!(stranger.fails("SELECT * FROM fv_user").code().code(), "42501");
    let keys = "SELECT pg_tviews_behind_keys('tv_user', 0, NULL::bigint[])";
    assert_eq!(stranger.rows(keys), ["{}"]);
    let behind = |key: i32| format!("SELECT pg_tviews_behind('tv_user', {key}::bigint)");
    assert!(stranger.one::<bool>(&behind(3)) && stranger.one::<bool>(&behind(4)));
    // Through a view of another role the rows are right all the same.
    client.run(
        "CREATE VIEW shown AS SELECT pk_user, data FROM fv_user; GRANT SELECT ON shown TO fresh_stranger",
    );
    assert_eq!(
        stranger.rows("SELECT data->>'name' FROM shown WHERE pk_user = 3"),
        ["secret"]
    );
    assert_eq!(stranger.one::<i64>("SELECT count(*) FROM shown"), 10);
    client.run("GRANT SELECT ON fv_user TO fresh_stranger");
    assert_eq!(
        stranger.rows("SELECT data->>'name' FROM fv_user WHERE pk_user IN (3, 4) ORDER BY 1"),
        ["secret", "user 4"]
    );
    assert_eq!(stranger.rows(keys), ["{3}"]);
}

#[test]
fn on_a_standby() {
    let primary = Cluster::start(Options::preloaded());
    let (database, mut client) = blog::open(&primary, "fresh_standby");
    client.run(ABOVE);
    client.assert_follows(&blog::ENTITIES);
    let standby = Cluster::start_backup(&primary, &["-R"], Options::copied());
    let mut there = standby.client(&database.name);
    let plan = blog::writers_who_delete_nothing(&primary, &database.name);
    Load::during(&plan, 2, &Random::announced("on_a_standby"), |load| {
        for round in 0..40 {
            assert_all_equal(&mut there);
            if round == 20 {
                client.run("SELECT pg_tviews_pause('user'); SELECT pg_tviews_pause('post')");
            }
            load.let_pass(3);
        }
    });
    client.run("UPDATE tb_user SET name = 'replayed' WHERE pk_user = 1");
    let now: String = client.one("SELECT pg_current_wal_insert_lsn()::text");
    there.wait_until(&format!("SELECT pg_last_wal_replay_lsn() >= '{now}'"), WAIT);
    assert_eq!(
        there.rows("SELECT data->>'name' FROM fv_user WHERE pk_user = 1"),
        ["replayed"]
    );
    assert_all_equal(&mut there);
}

#[test]
fn a_preview_for_the_same_query_changes_no_snapshot() {
    let patient = Options::preloaded()
        .set("pg_tviews.lock_timeout", "20s")
        .set("deadlock_timeout", "1min");
    let cluster = Cluster::start(patient);
    let (database, mut client) = blog::open(&cluster, "fresh_beside");
    client.run(ABOVE);
    client.run(
        "CREATE TABLE tb_pair (pk_pair int PRIMARY KEY, a int);
         CREATE TABLE tb_half (pk_half int PRIMARY KEY, b int);
         INSERT INTO tb_pair VALUES (1, 0);
         INSERT INTO tb_half VALUES (1, 0);
         SELECT pg_tviews_create('pair', 'SELECT pk_pair, a, b FROM tb_pair JOIN tb_half ON pk_half = pk_pair')",
    );
    client.assert_follows(&["user", "pair"]);
    client.run("SELECT pg_tviews_pause('user')");
    let mut holder = database.client();
    holder.run("BEGIN; UPDATE tb_half SET b = 1; SELECT FROM tv_pair; UPDATE tb_user SET name = 'held' WHERE pk_user = 1");
    let mut reader = database.client();
    reader.run("BEGIN; UPDATE tb_pair SET a = 1");
    // The preview of tv_pair waits for the holder, and then has to be made under a newer snapshot.
    let differences = "SELECT found($$SELECT count(*) FROM (SELECT * FROM fv_user EXCEPT ALL SELECT * FROM v_user) differs, tv_pair$$)";
    let reading = std::thread::spawn(move || reader.one::<i64>(differences));
    client.wait_until(
        "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
        WAIT,
    );
    holder.run("COMMIT");
    assert_eq!(reading.join().unwrap(), 0);
}
