//! Finds the programs of the server under test, and runs them as a user the server accepts.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// The version of the server that these tests are compiled for.
pub const VERSION: u32 = match () {
    _ if cfg!(feature = "pg18") => 18,
    _ if cfg!(feature = "pg17") => 17,
    _ if cfg!(feature = "pg16") => 16,
    _ => 15,
};

/// Root of this repository, where the scripts of the integration guide are run.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Folder of the server's programs: that of `PG_CONFIG`, else of the server that cargo-pgrx knows.
pub fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let registered = || {
            let version = format!("pg{VERSION}");
            output(Command::new("cargo").args(["pgrx", "info", "pg-config", &version]))
        };
        let pg_config = std::env::var("PG_CONFIG").unwrap_or_else(|_| registered());
        PathBuf::from(output(Command::new(pg_config).arg("--bindir")))
    })
}

/// The folder of an older server's programs that has the extension, for pg_upgrade; None, with a message on the
/// terminal, if there is none.
pub fn older_server() -> Option<PathBuf> {
    let pg_config = std::env::var("PG_TVIEWS_UPGRADE_FROM").unwrap_or_default();
    if VERSION > 15 && pg_config.is_empty() {
        warn("pg_upgrade is NOT tested: PG_TVIEWS_UPGRADE_FROM names no older server (make cluster does)");
    }
    (VERSION > 15 && !pg_config.is_empty())
        .then(|| PathBuf::from(output(Command::new(pg_config).arg("--bindir"))))
}

/// A Python that has these modules; None, with a message on the terminal about what is not tested, if there is none.
pub fn python_with(modules: &[&str], tested: &str) -> Option<String> {
    let script = format!("import {}", modules.join(", "));
    let has_them = |python: &&str| {
        let mut import = Command::new(python);
        import.args(["-c", &script]).stderr(Stdio::null());
        import.status().is_ok_and(|status| status.success())
    };
    let found = ["/usr/bin/python3", "python3"].into_iter().find(has_them);
    if found.is_none() {
        let modules = modules.join(", ");
        warn(&format!(
            "{tested} is NOT tested: no Python with {modules} (scripts/test_programs.sh installs it)"
        ));
    }
    found.map(str::to_owned)
}

/// The functions of pgTAP as a script; None, with a message on the terminal, if it is not here.
pub fn pgtap() -> Option<PathBuf> {
    let found = cache_folders()
        .map(|folder| folder.join("pgtap/pgtap.sql"))
        .find(|place| place.is_file());
    if found.is_none() {
        warn("sql/pgtap_tviews.sql is NOT tested: pgTAP is not here (scripts/test_programs.sh fetches it)");
    }
    found
}

/// pg_repack for the server under test; None, with a message on the terminal, if it is not here.
pub fn pg_repack() -> Option<PathBuf> {
    let fetched = format!("neighbours-{VERSION}/usr/lib/postgresql/{VERSION}/bin/pg_repack");
    let found = cache_folders()
        .map(|cache| cache.join(&fetched))
        .chain([folder().join("pg_repack")])
        .find(|place| place.is_file());
    if found.is_none() {
        warn(
            "pg_repack is NOT tested: it is not here for this version (scripts/test_programs.sh fetches it)",
        );
    }
    found
}

/// Where scripts/test_programs.sh puts what it fetches.
fn cache_folders() -> impl Iterator<Item = PathBuf> {
    let home = std::env::var("HOME").unwrap_or_default();
    let named = std::env::var("PG_TVIEWS_CACHE").unwrap_or_default();
    let folders = [
        named,
        "/var/cache/pg_tviews".to_owned(),
        format!("{home}/.cache/pg_tviews"),
    ];
    folders
        .into_iter()
        .filter(|folder| !folder.is_empty())
        .map(PathBuf::from)
}

/// pgbouncer; None, with a message on the terminal, if it is not here.
pub fn pgbouncer() -> Option<PathBuf> {
    let named = std::env::var("PG_TVIEWS_PGBOUNCER").unwrap_or_default();
    let fetched = cache_folders().map(|folder| folder.join("pgbouncer/run"));
    let found = [named, "/usr/sbin/pgbouncer".to_owned()]
        .iter()
        .map(PathBuf::from)
        .chain(fetched)
        .find(|place| place.is_file());
    if found.is_none() {
        warn("pgbouncer is NOT tested: it is not here (scripts/test_programs.sh fetches it)");
    }
    found
}

/// Says on the terminal that something is not tested. Not by a macro, whose output is shown only if the test fails.
pub fn warn(text: &str) {
    let _ = std::io::stderr().write_all(format!("\n*** {text} ***\n").as_bytes());
}

/// A program that belongs to the server (`postgres`, `initdb`, `sh` on its folders): PostgreSQL refuses to
/// run as root, so root hands over to the user `postgres`.
pub fn server_program(name: &str) -> Command {
    let path = match name.contains('/') {
        true => PathBuf::from(name),
        false => folder().join(name),
    };
    let mut command = match running_as_root() {
        false => Command::new(path),
        true if Path::new("/usr/sbin/runuser").exists() => {
            let mut command = Command::new("/usr/sbin/runuser");
            command.args(["-u", "postgres", "--"]).arg(path);
            command
        }
        true => {
            let mut command = Command::new("sudo");
            command.args(["-n", "-u", "postgres", "--"]).arg(path);
            command
        }
    };
    // The caller's folder may be closed to that user.
    command.current_dir("/");
    command
}

/// A client program (`psql`, `bash` scripts that call it) as the current user, with no personal settings.
pub fn client_program(name: &str) -> Command {
    let ours = folder().join(name);
    let mut command = Command::new(if ours.exists() { ours } else { PathBuf::from(name) });
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{}:{path}", folder().display()));
    command.env("PSQLRC", "/nonexistent").env("LC_ALL", "C");
    for variable in ["PGDATABASE", "PGPASSWORD", "PGSERVICE", "PGOPTIONS"] {
        command.env_remove(variable);
    }
    command
}

/// Sends `signal` (KILL, STOP, ...) to exactly one process.
pub fn send_signal(signal: &str, pid: i32) {
    assert!(pid > 1, "refusing to signal process {pid}");
    // The shell's own kill: the separate program is missing on small systems.
    let status = Command::new("sh")
        .args(["-c", &format!("kill -{signal} {pid}")])
        .status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "could not send {signal} to {pid}"
    );
}

/// Standard output of a command that must succeed, trimmed.
pub fn output(command: &mut Command) -> String {
    let result = command
        .output()
        .unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    let errors = String::from_utf8_lossy(&result.stderr);
    assert!(result.status.success(), "{command:?} failed: {errors}");
    String::from_utf8_lossy(&result.stdout).trim().to_owned()
}

fn running_as_root() -> bool {
    static ROOT: OnceLock<bool> = OnceLock::new();
    *ROOT.get_or_init(|| output(Command::new("id").arg("-u")) == "0")
}
