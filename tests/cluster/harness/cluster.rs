//! A private cluster in a folder of its own, reachable only through a socket in that folder.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use postgres::error::DbError;
use postgres::{Client, Config, NoTls};

use super::ask::WAIT;
use super::binaries::{client_program, folder, output, repository, send_signal, server_program, VERSION};
use super::template;

const PORT: u16 = 5432;

/// Ends whatever the test process left behind, also when that was killed: reading ends when it is gone.
const GUARD: &str = r#"
cat >/dev/null
"$1/pg_ctl" -D "$2/data" -m fast -w -t 20 stop || "$1/pg_ctl" -D "$2/data" -m immediate -w -t 20 stop
[ -e "$2/keep" ] && cp "$2/log" "$2.log"
rm -rf "$2"
"#;

/// What a cluster starts with.
pub struct Options {
    settings: Vec<(String, String)>,
    /// Folder of the programs of another server than the one under test.
    programs: Option<PathBuf>,
    /// Folder to create the cluster in, if not the usual one.
    base: Option<PathBuf>,
}

impl Options {
    /// A cluster with workers.
    pub fn preloaded() -> Self {
        Self::without_preload().set("shared_preload_libraries", "pg_tviews")
    }

    /// A cluster in which only the sessions that use the extension load it.
    pub fn without_preload() -> Self {
        Self::copied()
            .set("listen_addresses", "")
            .set("fsync", "off")
            .set("shared_buffers", "32MB")
            .set("max_connections", "80")
            .set("max_worker_processes", "64")
            .set("max_prepared_transactions", "20")
            // Writers of the tests do get into each other's way: solve it quickly.
            .set("deadlock_timeout", "100ms")
            // Less than that, as it is by default: what waits for a lock gives up before it is taken for a deadlock.
            .set("pg_tviews.lock_timeout", "50ms")
            .set("log_line_prefix", "%m [%p] %d %b ")
    }

    /// What the cluster it is copied from has.
    pub fn copied() -> Self {
        Self {
            settings: Vec::new(),
            programs: None,
            base: None,
        }
    }

    /// The same for another server than the one under test.
    pub fn of_server(self, programs: &Path) -> Self {
        Self {
            programs: Some(programs.to_owned()),
            ..self
        }
    }

    /// The same in another folder, which the server's user can write to.
    #[allow(dead_code, reason = "for tests/bench")]
    pub fn below(self, base: &Path) -> Self {
        Self {
            base: Some(base.to_owned()),
            ..self
        }
    }

    /// Adds a line to postgresql.conf; the last one of a name counts.
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// How the server is told to stop.
#[derive(Clone, Copy, Debug)]
pub enum StopMode {
    /// Sessions are ended, then everything is written: the ordinary way.
    Fast,
    /// As a power cut: the next start recovers from the log.
    Immediate,
}

/// A running cluster; ended when dropped.
pub struct Cluster {
    home: PathBuf,
    programs: PathBuf,
    guard: Child,
}

impl Cluster {
    /// Creates and starts a cluster.
    pub fn start(options: Options) -> Self {
        let cluster = Self::create(options);
        cluster.start_server();
        cluster
    }

    /// Creates a cluster that does not run.
    pub fn create(options: Options) -> Self {
        let other = options.programs.clone();
        Self::create_with(options, |data| match &other {
            Some(programs) => template::init(programs, data, as_server_under_test()),
            None => template::copy_to(data),
        })
    }

    /// Starts a copy of a running cluster, made by `pg_basebackup` with these arguments (`-R`: as its standby).
    pub fn start_backup(of: &Self, arguments: &[&str], options: Options) -> Self {
        let cluster = Self::create_backup(of, arguments, options);
        cluster.start_server();
        cluster
    }

    /// The same without starting it.
    pub fn create_backup(of: &Self, arguments: &[&str], options: Options) -> Self {
        Self::create_with(options, |data| {
            of.back_up(data, arguments);
        })
    }

    /// Makes a backup by `pg_basebackup` with these arguments.
    pub fn back_up(&self, folder: &Path, arguments: &[&str]) {
        let mut backup = server_program("pg_basebackup");
        backup.args([
            "--checkpoint=fast",
            "--no-sync",
            "-d",
            &self.connection("postgres"),
        ]);
        output(backup.arg("-D").arg(folder).args(arguments));
    }

