//! Every setting (`pg_tviews.*`), with its typed accessor. The two that size shared memory need a restart.
//! All others take effect on reload.

use std::ffi::{CStr, CString};
use std::time::Duration;

use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting, PostgresGucEnum};

/// What a query does whose tv tables are later than `pg_tviews.max_staleness`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PostgresGucEnum)]
pub enum OnStale {
    /// It waits, and fails after `pg_tviews.stale_timeout`.
    #[name = c"wait"]
    Wait,
    /// It fails.
    #[name = c"error"]
    Error,
    /// It reads the rows as they are, and a NOTICE says so.
    #[name = c"notice"]
    Notice,
}

/// What creation does with sources of which any change recomputes the whole TVIEW.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PostgresGucEnum)]
pub enum AllowFull {
    /// It accepts them.
    #[name = c"on"]
    On,
    /// It accepts them, and a NOTICE names each.
    #[name = c"notice"]
    Notice,
    /// It fails.
    #[name = c"off"]
    Off,
}

/// How a redefined TVIEW gets its new rows that one transaction cannot compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PostgresGucEnum)]
pub enum BeyondLimit {
    /// They fill a stage, and replace the old ones together.
    #[name = c"stage"]
    Stage,
    /// Batches write them to the tv table.
    #[name = c"batches"]
    Batches,
}

static ENABLED: GucSetting<bool> = GucSetting::<bool>::new(true);
static CAPTURE: GucSetting<bool> = GucSetting::<bool>::new(true);
static ALLOW_TABLE_WRITES: GucSetting<bool> = GucSetting::<bool>::new(false);
static REQUIRE_TRIGGER_PRIVILEGE: GucSetting<bool> = GucSetting::<bool>::new(true);
static READ_YOUR_WRITES: GucSetting<bool> = GucSetting::<bool>::new(true);
static PREVIEW_LIMIT: GucSetting<i32> = GucSetting::<i32>::new(1000);
static MAX_STALENESS: GucSetting<i32> = GucSetting::<i32>::new(-1);
static ON_STALE: GucSetting<OnStale> = GucSetting::<OnStale>::new(OnStale::Wait);
static STALE_TIMEOUT: GucSetting<i32> = GucSetting::<i32>::new(30_000);
static ALLOW_FULL: GucSetting<AllowFull> = GucSetting::<AllowFull>::new(AllowFull::Notice);
static CREATE_TABLE_AS: GucSetting<bool> = GucSetting::<bool>::new(true);
static WORKERS: GucSetting<i32> = GucSetting::<i32>::new(2);
static MAX_LATENCY: GucSetting<i32> = GucSetting::<i32>::new(250);
static BATCH_SIZE: GucSetting<i32> = GucSetting::<i32>::new(10_000);
static RETRY_BACKOFF: GucSetting<i32> = GucSetting::<i32>::new(500);
static RETRY_LIMIT: GucSetting<i32> = GucSetting::<i32>::new(5);
static REFRESH_TIMEOUT: GucSetting<i32> = GucSetting::<i32>::new(0);
static REDEFINE_LIMIT: GucSetting<i32> = GucSetting::<i32>::new(30_000);
static REDEFINE_BEYOND_LIMIT: GucSetting<BeyondLimit> = GucSetting::<BeyondLimit>::new(BeyondLimit::Stage);
static LOCK_TIMEOUT: GucSetting<i32> = GucSetting::<i32>::new(200);
static MAX_BACKLOG: GucSetting<i32> = GucSetting::<i32>::new(1_000_000);
static AUDIT_RETENTION: GucSetting<i32> = GucSetting::<i32>::new(7 * 24 * 60 * 60);
static ORIGIN: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
static FEED_NOTIFY: GucSetting<bool> = GucSetting::<bool>::new(false);
static FEED_MAX_KEYS: GucSetting<i32> = GucSetting::<i32>::new(10_000);
static FEED_RETENTION: GucSetting<i32> = GucSetting::<i32>::new(7 * 24 * 60 * 60);
static FEED_MAX_SIZE: GucSetting<i32> = GucSetting::<i32>::new(1024);
static VERIFY_CYCLE: GucSetting<i32> = GucSetting::<i32>::new(7 * 24 * 60 * 60);
static VERIFY_SHARE: GucSetting<f64> = GucSetting::<f64>::new(1.0);
static RUNNING_THRESHOLD: GucSetting<i32> = GucSetting::<i32>::new(500);
static PLAN_CACHE_SIZE: GucSetting<i32> = GucSetting::<i32>::new(5 * 1024);
static WORKER_PLAN_CACHE_SIZE: GucSetting<i32> = GucSetting::<i32>::new(32 * 1024);
static MAX_DATABASES: GucSetting<i32> = GucSetting::<i32>::new(16);
static MAX_TVIEWS: GucSetting<i32> = GucSetting::<i32>::new(2048);

