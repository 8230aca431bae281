//! Transactions and subtransactions that the extension begins, their snapshots and locks, and facts about
//! them.

mod catch;
mod driver;
mod invalidations_of;
pub mod lock;
pub mod lock_timeout;
mod procedure;
pub mod query_snapshot;
mod snapshot;
mod state;
mod subtransaction;
pub mod worker_transaction;

pub use catch::catch;
pub use driver::Driver;
pub use invalidations_of::await_invalidations_of;
pub use procedure::{in_procedure, may_commit};
pub use snapshot::{with_latest_snapshot, with_snapshot};
pub use state::{
    command, commit_durably, has_xid, in_block, in_parallel_mode, in_recovery, is_current, is_over, is_own,
    is_read_committed, is_read_only, is_serializable, make_commits_durable, next_command, next_xid, own_xid,
    refuse_read_only, refuse_writes_in_subtransaction,
};
pub use subtransaction::{attempt, attempt_catching_all, probe};
