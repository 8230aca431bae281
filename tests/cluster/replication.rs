//! Logical replication: TVIEWs over replicated tables, and the extension's own tables in a publication.

use std::time::Duration;

use postgres::Client;

use crate::blog;
use crate::harness::{shared, Ask, Cluster, Database, Load, Options, Plan, Random, WAIT};

fn publisher() -> Cluster {
    Cluster::start(Options::preloaded().set("wal_level", "logical"))
}

/// The publication and the subscription to it; both databases have the same name.
fn subscribe(from: &Cluster, to: &Database, tables: &str) -> Client {
    let mut publisher = from.client(&to.name);
    publisher.run(&format!("CREATE PUBLICATION everything FOR {tables}"));
    let mut subscriber = to.client();
    subscriber.run(&format!(
        "CREATE SUBSCRIPTION sub CONNECTION '{}' PUBLICATION everything",
        from.connection(&to.name)
    ));
    subscriber.wait_until(
        "SELECT bool_and(srsubstate = 'r') FROM pg_subscription_rel",
        Duration::from_secs(60),
    );
    subscriber
}

/// Until the subscriber has applied all that is committed at the publisher.
fn catch_up(publisher: &mut Client) {
    let now: String = publisher.one("SELECT pg_current_wal_lsn()::text");
    publisher.wait_until(
        &format!("SELECT count(*) > 0 FROM pg_stat_replication WHERE replay_lsn >= '{now}'"),
        WAIT,
    );
}

#[test]
fn subscriber_keeps_tviews_over_replicated_tables() {
    let (from, to) = (publisher(), Cluster::start(Options::preloaded()));
    let source = Database::without_extension(&from, "replicated");
    source.client().run(blog::TABLES);
    let target = Database::new(&to, "replicated");
    let mut client = target.client();
    blog::create(&mut client);
    client.run("DELETE FROM tb_user");
    let mut subscriber = subscribe(&from, &target, "TABLE tb_user, tb_post");
    subscriber.assert_follows(&blog::ENTITIES);
    assert_eq!(subscriber.rows("SELECT count(*) FROM tv_post"), ["30"]);
    let plan = blog::writers(&from, &source.name);
    let random = Random::announced("subscriber_keeps_tviews");
    Load::run(&plan, 2, 40, &random);
    let mut publisher = source.client();
    publisher.run("UPDATE tb_user SET name = 'sent'");
    catch_up(&mut publisher);
    subscriber.assert_follows(&blog::ENTITIES);
    let sent = "SELECT bool_and(data->>'name' = 'sent') FROM tv_user";
    assert!(subscriber.one::<bool>(sent));
    publisher.run("TRUNCATE tb_user CASCADE");
    catch_up(&mut publisher);
    subscriber.assert_follows(&blog::ENTITIES);
    assert_eq!(subscriber.rows("SELECT count(*) FROM tv_user"), ["0"]);
    subscriber.run("DROP SUBSCRIPTION sub");
}