/// Workers refresh while this is on. When it is turned off, running refreshes finish and none begins.
pub fn enabled() -> bool {
    ENABLED.get()
}

/// Row triggers record changes in this session while this is on.
pub fn capture() -> bool {
    CAPTURE.get()
}

/// Whether this session may write maintained columns of tv tables.
pub fn allow_table_writes() -> bool {
    ALLOW_TABLE_WRITES.get()
}

/// Whether the owner of a TVIEW needs the privilege TRIGGER on its sources.
pub fn require_trigger_privilege() -> bool {
    REQUIRE_TRIGGER_PRIVILEGE.get()
}

/// Whether queries see the changes of their own transaction in tv tables.
pub fn read_your_writes() -> bool {
    READ_YOUR_WRITES.get()
}

/// Maximum number of rows of a tv table recomputed before one query to show its transaction's changes.
pub fn preview_limit() -> usize {
    PREVIEW_LIMIT.get() as usize
}

/// Whether queries have a bound on how late the rows of tv tables are. Asked before every query.
pub fn bounds_staleness() -> bool {
    MAX_STALENESS.get() >= 0
}

/// How late the rows may be that a query reads from tv tables; None: no bound.
pub fn max_staleness() -> Option<Duration> {
    let bound = u64::try_from(MAX_STALENESS.get());
    bound.ok().map(Duration::from_millis)
}

/// What a query does whose tv tables are later than that.
pub fn on_stale() -> OnStale {
    ON_STALE.get()
}

/// How long such a query waits; None: no limit.
pub fn stale_timeout() -> Option<Duration> {
    let limit = Duration::from_millis(STALE_TIMEOUT.get() as u64);
    (!limit.is_zero()).then_some(limit)
}

/// What creation does with sources of which any change recomputes the whole TVIEW.
pub fn allow_full() -> AllowFull {
    ALLOW_FULL.get()
}

/// Whether `CREATE TABLE tv_... AS SELECT` makes a TVIEW.
pub fn create_table_as() -> bool {
    CREATE_TABLE_AS.get()
}

/// Refresh workers per database.
pub fn workers() -> usize {
    WORKERS.get() as usize
}

/// Default bound from commit to visible, for TVIEWs that set none of their own.
pub fn max_latency() -> Duration {
    Duration::from_millis(MAX_LATENCY.get() as u64)
}

/// Maximum number of keys that one refresh transaction recomputes.
pub fn batch_size() -> usize {
    BATCH_SIZE.get() as usize
}

/// Wait before the first retry of a failed refresh; doubles with every further failure.
pub fn retry_backoff() -> Duration {
    Duration::from_millis(RETRY_BACKOFF.get() as u64)
}

/// Server errors in a row before a refresh isolates the keys that fail. Attempts at a dead key before it is
/// tried every ten minutes only.
pub fn retry_limit() -> u32 {
    RETRY_LIMIT.get() as u32
}

/// Maximum time of one step of a refresh in a worker; zero: no limit.
pub fn refresh_timeout() -> Duration {
    Duration::from_millis(REFRESH_TIMEOUT.get() as u64)
}

