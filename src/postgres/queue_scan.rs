//! Reads rows of `pg_tview_queue` without an index: blocks that cannot have such rows are left out.
//!
//! PostgreSQL records what a query of a SERIALIZABLE transaction has read, and counts commits of other
//! transactions that write there as conflicts. Nothing is recorded here: all row versions are read, and those
//! that the active snapshot sees are used.

use std::ops::Range;
use std::sync::OnceLock;

use pgrx::pg_guard;
use pgrx::pg_sys::{self, Datum, Oid};
use pgrx::PgSqlErrorCode;

use super::stored_snapshot::StoredSnapshot;
use super::{extension, own_column};
use crate::error::Problem;

/// What is known of the blocks to read.
pub struct Search<'a> {
    /// The number of the file of the table, another one after each rewrite.
    pub file: u32,
    pub blocks: u32,
    /// None: of any source.
    pub sources: Option<&'a [Oid]>,
    /// Rows of transactions with lower ids are not needed.
    pub first_xid: u64,
}

/// The blocks to read for a search.
pub enum Choice {
    /// In ascending order.
    These(Vec<Range<u32>>),
    All,
    /// All, and each row in them is to be noted. The number says later what has been noted.
    AllToNote(u64),
}

/// What is known of the blocks.
pub struct Blocks {
    pub choose: fn(&Search) -> Choice,
    /// A block has a row of a source, by a transaction.
    pub note: fn(u32, Oid, u64),
    /// All rows are noted that were there when this number was given out.
    pub all_noted: fn(u64),
}

static BLOCKS: OnceLock<Blocks> = OnceLock::new();

/// Makes scans leave out blocks; call once per process, from `_PG_init`.
pub fn register(blocks: Blocks) {
    BLOCKS.get_or_init(|| blocks);
}

/// Declares to PostgreSQL how to call [`pg_tviews_queued`].
#[unsafe(no_mangle)]
pub extern "C" fn pg_finfo_pg_tviews_queued() -> &'static pg_sys::Pg_finfo_record {
    const VERSION_1: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };
    &VERSION_1
}

/// Returns rows of pg_tview_queue; see `sql/install/relations.sql`.
///
/// # Safety
/// Called by PostgreSQL's function manager only.
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn pg_tviews_queued(fcinfo: pg_sys::FunctionCallInfo) -> Datum {
    // SAFETY: the function manager passes a valid call, for a set in materialize mode.
    unsafe {
        pg_sys::InitMaterializedSRF(fcinfo, 0);
        let store = (*(*fcinfo).resultinfo.cast::<pg_sys::ReturnSetInfo>()).setResult;
        let sources = argument(fcinfo, 0).map(|sources| oids(sources));
        let since = argument(fcinfo, 1).map(|since| StoredSnapshot::read(since));
        scan(sources.as_deref(), since.as_ref(), |_, row| {
            pg_sys::tuplestore_puttuple(store, row);
            true
        });
        Datum::from(0)
    }
}

/// Declares to PostgreSQL how to call [`pg_tviews_is_queued`].
#[unsafe(no_mangle)]
pub extern "C" fn pg_finfo_pg_tviews_is_queued() -> &'static pg_sys::Pg_finfo_record {
    const VERSION_1: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };
    &VERSION_1
}

/// Returns whether there is a row of pg_tview_queue; see `sql/install/relations.sql`.
///
/// # Safety
/// Called by PostgreSQL's function manager only.
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn pg_tviews_is_queued(fcinfo: pg_sys::FunctionCallInfo) -> Datum {
    // SAFETY: the function manager passes a valid call.
    unsafe {
        let sources = argument(fcinfo, 0).map(|sources| oids(sources));
        let tview = argument(fcinfo, 1).map(|tview| Oid::from(tview.value() as u32));
        let since = argument(fcinfo, 2).map(|since| StoredSnapshot::read(since));
        let seen = argument(fcinfo, 3).map(|seen| StoredSnapshot::read(seen));
        let own = pg_sys::GetTopFullTransactionIdIfAny().value;
        let mut found = false;
        scan(sources.as_deref(), since.as_ref(), |columns, row| {
            let (xid, source) = columns.xid_and_source(row);
            found = xid != own
                && tview.is_none_or(|tview| columns.is_request(row) == (source == tview))
                && seen.as_ref().is_none_or(|seen| seen.sees(xid));
            !found
        });
        Datum::from(found)
    }
}

/// A row of the queue.
pub struct QueueRow {
    pub xid: u64,
    pub source: Oid,
    /// A request for a refresh.
    pub is_request: bool,
    /// When it was written, in microseconds since 2000.
    pub at: i64,
}

