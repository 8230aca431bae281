//! What sessions wait for, looked up many times while they work.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::harness::Cluster;
use crate::meanwhile::meanwhile;
use crate::report::{Reach, Report};
use crate::world::patient;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(4);

/// Whether an event belongs to a kind.
type IsMeant = fn(&str) -> bool;

/// Kinds of waits that capture may add, by the names in pg_stat_activity. PostgreSQL does not tell which table or page is waited
/// for: what counts is what the same load without TVIEWs does not wait for.
const KINDS: [(&str, IsMeant); 3] = [
    ("wait to extend a table", |event| event == "Lock:extend"),
    ("wait for a page in use", |event| event == "LWLock:BufferContent"),
    ("wait for anything of the extension", |event| {
        event.starts_with("Extension:") || event.starts_with("LWLock:pg_tviews")
    }),
];

/// How often sessions at work were seen to wait, by event.
pub struct Waits {
    seen: BTreeMap<String, i64>,
}

impl Waits {
    /// Looks at the sessions of a database while `work` runs.
    pub fn during(cluster: &Cluster, database: &str, work: impl FnOnce()) -> Self {
        let mut client = patient(cluster, "postgres");
        let look = client
            .prepare(
                "SELECT coalesce(wait_event_type || ':' || wait_event, ''), count(*) FROM pg_stat_activity
                  WHERE datname = $1 AND backend_type = 'client backend' AND state <> 'idle' GROUP BY 1",
            )
            .expect("prepares");
        let mut seen = BTreeMap::new();
        let count = || {
            for row in client.query(&look, &[&database]).expect("reads activity") {
                *seen.entry(row.get(0)).or_insert(0) += row.get::<_, i64>(1);
            }
        };
        meanwhile(count, PAUSE, work);
        Self { seen }
    }

    fn samples(&self) -> i64 {
        self.seen.values().sum()
    }

    /// Percent of the samples with such an event.
    fn share(&self, is_meant: impl Fn(&str) -> bool) -> f64 {
        let meant = self.seen.iter().filter(|(event, _)| is_meant(event));
        100.0 * meant.map(|(_, count)| count).sum::<i64>() as f64 / self.samples().max(1) as f64
    }

    /// Each kind, beside the same load without TVIEWs; then everything that is waited for.
    pub fn report(&self, report: &mut Report, scenario: &str, without: &Self) {
        for (kind, is_meant) in KINDS {
            let (with, without) = (self.share(is_meant), without.share(is_meant));
            let measure = format!("{kind}: % of samples, with - without");
            let seen = format!("{with:.2} % / {without:.2} %");
            report.add(scenario, &measure, with - without, Reach::AtMost(1.0), seen);
        }
        let waits = |event: &str| !event.is_empty();
        let (with, bare) = (self.share(waits), without.share(waits));
        let seen = format!(
            "{with:.1} % / {bare:.1} % of {} / {} samples; {}",
            self.samples(),
            without.samples(),
            self.most(without)
        );
        let measure = "wait for anything: % of samples, with - without";
        report.add(scenario, measure, with - bare, Reach::Nothing, seen);
    }

    /// The most frequent events, with and without.
    fn most(&self, without: &Self) -> String {
        let mut events: Vec<(&String, &i64)> =
            self.seen.iter().filter(|(event, _)| !event.is_empty()).collect();
        events.sort_by_key(|(_, count)| -**count);
        let share = |(event, _): &(&String, &i64)| {
            let is_it = |name: &str| name == event.as_str();
            format!("{event} {:.1} / {:.1}", self.share(is_it), without.share(is_it))
        };
        events.iter().take(4).map(share).collect::<Vec<_>>().join(", ")
    }
}