    /// A cluster, not started, from a full backup and the incremental ones after it.
    #[cfg(not(any(feature = "pg15", feature = "pg16")))]
    pub fn create_combined(backups: &[&Path], options: Options) -> Self {
        Self::create_with(options, |data| {
            let mut combine = server_program("pg_combinebackup");
            output(combine.args(backups).arg("--no-sync").arg("-o").arg(data));
        })
    }

    fn create_with(options: Options, fill: impl FnOnce(&Path)) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let base = options.base.clone().unwrap_or_else(template::base);
        let home = base.join(format!("pgtv-{}-{number}", std::process::id()));
        output(server_program("/bin/mkdir").arg(&home));
        let programs = options.programs.clone().unwrap_or_else(|| folder().to_owned());
        let guard = server_program("/bin/sh")
            .args(["-c", GUARD, "guard"])
            .args([&programs, &home])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the guard starts");
        let cluster = Self {
            home,
            programs,
            guard,
        };
        fill(&cluster.data());
        cluster.configure(options);
        cluster
    }

    fn configure(&self, options: Options) {
        let mut text = format!(
            "unix_socket_directories = '{}'\nport = {PORT}\n",
            self.home.display()
        );
        for (name, value) in options.settings {
            let _ = writeln!(text, "{name} = '{value}'");
        }
        let append = format!("cat >> '{}/postgresql.conf'", self.data().display());
        let mut shell = server_program("/bin/sh")
            .args(["-c", &append])
            .stdin(Stdio::piped())
            .spawn()
            .expect("sh starts");
        shell
            .stdin
            .take()
            .expect("piped")
            .write_all(text.as_bytes())
            .expect("settings are written");
        assert!(
            shell.wait().is_ok_and(|status| status.success()),
            "settings could not be written"
        );
    }

    /// Starts the server again after [`Cluster::stop`].
    pub fn start_server(&self) {
        self.start_server_with("");
    }

    /// The same with arguments of its command line.
    pub fn start_server_with(&self, arguments: &str) {
        if !self.try_start_server(arguments) {
            self.report();
            panic!("the server did not start");
        }
    }

    /// The same; false if the server does not start.
    pub fn try_start_server(&self, arguments: &str) -> bool {
        let mut command = self.pg_ctl();
        command.arg("-o").arg(arguments);
        command
            .arg("--log")
            .arg(self.log())
            .args(["--wait", "--timeout=60", "start"]);
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    }

    /// Runs `pg_upgrade` from another cluster to this one; neither runs.
    pub fn upgrade_from(&self, old: &Self) {
        let mut upgrade = server_program("pg_upgrade");
        upgrade.current_dir(&self.home);
        upgrade.arg("-b").arg(&old.programs).arg("-B").arg(&self.programs);
        upgrade.arg("-d").arg(old.data()).arg("-D").arg(self.data());
        upgrade.arg("-s").arg(&self.home).args(["-U", "postgres"]);
        output(&mut upgrade);
    }

    /// Stops the server and returns how long that took.
    pub fn stop(&self, mode: StopMode) -> Duration {
        let name = match mode {
            StopMode::Fast => "fast",
            StopMode::Immediate => "immediate",
        };
        let begin = Instant::now();
        output(
            self.pg_ctl()
                .args(["--wait", "--timeout=60", "stop", "--mode", name]),
        );
        begin.elapsed()
    }

    /// Stops and starts the server.
    pub fn restart(&self, mode: StopMode) {
        self.stop(mode);
        self.start_server();
    }

    /// A connection as superuser.
    pub fn client(&self, database: &str) -> Client {
        self.client_as(database, "postgres")
    }

    /// A connection as `user`.
    pub fn client_as(&self, database: &str, user: &str) -> Client {
        self.try_client(database, user).unwrap_or_else(|error| {
            self.report();
            panic!("cannot connect to {database} as {user}: {error:?}")
        })
    }

    /// A connection, or why there is none (the server may be recovering).
    pub fn try_client(&self, database: &str, user: &str) -> Result<Client, postgres::Error> {
        self.config(database, user).connect(NoTls)
    }

    /// A connection as superuser whose notices are handed over.
    pub fn client_with_notices(
        &self,
        database: &str,
        notices: impl Fn(DbError) + Send + Sync + 'static,
    ) -> Client {
        self.client_as_with_notices(database, "postgres", notices)
    }