/// Calls `use_row` with each row that the active snapshot sees, of these sources, by another transaction that
/// `since` does not see. False ends the search.
pub fn search(sources: &[Oid], since: Option<&StoredSnapshot>, mut use_row: impl FnMut(&QueueRow) -> bool) {
    // SAFETY: the caller is inside a transaction with an active snapshot; rows are those of the table.
    unsafe {
        let own = pg_sys::GetTopFullTransactionIdIfAny().value;
        scan(Some(sources), since, |columns, row| {
            let (xid, source) = columns.xid_and_source(row);
            xid == own
                || use_row(&QueueRow {
                    xid,
                    source,
                    is_request: columns.is_request(row),
                    at: columns.get(row, columns.enqueued_at).value() as i64,
                })
        });
    }
}

unsafe fn argument(fcinfo: pg_sys::FunctionCallInfo, index: usize) -> Option<Datum> {
    // SAFETY: the call has `nargs` arguments. A function of an earlier version of the extension had fewer.
    unsafe {
        let arguments = (*fcinfo).args.as_slice((*fcinfo).nargs.max(0) as usize);
        let argument = arguments.get(index)?;
        (!argument.isnull).then_some(argument.value)
    }
}

/// The elements of an `oid[]` without NULLs.
unsafe fn oids(array: Datum) -> Vec<Oid> {
    // SAFETY: the SQL function declares the type of its argument.
    unsafe { <Vec<Option<Oid>> as pgrx::FromDatum>::from_datum(array, false) }
        .unwrap_or_default()
        .into_iter()
        .flatten()
        .collect()
}

/// Calls `use_row` with each row that the active snapshot sees, of these sources, by a transaction that
/// `since` does not see. False ends the scan.
///
/// # Safety
/// An active snapshot. After an ERROR the transaction releases what is held.
unsafe fn scan(
    sources: Option<&[Oid]>,
    since: Option<&StoredSnapshot>,
    mut use_row: impl FnMut(&Columns, pg_sys::HeapTuple) -> bool,
) {
    let queue = extension::relation(c"pg_tview_queue").unwrap_or_else(|| {
        Problem::new(
            PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE,
            "relation \"pg_tview_queue\" does not exist",
        )
        .raise()
    });
    // SAFETY: as the caller promises; the table stays locked to the end of the transaction.
    unsafe {
        let table = pg_sys::table_open(queue, pg_sys::AccessShareLock as pg_sys::LOCKMODE);
        let columns = Columns::of(table);
        let search = Search {
            file: u32::from((*(*table).rd_rel).relfilenode),
            blocks: block_count(table),
            sources,
            first_xid: since.map_or(0, StoredSnapshot::first_unseen),
        };
        let is_wanted = |row: pg_sys::HeapTuple| {
            let (xid, source) = columns.xid_and_source(row);
            sources.is_none_or(|sources| sources.contains(&source))
                && since.is_none_or(|since| !since.sees(xid))
        };
        let (blocks, to_note) = chosen(table, &search);
        let note = |block, row| {
            if let Some((known, _)) = to_note {
                let (xid, source) = columns.xid_and_source(row);
                (known.note)(block, source, xid);
            }
        };
        let mut is_complete = true;
        let mut rows = Vec::new();
        'table: for block in blocks.into_iter().flatten() {
            pgrx::check_for_interrupts!();
            let buffer = pg_sys::ReadBuffer(table, block);
            collect(table, buffer, block, note, is_wanted, &mut rows);
            for row in &mut rows {
                if !use_row(&columns, row) {
                    is_complete = false;
                    pg_sys::ReleaseBuffer(buffer);
                    break 'table;
                }
            }
            pg_sys::ReleaseBuffer(buffer);
        }
        if let Some((known, number)) = to_note.filter(|_| is_complete) {
            (known.all_noted)(number);
        }
        pg_sys::table_close(table, pg_sys::NoLock as pg_sys::LOCKMODE);
    }
}

