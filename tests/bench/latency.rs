//! From commit to visible: when nothing else happens, under steady load, and for one key that changes all the time.

use std::time::{Duration, Instant};

use postgres::Client;

use crate::compare::percentile;
use crate::harness::Cluster;
use crate::load::Load;
use crate::report::{Reach, Report};
use crate::world::{caught_up, patient, World, OURS, PROBED};

/// The default bound.
const BOUND: f64 = 250.0;

/// All three.
pub fn measure(world: &World, report: &mut Report) {
    let posts = world.scale.posts - PROBED..world.scale.posts;
    let idle = Probe {
        cluster: &world.cluster,
        database: OURS,
        update: "UPDATE tb_post SET title = $1 WHERE pk_post = $2",
        look: "SELECT data->>'title' = $1 FROM tv_post WHERE pk_post = $2",
        keys: posts.clone(),
        pause: Duration::from_millis(10),
        look_every: Duration::ZERO,
    };
    idle.commits(20);
    let mut seen = idle.commits(world.scale.commits);
    report_percentiles(report, "idle, commit to visible", &mut seen, (3.0, 15.0), None);
    steady(world, report, &idle);
    hot_key(world, report);
}

fn steady(world: &World, report: &mut Report, idle: &Probe) {
    let load = Load::new(&world.cluster, OURS, 2, &world.change_of_a_post()).at(400);
    let probe = Probe {
        pause: Duration::from_millis(20),
        look_every: Duration::from_micros(500),
        ..idle.clone()
    };
    let mut client = world.client(OURS);
    let before = Refreshes::of(&mut client, "post");
    let running = load.start(world.scale.steady);
    let mut seen = probe.commits_for(world.scale.steady - Duration::from_millis(500));
    Load::finish(running);
    caught_up(&mut client);
    let more = Refreshes::of(&mut client, "post").since(&before);
    let scenario = format!("400 tx/s for {} s", world.scale.steady.as_secs());
    report_percentiles(report, &scenario, &mut seen, (30.0, 200.0), Some(BOUND));
    report.add(
        &scenario,
        "changes per refresh",
        more.changes_each(),
        Reach::Nothing,
        more.seen(),
    );
}

fn hot_key(world: &World, report: &mut Report) {
    let script = format!(
        "\\set n random(1, 1000000000)\nUPDATE tb_post SET title = 'title ' || :n WHERE pk_post = {};\n",
        world.scale.posts
    );
    let mut client = world.client(OURS);
    let before = Refreshes::of(&mut client, "post");
    Load::new(&world.cluster, OURS, 1, &script).run(world.scale.slice * 2);
    caught_up(&mut client);
    let more = Refreshes::of(&mut client, "post").since(&before);
    report.add(
        "one hot key at full speed",
        "updates per refresh",
        more.changes_each(),
        Reach::AtLeast(10.0),
        more.seen(),
    );
}

/// p50 and p99 with their reach, and the worst.
pub fn report_percentiles(
    report: &mut Report,
    scenario: &str,
    seen: &mut [f64],
    reach: (f64, f64),
    bound: Option<f64>,
) {
    let samples = format!("{} samples", seen.len());
    let (p50, p99, worst) = (
        percentile(seen, 0.5),
        percentile(seen, 0.99),
        percentile(seen, 1.0),
    );
    report.add(scenario, "p50 ms", p50, Reach::AtMost(reach.0), samples);
    report.add(scenario, "p99 ms", p99, Reach::AtMost(reach.1), "");
    report.add(
        scenario,
        "worst ms",
        worst,
        bound.map_or(Reach::Nothing, Reach::AtMost),
        "",
    );
}

/// One change after another, each seen by a reader before the next.
#[derive(Clone)]
pub struct Probe<'a> {
    /// Where.
    pub cluster: &'a Cluster,
    /// Where.
    pub database: &'a str,
    /// Writes `$1` into the row with key `$2`.
    pub update: &'a str,
    /// Whether `$1` is visible in the row with key `$2`.
    pub look: &'a str,
    /// Keys to choose from.
    pub keys: std::ops::Range<i32>,
    /// Between a change seen and the next.
    pub pause: Duration,
    /// Between two looks.
    pub look_every: Duration,
}

impl Probe<'_> {
    /// Milliseconds from commit to visible of so many changes.
    pub fn commits(&self, commits: usize) -> Vec<f64> {
        self.run(|seen, _| seen < commits)
    }

    /// The same of changes for so long.
    pub fn commits_for(&self, time: Duration) -> Vec<f64> {
        self.run(|_, elapsed| elapsed < time)
    }

    fn run(&self, goes_on: impl Fn(usize, Duration) -> bool) -> Vec<f64> {
        let mut writer = patient(self.cluster, self.database);
        let mut reader = patient(self.cluster, self.database);
        let update = writer.prepare(self.update).expect("prepares");
        let look = reader.prepare(self.look).expect("prepares");
        let mut seen = Vec::new();
        let begin = Instant::now();
        while goes_on(seen.len(), begin.elapsed()) {
            let number = seen.len() as i64;
            let range = i64::from(self.keys.end - self.keys.start);
            let key = self.keys.start + (number * 7919 % range) as i32;
            let text = format!("probe {number} {}", begin.elapsed().as_nanos());
            writer.execute(&update, &[&text, &key]).expect("updates");
            let committed = Instant::now();
            while reader
                .query_one(&look, &[&text, &key])
                .expect("reads")
                .get::<_, Option<bool>>(0)
                != Some(true)
            {
                assert!(
                    committed.elapsed() < Duration::from_secs(60),
                    "a change of {key} did not arrive"
                );
                std::thread::sleep(self.look_every);
            }
            seen.push(committed.elapsed().as_secs_f64() * 1000.0);
            std::thread::sleep(self.pause);
        }
        seen
    }
}

/// What the audit counts.
struct Refreshes {
    changes: i64,
    refreshes: i64,
}

impl Refreshes {
    fn of(client: &mut Client, entity: &str) -> Self {
        let row = client
            .query_one(
                "SELECT coalesce(sum(changes_read), 0)::bigint, count(*) FROM pg_tview_meta_audit
                  WHERE entity_name = $1 AND changes_read > 0",
                &[&entity],
            )
            .expect("reads the audit");
        Self {
            changes: row.get(0),
            refreshes: row.get(1),
        }
    }

    fn since(&self, before: &Self) -> Self {
        Self {
            changes: self.changes - before.changes,
            refreshes: self.refreshes - before.refreshes,
        }
    }

    fn changes_each(&self) -> f64 {
        self.changes as f64 / self.refreshes.max(1) as f64
    }

    fn seen(&self) -> String {
        format!("{} changes in {} refreshes", self.changes, self.refreshes)
    }
}
