//! Values of the type `pg_snapshot`.

use pgrx::pg_sys::{self, Datum};

use super::spi::Value;

/// The transactions that a snapshot sees, by their full ids.
#[derive(Clone)]
pub struct StoredSnapshot {
    xmax: u64,
    /// In progress when the snapshot was taken, in ascending order.
    in_progress: Vec<u64>,
}

/// How PostgreSQL lays out a `pg_snapshot`; the ids of the transactions in progress follow.
#[repr(C)]
struct Header {
    length: u32,
    in_progress: u32,
    xmin: u64,
    xmax: u64,
}

impl StoredSnapshot {
    /// # Safety
    /// A value of the type `pg_snapshot`, not null.
    pub unsafe fn read(value: Datum) -> StoredSnapshot {
        // SAFETY: as the caller promises; without compression the value is a header and that many ids.
        unsafe {
            let stored = pg_sys::pg_detoast_datum(value.cast_mut_ptr()).cast::<Header>();
            let header = stored.read_unaligned();
            let ids = stored.add(1).cast::<u64>();
            StoredSnapshot {
                xmax: header.xmax,
                in_progress: (0..header.in_progress as usize)
                    .map(|index| ids.add(index).read_unaligned())
                    .collect(),
            }
        }
    }

    /// A value of the type `pg_snapshot`; None for NULL.
    pub fn of_value(value: Value) -> Option<StoredSnapshot> {
        // SAFETY: callers ask for the type that the text of the statement returns.
        (!value.is_null()).then(|| unsafe { StoredSnapshot::read(value.datum()) })
    }

    /// What the active snapshot sees of other transactions. Like every snapshot, it counts this transaction as
    /// ended.
    pub fn of_active() -> StoredSnapshot {
        // SAFETY: inside a transaction with an active snapshot; the function takes no argument and returns a
        // `pg_snapshot`.
        unsafe {
            let value = pgrx::direct_function_call_as_datum(pg_sys::pg_current_snapshot, &[]);
            StoredSnapshot::read(value.unwrap_or(Datum::null()))
        }
    }

    /// The first id that had not been given out.
    pub fn xmax(&self) -> u64 {
        self.xmax
    }

    /// The lower ids that were in progress, in ascending order.
    pub fn in_progress(&self) -> &[u64] {
        &self.in_progress
    }

    /// The lowest id of a transaction that it does not see: all earlier ones had ended.
    pub fn lowest_unseen(&self) -> u64 {
        self.in_progress.first().copied().unwrap_or(self.xmax)
    }

    /// Whether it sees every transaction that `other` sees. False where that takes longer to find out.
    pub fn is_surely_ahead_of(&self, other: &StoredSnapshot) -> bool {
        self.lowest_unseen() >= other.xmax
    }

    pub fn sees(&self, xid: u64) -> bool {
        xid < self.xmax && self.in_progress.binary_search(&xid).is_err()
    }

    /// A lower limit of the ids that this snapshot does not see and the active snapshot may see.
    ///
    /// A transaction that is still in progress does not count: one that is open for hours would lower the
    /// limit for hours.
    pub fn first_unseen(&self) -> u64 {
        let ended = self.in_progress.iter().copied().find(|xid| !is_in_progress(*xid));
        ended.unwrap_or(self.xmax)
    }
}

/// Whether another transaction is in progress for the active snapshot, or began after it.
fn is_in_progress(xid: u64) -> bool {
    // SAFETY: inside a transaction with an active snapshot.
    unsafe {
        let snapshot = pg_sys::GetActiveSnapshot();
        let next = pg_sys::ReadNextFullTransactionId().value;
        // The id that 32 bits stand for is less than one round before the next id.
        let behind = (next as u32).wrapping_sub(u32::from((*snapshot).xmin));
        let xmin = next.saturating_sub(u64::from(behind));
        xid >= xmin && pg_sys::XidInMVCCSnapshot((xid as u32).into(), snapshot)
    }
}