/// Maximum time of the transaction that gives all rows of a redefined TVIEW their new definition; zero: batches.
pub fn redefine_limit() -> Duration {
    Duration::from_millis(REDEFINE_LIMIT.get() as u64)
}

/// Whether the new rows of a redefined TVIEW replace the old ones together where one transaction cannot compute them.
pub fn redefines_by_stage() -> bool {
    !redefine_limit().is_zero() && REDEFINE_BEYOND_LIMIT.get() == BeyondLimit::Stage
}

/// How long a refresh waits for a lock that another session holds.
pub fn lock_timeout() -> Duration {
    Duration::from_millis(LOCK_TIMEOUT.get() as u64)
}

/// Maximum number of changes kept for a TVIEW that is not being refreshed; zero: no limit.
pub fn max_backlog() -> u32 {
    MAX_BACKLOG.get() as u32
}

/// How long audit rows are kept.
pub fn audit_retention() -> Duration {
    Duration::from_secs(AUDIT_RETENTION.get() as u64)
}

/// Where the changes of this session come from, such as the id of a request; None if that is not set.
pub fn origin() -> Option<String> {
    let origin = ORIGIN.get()?.into_string().ok()?;
    (!origin.is_empty()).then_some(origin)
}

/// Workers notify consumers of the change feed.
pub fn feed_notify() -> bool {
    FEED_NOTIFY.get()
}

/// Maximum number of keys that one transaction adds to the change feed; with more, any row may have changed.
pub fn feed_max_keys() -> usize {
    FEED_MAX_KEYS.get() as usize
}

/// How long changes are kept for consumers that do not acknowledge them.
pub fn feed_retention() -> Duration {
    Duration::from_secs(FEED_RETENTION.get() as u64)
}

/// Maximum size of the changes that are kept for such consumers, in bytes.
pub fn feed_max_size() -> i64 {
    i64::from(FEED_MAX_SIZE.get()) * 1024 * 1024
}

/// In what time every row of every TVIEW is compared with the view once; None: rows are not verified.
pub fn verify_cycle() -> Option<Duration> {
    let seconds = VERIFY_CYCLE.get() as u64;
    (seconds > 0).then_some(Duration::from_secs(seconds))
}

/// The share of its time that one CPU may spend on that, in each database: from 0 to 1.
pub fn verify_share() -> f64 {
    VERIFY_SHARE.get() / 100.0
}

/// Minimum number of source rows of a group whose aggregates are stored; zero: no group is stored.
pub fn running_threshold() -> i64 {
    i64::from(RUNNING_THRESHOLD.get())
}

/// Memory of a session for plans of TVIEWs, in bytes.
pub fn plan_cache_size() -> usize {
    PLAN_CACHE_SIZE.get() as usize * 1024
}

/// Memory of a worker for plans of TVIEWs, in bytes.
pub fn worker_plan_cache_size() -> usize {
    WORKER_PLAN_CACHE_SIZE.get() as usize * 1024
}

/// Databases that can have workers at the same time (sizes shared memory).
pub fn max_databases() -> usize {
    MAX_DATABASES.get() as usize
}

/// TVIEWs, over all databases, whose progress shared memory tracks (sizes shared memory).
pub fn max_tviews() -> usize {
    MAX_TVIEWS.get() as usize
}

/// Registers a setting of a session that is a short text: name, both descriptions, place.
pub type DefineShortText =
    fn(&'static CStr, &'static CStr, &'static CStr, &'static GucSetting<Option<CString>>);

