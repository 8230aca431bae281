//! Sessions that come through pgbouncer: what a client relies on holds for connections that are not its own.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use postgres::{Client, Config, NoTls, SimpleQueryMessage};

use crate::blog;
use crate::harness::{pgbouncer, repository, server_program, Ask, Cluster, Database, Folder, Options};

/// Runs pgbouncer until the test is over, also if that was killed: reading ends when it is gone.
const GUARD: &str = r#""$1" -q "$2" & cat >/dev/null; kill "$!"; wait"#;

/// A running pgbouncer.
struct Pool {
    guard: Child,
    folder: Folder,
    mode: &'static str,
    /// Whether named statements of a client work on any connection: since 1.21.
    keeps_statements: bool,
}

impl Pool {
    /// None, with a message on the terminal, if pgbouncer is not here.
    fn start(cluster: &Cluster, mode: &'static str) -> Option<Pool> {
        let program = pgbouncer()?;
        let version = server_program(&program.display().to_string())
            .arg("--version")
            .output();
        let version = String::from_utf8_lossy(&version.expect("pgbouncer runs").stdout).into_owned();
        let minor = version
            .split(['.', ' '])
            .filter_map(|part| part.parse::<u32>().ok())
            .nth(1);
        let keeps_statements = minor.is_some_and(|minor| minor >= 21);
        let folder = Folder::new();
        let host = cluster.connection("x");
        let host = host.split(' ').next().expect("host=");
        let mut ini = format!(
            "[databases]\n* = {host} port=5432\n[pgbouncer]\nlisten_port = 6432\nunix_socket_dir = {0}\nauth_type = trust\n\
             auth_file = {0}/users\npool_mode = {mode}\nignore_startup_parameters = extra_float_digits\n\
             default_pool_size = 8\nlogfile = {0}/log\n",
            folder.join("")
        );
        if keeps_statements {
            ini += "max_prepared_statements = 100\n";
        }
        std::fs::write(folder.join("ini"), ini).expect("written");
        std::fs::write(folder.join("users"), "\"app\" \"\"\n\"bound\" \"\"\n").expect("written");
        let guard = server_program("/bin/sh")
            .args(["-c", GUARD, "guard"])
            .arg(&program)
            .arg(folder.join("ini"))
            .stdin(Stdio::piped())
            .spawn()
            .expect("sh runs");
        Some(Pool {
            guard,
            folder,
            mode,
            keeps_statements,
        })
    }

    /// A connection of a client.
    fn client(&self, database: &str, user: &str) -> Client {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let connected = Config::new()
                .host(&self.folder.join(""))
                .port(6432)
                .user(user)
                .dbname(database)
                .connect(NoTls);
            match connected {
                Ok(client) => return client,
                Err(error) if Instant::now() > deadline => {
                    let log = std::fs::read_to_string(self.folder.join("log"));
                    panic!("{error:?}\n{}", log.unwrap_or_default())
                }
                Err(_) => std::thread::sleep(Duration::from_millis(50)),
            }
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

/// The first column of the last row, by the simple protocol, which every pool takes.
fn ask(client: &mut Client, sql: &str) -> String {
    let messages = client
        .simple_query(sql)
        .unwrap_or_else(|error| panic!("{sql}\n{error:?}"));
    let rows = messages.iter().rev().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or("~").to_owned()),
        _ => None,
    });
    rows.unwrap_or_else(|| panic!("{sql}: no row"))
}

/// The blog, for a role with a bound and for one without.
fn open(cluster: &Cluster) -> (Database<'_>, Client) {
    let (database, mut client) = blog::open(cluster, "pooled");
    client.run(
        "CREATE ROLE app LOGIN; CREATE ROLE bound LOGIN; ALTER ROLE bound SET pg_tviews.max_staleness = '0';
         GRANT SELECT, INSERT, UPDATE, DELETE ON tb_user, tb_post TO app, bound;
         GRANT SELECT ON v_user, tv_user, tv_feed TO app, bound;
         SELECT pg_tviews_create_fresh_view('user')",
    );
    client.started_workers();
    client.assert_follows(&blog::ENTITIES);
    (database, client)
}

fn rename(client: &mut Client, name: &str) {
    client
        .batch_execute(&format!("UPDATE tb_user SET name = '{name}' WHERE pk_user = 1"))
        .expect("updated");
}

const NAME: &str = "SELECT data->>'name' FROM tv_user WHERE pk_user = 1";

fn through_a_pool(mode: &'static str) {
    let cluster = Cluster::start(Options::preloaded());
    let (database, mut owner) = open(&cluster);
    let Some(pool) = Pool::start(&cluster, mode) else {
        return;
    };
    reads_with_a_promise(&pool, &database.name);
    tokens(&pool, &database.name);
    own_changes(&pool, &database.name);
    extended_protocol(&pool, &database);
    // Nothing is refreshed any more, and the fresh view shows what is committed.
    owner.run("SELECT pg_tviews_pause('user')");
    let (mut writer, mut reader) = (
        pool.client(&database.name, "app"),
        pool.client(&database.name, "app"),
    );
    rename(&mut writer, "not refreshed");
    let fresh = NAME.replace("tv_user", "fv_user");
    assert_eq!(ask(&mut reader, &fresh), "not refreshed");
    assert_ne!(ask(&mut reader, NAME), "not refreshed");
}

