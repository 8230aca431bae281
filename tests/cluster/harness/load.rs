//! Several writers at random: transactions of a few statements, savepoints, roll backs, all isolation levels.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::Duration;

use postgres::{Client, Error};

use super::cluster::Cluster;
use super::random::Random;

const LEVELS: [&str; 3] = ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"];

/// What the writers do.
pub struct Plan<'a> {
    /// Where they write.
    pub cluster: &'a Cluster,
    /// Database they write to.
    pub database: &'a str,
    /// Statements to choose from; `{n}` becomes a number from 1 to n.
    pub statements: &'a [&'a str],
    /// Whether a lost connection is expected (the server is going to crash).
    pub crashes: bool,
}

/// Counts and stops running writers.
#[derive(Default)]
pub struct Load {
    stop: AtomicBool,
    commits: AtomicU64,
}

impl Load {
    /// Runs `transactions` in each of `writers` and returns the number committed.
    pub fn run(plan: &Plan, writers: u64, transactions: u64, random: &Random) -> u64 {
        let load = Self::default();
        std::thread::scope(|scope| {
            for index in 0..writers {
                let random = random.branch(index);
                scope.spawn(|| load.write(plan, transactions, random));
            }
        });
        load.commits()
    }

    /// Starts writers that go on until [`Load::stop`].
    pub fn start<'scope, 'env>(
        &'env self,
        scope: &'scope Scope<'scope, 'env>,
        plan: &'env Plan<'env>,
        writers: u64,
        random: &Random,
    ) -> Vec<ScopedJoinHandle<'scope, ()>> {
        let start = |index| {
            let random = random.branch(index);
            scope.spawn(move || self.write(plan, u64::MAX, random))
        };
        (0..writers).map(start).collect()
    }

    /// Transactions committed until now.
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// Waits until `more` further transactions are committed.
    pub fn let_pass(&self, more: u64) {
        let goal = self.commits() + more;
        for _ in 0..3000 {
            if self.commits() >= goal {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("writers stand still");
    }

    /// Ends the writers after their current transaction; also when dropped, so that a failing test ends.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Runs `body` while the writers work, and stops them whatever happens in it.
    pub fn during(plan: &Plan, writers: u64, random: &Random, body: impl FnOnce(&Load)) -> u64 {
        struct StopAtEnd<'a>(&'a Load);
        impl Drop for StopAtEnd<'_> {
            fn drop(&mut self) {
                self.0.stop();
            }
        }
        let load = Self::default();
        std::thread::scope(|scope| {
            let _end = StopAtEnd(&load);
            load.start(scope, plan, writers, random);
            body(&load);
        });
        load.commits()
    }

    fn write(&self, plan: &Plan, transactions: u64, mut random: Random) {
        let mut client = None;
        for _ in 0..transactions {
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            let connection = match client.take() {
                Some(connection) => connection,
                None => match plan.cluster.try_client(plan.database, "postgres") {
                    Ok(connection) => connection,
                    Err(_) if plan.crashes => {
                        std::thread::sleep(Duration::from_millis(50));
                        continue;
                    }
                    Err(error) => panic!("a writer cannot connect: {error:?}"),
                },
            };
            client = self.transaction(plan, connection, &mut random);
        }
    }

    /// One transaction; the connection comes back unless the server took it away.
    fn transaction(&self, plan: &Plan, mut client: Client, random: &mut Random) -> Option<Client> {
        match attempt(plan, &mut client, random) {
            Ok(committed) => {
                self.commits.fetch_add(u64::from(committed), Ordering::Relaxed);
                Some(client)
            }
            Err((_, error)) if may_fail(&error) => client.batch_execute("ROLLBACK").ok().map(|()| client),
            Err((_, _)) if plan.crashes => None,
            Err((sql, error)) => panic!("a writer failed at {sql}\n{error:?}"),
        }
    }
}

fn attempt(plan: &Plan, client: &mut Client, random: &mut Random) -> Result<bool, (String, Error)> {
    let mut run = |sql: String| client.batch_execute(&sql).map_err(|error| (sql, error));
    run(format!("BEGIN ISOLATION LEVEL {}", random.pick(&LEVELS)))?;
    for _ in 0..random.upto(3) {
        if random.chance(20) {
            run("SAVEPOINT s".into())?;
            let statement = *random.pick(plan.statements);
            run(random.fill(statement))?;
            run(String::from(if random.chance(50) {
                "ROLLBACK TO s"
            } else {
                "RELEASE s"
            }))?;
        }
        let statement = *random.pick(plan.statements);
        run(random.fill(statement))?;
    }
    let commit = !random.chance(15);
    run(String::from(if commit { "COMMIT" } else { "ROLLBACK" }))?;
    Ok(commit)
}

/// Constraints, serialization failures and deadlocks among the writers themselves are part of the game.
fn may_fail(error: &Error) -> bool {
    error
        .code()
        .is_some_and(|code| code.code().starts_with("23") || code.code().starts_with("40"))
}
