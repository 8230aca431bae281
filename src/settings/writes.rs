//! Settings of sessions that write.

use std::ffi::CString;

use pgrx::GucSetting;

use super::kinds::{Changed, DefineShortText, Switch};

static CAPTURE: Switch = Switch {
    name: c"pg_tviews.capture",
    short: c"Record changes of source tables in this session.",
    long: c"Turn off for a bulk load only. All rows of the TVIEWs over the tables written meanwhile are then compared.",
    changed: Changed::BySuperuser,
    value: GucSetting::<bool>::new(true),
};

static ALLOW_TABLE_WRITES: Switch = Switch {
    name: c"pg_tviews.allow_table_writes",
    short: c"Let this session write maintained columns of tv tables.",
    long: c"Rows written directly are overwritten by the next refresh. The privileges on the table are still needed.",
    changed: Changed::InSession,
    value: GucSetting::<bool>::new(false),
};

static ORIGIN: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);

pub(super) fn define(define_short_text: DefineShortText) {
    CAPTURE.define();
    ALLOW_TABLE_WRITES.define();
    define_short_text(
        c"pg_tviews.origin",
        c"Where the changes of this session come from, such as the id of a request.",
        c"At most 64 bytes. Kept with the changes, in the audit and in the change feed.",
        &ORIGIN,
    );
}

/// Row triggers record changes in this session while this is on.
pub fn capture() -> bool {
    CAPTURE.is_on()
}

/// Whether this session may write maintained columns of tv tables.
pub fn allow_table_writes() -> bool {
    ALLOW_TABLE_WRITES.is_on()
}

/// Where the changes of this session come from, such as the id of a request; None if that is not set.
pub fn origin() -> Option<String> {
    let origin = ORIGIN.get()?.into_string().ok()?;
    (!origin.is_empty()).then_some(origin)
}
