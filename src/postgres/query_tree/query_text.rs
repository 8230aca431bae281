//! Analysed SELECTs from views and SQL text, and SQL text from analysed SELECTs.

use std::ffi::CString;

use pgrx::pg_sys::{self, Oid};

use super::handles::{Expr, Select};
use super::lists::{list_of, make_node, pointers, string};
use crate::postgres::named;

impl Select {
    /// The query of a view, as a copy.
    pub fn of_view(view: Oid) -> Select {
        // SAFETY: the relation stays open while its rule is copied; the lock is kept to the end of the
        // transaction.
        unsafe {
            let relation = pg_sys::relation_open(view, pg_sys::AccessShareLock as i32);
            let query = pg_sys::copyObjectImpl(pg_sys::get_view_query(relation).cast());
            pg_sys::relation_close(relation, pg_sys::NoLock as i32);
            Select(query.cast()).plain()
        }
    }

    /// Parses and analyses a query under the current search_path. None unless it is exactly one SELECT
    /// (VALUES and WITH included, SELECT INTO not); syntax and name errors are PostgreSQL's own.
    pub fn analyse(sql: &str) -> Option<Select> {
        let text = CString::new(sql).ok()?;
        // SAFETY: the raw tree is used once, the text outlives it.
        unsafe {
            let statements: Vec<*mut pg_sys::RawStmt> = pointers(pg_sys::pg_parse_query(text.as_ptr()));
            let [raw] = statements[..] else { return None };
            if (*(*raw).stmt).type_ != pg_sys::NodeTag::T_SelectStmt
                || !(*(*raw).stmt.cast::<pg_sys::SelectStmt>()).intoClause.is_null()
            {
                return None;
            }
            let query = named::reading(&text, || {
                pg_sys::parse_analyze_fixedparams(
                    raw,
                    text.as_ptr(),
                    std::ptr::null(),
                    0,
                    std::ptr::null_mut(),
                )
            });
            if (*query).commandType != pg_sys::CmdType::CMD_SELECT || (*query).hasModifyingCTE {
                return None;
            }
            Some(Select(query).plain())
        }
    }

    /// Parses a SELECT of our own and analyses it, with its views expanded.
    pub fn rewritten(sql: &str) -> Option<Select> {
        let text = CString::new(sql).ok()?;
        // SAFETY: the raw tree is used once, the text outlives it.
        unsafe {
            let statements: Vec<*mut pg_sys::RawStmt> = pointers(pg_sys::pg_parse_query(text.as_ptr()));
            let queries = pg_sys::pg_analyze_and_rewrite_fixedparams(
                *statements.first()?,
                text.as_ptr(),
                std::ptr::null(),
                0,
                std::ptr::null_mut(),
            );
            pointers::<pg_sys::Query>(queries)
                .first()
                .map(|query| Select(*query))
        }
    }

    /// The SQL of a raw query without repeated columns; None if it has none.
    ///
    /// # Safety
    /// `raw` is the parse tree of a SELECT, `text` the statement it comes from.
    pub unsafe fn collapsed(raw: *mut pg_sys::Node, text: *const std::ffi::c_char) -> Option<String> {
        // SAFETY: analysis gets a copy, in a raw statement of its own.
        unsafe {
            let statement = make_node::<pg_sys::RawStmt>(pg_sys::NodeTag::T_RawStmt);
            (*statement).stmt = pg_sys::copyObjectImpl(raw.cast()).cast();
            let query =
                pg_sys::parse_analyze_fixedparams(statement, text, std::ptr::null(), 0, std::ptr::null_mut());
            let select = Select(query).plain();
            select.collapse_repeated_columns().then(|| select.sql())
        }
    }

    /// The query as SQL text.
    pub fn sql(&self) -> String {
        // SAFETY: deparsing locks the relations and may change the tree: it gets a copy.
        unsafe {
            let copy = pg_sys::copyObjectImpl(self.0.cast()).cast();
            string(pg_sys::pg_get_querydef(copy, false))
        }
    }

    /// Drops output columns that repeat an earlier one: same name, same expression. A hidden name clash
    /// of different expressions stays, for PostgreSQL to refuse.
    pub fn collapse_repeated_columns(&self) -> bool {
        // SAFETY: the target list is rebuilt in place; entries that sorting or grouping points at stay.
        unsafe {
            let entries: Vec<*mut pg_sys::TargetEntry> = pointers((*self.0).targetList);
            let mut kept: Vec<*mut pg_sys::TargetEntry> = Vec::new();
            for entry in &entries {
                let repeated = !(**entry).resjunk
                    && (**entry).ressortgroupref == 0
                    && kept.iter().any(|earlier| {
                        !(**earlier).resjunk
                            && string((**earlier).resname) == string((**entry).resname)
                            && Expr((**earlier).expr.cast()).same_as(&Expr((**entry).expr.cast()))
                    });
                if !repeated {
                    (**entry).resno = kept.len() as i16 + 1;
                    kept.push(*entry);
                }
            }
            let changed = kept.len() < entries.len();
            if changed && (*self.0).setOperations.is_null() {
                (*self.0).targetList = list_of(kept.into_iter().map(|entry| entry.cast()));
            }
            changed
        }
    }
}