/// A bound that the role has, and one that a statement asks for.
fn reads_with_a_promise(pool: &Pool, database: &str) {
    let mut writer = pool.client(database, "app");
    let mut bound = pool.client(database, "bound");
    let mut asking = pool.client(database, "app");
    assert_eq!(ask(&mut bound, "SHOW pg_tviews.max_staleness"), "0");
    assert_eq!(ask(&mut asking, "SHOW pg_tviews.max_staleness"), "-1");
    for n in 0..30 {
        let name = format!("{} {n}", pool.mode);
        rename(&mut writer, &name);
        if n % 2 == 0 {
            assert_eq!(ask(&mut bound, NAME), name);
        } else {
            // Another connection of the server may run the second one, perhaps.
            ask(&mut asking, "SELECT pg_tviews_require('user', '0')");
            assert_eq!(ask(&mut asking, NAME), name);
        }
    }
}

/// A token goes from one connection of the server to another.
fn tokens(pool: &Pool, database: &str) {
    let [mut writer, mut between, mut reader] = [(); 3].map(|()| pool.client(database, "app"));
    for n in 0..10 {
        let name = format!("token {n}");
        writer.batch_execute("BEGIN").expect("begun");
        rename(&mut writer, &name);
        let from = ask(&mut writer, "SELECT pg_backend_pid()");
        let token = ask(&mut writer, "SELECT pg_tviews_token()");
        // Takes a connection, so that the reader gets a third one.
        ask(&mut between, "BEGIN; SELECT 1");
        writer.batch_execute("COMMIT").expect("committed");
        ask(&mut writer, "BEGIN; SELECT 1");
        let to = ask(&mut reader, "BEGIN; SELECT pg_backend_pid()");
        assert_ne!(from, to);
        let wait = format!("SELECT pg_tviews_wait_for('{token}', 'user')");
        assert_eq!(ask(&mut reader, &wait), "t");
        assert_eq!(ask(&mut reader, NAME), name);
        for client in [&mut writer, &mut between, &mut reader] {
            client.batch_execute("COMMIT").expect("committed");
        }
    }
}

/// What a transaction sees of its own changes is not left to the next client of the connection.
fn own_changes(pool: &Pool, database: &str) {
    let [mut one, mut other] = [(); 2].map(|()| pool.client(database, "app"));
    for _ in 0..5 {
        one.batch_execute("BEGIN").expect("begun");
        rename(&mut one, "mine");
        assert_eq!(ask(&mut one, NAME), "mine");
        one.batch_execute("ROLLBACK").expect("rolled back");
        assert_ne!(ask(&mut other, NAME), "mine");
    }
}

/// Unnamed statements everywhere, named ones where the pool has them.
fn extended_protocol(pool: &Pool, database: &Database) {
    let script = pool.folder.join("script");
    // A reader that sees an older row than it may divides by zero.
    let text = "\\set k random(1, 10)\n\
                UPDATE tb_user SET score = score + 1 WHERE pk_user = :k RETURNING score \\gset\n\
                SELECT 1 / ((data->>'score')::int >= :score)::int FROM tv_feed WHERE pk_feed = :k;\n";
    std::fs::write(&script, text).expect("written");
    let named = pool.mode == "session" || pool.keeps_statements;
    for protocol in ["simple", "extended", "prepared"] {
        if protocol == "prepared" && !named {
            continue;
        }
        let run = database
            .cluster
            .program("pgbench", repository())
            .args(["-n", "-c", "3", "-t", "40", "-M", protocol, "-f", &script])
            .args([
                "-h",
                &pool.folder.join(""),
                "-p",
                "6432",
                "-U",
                "bound",
                &database.name,
            ])
            .output()
            .expect("pgbench runs");
        let errors = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.success(), "{protocol}: {errors}");
    }
    if named {
        let mut writer = pool.client(&database.name, "app");
        let mut reader = pool.client(&database.name, "bound");
        let update = writer
            .prepare("UPDATE tb_user SET name = $1 WHERE pk_user = 1")
            .expect("prepared");
        let select = reader.prepare(NAME).expect("prepared");
        for n in 0..20 {
            let name = format!("prepared {n}");
            writer.execute(&update, &[&name]).expect("updated");
            let found: String = reader.query_one(&select, &[]).expect("a row").get(0);
            assert_eq!(found, name);
        }
    }
}

#[test]
fn sessions_of_a_pool() {
    through_a_pool("session");
}

#[test]
fn transactions_of_a_pool() {
    through_a_pool("transaction");
}
