//! Keeps some empty blocks ready in a table that many sessions insert into.
//!
//! PostgreSQL 15 adds up to 512 blocks at a time when sessions wait for one, and all of them wait until that is
//! done. On a busy machine these were a seventh of the time of 32 writers. A few blocks, added before the last
//! one is taken, keep nobody waiting.

use std::cell::Cell;

use pgrx::pg_sys;

/// A smaller table gets a block when a session needs one.
const LEAST: u32 = 64;
/// Where so many are left, some are added.
const FEW: u32 = 32;
/// Until so many are there.
const ENOUGH: u32 = 64;
/// Asks for a block after the last one.
const NEW: pg_sys::BlockNumber = pg_sys::InvalidBlockNumber;

thread_local! {
    /// The block of the last row.
    static LAST: Cell<u32> = const { Cell::new(0) };
}

/// Functions of PostgreSQL, called inside one guard.
mod raw {
    use pgrx::pg_sys::{
        self, BlockNumber, Buffer, BufferAccessStrategy, ForkNumber, Page, ReadBufferMode, Relation, Size,
    };

    #[allow(improper_ctypes)]
    extern "C-unwind" {
        pub fn RelationGetNumberOfBlocksInFork(relation: Relation, fork: ForkNumber::Type) -> BlockNumber;
        pub fn ConditionalLockRelationForExtension(relation: Relation, lock: pg_sys::LOCKMODE) -> bool;
        pub fn UnlockRelationForExtension(relation: Relation, lock: pg_sys::LOCKMODE);
        pub fn ReadBufferExtended(
            relation: Relation,
            fork: ForkNumber::Type,
            block: BlockNumber,
            mode: ReadBufferMode::Type,
            strategy: BufferAccessStrategy,
        ) -> Buffer;
        pub fn PageInit(page: Page, size: Size, special: Size);
        pub fn MarkBufferDirty(buffer: Buffer);
        pub fn BufferGetBlockNumber(buffer: Buffer) -> BlockNumber;
        pub fn UnlockReleaseBuffer(buffer: Buffer);
        pub fn RecordPageWithFreeSpace(relation: Relation, block: BlockNumber, room: Size);
        pub fn FreeSpaceMapVacuumRange(relation: Relation, first: BlockNumber, end: BlockNumber);
    }
}

/// Adds empty blocks if the session has gone on to one of the last blocks, and nobody else is adding some.
///
/// # Safety
/// An open heap table, locked for writing, into whose `block` this session has just inserted; inside a guard.
pub unsafe fn keep_ready(table: pg_sys::Relation, block: u32) {
    if LAST.replace(block) == block || block < LEAST {
        return;
    }
    // SAFETY: as the caller promises. Blocks are added as PostgreSQL adds several: under the lock for that, each
    // initialised, and then entered in the free space map. An ERROR releases lock and buffer with the
    // transaction.
    unsafe {
        let lock = pg_sys::ExclusiveLock as pg_sys::LOCKMODE;
        let main = pg_sys::ForkNumber::MAIN_FORKNUM;
        let has_after = |blocks| block + blocks < raw::RelationGetNumberOfBlocksInFork(table, main);
        if has_after(FEW) || !raw::ConditionalLockRelationForExtension(table, lock) {
            return;
        }
        // Another session may have added some in the meantime.
        let (mut first, mut end) = (pg_sys::InvalidBlockNumber, 0);
        while !has_after(ENOUGH) {
            let added = add(table);
            (first, end) = (first.min(added), added + 1);
        }
        raw::UnlockRelationForExtension(table, lock);
        if first < end {
            raw::FreeSpaceMapVacuumRange(table, first, end);
        }
    }
}

unsafe fn add(table: pg_sys::Relation) -> pg_sys::BlockNumber {
    // SAFETY: as above; the buffer is new, pinned and locked until it is released.
    unsafe {
        let buffer = raw::ReadBufferExtended(
            table,
            pg_sys::ForkNumber::MAIN_FORKNUM,
            NEW,
            pg_sys::ReadBufferMode::RBM_ZERO_AND_LOCK,
            std::ptr::null_mut(),
        );
        let size = pg_sys::BLCKSZ as usize;
        raw::PageInit(pg_sys::BufferGetPage(buffer), size, 0);
        raw::MarkBufferDirty(buffer);
        let block = raw::BufferGetBlockNumber(buffer);
        raw::UnlockReleaseBuffer(buffer);
        raw::RecordPageWithFreeSpace(table, block, size - size_of::<pg_sys::PageHeaderData>());
        block
    }
}
