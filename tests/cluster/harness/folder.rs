//! A folder for files of a test, readable by the server and removed with the test.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use super::binaries::{output, server_program};
use super::template;

/// Gone when dropped.
pub struct Folder(PathBuf);

impl Folder {
    /// An empty folder that server and clients may write to.
    pub fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = template::base().join(format!("pgtv-files-{}-{number}", std::process::id()));
        output(server_program("/bin/mkdir").args(["-m", "777"]).arg(&path));
        Self(path)
    }

    /// A file or folder in it, as an argument.
    pub fn join(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What clients made belongs to them, the rest to the server's user: neither may hide a failure.
        let _ = std::fs::remove_dir_all(&self.0);
        let _ = server_program("/bin/rm").arg("-rf").arg(&self.0).status();
    }
}
