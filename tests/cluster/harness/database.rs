//! A database per test, so that tests can share a cluster.

use std::sync::OnceLock;

use postgres::Client;

use super::ask::Ask;
use super::cluster::{Cluster, Options};

/// The cluster of all tests that disturb nobody; its guard ends it with the test process.
pub fn shared() -> &'static Cluster {
    static SHARED: OnceLock<Cluster> = OnceLock::new();
    // Verification would run code of views at times that no test expects. Its tests have clusters of their own.
    SHARED.get_or_init(|| Cluster::start(Options::preloaded().set("pg_tviews.verify_cycle", "0")))
}

/// A database with the extension; dropped with the test.
pub struct Database<'a> {
    /// The cluster it lives in.
    pub cluster: &'a Cluster,
    /// Its name.
    pub name: String,
}

impl<'a> Database<'a> {
    /// A database of this name in which the extension is created.
    pub fn new(cluster: &'a Cluster, name: &str) -> Self {
        let database = Self::without_extension(cluster, name);
        database.client().run("CREATE EXTENSION pg_tviews");
        database
    }

    /// A database of this name.
    pub fn without_extension(cluster: &'a Cluster, name: &str) -> Self {
        cluster.client("postgres").run(&format!("CREATE DATABASE {name}"));
        Self {
            cluster,
            name: name.to_owned(),
        }
    }

    /// A connection as superuser.
    pub fn client(&self) -> Client {
        self.cluster.client(&self.name)
    }

    /// A connection as superuser, if the server accepts one.
    pub fn try_client(&self) -> Result<Client, postgres::Error> {
        self.cluster.try_client(&self.name, "postgres")
    }

    /// A connection as `user`.
    pub fn client_as(&self, user: &str) -> Client {
        self.cluster.client_as(&self.name, user)
    }
}

impl Drop for Database<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- failed in database {}", self.name);
            self.cluster.report();
        }
        // Failing to drop it must not hide why the test failed.
        if let Ok(mut client) = self.cluster.try_client("postgres", "postgres") {
            let _ = client.batch_execute("SET statement_timeout = '10s'");
            let _ = client.batch_execute(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
        }
    }
}