#[test]
fn subscribers_share_a_read_model_by_row_filters() {
    let (from, to) = (publisher(), Cluster::start(Options::preloaded()));
    let source = Database::without_extension(&from, "shared");
    let mut publisher = source.client();
    publisher.run(blog::TABLES);
    // A filter may read columns of the replica identity only; a post that moves to another user moves to another server.
    publisher.run("ALTER TABLE tb_post REPLICA IDENTITY FULL");
    let mut parts = Vec::new();
    for (part, rest) in [("even", 0), ("odd", 1)] {
        publisher.run(&format!(
            "CREATE PUBLICATION {part} FOR TABLE tb_user WHERE (pk_user % 2 = {rest}), tb_post WHERE (fk_user % 2 = {rest})"
        ));
        let target = Database::new(&to, part);
        let mut subscriber = target.client();
        blog::create(&mut subscriber);
        subscriber.run("DELETE FROM tb_user");
        subscriber.run(&format!(
            "CREATE SUBSCRIPTION {part} CONNECTION '{}' PUBLICATION {part}",
            from.connection(&source.name)
        ));
        subscriber.wait_until(
            "SELECT bool_and(srsubstate = 'r') FROM pg_subscription_rel",
            Duration::from_secs(60),
        );
        parts.push((part, target, subscriber));
    }
    let plan = Plan {
        cluster: &from,
        database: &source.name,
        statements: &blog::STATEMENTS,
        crashes: false,
    };
    let random = Random::announced("subscribers_share_a_read_model");
    Load::run(&plan, 2, 40, &random);
    publisher.run("UPDATE tb_post SET fk_user = (SELECT max(pk_user) FROM tb_user) WHERE pk_post % 3 = 0");
    let now: String = publisher.one("SELECT pg_current_wal_lsn()::text");
    publisher.wait_until(
        &format!("SELECT count(*) = 2 FROM pg_stat_replication WHERE replay_lsn >= '{now}'"),
        WAIT,
    );
    let mut together = Vec::new();
    for (part, _, subscriber) in &mut parts {
        subscriber.assert_follows(&blog::ENTITIES);
        let rows = subscriber.rows("SELECT pk_post, fk_user, data->>'title' FROM tv_post");
        assert!(!rows.is_empty(), "nothing on the server of {part} users");
        together.extend(rows);
        subscriber.run(&format!("DROP SUBSCRIPTION {part}"));
    }
    let mut all = publisher.rows("SELECT pk_post, fk_user, title FROM tb_post");
    all.sort();
    together.sort();
    assert_eq!(all, together);
}

#[test]
fn publication_of_all_tables_with_the_extension_on_both_sides() {
    let (from, to) = (publisher(), Cluster::start(Options::preloaded()));
    let (source, mut publisher) = blog::open(&from, "everything");
    let target = Database::new(&to, "everything");
    let mut client = target.client();
    client.run(blog::TABLES);
    client.run("DELETE FROM tb_user");
    // The tv tables are ordinary ones here, but for one that the subscriber keeps itself.
    for (name, query) in blog::TVIEWS {
        client.run(&format!(
            "SET pg_tviews.create_table_as = off;
             CREATE VIEW v_{name} AS {query};
             CREATE TABLE tv_{name} AS SELECT * FROM v_{name} WHERE false;
             ALTER TABLE tv_{name} ADD PRIMARY KEY (pk_{name})"
        ));
    }
    client.run("SELECT pg_tviews_create('own', 'SELECT pk_user AS pk_own, name FROM tb_user')");
    publisher.run(
        "INSERT INTO pg_tview_dead_letter VALUES ('user', 'tv_user'::regclass, '{}', 'XX000', 'sent', 1, now(), now(), now())",
    );
    let mut subscriber = subscribe(&from, &target, "ALL TABLES");
    let plan = blog::writers(&from, &source.name);
    let random = Random::announced("publication_of_all_tables");
    Load::run(&plan, 2, 30, &random);
    publisher.assert_follows(&blog::ENTITIES);
    // Trimming deletes rows of a published table.
    publisher.assert_queue_empties();
    publisher.run("SELECT pg_tviews_pause('user'); DELETE FROM pg_tview_dead_letter");
    publisher.run("SELECT pg_tviews_resume('user')");
    publisher.assert_follows(&blog::ENTITIES);
    catch_up(&mut publisher);
    subscriber.assert_follows(&["own"]);
    assert_eq!(
        subscriber.rows("SELECT entity_name, state FROM pg_tview_meta"),
        ["own|active"]
    );
    assert_eq!(
        subscriber.rows("SELECT count(*) FROM pg_tview_dead_letter"),
        ["0"]
    );
    let foreign = "SELECT count(*) FROM pg_tview_meta_audit WHERE entity_name <> 'own'";
    assert_eq!(subscriber.rows(foreign), ["0"]);
    subscriber.assert_queue_empties();
    for (name, _) in blog::TVIEWS {
        let (sent, here) = (
            publisher.rows(&format!("SELECT * FROM tv_{name} ORDER BY 1")),
            subscriber.rows(&format!("SELECT * FROM tv_{name} ORDER BY 1")),
        );
        assert_eq!(sent, here, "tv_{name}");
    }
    subscriber.run("DROP SUBSCRIPTION sub");
}

