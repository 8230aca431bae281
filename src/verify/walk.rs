//! `pg_tview_verification`: how far the verification of each TVIEW is. Statements run inside an SPI session.

use std::time::Duration;

use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_sys::{self, Oid};

use crate::postgres::extension;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::transaction::lock::{self, Attempt, TableLock};
use crate::refresh::audit;
use crate::refresh::batch::Batch;
use crate::refresh::plan::key::Key;
use crate::statement;

/// The number of keys of the first slice.
const FIRST: usize = 500;

/// Suspects are examined after that.
pub const SUSPECTED: Duration = Duration::from_secs(1);
/// For how long suspects wait until they are not pending any more, in microseconds.
const AWAITED: i64 = 60_000_000;

/// Of rows that are passed over, so many keys are kept.
const KEPT_SLOW_KEYS: usize = 20;
/// Longer ones are not.
const LONGEST_SLOW_KEY: usize = 200;

/// How the rows of a TVIEW are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// All rows in one slice.
    All,
    /// By ranges of keys.
    Ranges,
    /// Key by key.
    Keys,
}

const METHODS: [(Method, &str); 3] = [
    (Method::All, "all"),
    (Method::Ranges, "ranges"),
    (Method::Keys, "keys"),
];

/// How far the verification of a TVIEW is.
pub struct Walk {
    tview: Oid,
    /// The fingerprint of the definition that the rest is about.
    hash: String,
    pub method: Method,
    begun_at: TimestampWithTimeZone,
    /// It has begun and is not complete.
    pub walking: bool,
    /// The last key that was compared.
    pub verified_to: Option<Key>,
    pub keys_at_once: usize,
    /// Rows compared so far.
    pub rows: i64,
    /// Rows that were passed over: comparing one takes too long.
    pub slow_rows: i64,
    /// Some of their keys.
    slow_keys: Vec<Key>,
    /// Keys whose rows differed, to be examined.
    pub suspects: Vec<Key>,
    /// Further ones, to be examined after these.
    later_suspects: Vec<Key>,
    /// There were more than these. Without suspects: the slice was compared, and is compared once more.
    pub more_suspects: bool,
    /// How often the suspects were to be refreshed.
    pub attempts: i32,
    /// Rows differ for reasons that no change shows. That was reported.
    pub unseen: bool,
    /// Why the rows cannot be verified.
    pub unverified_because: Option<String>,
    verified_at: Option<TimestampWithTimeZone>,
    verified_rows: Option<i64>,
    /// Rows that the last complete walk has passed over.
    unverified_rows: Option<i64>,
    pub drifted_keys: i64,
    drifted_at: Option<TimestampWithTimeZone>,
}

impl Walk {
    /// As it is stored; from the beginning for another definition than that with the fingerprint `hash`.
    pub fn of(tview: Oid, hash: &str) -> Walk {
        match read(tview) {
            Some(walk) if walk.hash == hash => walk,
            before => {
                let (keys, at) = before.map_or((0, None), |walk| (walk.drifted_keys, walk.drifted_at));
                Walk {
                    drifted_keys: keys,
                    drifted_at: at,
                    ..Walk::new(tview, hash)
                }
            }
        }
    }

    fn new(tview: Oid, hash: &str) -> Walk {
        Walk {
            tview,
            hash: hash.to_string(),
            method: Method::All,
            begun_at: audit::now(),
            walking: false,
            verified_to: None,
            keys_at_once: FIRST,
            rows: 0,
            slow_rows: 0,
            slow_keys: Vec::new(),
            suspects: Vec::new(),
            later_suspects: Vec::new(),
            more_suspects: false,
            attempts: 0,
            unseen: false,
            unverified_because: None,
            verified_at: None,
            verified_rows: None,
            unverified_rows: None,
            drifted_keys: 0,
            drifted_at: None,
        }
    }

    /// Begins with the first key.
    pub fn begin(&mut self, method: Method) {
        self.method = method;
        self.begun_at = audit::now();
        self.walking = true;
        self.verified_to = None;
        self.rows = 0;
        self.slow_rows = 0;
        self.slow_keys = Vec::new();
        self.more_suspects = false;
    }

    /// Begins again, key by key. Slices grow from one key to what takes as long as a slice should.
    pub fn by_key(&mut self) {
        self.begin(Method::Keys);
        self.keys_at_once = 1;
    }

    /// Passes over a row: comparing it takes too long.
    pub fn pass_over(&mut self, key: &Key) {
        self.slow_rows += 1;
        if !self.walking {
            self.unverified_rows = Some(self.slow_rows);
        }
        let is_short = key.iter().map(|text| text.len()).sum::<usize>() <= LONGEST_SLOW_KEY;
        if self.slow_keys.len() < KEPT_SLOW_KEYS && is_short {
            self.slow_keys.push(key.clone());
        }
    }

    /// Whether there are rows that this walk or the one before has passed over.
    pub fn leaves_rows_out(&self) -> bool {
        self.slow_rows > 0 || self.unverified_rows.is_some_and(|rows| rows > 0)
    }

    /// All rows were compared, or passed over.
    pub fn complete(&mut self) {
        self.walking = false;
        self.verified_to = None;
        self.verified_at = Some(audit::now());
        self.verified_rows = Some(self.rows);
        self.unverified_rows = Some(self.slow_rows);
    }

    /// The rest of the rows is not compared before the next cycle.
    pub fn give_up(&mut self, because: String) {
        self.walking = false;
        self.verified_to = None;
        self.begun_at = audit::now();
        self.unverified_because = Some(because);
        self.settle();
    }

    /// There are no suspects any more.
    pub fn settle(&mut self) {
        self.suspects = Vec::new();
        self.later_suspects = Vec::new();
        self.more_suspects = false;
        self.attempts = 0;
    }

