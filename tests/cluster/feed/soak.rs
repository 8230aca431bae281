//! Consumers through all that can happen, at random. `PG_TVIEWS_SOAK_SECONDS` says for how long (`make soak`: an
//! hour); without it everything happens once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use postgres::Client;

use super::mirror::{Mirror, MIRRORED};
use super::{copy, feed_on};
use crate::blog;
use crate::harness::{Ask, Cluster, Database, Load, Options, Plan, Random, StopMode};

#[derive(Clone, Copy, Debug)]
enum Event {
    KillWorker,
    CrashServer,
    RestartServer,
    KillConsumer,
    /// More changed keys than a batch has: workers share the backlog.
    LargeTransaction,
    Truncate,
    Redefine,
    DropAndCreate,
}

const EVENTS: [Event; 8] = [
    Event::LargeTransaction,
    Event::KillWorker,
    Event::KillConsumer,
    Event::Truncate,
    Event::CrashServer,
    Event::Redefine,
    Event::DropAndCreate,
    Event::RestartServer,
];

const LARGE: &str =
    "INSERT INTO tb_post (fk_user, title) SELECT pk_user, 'large' FROM tb_user, generate_series(1, 10);
                     UPDATE tb_post SET likes = likes + 1";

/// A server that things happen to.
struct Soak<'a> {
    cluster: &'a Cluster,
    database: &'a Database<'a>,
    client: Client,
    redefinitions: usize,
}

impl Soak<'_> {
    fn let_happen(&mut self, event: Event, kill_consumer: &AtomicBool) {
        match event {
            Event::KillWorker => {
                let pid = self.client.started_workers()[0];
                self.cluster.kill(pid, &mut self.client, &self.database.name);
            }
            Event::CrashServer => self.restart(StopMode::Immediate),
            Event::RestartServer => self.restart(StopMode::Fast),
            Event::KillConsumer => kill_consumer.store(true, Ordering::Relaxed),
            Event::LargeTransaction => self.insist(LARGE),
            Event::Truncate => self.insist("TRUNCATE tb_post"),
            Event::Redefine => {
                self.redefinitions += 1;
                let name = ["name", "upper(name)", "reverse(name)"][self.redefinitions % 3];
                let query = blog::TVIEWS[0]
                    .1
                    .replace("'name', name", &format!("'name', {name}"));
                self.insist(&format!("SELECT pg_tviews_create('user', $${query}$$)"));
            }
            Event::DropAndCreate => {
                self.insist("SELECT pg_tviews_drop('feed'), pg_tviews_drop('post')");
                for (entity, query) in &blog::TVIEWS[1..3] {
                    self.insist(&format!("SELECT pg_tviews_create('{entity}', $${query}$$)"));
                }
                self.insist("UPDATE pg_tview_meta SET feed = true WHERE entity_name = 'post'");
            }
        }
    }

    fn restart(&mut self, mode: StopMode) {
        self.cluster.stop(mode);
        self.cluster.start_server();
        self.reconnect();
    }

    fn reconnect(&mut self) {
        self.client = self.cluster.client_after_recovery(&self.database.name);
    }

    /// Runs a command until it gets its locks.
    fn insist(&mut self, sql: &str) {
        let deadline = Instant::now() + Duration::from_secs(120);
        while let Err(error) = self.client.batch_execute(sql) {
            let code = error.code().map_or("", |code| code.code());
            let may_fail = code.starts_with("40") || code.starts_with("55P") || code.starts_with("23");
            assert!(may_fail && Instant::now() < deadline, "{sql}\n{error:?}");
        }
    }
}

fn time_to_soak() -> Option<Duration> {
    let seconds = std::env::var("PG_TVIEWS_SOAK_SECONDS").ok()?;
    Some(Duration::from_secs(seconds.parse().expect("a number of seconds")))
}

#[test]
fn consumers_have_the_rows_after_crashes_and_ddl() {
    let cluster = Cluster::start(
        Options::preloaded()
            .set("restart_after_crash", "on")
            .set("pg_tviews.batch_size", "20"),
    );
    let (database, mut client) = blog::open(&cluster, "feed_soak");
    for (entity, _) in MIRRORED {
        feed_on(&mut client, entity);
    }
    // Writers also read what they have written, so that rows are written by previews, too.
    let mut statements = blog::STATEMENTS.to_vec();
    statements.extend(["SELECT count(*) FROM tv_post", "SELECT data FROM tv_total"]);
    let plan = Plan {
        statements: &statements,
        ..blog::writers_through_crashes(&cluster, &database.name)
    };
    let mut random = Random::announced("consumers_have_the_rows_after_crashes_and_ddl");
    let mut mirror = Mirror::begin(&mut client);
    copy::begin(&mut client);
    let mut soak = Soak {
        cluster: &cluster,
        database: &database,
        client,
        redefinitions: 0,
    };
    let begin = Instant::now();
    let (mut events, mut taken, mut commits) = (EVENTS.to_vec(), 0, 0);
    loop {
        commits += stage(&mut soak, &plan, &mut mirror, &events, &random, &mut taken);
        soak.client.assert_follows(&blog::ENTITIES);
        mirror.assert_equal(&mut soak.client);
        copy::assert_equal(&mut soak.client);
        let Some(time) = time_to_soak() else { break };
        println!(
            "{:?}: {events:?}, {commits} commits, {taken} changes taken",
            begin.elapsed()
        );
        if begin.elapsed() > time {
            break;
        }
        random = random.branch(1000);
        events = (0..8).map(|_| *random.pick(&EVENTS)).collect();
    }
    assert!(taken > 50, "{taken} changes");
    let effects: i64 = soak.client.one("SELECT count(*) FROM effect");
    assert!(effects > 50, "{effects} effects");
}

/// Writers write and consumers follow while these events happen. Returns the number of commits.
fn stage(
    soak: &mut Soak,
    plan: &Plan,
    mirror: &mut Mirror,
    events: &[Event],
    random: &Random,
    taken: &mut usize,
) -> u64 {
    let (database, end, kill) = (soak.database, AtomicBool::new(false), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let _end = EndWhenDropped(&end);
        let following = scope.spawn(|| mirror.follow_until(database, &end, &kill));
        for isolation in ["READ COMMITTED", "REPEATABLE READ"] {
            let end = &end;
            scope.spawn(move || copy::apply_until(database, isolation, end));
        }
        let commits = Load::during(plan, 3, random, |load| {
            for event in events {
                load.let_pass(40);
                soak.let_happen(*event, &kill);
            }
            load.let_pass(40);
        });
        end.store(true, Ordering::Relaxed);
        *taken += following.join().expect("followed");
        commits
    })
}

/// Ends the consumers, also of a test that fails.
struct EndWhenDropped<'a>(&'a AtomicBool);

impl Drop for EndWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
