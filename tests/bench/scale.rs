//! How much data and how long: all of it, or enough to see whether something went wrong.

use std::time::Duration;

/// Sizes and times of every scenario.
#[derive(Clone, Copy)]
pub struct Scale {
    /// Its name in the output.
    pub name: &'static str,
    /// Rows of `tb_user`.
    pub users: i32,
    /// Rows of `tb_post`.
    pub posts: i32,
    /// Posts of user 1; the others share the rest.
    pub hub: i32,
    /// Rows of `tb_comment`.
    pub comments: i32,
    /// How often alternatives are measured in turn.
    pub rounds: usize,
    /// The same for transactions per second, which vary most.
    pub tps_rounds: usize,
    /// The same where no disk makes them vary.
    pub cpu_rounds: usize,
    /// The same at half the rate, and with many clients.
    pub further_rounds: usize,
    /// Values of the writers' setting where no disk matters.
    pub synchronous_commit: &'static [&'static str],
    /// Load of one alternative in one round, in whole seconds.
    pub slice: Duration,
    /// Rows of the one statement.
    pub bulk: i32,
    /// Rows of the same where row triggers do the work: they take long.
    pub by_trigger: i32,
    /// Small transactions to apply at once.
    pub burst: i32,
    /// Changed keys to drain.
    pub backlog: i32,
    /// Commits of the latency on an idle server.
    pub commits: usize,
    /// Steady load of the latency under load.
    pub steady: Duration,
    /// How long an old snapshot is held.
    pub old_snapshot: Duration,
    /// Sources of the many TVIEWs; five times as many TVIEWs.
    pub many_sources: i32,
    /// How long nothing happens there.
    pub idle: Duration,
    /// TVIEWs that one worker refreshes, for its memory.
    pub kept: [i32; 2],
    /// How often one of them is defined anew.
    pub redefinitions: i32,
    /// Rows of the tv tables whose refreshes are compared.
    pub sizes: [i32; 3],
    /// Rows of the one COPY.
    pub load: i32,
    /// Rows of the one huge UPDATE.
    pub huge: i32,
    /// Rows of the largest group that an aggregate reads.
    pub group: i32,
    /// Commands of each kind that have nothing to do with TVIEWs.
    pub unrelated_ddl: i32,
    /// Groups that run only if they are named.
    pub left_out: &'static [&'static str],
}

impl Scale {
    /// What docs/benchmarks.md shows.
    pub const FULL: Scale = Scale {
        name: "full",
        users: 10_000,
        posts: 300_000,
        hub: 50_000,
        comments: 1_000_000,
        rounds: 7,
        tps_rounds: 15,
        cpu_rounds: 6,
        further_rounds: 4,
        synchronous_commit: &["on", "off"],
        slice: Duration::from_secs(3),
        bulk: 20_000,
        by_trigger: 20_000,
        burst: 10_000,
        backlog: 100_000,
        commits: 500,
        steady: Duration::from_secs(60),
        old_snapshot: Duration::from_secs(600),
        many_sources: 200,
        idle: Duration::from_secs(60),
        kept: [1_000, 3_000],
        redefinitions: 2_000,
        sizes: [30_000, 300_000, 3_000_000],
        load: 1_000_000,
        huge: 10_000_000,
        group: 1_000_000,
        unrelated_ddl: 300,
        left_out: &[],
    };
    /// Under three minutes.
    pub const QUICK: Scale = Scale {
        name: "quick",
        users: 2_000,
        posts: 60_000,
        hub: 10_000,
        comments: 200_000,
        rounds: 3,
        tps_rounds: 5,
        cpu_rounds: 3,
        further_rounds: 2,
        synchronous_commit: &["off"],
        slice: Duration::from_secs(1),
        bulk: 20_000,
        by_trigger: 2_000,
        burst: 2_000,
        backlog: 40_000,
        commits: 100,
        steady: Duration::from_secs(4),
        old_snapshot: Duration::from_secs(5),
        many_sources: 20,
        idle: Duration::from_secs(5),
        kept: [200, 400],
        redefinitions: 200,
        sizes: [10_000, 30_000, 100_000],
        load: 200_000,
        huge: 300_000,
        group: 200_000,
        unrelated_ddl: 100,
        left_out: &[
            "load",
            "groups",
            "half",
            "clients",
            "slots",
            "ddl",
            "count",
            "feed_count",
            "memory",
            "backlog",
        ],
    };
}