/// The blocks to read; and where to note the rows in them, if they are to be noted.
unsafe fn chosen(
    table: pg_sys::Relation,
    search: &Search,
) -> (Vec<Range<u32>>, Option<(&'static Blocks, u64)>) {
    let known = BLOCKS.get();
    let choice = known.map_or(Choice::All, |blocks| (blocks.choose)(search));
    let to_note = match choice {
        Choice::AllToNote(number) => known.map(|blocks| (blocks, number)),
        _ => None,
    };
    if let Choice::These(blocks) = choice {
        return (blocks, to_note);
    }
    // Counted again: rows may have gone to new blocks before the number was given out.
    // SAFETY: the table is open.
    let all = 0..unsafe { block_count(table) };
    (vec![all], to_note)
}

unsafe fn block_count(table: pg_sys::Relation) -> u32 {
    // SAFETY: the table is open.
    unsafe { pg_sys::RelationGetNumberOfBlocksInFork(table, pg_sys::ForkNumber::MAIN_FORKNUM) }
}

/// The wanted rows of a block that the active snapshot sees. They stay where they are as long as the buffer
/// is pinned. `note` is called with every row, also with those that no snapshot sees yet.
unsafe fn collect(
    table: pg_sys::Relation,
    buffer: pg_sys::Buffer,
    block: u32,
    note: impl Fn(u32, pg_sys::HeapTuple),
    is_wanted: impl Fn(pg_sys::HeapTuple) -> bool,
    rows: &mut Vec<pg_sys::HeapTupleData>,
) {
    rows.clear();
    // SAFETY: the buffer is pinned, and locked while its line pointers are read.
    unsafe {
        let snapshot = pg_sys::GetActiveSnapshot();
        pg_sys::LockBuffer(buffer, pg_sys::BUFFER_LOCK_SHARE as i32);
        let page = pg_sys::BufferGetPage(buffer);
        for offset in 1..=pg_sys::PageGetMaxOffsetNumber(page) {
            let item = pg_sys::PageGetItemId(page, offset);
            if (*item).lp_flags() != pg_sys::LP_NORMAL {
                continue;
            }
            let mut row = pg_sys::HeapTupleData {
                t_len: (*item).lp_len(),
                t_self: pg_sys::ItemPointerData {
                    ip_blkid: pg_sys::BlockIdData {
                        bi_hi: (block >> 16) as u16,
                        bi_lo: block as u16,
                    },
                    ip_posid: offset,
                },
                t_tableOid: (*table).rd_id,
                t_data: page
                    .cast::<u8>()
                    .add((*item).lp_off() as usize)
                    .cast::<pg_sys::HeapTupleHeaderData>(),
            };
            note(block, &raw mut row);
            if is_wanted(&mut row) && pg_sys::HeapTupleSatisfiesVisibility(&mut row, snapshot, buffer) {
                rows.push(row);
            }
        }
        pg_sys::LockBuffer(buffer, pg_sys::BUFFER_LOCK_UNLOCK as i32);
    }
}

/// Where the columns of the table are.
struct Columns {
    descriptor: pg_sys::TupleDesc,
    xid: i32,
    source: i32,
    operation: i32,
    enqueued_at: i32,
    /// The first two are where they were created, so they need no look-up: most rows of a block are left out
    /// by them.
    are_first: bool,
}

impl Columns {
    unsafe fn of(table: pg_sys::Relation) -> Columns {
        // SAFETY: the table is open.
        unsafe {
            let number = |name, hint| own_column::index(table, name, hint) as i32 + 1;
            let (xid, source) = (number(c"xid", 0), number(c"source_oid", 1));
            Columns {
                descriptor: (*table).rd_att,
                xid,
                source,
                operation: number(c"operation", 2),
                enqueued_at: number(c"enqueued_at", 4),
                are_first: (xid, source) == (1, 2),
            }
        }
    }

    unsafe fn xid_and_source(&self, row: pg_sys::HeapTuple) -> (u64, Oid) {
        // SAFETY: a row of the table; both columns are NOT NULL, of 8 and of 4 bytes.
        unsafe {
            if self.are_first {
                let first = (*row).t_data.cast::<u8>().add((*(*row).t_data).t_hoff as usize);
                return (
                    first.cast::<u64>().read_unaligned(),
                    Oid::from(first.add(8).cast::<u32>().read_unaligned()),
                );
            }
            (
                self.get(row, self.xid).value() as u64,
                Oid::from(self.get(row, self.source).value() as u32),
            )
        }
    }

    unsafe fn is_request(&self, row: pg_sys::HeapTuple) -> bool {
        // SAFETY: a row of the table; the column is a text.
        unsafe {
            <&str as pgrx::FromDatum>::from_datum(self.get(row, self.operation), false) == Some("REFRESH")
        }
    }

    unsafe fn get(&self, row: pg_sys::HeapTuple, column: i32) -> Datum {
        let mut is_null = false;
        // SAFETY: as above.
        unsafe { pg_sys::heap_getattr(row, column, self.descriptor, &mut is_null) }
    }
}
