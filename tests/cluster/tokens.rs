//! pg_tviews_token and pg_tviews_wait_for: what one session has committed, another one waits for.

use std::time::Duration;

use crate::blog;
use crate::harness::{shared, Ask, Cluster, Database, Load, Options, Random};

#[test]
fn another_session_sees_what_the_token_names() {
    let (database, mut reader) = blog::open(shared(), "tokens_other");
    let mut writer = database.client();
    let plan = blog::writers_who_delete_nothing(shared(), &database.name);
    let random = Random::announced("another_session_sees_what_the_token_names");
    writer.run("INSERT INTO tb_user (pk_user, name) VALUES (1000, 'watched')");
    Load::during(&plan, 2, &random, |_| {
        for i in 0..60 {
            writer.run(&format!("UPDATE tb_user SET name = 'v{i}' WHERE pk_user = 1000"));
            let token: String = writer.one("SELECT pg_tviews_token()");
            let name = ["NULL", "'user'", "'feed'"][i % 3];
            assert!(reader.one::<bool>(&format!("SELECT pg_tviews_wait_for('{token}', {name})")));
            let table = if i % 3 == 1 {
                "tv_user WHERE pk_user"
            } else {
                "tv_feed WHERE pk_feed"
            };
            assert_eq!(
                reader.rows(&format!("SELECT data->>'name' FROM {table} = 1000")),
                [format!("v{i}")]
            );
        }
    });
}

#[test]
fn a_token_of_an_open_transaction_waits_for_its_end() {
    let (database, mut reader) = blog::open(shared(), "tokens_open");
    let mut writer = database.client();
    let write = "UPDATE tb_user SET name = 'new' WHERE pk_user = 1";
    for (end, seen, before) in [
        ("COMMIT", "new", false),
        ("ROLLBACK", "user 1", false),
        ("COMMIT", "new", true),
    ] {
        // The token also stands for what the transaction writes after the call.
        writer.run(if before { "BEGIN" } else { "BEGIN; SAVEPOINT first" });
        if !before {
            writer.run(write);
        }
        let token: String = writer.one("SELECT pg_tviews_token()");
        if before {
            writer.run(write);
        }
        assert!(!reader.one::<bool>(&format!(
            "SELECT pg_tviews_wait_for('{token}', timeout => '100 ms')"
        )));
        // Itself it would wait for ever.
        writer.run("SAVEPOINT s");
        let error = writer.fails(&format!("SELECT pg_tviews_wait_for('{token}')"));
        assert_eq!(error.code().code(), "25001", "{error:?}");
        writer.run("ROLLBACK TO s");
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                let wait = format!("SELECT pg_tviews_wait_for('{token}', 'user')");
                assert!(reader.one::<bool>(&wait));
                reader.rows("SELECT data->>'name' FROM tv_user WHERE pk_user = 1")
            });
            std::thread::sleep(Duration::from_millis(100));
            assert!(!waiting.is_finished());
            writer.run(end);
            assert_eq!(waiting.join().unwrap(), [seen]);
        });
        writer.run("UPDATE tb_user SET name = 'user 1' WHERE pk_user = 1");
        reader.assert_follows(&["user"]);
    }
    // A transaction that has written nothing that is followed, and knows its own token.
    writer.run("BEGIN; CREATE TEMPORARY TABLE t (a int)");
    let token: String = writer.one("SELECT pg_tviews_token()");
    let error = writer.fails(&format!("SELECT pg_tviews_wait_for('{token}')"));
    assert_eq!(error.code().code(), "25001", "{error:?}");
    writer.run("ROLLBACK");
    assert!(reader.one::<bool>(&format!("SELECT pg_tviews_wait_for('{token}')")));
}

#[test]
fn a_snapshot_that_is_kept_shows_the_token_or_fails() {
    let (database, mut reader) = blog::open(shared(), "tokens_kept");
    let mut writer = database.client();
    reader.assert_follows(&blog::ENTITIES);
    reader.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM tv_user");
    let before: String = writer.one("SELECT pg_tviews_token()");
    assert!(reader.one::<bool>(&format!("SELECT pg_tviews_wait_for('{before}')")));
    writer.run("BEGIN; UPDATE tb_user SET name = 'new' WHERE pk_user = 1");
    let after: String = writer.one("SELECT pg_tviews_token()");
    writer.run("COMMIT");
    let error = reader.fails(&format!("SELECT pg_tviews_wait_for('{after}')"));
    assert_eq!(error.code().code(), "25001", "{error:?}");
    reader.run("ROLLBACK");
    assert!(reader.one::<bool>(&format!("SELECT pg_tviews_wait_for('{after}')")));
}

#[test]
fn tokens_of_elsewhere_are_refused() {
    let (database, mut client) = blog::open(shared(), "tokens_elsewhere");
    let other = Database::new(shared(), "tokens_elsewhere_other");
    let of = |database: &Database| database.client().one::<String>("SELECT pg_tviews_token()");
    let token = of(&other);
    let error = client.fails(&format!("SELECT pg_tviews_wait_for('{token}')"));
    assert_eq!(error.code().code(), "22023", "{error:?}");
    assert!(error.message().contains("another database"), "{error:?}");
    assert!(
        error
            .hint()
            .is_some_and(|hint| hint.contains("pg_tviews_token()")),
        "{error:?}"
    );
    let token = of(&database);
    let parts: Vec<&str> = token.split('-').collect();
    let start = parts[..4].join("-");
    let refused = |client: &mut postgres::Client, token: &str, message: &str| {
        let error = client.fails(&format!("SELECT pg_tviews_wait_for('{token}')"));
        assert_eq!(error.code().code(), "22023", "{error:?}");
        assert!(error.message().contains(message), "{error:?}");
    };
    refused(
        &mut client,
        &format!("{start}-3:9000000000000000000:"),
        "from the future",
    );
    refused(
        &mut client,
        &format!("{start}-3:3:-9000000000000000000"),
        "from the future",
    );
    refused(
        &mut client,
        &format!("{start}-3:3:-18446744073709551615"),
        "from the future",
    );
    let timeline = format!("{}-{}-7-{}-{}", parts[0], parts[1], parts[3], parts[4]);
    refused(&mut client, &timeline, "another timeline");
    let cluster = format!("{}-7-{}-{}-{}", parts[0], parts[2], parts[3], parts[4]);
    refused(&mut client, &cluster, "another cluster");
    refused(&mut client, &format!("{token}x"), "is not a token");
    refused(&mut client, &"9".repeat(2 << 20), "is not a token");
    assert!(client.one::<bool>(&format!("SELECT pg_tviews_wait_for('{token}')")));
}

#[test]
fn a_token_of_a_prepared_transaction_waits_for_its_commit() {
    let cluster = Cluster::start(Options::preloaded().set("max_prepared_transactions", "10"));
    let (database, mut reader) = blog::open(&cluster, "tokens_two_phase");
    let mut writer = database.client();
    writer.run("BEGIN; UPDATE tb_user SET name = 'new' WHERE pk_user = 1");
    let token: String = writer.one("SELECT pg_tviews_token()");
    writer.run("PREPARE TRANSACTION 'p'");
    let wait = format!("SELECT pg_tviews_wait_for('{token}', 'user', '100 ms')");
    assert!(!reader.one::<bool>(&wait));
    writer.run("COMMIT PREPARED 'p'");
    let wait = format!("SELECT pg_tviews_wait_for('{token}', 'user')");
    assert!(reader.one::<bool>(&wait));
    assert_eq!(
        reader.rows("SELECT data->>'name' FROM tv_user WHERE pk_user = 1"),
        ["new"]
    );
}