    /// Examines so many of the suspects first.
    pub fn examine_first(&mut self, number: usize) {
        let mut rest = self.suspects.split_off(number.min(self.suspects.len()));
        rest.append(&mut self.later_suspects);
        self.later_suspects = rest;
    }

    /// The suspects that were examined are no suspects any more. Up to so many others are examined next.
    pub fn next_suspects(&mut self, number: usize) {
        let rest = self
            .later_suspects
            .split_off(number.min(self.later_suspects.len()));
        self.suspects = std::mem::replace(&mut self.later_suspects, rest);
        self.attempts = 0;
    }

    /// Rows were found to differ.
    pub fn note_drift(&mut self, keys: usize) {
        self.drifted_keys += keys as i64;
        self.drifted_at = Some(audit::now());
    }

    /// Whether a refresh that was requested when rows were found to differ may still be to come.
    pub fn awaits_refresh(&self) -> bool {
        let age = |at: TimestampWithTimeZone| i64::from(audit::now()) - i64::from(at);
        self.attempts > 0 && self.drifted_at.is_some_and(|at| age(at) < AWAITED)
    }

    /// Stores it. The next slice of the TVIEW comes after `pause`.
    pub fn store(&self, pause: Duration) {
        let method = METHODS.iter().find(|(method, _)| *method == self.method);
        let verified_to = self.verified_to.as_ref();
        let keys = |keys: &[Key]| Value::of((!keys.is_empty()).then(|| Batch::from(keys).to_json()));
        let args = [
            (pg_sys::OIDOID, Value::of(self.tview)),
            (pg_sys::FLOAT8OID, Value::of(pause.as_secs_f64())),
            (pg_sys::TEXTOID, Value::of(self.hash.as_str())),
            (pg_sys::TEXTOID, Value::of(method.map(|(_, name)| *name))),
            (pg_sys::TIMESTAMPTZOID, Value::of(self.begun_at)),
            (pg_sys::BOOLOID, Value::of(self.walking)),
            (
                pg_sys::TEXTOID,
                Value::of(verified_to.map(|key| serde_json::json!(key).to_string())),
            ),
            (pg_sys::INT4OID, Value::of(self.keys_at_once as i32)),
            (pg_sys::INT8OID, Value::of(self.rows)),
            (pg_sys::INT8OID, Value::of(self.slow_rows)),
            (pg_sys::TEXTOID, keys(&self.slow_keys)),
            (pg_sys::TEXTOID, keys(&self.suspects)),
            (pg_sys::TEXTOID, keys(&self.later_suspects)),
            (pg_sys::BOOLOID, Value::of(self.more_suspects)),
            (pg_sys::INT4OID, Value::of(self.attempts)),
            (pg_sys::BOOLOID, Value::of(self.unseen)),
            (pg_sys::TEXTOID, Value::of(self.unverified_because.clone())),
            (pg_sys::TIMESTAMPTZOID, Value::of(self.verified_at)),
            (pg_sys::INT8OID, Value::of(self.verified_rows)),
            (pg_sys::INT8OID, Value::of(self.unverified_rows)),
            (pg_sys::INT8OID, Value::of(self.drifted_keys)),
            (pg_sys::TIMESTAMPTZOID, Value::of(self.drifted_at)),
        ];
        run_internal(|| spi::run(&statement!("verification_write"), Access::Current, &args));
    }
}

/// Locks the table, if it is free.
pub fn try_lock() -> bool {
    extension::relation(c"pg_tview_verification")
        .is_some_and(|table| lock::try_table(table, TableLock::RowExclusive) == Attempt::Locked)
}

/// What is stored of a TVIEW, or the beginning.
pub fn stored(tview: Oid) -> Walk {
    read(tview).unwrap_or_else(|| Walk::new(tview, ""))
}

fn read(tview: Oid) -> Option<Walk> {
    let args = [(pg_sys::OIDOID, Value::of(tview))];
    let rows = run_internal(|| spi::run(&statement!("verification_read"), Access::Current, &args));
    if rows.is_empty() {
        return None;
    }
    let method = rows.get::<String>(0, 1)?;
    let key = |text: String| -> Option<Vec<String>> { serde_json::from_str(&text).ok() };
    let keys = |column: usize| {
        let text = rows.get::<String>(0, column);
        let keys = text.and_then(|text| Batch::from_json(&text));
        keys.map_or(Vec::new(), |keys| keys.rows())
    };
    Some(Walk {
        tview,
        hash: rows.get(0, 0)?,
        method: METHODS.iter().find(|(_, name)| *name == method)?.0,
        begun_at: rows.get(0, 2)?,
        walking: rows.get(0, 3)?,
        verified_to: rows.get(0, 4).and_then(key).map(Vec::into_boxed_slice),
        keys_at_once: usize::try_from(rows.get::<i32>(0, 5)?).ok()?,
        rows: rows.get(0, 6)?,
        slow_rows: rows.get(0, 7)?,
        slow_keys: keys(8),
        suspects: keys(9),
        later_suspects: keys(10),
        more_suspects: rows.get(0, 11)?,
        attempts: rows.get(0, 12)?,
        unseen: rows.get(0, 13)?,
        unverified_because: rows.get(0, 14),
        verified_at: rows.get(0, 15),
        verified_rows: rows.get(0, 16),
        unverified_rows: rows.get(0, 17),
        drifted_keys: rows.get(0, 18)?,
        drifted_at: rows.get(0, 19),
    })
}

/// Removes what is stored of TVIEWs that were dropped.
pub fn forget_dropped() {
    if extension::relation(c"pg_tview_verification").is_some() {
        run_internal(|| {
            spi::session(|| spi::run(&statement!("verification_forget"), Access::Current, &[]));
        });
    }
}
