//! What processes keep about many TVIEWs, with the settings as they are installed: with 500, at most 32 MB more than a fresh
//! session, and 64 MB in a worker. Without a bound it would be 370 kB per TVIEW: 185 MB.
//!
//! 500 take minutes to make. So the growth is measured from 100 to 200, where the caches are full, and goes on like that.

use postgres::Client;

use crate::harness::{process_status, Ask, Cluster, Database, Options};

const STEP: u32 = 100;

/// TVIEWs `e1`, `e2`, ..., each over two tables of its own; in transactions of ten, which are quicker.
fn create(client: &mut Client, numbers: &[u32]) {
    let one = |n: &u32| {
        format!(
            "CREATE TABLE tb_e{n} (pk_e{n} int PRIMARY KEY, fk int, name text); INSERT INTO tb_e{n} VALUES (1, 1, 'a');
             CREATE TABLE tb_f{n} (pk_f{n} int PRIMARY KEY, name text); INSERT INTO tb_f{n} VALUES (1, 'a');
             SELECT pg_tviews_create('e{n}', 'SELECT e.pk_e{n}, jsonb_build_object(''e'', e.name, ''f'', f.name) AS data
                                                FROM tb_e{n} e LEFT JOIN tb_f{n} f ON f.pk_f{n} = e.fk');"
        )
    };
    for ten in numbers.chunks(10) {
        client.run(&ten.iter().map(one).collect::<String>());
    }
}

/// Writes to all of them, and reads each in the same transaction.
fn use_all(session: &mut Client, numbers: &[u32]) {
    for n in numbers {
        session.run("BEGIN");
        session.run(&format!("UPDATE tb_f{n} SET name = name || 'x'"));
        let shown = format!("SELECT v.data = t.data FROM v_e{n} v JOIN tv_e{n} t USING (pk_e{n})");
        assert!(session.one::<bool>(&shown), "TVIEW {n}");
        session.run("COMMIT");
    }
}

/// What it is with 500, in MB.
fn with_five_hundred([with_100, with_200]: [u64; 2]) -> u64 {
    (with_200 + 3 * with_200.saturating_sub(with_100)) / 1024
}

#[test]
fn what_processes_keep_about_five_hundred_is_bounded() {
    // Several workers share the TVIEWs, differently each time. One that has refreshed half of the first hundred has not filled
    // its cache yet, and filling it is no growth that goes on.
    let cluster = Cluster::start(Options::preloaded().set("pg_tviews.workers", "1"));
    let database = Database::new(&cluster, "five_hundred");
    let mut client = database.client();
    let mut session = database.client();
    let pid: i32 = session.one("SELECT pg_backend_pid()");
    let fresh = process_status(pid, "RssAnon");
    let measured = [1, 2].map(|step| {
        let numbers: Vec<u32> = ((step - 1) * STEP + 1..=step * STEP).collect();
        create(&mut client, &numbers);
        // On a busy machine a worker fills them.
        assert!(client.one::<bool>("SELECT pg_tviews_wait(timeout => '2 minutes')"));
        use_all(&mut session, &numbers);
        assert!(client.one::<bool>("SELECT pg_tviews_wait(timeout => '2 minutes')"));
        let of_workers = client
            .workers()
            .into_iter()
            .map(|pid| process_status(pid, "RssAnon"))
            .max();
        (
            process_status(pid, "RssAnon").saturating_sub(fresh),
            of_workers.expect("there is a worker"),
        )
    });
    println!("kB that a session and a worker keep: {measured:?}");
    let session = with_five_hundred(measured.map(|(session, _)| session));
    let worker = with_five_hundred(measured.map(|(_, worker)| worker));
    // With what the system adds now and then.
    assert!(
        session <= 32 + 12,
        "a session keeps {session} MB about 500: {measured:?}"
    );
    assert!(
        worker <= 64 + 24,
        "a worker keeps {worker} MB about 500: {measured:?}"
    );
}
