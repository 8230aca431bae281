//! What a refresh keeps in memory is bounded, whatever a change leads to; and where memory ends, the server does not.

use std::time::Duration;

use postgres::Client;

use crate::harness::{in_contexts, process_status, server_program, Ask, Cluster, Database, Options, WAIT};

/// One parent with many children, whose keys are texts of 64 bytes.
fn family(client: &mut Client, children: u32) {
    client.run(&format!(
        "CREATE TABLE tb_parent (pk_parent int PRIMARY KEY, name text);
         CREATE TABLE tb_child (id text PRIMARY KEY, fk_parent int);
         INSERT INTO tb_parent VALUES (1, 'old');
         INSERT INTO tb_child SELECT md5(i::text) || md5((-i)::text), 1 FROM generate_series(1, {children}) AS i;
         CREATE INDEX ON tb_child (fk_parent);
         ANALYZE tb_parent, tb_child;
         SELECT pg_tviews_create('child', 'SELECT c.id, p.name FROM tb_child c JOIN tb_parent p ON p.pk_parent = c.fk_parent',
                                 key_columns => '{{id}}')"
    ));
    assert!(client.one::<bool>("SELECT pg_tviews_wait(timeout => '5 minutes')"));
}

#[test]
fn keys_of_a_parent_with_many_children_do_not_stay_in_memory() {
    let children = std::env::var("PG_TVIEWS_CHILDREN").ok();
    let children: u32 = children.and_then(|number| number.parse().ok()).unwrap_or(150_000);
    let cluster = Cluster::start(Options::preloaded().set("pg_tviews.refresh_timeout", "5min"));
    let database = Database::new(&cluster, "many_children");
    let mut client = database.client();
    client.run("SET statement_timeout = 0");
    family(&mut client, children);
    let workers = client.started_workers();
    let before: Vec<u64> = workers.iter().map(|pid| process_status(*pid, "VmSize")).collect();
    for (pid, size) in workers.iter().zip(&before) {
        let limit = (size + 100 * 1024) * 1024;
        let mut limited = server_program("/usr/bin/prlimit");
        limited.args([format!("--pid={pid}"), format!("--as={limit}")]);
        assert!(limited.status().expect("prlimit runs").success());
    }
    client.run("UPDATE tb_parent SET name = 'new'");
    assert!(client.one::<bool>("SELECT pg_tviews_wait(timeout => '5 minutes')"));
    assert_eq!(
        client.one::<i64>("SELECT count(*) FROM tv_child WHERE name = 'new'"),
        i64::from(children)
    );
    assert_eq!(client.workers(), workers, "no worker has ended");
    let refreshes =
        "SELECT count(*) FROM pg_tview_meta_audit WHERE entity_name = 'child' AND operation = 'refresh'";
    assert_eq!(
        client.one::<i64>(&format!("{refreshes} AND status <> 'SUCCESS'")),
        0
    );
    let most = workers.iter().map(|pid| process_status(*pid, "RssAnon")).max();
    eprintln!("{children} children: VmSize {before:?} kB before, RssAnon {most:?} kB after");
}

#[test]
fn where_memory_ends_the_server_does_not() {
    let options = Options::preloaded()
        .set("pg_tviews.retry_backoff", "20ms")
        .set("pg_tviews.retry_limit", "2");
    let cluster = Cluster::start(options);
    let database = Database::new(&cluster, "no_memory");
    let mut client = database.client();
    client.run(
        "CREATE TABLE tb_doc (pk_doc int PRIMARY KEY, size int NOT NULL);
         INSERT INTO tb_doc SELECT i, 1 FROM generate_series(1, 50) AS i;
         SELECT pg_tviews_create('doc', $$SELECT pk_doc, length(repeat('x', size)) AS n FROM tb_doc$$)",
    );
    client.assert_follows(&["doc"]);
    let workers = client.started_workers();
    let limit = |pid: i32, soft: &str| {
        let mut limited = server_program("/usr/bin/prlimit");
        limited.args([format!("--pid={pid}"), format!("--as={soft}:unlimited")]);
        assert!(limited.status().expect("prlimit runs").success());
    };
    for pid in &workers {
        limit(
            *pid,
            &((process_status(*pid, "VmSize") + 30 * 1024) * 1024).to_string(),
        );
    }
    // The others are recomputed without the one that does not fit.
    client.run("UPDATE tb_doc SET size = CASE WHEN pk_doc = 7 THEN 100000000 ELSE 2 END");
    client.wait_until("SELECT count(*) = 49 FROM tv_doc WHERE n = 2", WAIT);
    assert_eq!(
        client.rows("SELECT key, sqlstate FROM pg_tview_dead_letter"),
        ["{\"pk_doc\": 7}|53200"]
    );
    assert_eq!(client.workers(), workers, "no worker has ended");
    workers.iter().for_each(|pid| limit(*pid, "unlimited"));
    client.run("SELECT pg_tviews_retry('doc')");
    client.wait_until("SELECT count(*) = 1 FROM tv_doc WHERE n = 100000000", WAIT);
    assert_eq!(client.workers(), workers, "no worker has ended");
}

