//! Inserts rows into a table of the extension without SPI and planner, and without checks of permissions,
//! read-only transactions and row security: the role and the settings of the session that changes a source
//! must not matter.

mod empty_blocks;
mod identity;
mod indexed;
mod toast_snapshot;

use std::ffi::CStr;

use pgrx::pg_sys::ffi::pg_guard_ffi_boundary;
use pgrx::pg_sys::{self, Datum, Oid};
use pgrx::IntoDatum;

use super::jsonb::Jsonb;
use super::own_column;
pub use identity::next_value;
use indexed::Indexed;

/// A column value of a row to insert.
pub enum Value<'a> {
    Null,
    Oid(Oid),
    Int8(i64),
    /// Text in the encoding of the database.
    Text(&'a str),
    /// Stored as `text[]`.
    Texts(&'a [String]),
    /// JSON text to be stored as `jsonb`.
    Jsonb(&'a [u8]),
    /// JSON text to be stored as `json`, in the encoding of the database.
    Json(&'a [u8]),
    Xid8(u64),
    Timestamp(i64),
}

/// How a table gets blocks for new rows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Growth {
    /// When a row needs one.
    AsNeeded,
    /// Some empty ones are kept ready, as many sessions insert.
    Ahead,
}

/// Functions of PostgreSQL, declared here because each of pgrx's declarations converts errors separately,
/// which would take a twentieth of the time of a row.
mod raw {
    use pgrx::pg_sys::{self, Datum, Oid, Relation};

    #[allow(improper_ctypes)]
    extern "C-unwind" {
        pub fn try_table_open(table: Oid, lock: pg_sys::LOCKMODE) -> Relation;
        pub fn table_close(relation: Relation, lock: pg_sys::LOCKMODE);
        pub fn heap_form_tuple(
            descriptor: pg_sys::TupleDesc,
            values: *const Datum,
            nulls: *const bool,
        ) -> pg_sys::HeapTuple;
        pub fn simple_heap_insert(relation: Relation, row: pg_sys::HeapTuple);
        pub fn cstring_to_text_with_len(text: *const std::ffi::c_char, length: i32) -> *mut pg_sys::text;
        pub fn pfree(chunk: *mut std::ffi::c_void);
    }
}

/// Inserts rows, at least one, with values for these columns; others are NULL. Calls `placed` with the number
/// of the block that each row is in. False: there is no such table any more, as in the middle of DROP
/// EXTENSION. Raises an ERROR if a column is missing.
pub fn insert<'a, const COLUMNS: usize>(
    table: Oid,
    names: &[&CStr; COLUMNS],
    growth: Growth,
    rows: impl ExactSizeIterator<Item = [Value<'a>; COLUMNS]>,
    mut placed: impl FnMut(u32),
) -> bool {
    // SAFETY: the table is open and locked until it is closed, or the transaction ends after an error, which
    // also frees what is allocated here. What is guarded as one owns nothing that is not on the stack, unless there are many columns.
    unsafe {
        let lock = pg_sys::RowExclusiveLock as pg_sys::LOCKMODE;
        let relation = pg_guard_ffi_boundary(|| raw::try_table_open(table, lock));
        if relation.is_null() {
            return false;
        }
        let mut hint = 0;
        let places = names.map(|name| {
            let place = own_column::index(relation, name, hint);
            hint = place + 1;
            place
        });
        let count = (*(*relation).rd_att).natts as usize;
        let (mut values, mut nulls) = (Few::of(Datum::from(0), count), Few::of(true, count));
        let (values, nulls) = (values.all(), nulls.all());
        let mut indexed = (*(*relation).rd_rel).relhasindex.then(|| Indexed::open(relation));
        let last = rows.len().saturating_sub(1);
        for (index, row) in rows.enumerate() {
            let row = row.map(Held::of);
            let block = pg_guard_ffi_boundary(|| {
                for (place, value) in places.iter().zip(&row) {
                    values[*place] = value.datum();
                    nulls[*place] = matches!(value, Held::Null);
                }
                let tuple = raw::heap_form_tuple((*relation).rd_att, values.as_ptr(), nulls.as_ptr());
                toast_snapshot::around(tuple, || raw::simple_heap_insert(relation, tuple));
                if let Some(indexed) = &indexed {
                    indexed.add(tuple);
                }
                let block = (*tuple).t_self.ip_blkid;
                let block = u32::from(block.bi_hi) << 16 | u32::from(block.bi_lo);
                raw::pfree(tuple.cast());
                for (place, value) in places.iter().zip(&row) {
                    if let Held::Long(_) = value {
                        raw::pfree(values[*place].cast_mut_ptr());
                    }
                }
                // One guard less for the usual single row.
                if index == last {
                    if growth == Growth::Ahead {
                        empty_blocks::keep_ready(relation, block);
                    }
                    indexed.take().into_iter().for_each(|indexed| indexed.close());
                    raw::table_close(relation, pg_sys::NoLock as pg_sys::LOCKMODE);
                }
                block
            });
            placed(block);
        }
    }
    true
}

/// A value while its row is inserted.
enum Held<'a> {
    Null,
    Plain(Datum),
    /// A text with its length in one byte.
    Short([u8; SHORT]),
    Long(&'a [u8]),
    Jsonb(Jsonb),
}

/// The longest text with its length that needs no memory of its own.
const SHORT: usize = 16;

/// A text with its length in one byte, as tables hold it.
fn short(text: &[u8]) -> Option<[u8; SHORT]> {
    let mut image = [0; SHORT];
    let length = 1 + text.len();
    image.get_mut(1..length)?.copy_from_slice(text);
    image[0] = match cfg!(target_endian = "little") {
        true => (length as u8) << 1 | 1,
        false => length as u8 | 0x80,
    };
    Some(image)
}

/// As many values as a table has columns; few need no memory of their own.
struct Few<T> {
    few: [T; FEW],
    many: Vec<T>,
    count: usize,
}

const FEW: usize = 16;

impl<T: Copy> Few<T> {
    fn of(value: T, count: usize) -> Self {
        let many = if count > FEW {
            vec![value; count]
        } else {
            Vec::new()
        };
        Few {
            few: [value; FEW],
            many,
            count,
        }
    }

    fn all(&mut self) -> &mut [T] {
        match self.count > FEW {
            true => &mut self.many,
            false => &mut self.few[..self.count],
        }
    }
}

impl<'a> Held<'a> {
    fn of(value: Value<'a>) -> Held<'a> {
        match value {
            Value::Null => Held::Null,
            Value::Oid(oid) => Held::Plain(Datum::from(oid)),
            Value::Int8(number) => Held::Plain(Datum::from(number)),
            Value::Texts(texts) => texts.to_vec().into_datum().map_or(Held::Null, Held::Plain),
            Value::Xid8(xid) => Held::Plain(Datum::from(xid)),
            Value::Timestamp(microseconds) => Held::Plain(Datum::from(microseconds)),
            Value::Text(text) => Held::of_text(text.as_bytes()),
            Value::Json(json) => Held::of_text(json),
            // SAFETY: in a server process.
            Value::Jsonb(json) => Held::Jsonb(unsafe { Jsonb::from_text(json) }),
        }
    }

    fn of_text(text: &'a [u8]) -> Held<'a> {
        short(text).map_or(Held::Long(text), Held::Short)
    }

    /// To be read as long as this stays where it is. Inside a guard.
    unsafe fn datum(&self) -> Datum {
        match self {
            Held::Null => Datum::from(0),
            Held::Plain(datum) => *datum,
            Held::Short(image) => Datum::from(image.as_ptr()),
            // SAFETY: the text is read within its length and copied.
            Held::Long(text) => unsafe {
                Datum::from(raw::cstring_to_text_with_len(
                    text.as_ptr().cast(),
                    text.len() as i32,
                ))
            },
            Held::Jsonb(jsonb) => jsonb.datum(),
        }
    }
}
