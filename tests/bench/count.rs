//! What one transaction costs, counted instead of timed: bytes of WAL, and instructions. Neither depends on what else the
//! machine does. Valgrind counts the instructions of a server in single-user mode: the difference between few and many of the
//! same, so that starting and stopping cancel out.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::harness::{server_program, Ask, Cluster, Folder, StopMode};
use crate::in_memory::{create_tview, load_posts};
use crate::pairs::settle;
use crate::report::{Reach, Report};
use crate::scale::Scale;
use crate::world::{caught_up, durable, patient, BARE, OURS};

const SINGLE_ROW: &str = "single-row UPDATE, TVIEW paused";
/// Users of the data. Hardly matters to what is counted.
const USERS: i32 = 400;
/// Transactions whose WAL is measured.
const TRANSACTIONS: i32 = 4_000;
/// Transactions whose instructions are counted: few and many.
const TIMES: [i32; 2] = [100, 400];
/// Rows of one statement.
const ROWS: [i32; 2] = [1_000, 3_000];

/// WAL first, while the server runs.
pub fn measure(_: &Scale, report: &mut Report) {
    let quiet = durable().set("autovacuum", "off").set("full_page_writes", "off");
    let cluster = Cluster::start(quiet);
    for database in [BARE, OURS] {
        patient(&cluster, "postgres").run(&format!("CREATE DATABASE {database}"));
        load_posts(&mut patient(&cluster, database), USERS);
    }
    let mut ours = patient(&cluster, OURS);
    ours.run("CREATE EXTENSION pg_tviews");
    create_tview(&mut ours);
    drop(ours);
    pause(&cluster);
    wal(&cluster, report);
    instructions(&cluster, report);
}

/// Bytes per transaction, of rows whose pages have been written before.
fn wal(cluster: &Cluster, report: &mut Report) {
    let updates = |round: i32| {
        format!(
            "DO $$ BEGIN FOR i IN 1..{TRANSACTIONS} LOOP
                 UPDATE tb_post SET title = 'title {round} ' || i WHERE pk_post = i; COMMIT;
             END LOOP; END $$"
        )
    };
    let [with, without] = [OURS, BARE].map(|database| {
        let mut client = patient(cluster, database);
        client.run(&updates(1));
        client.run("VACUUM tb_post");
        let position = "SELECT (pg_current_wal_insert_lsn() - '0/0')::int8";
        let before: i64 = client.one(position);
        client.run(&updates(2));
        let after: i64 = client.one(position);
        (after - before) as f64 / f64::from(TRANSACTIONS)
    });
    let seen = format!("{with:.0} / {without:.0} bytes");
    let measure = "bytes of WAL more than without";
    report.add(SINGLE_ROW, measure, with - without, Reach::AtMost(110.0), seen);
}

/// Of a key refreshed, of a row of a large statement, and of a transaction.
fn instructions(cluster: &Cluster, report: &mut Report) {
    let Some(server) = SingleUser::of(cluster) else {
        return;
    };
    let mut ours = patient(cluster, OURS);
    ours.run("SELECT pg_tviews_resume('post')");
    caught_up(&mut ours);
    settle(&mut ours);
    drop(ours);
    stop_vacuumed(cluster, [BARE, OURS]);
    let bulk = |rows: i32| format!("UPDATE tb_post SET title = title || '.' WHERE pk_post <= {rows}\n");
    let refreshed = |rows: i32| bulk(rows) + "CALL pg_tviews_drain('post')\n";
    let all = server.each(OURS, refreshed, ROWS);
    let [with, without] = [OURS, BARE].map(|database| server.each(database, bulk, ROWS));
    let seen = format!("{all:.0} / {with:.0} with and without the refresh");
    let measure = "instructions, from the log to the row written";
    report.add(
        "one key of many refreshed",
        measure,
        all - with,
        Reach::Nothing,
        seen,
    );
    let measure = "instructions more than without";
    let seen = format!("{with:.0} / {without:.0}");
    report.add(
        "one row of a large UPDATE",
        measure,
        with - without,
        Reach::Nothing,
        seen,
    );

    cluster.start_server();
    pause(cluster);
    stop_vacuumed(cluster, [BARE, OURS]);
    for (scenario, transaction, reach) in SINGLE_ROWS {
        let single = |times: i32| -> String { (1..=times).map(transaction).collect() };
        let [with, without] = [OURS, BARE].map(|database| server.each(database, single, TIMES));
        let seen = format!("{with:.0} / {without:.0}");
        report.add(scenario, measure, with - without, reach, seen);
    }
}

