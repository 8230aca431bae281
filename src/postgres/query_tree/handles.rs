//! Handles of analysed queries and their expressions.

use pgrx::pg_sys;

/// An analysed SELECT. Range table indexes count from 1, as PostgreSQL's do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Select(pub(super) *mut pg_sys::Query);

/// An expression of an analysed query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expr(pub(super) *mut pg_sys::Node);