/// Registers every setting; the prefix is reserved afterwards, so a misspelt name is reported.
pub fn init(preloading: bool, define_short_text: DefineShortText) {
    let none = GucFlags::default();
    GucRegistry::define_bool_guc(
        c"pg_tviews.enabled",
        c"Refresh TVIEWs in background workers.",
        c"When off, changes are still captured and wait in pg_tview_queue.",
        &ENABLED,
        GucContext::Sighup,
        none,
    );
    GucRegistry::define_bool_guc(
        c"pg_tviews.capture",
        c"Record changes of source tables in this session.",
        c"Turn off for a bulk load only. All rows of the TVIEWs over the tables written meanwhile are then compared.",
        &CAPTURE,
        GucContext::Suset,
        none,
    );
    GucRegistry::define_bool_guc(
        c"pg_tviews.allow_table_writes",
        c"Let this session write maintained columns of tv tables.",
        c"Rows written directly are overwritten by the next refresh. The privileges on the table are still needed.",
        &ALLOW_TABLE_WRITES,
        GucContext::Userset,
        none,
    );
    GucRegistry::define_bool_guc(
        c"pg_tviews.require_trigger_privilege",
        c"Require the privilege TRIGGER on the sources of a TVIEW.",
        c"The owner of the TVIEW needs this privilege, or the rights of the source's owner. When off, SELECT is enough.",
        &REQUIRE_TRIGGER_PRIVILEGE,
        GucContext::Suset,
        none,
    );
    GucRegistry::define_bool_guc(
        c"pg_tviews.read_your_writes",
        c"Let queries see the changes of their own transaction in tv tables.",
        c"Before a query that reads a tv table starts, the rows that the transaction's changes affect are recomputed.",
        &READ_YOUR_WRITES,
        GucContext::Userset,
        none,
    );
    GucRegistry::define_int_guc(
        c"pg_tviews.preview_limit",
        c"Maximum number of rows of a tv table recomputed before a query to show its transaction's changes.",
        c"With more rows, the query runs on the rows as they are, and a NOTICE says so.",
        &PREVIEW_LIMIT,
        1,
        1_000_000,
        GucContext::Userset,
        none,
    );
    init_promise(none);
    GucRegistry::define_bool_guc(
        c"pg_tviews.create_table_as",
        c"Let CREATE TABLE AS make a TVIEW of a table whose name begins with tv_.",
        c"When off, the statement creates a plain table.",
        &CREATE_TABLE_AS,
        GucContext::Userset,
        none,
    );
    GucRegistry::define_int_guc(
        c"pg_tviews.workers",
        c"Maximum number of refresh workers per database.",
        c"Each worker takes one slot of max_worker_processes. 0 stops all workers.",
        &WORKERS,
        0,
        64,
        GucContext::Sighup,
        none,
    );
    GucRegistry::define_int_guc(
        c"pg_tviews.max_latency",
        c"Default bound on the time from commit to visible in the tv table.",
        c"Under load a refresh may wait for a part of this time, so that many changes share one refresh.",
        &MAX_LATENCY,
        1,
        i32::MAX,
        GucContext::Sighup,
        GucFlags::UNIT_MS,
    );
    GucRegistry::define_int_guc(
        c"pg_tviews.batch_size",
        c"Maximum number of keys recomputed by one refresh transaction.",
        c"A larger backlog is applied in several transactions.",
        &BATCH_SIZE,
        1,
        10_000_000,
        GucContext::Sighup,
        none,
    );
    GucRegistry::define_int_guc(
        c"pg_tviews.retry_backoff",
        c"Wait before the first retry of a failed refresh.",
        c"The wait doubles with every further failure, up to a minute.",
        &RETRY_BACKOFF,
        1,
        60_000,
        GucContext::Sighup,
        GucFlags::UNIT_MS,
    );
    GucRegistry::define_int_guc(
        c"pg_tviews.retry_limit",
        c"Number of quick retries of a failed refresh and of a dead key.",
        c"After that a refresh isolates the keys that fail, and a dead key is tried every ten minutes.",
        &RETRY_LIMIT,
        0,
        1000,
        GucContext::Sighup,
        none,
    );
    GucRegistry::define_int_guc(
        c"pg_tviews.refresh_timeout",
        c"Maximum time of one step of a refresh in a worker: finding the affected keys, or recomputing a batch of keys.",
        c"A longer step counts as failed. 0 means no limit.",
        &REFRESH_TIMEOUT,
        0,
        i32::MAX,
        GucContext::Sighup,
        GucFlags::UNIT_MS,
    );
    GucRegistry::define_int_guc(
        c"pg_tviews.redefine_limit",
        c"Maximum time of the transaction in which all rows of a redefined TVIEW follow the new definition.",
        c"Readers see the rows of one definition. For what takes longer see pg_tviews.redefine_beyond_limit. 0 means in batches.",
        &REDEFINE_LIMIT,
        0,
        i32::MAX,
        GucContext::Sighup,
        GucFlags::UNIT_MS,
    );
    GucRegistry::define_enum_guc(
        c"pg_tviews.redefine_beyond_limit",
        c"How a redefined TVIEW gets its new rows that take longer than pg_tviews.redefine_limit.",
        c"With stage, they replace the old ones together in the end. With batches, readers see old and new rows meanwhile.",
        &REDEFINE_BEYOND_LIMIT,
        GucContext::Sighup,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"pg_tviews.lock_timeout",
        c"How long a refresh waits for rows or tables that another session has locked.",
        c"Then the refresh gives up and is tried again. Must be below deadlock_timeout, or deadlocks with refreshes end sessions.",
        &LOCK_TIMEOUT,
        1,
        60_000,
        GucContext::Sighup,
        GucFlags::UNIT_MS,
    );
    GucRegistry::define_int_guc(
        c"pg_tviews.max_backlog",
        c"Maximum number of changes kept for a TVIEW that is paused, suspended or failing.",
        c"Beyond it the changes are given up, and all rows are compared when the TVIEW is refreshed again. 0 means no limit.",
        &MAX_BACKLOG,
        0,
        i32::MAX,
        GucContext::Sighup,
        none,
    );
    GucRegistry::define_int_guc(
        c"pg_tviews.running_threshold",
        c"Minimum number of source rows of a group whose aggregates are stored.",
        c"Stored aggregates are moved on by what transactions change, and their groups are not read again. 0 stores none.",
        &RUNNING_THRESHOLD,
        0,
        i32::MAX,
        GucContext::Sighup,
        none,
    );
    GucRegistry::define_int_guc(
        c"pg_tviews.plan_cache_size",
        c"Memory that a session keeps for plans of TVIEWs.",
        c"The least recently used plan is removed first and made again when needed.",
        &PLAN_CACHE_SIZE,
        0,
        i32::MAX / 1024,
        GucContext::Userset,
        GucFlags::UNIT_KB,
    );
    GucRegistry::define_int_guc(
        c"pg_tviews.worker_plan_cache_size",
        c"Memory that a refresh worker keeps for plans of TVIEWs.",
        c"The least recently used plan is removed first. With too little memory, refreshes are planned again and again.",
        &WORKER_PLAN_CACHE_SIZE,
        0,
        i32::MAX / 1024,
        GucContext::Sighup,
        GucFlags::UNIT_KB,
    );
    GucRegistry::define_int_guc(
        c"pg_tviews.audit_retention",
        c"How long rows of pg_tview_meta_audit are kept.",
        c"The newest row with the position of a TVIEW is kept whatever its age.",
        &AUDIT_RETENTION,
        1,
        i32::MAX,
        GucContext::Sighup,
        GucFlags::UNIT_S,
    );
    define_short_text(
        c"pg_tviews.origin",
        c"Where the changes of this session come from, such as the id of a request.",
        c"At most 64 bytes. Kept with the changes, in the audit and in the change feed.",
        &ORIGIN,
    );
    GucRegistry::define_bool_guc(
        c"pg_tviews.feed_notify",
        c"Let workers notify consumers of the change feed.",
        c"Sends NOTIFY pg_tviews with the name of the entity as payload, after refreshes that have changed rows.",
        &FEED_NOTIFY,
        GucContext::Sighup,
        none,
    );
    GucRegistry::define_int_guc(
        c"pg_tviews.feed_max_keys",
        c"Maximum number of keys that one transaction adds to the change feed.",
        c"With more, one change EVERYTHING without keys takes their place.",
        &FEED_MAX_KEYS,
        1,
        1_000_000,
        GucContext::Sighup,
        none,
    );
    GucRegistry::define_int_guc(
        c"pg_tviews.feed_retention",
        c"How long changes are kept for a consumer that does not acknowledge them.",
        c"Then they are removed, and the consumer has to subscribe again.",
        &FEED_RETENTION,
        1,
        i32::MAX,
        GucContext::Sighup,
        GucFlags::UNIT_S,
    );
    GucRegistry::define_int_guc(
        c"pg_tviews.feed_max_size",
        c"Maximum size of the changes that are kept for consumers that do not acknowledge them.",
        c"Beyond it the oldest are removed, and consumers that lack them have to subscribe again.",
        &FEED_MAX_SIZE,
        1,
        i32::MAX,
        GucContext::Sighup,
        GucFlags::UNIT_MB,
    );
    init_verification(none);
    // Without preloading there is no shared memory to size. A session that loads the library late may not
    // define settings of this kind.
    if !preloading {
        return;
    }
    GucRegistry::define_int_guc(
        c"pg_tviews.max_databases",
        c"Maximum number of databases that can have workers at the same time.",
        c"Determines the size of shared memory.",
        &MAX_DATABASES,
        1,
        1024,
        GucContext::Postmaster,
        none,
    );
    GucRegistry::define_int_guc(
        c"pg_tviews.max_tviews",
        c"Maximum number of TVIEWs, over all databases, whose progress is tracked in shared memory.",
        c"Further TVIEWs are checked on every wake. Determines the size of shared memory.",
        &MAX_TVIEWS,
        16,
        1_000_000,
        GucContext::Postmaster,
        none,
    );
}

