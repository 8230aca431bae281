//! Settings of sessions that create TVIEWs.

use std::time::Duration;

use pgrx::{GucSetting, PostgresGucEnum};

use super::kinds::{Changed, Choice, Number, Switch, Unit};

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

static ALLOW_FULL: Choice<AllowFull> = Choice {
    name: c"pg_tviews.allow_full",
    short: c"Whether a TVIEW may be created of which any change of some table recomputes all rows.",
    long: c"With notice, a NOTICE names each such table and the reason. With off, pg_tviews_create fails.",
    changed: Changed::InSession,
    value: GucSetting::<AllowFull>::new(AllowFull::Notice),
};

static CREATE_TABLE_AS: Switch = Switch {
    name: c"pg_tviews.create_table_as",
    short: c"Let CREATE TABLE AS make a TVIEW of a table whose name begins with tv_.",
    long: c"When off, the statement creates a plain table.",
    changed: Changed::InSession,
    value: GucSetting::<bool>::new(true),
};

// Whoever sets it decides how long writers of the sources wait.
static FILL_LIMIT: Number = Number {
    name: c"pg_tviews.fill_limit",
    short: c"Maximum time to compute a view whose table is filled while writers are kept out for new triggers.",
    long: c"The table of a view that takes longer is filled by a worker, after the commit. 0 leaves all such tables to workers.",
    unit: Unit::Milliseconds,
    range: 0..=60_000,
    changed: Changed::BySuperuser,
    value: GucSetting::<i32>::new(25),
};

static REQUIRE_TRIGGER_PRIVILEGE: Switch = Switch {
    name: c"pg_tviews.require_trigger_privilege",
    short: c"Require the privilege TRIGGER on the sources of a TVIEW.",
    long: c"The owner of the TVIEW needs this privilege, or the rights of the source's owner. When off, SELECT is enough.",
    changed: Changed::BySuperuser,
    value: GucSetting::<bool>::new(true),
};

pub(super) fn define() {
    ALLOW_FULL.define();
    CREATE_TABLE_AS.define();
    FILL_LIMIT.define();
    REQUIRE_TRIGGER_PRIVILEGE.define();
}

/// What creation does with sources of which any change recomputes the whole TVIEW.
pub fn allow_full() -> AllowFull {
    ALLOW_FULL.get()
}

/// Whether `CREATE TABLE tv_... AS SELECT` makes a TVIEW.
pub fn create_table_as() -> bool {
    CREATE_TABLE_AS.is_on()
}

/// Maximum time to compute a view whose table is filled while writers are kept out; zero: none is.
pub fn fill_limit() -> Duration {
    FILL_LIMIT.time()
}

/// Whether the owner of a TVIEW needs the privilege TRIGGER on its sources.
pub fn require_trigger_privilege() -> bool {
    REQUIRE_TRIGGER_PRIVILEGE.is_on()
}
