//! Procedures that commit while they run.

use pgrx::pg_sys;

/// Runs `work` with an SPI connection that may commit; false when the caller is inside a transaction block.
pub fn in_procedure(fcinfo_nonatomic: bool, work: impl FnOnce()) -> bool {
    if !fcinfo_nonatomic {
        return false;
    }
    // SAFETY: connect and finish are balanced; SPI_commit and SPI_rollback keep this connection.
    unsafe {
        pg_sys::SPI_connect_ext(pg_sys::SPI_OPT_NONATOMIC as i32);
        work();
        pg_sys::SPI_finish();
    }
    true
}

/// Whether a procedure was called where it may commit.
#[allow(clippy::not_unsafe_ptr_arg_deref)] // Only PostgreSQL makes call infos, and passes them on valid.
pub fn may_commit(fcinfo: pg_sys::FunctionCallInfo) -> bool {
    // SAFETY: PostgreSQL passes a CallContext to procedures, with the tag checked here.
    unsafe {
        let context = (*fcinfo).context;
        !context.is_null()
            && (*context).type_ == pg_sys::NodeTag::T_CallContext
            && !(*context.cast::<pg_sys::CallContext>()).atomic
    }
}