/// The statement of a transaction, by its number.
type Transaction = fn(i32) -> String;

/// What transactions of one row do.
const SINGLE_ROWS: [(&str, Transaction, Reach); 3] = [
    (
        SINGLE_ROW,
        |i| format!("UPDATE tb_post SET title = 'counted {i}' WHERE pk_post = {i}\n"),
        Reach::AtMost(17_000.0),
    ),
    (
        "UPDATE of a column no view reads, TVIEW paused",
        |i| format!("UPDATE tb_post SET seen = seen + 1 WHERE pk_post = {i}\n"),
        Reach::Nothing,
    ),
    (
        "single-row INSERT, TVIEW paused",
        |i| format!("INSERT INTO tb_post VALUES (1000000 + {i}, {i}, 'counted {i}', 'text')\n"),
        Reach::Nothing,
    ),
];

/// Pages have room for new versions of their rows then.
pub fn stop_vacuumed(cluster: &Cluster, databases: [&str; 2]) {
    for database in databases {
        patient(cluster, database).run("VACUUM ANALYZE");
    }
    cluster.stop(StopMode::Fast);
}

/// Also refreshes what is left.
fn pause(cluster: &Cluster) {
    let mut client = patient(cluster, OURS);
    caught_up(&mut client);
    client.run("SELECT pg_tviews_pause('post')");
}

/// A server that serves one user, by its standard input.
pub struct SingleUser<'a> {
    cluster: &'a Cluster,
    valgrind: String,
    /// Folder of the server's programs.
    programs: String,
}

impl<'a> SingleUser<'a> {
    /// None: there is no valgrind. While the cluster runs.
    pub fn of(cluster: &'a Cluster) -> Option<Self> {
        let Some(valgrind) = valgrind() else {
            eprintln!("instructions are not counted: there is no valgrind");
            return None;
        };
        let folder = "SELECT setting FROM pg_config WHERE name = 'BINDIR'";
        Some(SingleUser {
            programs: patient(cluster, "postgres").one(folder),
            cluster,
            valgrind,
        })
    }

    /// Instructions of each of what the script does so many times. The cluster is stopped.
    pub fn each(&self, database: &str, script: impl Fn(i32) -> String, [few, many]: [i32; 2]) -> f64 {
        let more = self.instructions(database, &script(many)) - self.instructions(database, &script(few));
        more / f64::from(many - few)
    }

    /// Instructions of a run of a script, one statement a line, on a copy of the data: no run depends on those before.
    fn instructions(&self, database: &str, script: &str) -> f64 {
        let folder = Folder::new();
        let data = folder.join("data");
        let mut copy = server_program("/bin/cp");
        let copied = copy.arg("-a").arg(self.cluster.data()).arg(&data).status();
        assert!(copied.is_ok_and(|status| status.success()), "the data is copied");
        let counts = folder.join("counts");
        let mut command = server_program(&self.valgrind);
        command.args([
            "--tool=lackey",
            "--basic-counts=yes",
            &format!("--log-file={counts}"),
        ]);
        command.arg(format!("{}/postgres", self.programs));
        command.arg("--single").arg("-D").arg(&data).arg(database);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut server = command.spawn().expect("valgrind starts");
        let mut input = server.stdin.take().expect("piped");
        input.write_all(script.as_bytes()).expect("the server reads");
        drop(input);
        let output = server.wait_with_output().expect("the server ends");
        let log = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !log.contains("ERROR"), "{log}");
        let counts = std::fs::read_to_string(&counts).expect("valgrind has counted");
        let line = counts.lines().find_map(|line| line.split_once("guest instrs:  "));
        let number = line.map(|(_, number)| number.trim().replace(',', ""));
        number
            .and_then(|number| number.parse().ok())
            .unwrap_or_else(|| panic!("no instructions in {counts}"))
    }
}

fn valgrind() -> Option<String> {
    let found = Command::new("sh").args(["-c", "command -v valgrind"]).output();
    let path = String::from_utf8(found.ok()?.stdout).ok()?.trim().to_owned();
    (!path.is_empty()).then_some(path)
}
