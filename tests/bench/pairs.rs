//! The same script run by writers in several databases in turn, at full speed.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use postgres::Client;

use crate::compare::{in_turn, Measured};
use crate::harness::{Ask, Cluster};
use crate::load::Load;
use crate::processes::cpu_seconds_of_ended_siblings;
use crate::world::{caught_up, patient};

/// How they write.
pub struct Writers<'a> {
    /// Where.
    pub cluster: &'a Cluster,
    /// What each repeats.
    pub script: &'a str,
    /// Settings of their sessions, as `-c name=value`.
    pub options: &'a str,
    /// How long they write before it is the turn of the next database.
    pub slice: Duration,
    /// Whether the next turn also waits for workers to remove what TVIEWs have absorbed, which takes CPU.
    pub settle: bool,
}

/// What each alternative reached, round by round.
pub struct Speed<const N: usize> {
    /// Transactions per second.
    pub tps: [Measured; N],
    /// CPU of the writing session per transaction.
    pub cpu: [Measured; N],
    /// How long TVIEWs took to catch up afterwards.
    pub behind: [Measured; N],
}

impl<'a> Writers<'a> {
    /// So many clients in each of these databases.
    pub fn load(&self, database: &'a str, clients: usize) -> Load<'a> {
        Load::new(self.cluster, database, clients, self.script).with(self.options)
    }

    /// Measures in turn. Between two turns TVIEWs that are not paused catch up.
    pub fn run<const N: usize>(&self, rounds: usize, alternatives: [(&'a str, usize); N]) -> Speed<N> {
        let mut session = patient(self.cluster, "postgres");
        let session: i32 = session.one("SELECT pg_backend_pid()");
        let cpu = alternatives.map(|_| RefCell::new(Vec::new()));
        let behind = alternatives.map(|_| RefCell::new(Vec::new()));
        let mut index = 0;
        let mut runs = alternatives.map(|(database, clients)| {
            let load = self.load(database, clients);
            let mut follower = follower(self.cluster, database);
            let (cpu, behind) = (&cpu[index], &behind[index]);
            index += 1;
            move || {
                let before = cpu_seconds_of_ended_siblings(session);
                let tps = load.run(self.slice);
                let end = Instant::now();
                // The server takes note of the end of its sessions in its own time. TVIEWs that are less behind than that count as if
                // they were that much.
                std::thread::sleep(Duration::from_millis(50));
                let used = cpu_seconds_of_ended_siblings(session) - before;
                if let Some(client) = &mut follower {
                    caught_up(client);
                    behind.borrow_mut().push(end.elapsed().as_secs_f64());
                    if self.settle {
                        settle(client);
                    }
                }
                cpu.borrow_mut()
                    .push(1e6 * used / (tps * self.slice.as_secs_f64()));
                tps
            }
        });
        let runs = runs.each_mut().map(|run| run as &mut dyn FnMut() -> f64);
        let tps = in_turn(rounds, "tps", runs);
        Speed {
            tps,
            cpu: cpu.map(|rounds| Measured::of("µs", rounds.into_inner())),
            behind: behind.map(|rounds| Measured::of("s", rounds.into_inner())),
        }
    }
}

/// Waits until the queue is empty, for a few seconds at most: the rest of an old transaction may stay.
pub fn settle(client: &mut Client) {
    let begin = Instant::now();
    while client.one("SELECT EXISTS (SELECT 1 FROM pg_tview_queue)")
        && begin.elapsed() < Duration::from_secs(5)
    {
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A connection to a database whose TVIEWs are being refreshed.
pub fn follower(cluster: &Cluster, database: &str) -> Option<Client> {
    let mut client = patient(cluster, database);
    let follows = client.one("SELECT to_regclass('pg_tview_meta') IS NOT NULL")
        && client
            .one("SELECT count(*) > 0 AND count(*) FILTER (WHERE state = 'paused') = 0 FROM pg_tview_meta");
    follows.then_some(client)
}
