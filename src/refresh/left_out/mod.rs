//! Rows of the view that have no place in the table: their key is NULL, or is that of another row.

pub mod kept_problem;
pub mod problems;
pub mod report;
pub mod unmatched;