/// Settings of the comparison in the background.
fn init_verification(none: GucFlags) {
    GucRegistry::define_int_guc(
        c"pg_tviews.verify_cycle",
        c"Time in which workers compare every row of every TVIEW with its view once.",
        c"Rows that differ, and have no pending change, are reported and recomputed. 0 turns this off.",
        &VERIFY_CYCLE,
        0,
        i32::MAX,
        GucContext::Sighup,
        GucFlags::UNIT_S,
    );
    GucRegistry::define_float_guc(
        c"pg_tviews.verify_share",
        c"Maximum share of one CPU that this takes in each database, in percent.",
        c"If it is too small for all rows, comparing them takes longer than pg_tviews.verify_cycle.",
        &VERIFY_SHARE,
        0.001,
        100.0,
        GucContext::Sighup,
        none,
    );
}

/// Settings of queries whose rows may be only so late.
fn init_promise(none: GucFlags) {
    GucRegistry::define_int_guc(
        c"pg_tviews.max_staleness",
        c"Maximum age of changes that a query may miss in the tv tables it reads.",
        c"0: everything committed before the query began is in the rows. -1: queries read the rows as they are.",
        &MAX_STALENESS,
        -1,
        i32::MAX,
        GucContext::Userset,
        GucFlags::UNIT_MS,
    );
    GucRegistry::define_enum_guc(
        c"pg_tviews.allow_full",
        c"Whether a TVIEW may be created of which any change of some table recomputes all rows.",
        c"With notice, a NOTICE names each such table and the reason. With off, pg_tviews_create fails.",
        &ALLOW_FULL,
        GucContext::Userset,
        none,
    );
    GucRegistry::define_enum_guc(
        c"pg_tviews.on_stale",
        c"What a query does whose tv tables are later than pg_tviews.max_staleness.",
        c"It waits for refreshes, or fails, or reads the rows as they are and sends a NOTICE.",
        &ON_STALE,
        GucContext::Userset,
        none,
    );
    GucRegistry::define_int_guc(
        c"pg_tviews.stale_timeout",
        c"How long a query waits for refreshes before it fails.",
        c"Applies where pg_tviews.on_stale is wait. 0 means no limit.",
        &STALE_TIMEOUT,
        0,
        i32::MAX,
        GucContext::Userset,
        GucFlags::UNIT_MS,
    );
}
