//! One `initdb`, copied by every cluster: it takes longer than most tests.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::binaries::{folder, output, server_program};

/// Folder that holds everything the tests create.
pub fn base() -> PathBuf {
    std::env::var_os("PG_TVIEWS_TEST_FOLDER").map_or_else(std::env::temp_dir, PathBuf::from)
}

/// Copies the data folder of a fresh cluster to `target`.
pub fn copy_to(target: &Path) {
    output(server_program("/bin/cp").arg("-a").arg(template()).arg(target));
}

/// The template, kept between runs: named after the server's version and its user.
fn template() -> &'static Path {
    static TEMPLATE: OnceLock<PathBuf> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let version = output(Command::new(folder().join("postgres")).arg("--version"));
        let user = output(server_program("/usr/bin/id").arg("-un"));
        let name: String = format!("{version}-{user}")
            .chars()
            .map(|c| if c.is_alphanumeric() { c } else { '-' })
            .collect();
        let finished = base().join(format!("pg_tviews-template-{name}"));
        if !finished.exists() {
            create(&finished);
        }
        finished
    })
}

/// Builds under another name first: a run that was interrupted must not leave half a template.
fn create(finished: &Path) {
    let unfinished = finished.with_extension(std::process::id().to_string());
    init(folder(), &unfinished, &[]);
    let moved = server_program("/bin/mv")
        .arg("-T")
        .arg(&unfinished)
        .arg(finished)
        .status();
    if !moved.is_ok_and(|status| status.success()) {
        // Another run was first: its template is as good as ours.
        output(server_program("/bin/rm").arg("-rf").arg(&unfinished));
    }
}

/// A new cluster by the `initdb` of some server.
pub fn init(programs: &Path, data: &Path, more: &[&str]) {
    output(
        server_program(&programs.join("initdb").to_string_lossy())
            .args([
                "--no-sync",
                "--username=postgres",
                "--auth=trust",
                "--locale=C",
                "--encoding=UTF8",
            ])
            .args(more)
            .arg("--pgdata")
            .arg(data),
    );
}