    /// The same as `user`.
    pub fn client_as_with_notices(
        &self,
        database: &str,
        user: &str,
        notices: impl Fn(DbError) + Send + Sync + 'static,
    ) -> Client {
        let mut config = self.config(database, user);
        config
            .notice_callback(notices)
            .connect(NoTls)
            .unwrap_or_else(|error| panic!("cannot connect to {database} as {user}: {error:?}"))
    }

    fn config(&self, database: &str, user: &str) -> Config {
        let mut config = Config::new();
        config
            .host_path(&self.home)
            .port(PORT)
            .user(user)
            .dbname(database)
            .application_name("test")
            // A defect must fail a test, never hang it.
            .options("-c statement_timeout=60s -c lock_timeout=45s");
        config
    }

    /// How another server connects to `database`.
    pub fn connection(&self, database: &str) -> String {
        format!(
            "host={} port={PORT} user=postgres dbname={database}",
            self.home.display()
        )
    }

    /// Kills a process of the server, which ends every other one too, and connects `client` again once the server
    /// has recovered. The server notices after a moment only: until then it goes on, and takes new connections.
    pub fn kill(&self, pid: i32, client: &mut Client, database: &str) {
        send_signal("KILL", pid);
        let killed = Instant::now();
        while client.batch_execute("SELECT 1").is_ok() {
            assert!(killed.elapsed() < WAIT, "the server goes on without {pid}");
            std::thread::sleep(Duration::from_millis(10));
        }
        *client = self.client_after_recovery(database);
    }

    /// A connection, once the server accepts them again after a crash.
    pub fn client_after_recovery(&self, database: &str) -> Client {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            // A server that is about to notice the crash still answers: a first query tells.
            if let Ok(mut client) = self.try_client(database, "postgres") {
                if client.batch_execute("SELECT 1").is_ok() {
                    return client;
                }
            }
            if Instant::now() > deadline {
                self.report();
                panic!("the server did not recover");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Runs a program of the user in `folder`, with the connection in its environment.
    pub fn program(&self, name: &str, folder: &Path) -> Command {
        let mut command = client_program(name);
        command
            .current_dir(folder)
            .env("PGHOST", &self.home)
            .env("PGPORT", PORT.to_string());
        command.env("PGUSER", "postgres");
        command
    }

    /// Runs a script through the real psql, which stops at the first error.
    pub fn psql(&self, database: &str, script: &str) -> Output {
        let mut command = self.program("psql", repository());
        command.args([
            "-X",
            "-q",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
            "-d",
            database,
            "-f",
            "-",
        ]);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("psql starts");
        child
            .stdin
            .take()
            .expect("piped")
            .write_all(script.as_bytes())
            .expect("psql reads its script");
        child.wait_with_output().expect("psql ends")
    }

    /// The whole server log.
    pub fn read_log(&self) -> String {
        String::from_utf8_lossy(&output_bytes(&self.log())).into_owned()
    }

    /// Prints the end of the server log and keeps it beside the folder.
    pub fn report(&self) {
        let _ = server_program("/usr/bin/touch")
            .arg(self.home.join("keep"))
            .status();
        let log = self.read_log();
        let lines: Vec<&str> = log.lines().collect();
        let tail = lines[lines.len().saturating_sub(40)..].join("\n");
        eprintln!(
            "--- end of the server log, kept as {}.log\n{tail}\n---",
            self.home.display()
        );
    }

    fn pg_ctl(&self) -> Command {
        let mut command = server_program(&self.programs.join("pg_ctl").to_string_lossy());
        command.arg("--pgdata").arg(self.data());
        command
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.home.join("data")
    }

    fn log(&self) -> PathBuf {
        self.home.join("log")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.report();
        }
        // The guard stops the server by its pid file and removes the folder.
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

/// What the `initdb` of an older server is told: pg_upgrade wants both clusters alike.
fn as_server_under_test() -> &'static [&'static str] {
    if VERSION >= 18 {
        &["--data-checksums"]
    } else {
        &[]
    }
}

fn output_bytes(path: &Path) -> Vec<u8> {
    server_program("/bin/cat")
        .arg(path)
        .output()
        .map(|output| output.stdout)
        .unwrap_or_default()
}
