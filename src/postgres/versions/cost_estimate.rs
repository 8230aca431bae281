//! The function that estimates the costs of an index. PostgreSQL 15 declares the function in the planner's
//! index without its arguments.

use pgrx::pg_sys;

/// Gives an index of the planner the function of its access method.
pub fn set(index: &mut pg_sys::IndexOptInfo, method: &pg_sys::IndexAmRoutine) {
    #[cfg(not(feature = "pg15"))]
    {
        index.amcostestimate = method.amcostestimate;
    }
    #[cfg(feature = "pg15")]
    {
        // SAFETY: PostgreSQL calls the function with the arguments it has.
        index.amcostestimate = unsafe {
            std::mem::transmute::<pg_sys::amcostestimate_function, Option<unsafe extern "C-unwind" fn()>>(
                method.amcostestimate,
            )
        };
    }
}