/// TVIEWs `e1` to `en`, each over two tables of its own.
fn many(client: &mut Client, from: u32, to: u32) {
    for n in from..=to {
        client.run(&format!(
            "CREATE TABLE tb_e{n} (pk_e{n} int PRIMARY KEY, fk int, name text); INSERT INTO tb_e{n} VALUES (1, 1, 'a');
             CREATE TABLE tb_f{n} (pk_f{n} int PRIMARY KEY, name text); INSERT INTO tb_f{n} VALUES (1, 'a');
             SELECT pg_tviews_create('e{n}', 'SELECT e.pk_e{n}, jsonb_build_object(''e'', e.name, ''f'', f.name) AS data
                                                FROM tb_e{n} e LEFT JOIN tb_f{n} f ON f.pk_f{n} = e.fk')"
        ));
    }
}

/// kB of plans in a session that has seen its own changes of these TVIEWs, and kB by which its memory has grown.
fn kept(database: &Database, size: &str, number: u32) -> (i64, u64) {
    let mut session = database.client();
    let pid = session.one("SELECT pg_backend_pid()");
    let fresh = process_status(pid, "RssAnon");
    session.run(&format!("SET pg_tviews.plan_cache_size = '{size}'"));
    for n in 1..=number {
        session.run("BEGIN");
        session.run(&format!("UPDATE tb_f{n} SET name = name || 'x'"));
        let shown = format!("SELECT v.data = t.data FROM v_e{n} v JOIN tv_e{n} t USING (pk_e{n})");
        assert!(session.one::<bool>(&shown), "TVIEW {n}");
        session.run("COMMIT");
    }
    let grown = process_status(pid, "RssAnon").saturating_sub(fresh);
    let plans = session.one(
        "SELECT (sum(total_bytes) / 1024)::bigint FROM pg_backend_memory_contexts
          WHERE name IN ('CachedPlanSource', 'CachedPlanQuery', 'CachedPlan', 'SPI Plan')",
    );
    (plans, grown)
}

#[test]
fn what_a_session_keeps_about_tviews_is_bounded() {
    let cluster = Cluster::start(Options::preloaded());
    let database = Database::new(&cluster, "kept_plans");
    let mut client = database.client();
    many(&mut client, 1, 40);
    let [(none, _), (bounded, grown), (unbounded, _)] =
        ["0", "1MB", "1GB"].map(|size| kept(&database, size, 40));
    assert!(
        bounded < none + 2_000,
        "{bounded} kB are kept, {none} kB of them in any case"
    );
    assert!(
        unbounded > bounded + 2_000,
        "{unbounded} kB without a bound, {bounded} kB with it"
    );
    // Of these, 4 MB are the extension's own statements and 1 MB is the bound.
    assert!(
        grown < 8_000,
        "a session with 40 TVIEWs takes {grown} kB more than a fresh one"
    );
}

#[test]
fn what_a_worker_keeps_about_dropped_tviews_goes() {
    let cluster = Cluster::start(Options::preloaded().set("pg_tviews.workers", "1"));
    let database = Database::new(&cluster, "dropped_plans");
    let mut client = database.client();
    client.run("CREATE TABLE tb_stays (pk_stays int PRIMARY KEY); SELECT pg_tviews_create('stays', 'SELECT pk_stays FROM tb_stays')");
    client.wait_until("SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type LIKE 'pg_tviews%' AND datname IS NOT NULL", WAIT);
    let worker = client.workers()[0];
    let mut come_and_go = |from: u32, to: u32| {
        many(&mut client, from, to);
        for n in from..=to {
            client.run(&format!("UPDATE tb_f{n} SET name = 'b'"));
        }
        assert!(client.one::<bool>("SELECT pg_tviews_wait()"));
        let most = in_contexts(&cluster, &mut client, worker);
        for n in from..=to {
            client.run(&format!(
                "SELECT pg_tviews_drop('e{n}'); DROP TABLE tb_e{n}, tb_f{n}"
            ));
        }
        client.run("INSERT INTO tb_stays SELECT count(*) + 1 FROM tb_stays");
        client.assert_follows(&["stays"]);
        (most, in_contexts(&cluster, &mut client, worker))
    };
    come_and_go(1, 20);
    let (_, before) = come_and_go(21, 40);
    let (most, after) = come_and_go(41, 80);
    assert!(
        most > before + 40 * 20 * 1024,
        "{before} bytes before there were 40 TVIEWs, {most} bytes with them"
    );
    assert!(
        after < before + (most - before) / 4,
        "{before} bytes before there were 40 TVIEWs, {most} bytes with them, {after} bytes after"
    );
}

#[test]
fn what_a_worker_keeps_of_earlier_definitions_goes() {
    let cluster = Cluster::start(Options::preloaded().set("pg_tviews.workers", "1"));
    let database = Database::new(&cluster, "redefined_plans");
    let mut client = database.client();
    many(&mut client, 1, 1);
    client.wait_until("SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type LIKE 'pg_tviews%' AND datname IS NOT NULL", WAIT);
    let worker = client.workers()[0];
    let mut redefined = |times: u32| {
        for n in 1..=times {
            // Each definition has a plan of its own in the worker.
            client.run(&format!(
                "SELECT pg_tviews_create('e1', 'SELECT e.pk_e1, jsonb_build_object(''n{}'', e.name, ''f'', f.name) AS data
                                                  FROM tb_e1 e LEFT JOIN tb_f1 f ON f.pk_f1 = e.fk')",
                n % 2
            ));
            client.run("UPDATE tb_f1 SET name = md5(name)");
            assert!(client.one::<bool>("SELECT pg_tviews_wait()"));
        }
        assert_eq!(client.workers(), [worker]);
        in_contexts(&cluster, &mut client, worker)
    };
    let before = redefined(20);
    let after = redefined(60);
    println!("{before} bytes after 20 redefinitions, {after} after 80");
    assert!(
        after < before + 60 * 20 * 1024,
        "{before} bytes after 20 redefinitions, {after} after 80"
    );
}

#[test]
fn a_worker_that_has_grown_gives_way_to_another() {
    let options = Options::preloaded().set("pg_tviews.workers", "1");
    let cluster = Cluster::start(options.set("pg_tviews.worker_plan_cache_size", "1MB"));
    let database = Database::new(&cluster, "grown_worker");
    let mut client = database.client();
    many(&mut client, 1, 1);
    client.wait_until(
        "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'pg_tviews worker' AND datname = current_database()",
        WAIT,
    );
    let worker = client.workers()[0];
    many(&mut client, 2, 320);
    let refreshed = |client: &mut Client| {
        for n in 1..=320 {
            client.run(&format!("UPDATE tb_f{n} SET name = name || 'b'"));
        }
        assert!(client.one::<bool>("SELECT pg_tviews_wait()"));
    };
    refreshed(&mut client);
    let gone = format!("SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = {worker})");
    let left = (0..60).any(|_| {
        // It looks at itself after a refresh, before it sleeps.
        client.run("UPDATE tb_f1 SET name = 'c' || name");
        std::thread::sleep(Duration::from_millis(500));
        client.one::<bool>(&gone)
    });
    assert!(left, "it stays");
    refreshed(&mut client);
    client.assert_follows(&["e1", "e320"]);
    client.assert_queue_empties();
}
