//! Slots of `max_worker_processes`: every database gets its share, parallel queries get theirs, and nobody starves.

use std::thread;
use std::time::{Duration, Instant};

use postgres::Client;

use crate::blog;
use crate::harness::{Ask, Cluster, Database, Options, WAIT};

/// As PostgreSQL comes: eight, one of them for the launcher of logical replication, one for that of pg_tviews.
fn cluster(slots: usize) -> Cluster {
    let options = Options::preloaded().set("deadlock_timeout", "1s");
    Cluster::start(options.set("max_worker_processes", &slots.to_string()))
}

const WORKERS: &str = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'pg_tviews worker'";

/// Changes something and waits until the TVIEWs show it.
fn follow(client: &mut Client, name: &str) {
    client.run(&format!("UPDATE tb_user SET name = '{name}' WHERE pk_user = 1"));
    let shown = format!("SELECT data->>'name' = '{name}' FROM tv_feed WHERE pk_feed = 1");
    client.wait_until(&shown, WAIT);
}

#[test]
fn six_databases_and_parallel_queries_share_eight_slots() {
    let cluster = cluster(8);
    let mut open: Vec<(Database, Client)> = (0..6)
        .map(|n| blog::open(&cluster, &format!("slots_{n}")))
        .collect();
    for round in 0..3 {
        for (_, client) in &mut open {
            follow(client, &format!("round {round}"));
        }
    }
    for (_, client) in &mut open {
        client.assert_follows(&blog::ENTITIES);
    }
    // Two are left for parallel queries, once those with nothing to do have gone.
    let (_, client) = &mut open[0];
    client.run(
        "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
         SET max_parallel_workers_per_gather = 2",
    );
    let begun = Instant::now();
    loop {
        let plan = client
            .rows("EXPLAIN (ANALYZE, COSTS OFF) SELECT count(*) FROM tb_post")
            .join(" ");
        if plan.contains("Workers Launched: 2") {
            break;
        }
        assert!(begun.elapsed() < WAIT, "{plan}");
        thread::sleep(Duration::from_millis(100));
    }
    // A database that lost its worker to them is served at once.
    for (_, client) in &mut open {
        follow(client, "after the query");
    }
}

#[test]
fn a_burst_gets_the_slots_of_idle_databases() {
    let cluster = cluster(8);
    let mut open: Vec<(Database, Client)> = (0..4)
        .map(|n| blog::open(&cluster, &format!("burst_{n}")))
        .collect();
    for (_, client) in &mut open {
        client.assert_follows(&blog::ENTITIES);
    }
    let (_, client) = &mut open[2];
    blog::create_slow(client);
    client.run("UPDATE knob SET seconds = 60");
    client.run("UPDATE tb_slow SET n = 2");
    client.wait_until(
        "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'PgSleep'",
        WAIT,
    );
    // One of its workers is busy for a minute: there is another one, whether it was there before or comes now.
    follow(client, "meanwhile");
    client.wait_until(
        &format!("SELECT ({WORKERS} AND datname = current_database()) = 2"),
        WAIT,
    );
    client.run("UPDATE knob SET seconds = 0");
    client.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
    for (_, client) in &mut open {
        follow(client, "after the burst");
    }
}

#[test]
fn more_databases_than_slots_take_turns() {
    // Two slots for five databases, all of them busy.
    let cluster = cluster(4);
    let mut open: Vec<(Database, Client)> = (0..5)
        .map(|n| blog::open(&cluster, &format!("turns_{n}")))
        .collect();
    let until = Instant::now() + Duration::from_secs(5);
    thread::scope(|scope| {
        for (_, client) in &mut open {
            scope.spawn(move || {
                for n in 0.. {
                    follow(client, &format!("turn {n}"));
                    if Instant::now() > until {
                        break;
                    }
                }
            });
        }
    });
    for (_, client) in &mut open {
        client.assert_follows(&blog::ENTITIES);
        assert!(client.one::<bool>("SELECT pg_tviews_wait()"));
    }
    let faults = "SELECT * FROM pg_tviews_health_check() WHERE status = 'ERROR'";
    for (_, client) in &mut open {
        assert_eq!(client.rows(faults), [""; 0]);
    }
}

#[test]
fn a_database_at_rest_is_visited_for_what_no_commit_announces() {
    let cluster = Cluster::start(
        Options::preloaded()
            .set("max_worker_processes", "4")
            .set("max_prepared_transactions", "5"),
    );
    let (_database, mut client) = blog::open(&cluster, "visit");
    let mut others: Vec<(Database, Client)> = (0..3)
        .map(|n| blog::open(&cluster, &format!("visit_other_{n}")))
        .collect();
    client.run("BEGIN; UPDATE tb_user SET name = 'prepared' WHERE pk_user = 1; PREPARE TRANSACTION 'visit'");
    client.assert_follows(&blog::ENTITIES);
    for n in 0..3 {
        for (_, client) in &mut others {
            follow(client, &format!("other {n}"));
        }
    }
    client.run("COMMIT PREPARED 'visit'");
    client.wait_until(
        "SELECT data->>'name' = 'prepared' FROM tv_feed WHERE pk_feed = 1",
        WAIT,
    );
    client.assert_follows(&blog::ENTITIES);
}

#[test]
fn a_wait_without_any_slot_names_who_has_them() {
    let cluster = cluster(2);
    let (_database, mut client) = blog::open(&cluster, "slots_none");
    client.run("UPDATE tb_user SET name = 'nobody sees' WHERE pk_user = 1");
    let error = client.fails("SELECT pg_tviews_wait(NULL, '60 s')");
    assert_eq!(error.code().code(), "55000", "{error:?}");
    let detail = error.detail().unwrap_or_default();
    assert!(
        detail.contains("max_worker_processes = 2") && !detail.contains("preload"),
        "{detail}"
    );
    // Two launchers, two workers, and a quarter for parallel queries.
    let hint = error.hint().unwrap_or_default();
    assert!(hint.contains("max_worker_processes = 5"), "{hint}");
    assert_eq!(
        client.rows("SELECT status, message LIKE '%max_worker_processes = 5;%' FROM pg_tviews_health_check() WHERE component = 'workers'"),
        ["ERROR|t"]
    );
    client.run("CALL pg_tviews_drain()");
    client.assert_views_equal(&blog::ENTITIES);
}