/// The same TVIEWs on both sides: each keeps its own, from the base tables it has.
#[test]
fn publication_of_all_tables_leaves_the_tviews_of_the_subscriber_alone() {
    let (from, to) = (publisher(), Cluster::start(Options::preloaded()));
    let (source, mut publisher) = blog::open(&from, "twice");
    publisher.assert_follows(&blog::ENTITIES);
    let (target, mut client) = blog::open(&to, "twice");
    client.run("TRUNCATE tb_user CASCADE");
    client.assert_follows(&blog::ENTITIES);
    let mut subscriber = subscribe(&from, &target, "ALL TABLES");
    let taken = "SELECT srrelid::regclass::text FROM pg_subscription_rel ORDER BY 1";
    assert_eq!(subscriber.rows(taken), ["tb_post", "tb_user"]);
    let plan = blog::writers(&from, &source.name);
    let random = Random::announced("publication_to_the_same_tviews");
    Load::run(&plan, 2, 30, &random);
    // One that only the publisher has does not stop the others; one that becomes a TVIEW here is let go.
    for client in [&mut publisher, &mut subscriber] {
        client.run("CREATE TABLE tv_late (pk_late bigint PRIMARY KEY, name text)");
    }
    subscriber.run("ALTER SUBSCRIPTION sub REFRESH PUBLICATION");
    let late = "SELECT pg_tviews_create('late', 'SELECT pk_user AS pk_late, name FROM tb_user')";
    publisher.run(late);
    publisher.assert_follows(&["late"]);
    catch_up(&mut publisher);
    assert_eq!(subscriber.rows(taken), ["tb_post", "tb_user", "tv_late"]);
    subscriber.run(late);
    assert_eq!(subscriber.rows(taken), ["tb_post", "tb_user"]);
    publisher.run("UPDATE tb_user SET name = 'sent'; DELETE FROM tb_user WHERE pk_user = 1");
    publisher.assert_follows(&blog::ENTITIES);
    catch_up(&mut publisher);
    subscriber.assert_follows(&blog::ENTITIES);
    subscriber.assert_follows(&["late"]);
    assert!(subscriber.one::<bool>("SELECT bool_and(name = 'sent') AND count(*) > 0 FROM tv_late"));
    subscriber.run("DROP SUBSCRIPTION sub");
}

/// They have no primary key; a publication of updates and deletes takes them by their replica identity.
#[test]
fn published_tables_of_the_extension_are_updated_and_deleted_from() {
    let database = Database::new(shared(), "published");
    let mut client = database.client();
    client.run(
        "CREATE PUBLICATION own FOR TABLE pg_tview_queue, pg_tview_dead_letter, pg_tview_meta_audit, pg_tview_definition;
         CREATE TABLE tb_item (pk_item int PRIMARY KEY, n int NOT NULL); INSERT INTO tb_item VALUES (1, 1), (2, 2)",
    );
    client.run("SELECT pg_tviews_create('item', 'SELECT pk_item, 10 / n AS n FROM tb_item')");
    client.run("UPDATE tb_item SET n = 0 WHERE pk_item = 1");
    client.wait_until("SELECT count(*) = 1 FROM pg_tview_dead_letter", WAIT);
    client.run("SELECT pg_tviews_retry('item')");
    client.wait_until("SELECT attempts > 1 FROM pg_tview_dead_letter", WAIT);
    client.run("UPDATE tb_item SET n = 5 WHERE pk_item = 1");
    client.wait_until("SELECT count(*) = 0 FROM pg_tview_dead_letter", WAIT);
    client.run("SELECT pg_tviews_pause('item'); SELECT pg_tviews_resume('item')");
    client.assert_follows(&["item"]);
    client.assert_queue_empties();
}
