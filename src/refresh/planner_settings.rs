//! How the statements of a refresh are planned.

use crate::postgres::run_as;

/// Plans for a few rows are made once and prefer indexes, whatever the size of the tables at that time. Plans
/// for many rows are made for the numbers at hand.
pub fn few_rows(few: bool) {
    let (cache, on) = if few {
        ("force_generic_plan", "off")
    } else {
        ("force_custom_plan", "on")
    };
    run_as::set("plan_cache_mode", cache);
    run_as::set("enable_seqscan", on);
    run_as::set("enable_mergejoin", on);
    // Changed rows were written just now: their pages are in memory.
    run_as::set("random_page_cost", "1.1");
}
