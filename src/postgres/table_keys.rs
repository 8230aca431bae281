//! The columns of a table by which few of its rows are found: unique indexes, foreign keys, other indexes. What they say
//! decides about costs, not about what is right: a deferred or inherited index lets equal rows through.

use pgrx::pg_sys::{self, Oid};
use pgrx::IntoDatum;

/// Columns by number. Indexes over a part of the rows, and those that were not built to the end, do not count.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct TableKeys {
    /// Of each unique index.
    unique: Vec<Vec<i16>>,
    /// Of each foreign key.
    foreign: Vec<Vec<i16>>,
    /// The first column of each index.
    first: Vec<i16>,
}

impl TableKeys {
    /// Of an open table, or of one that can be locked.
    pub fn of(table: Oid) -> TableKeys {
        // SAFETY: the relation is open while its lists are read; nothing of them is kept.
        unsafe {
            let relation = pg_sys::relation_open(table, pg_sys::AccessShareLock as i32);
            let mut keys = TableKeys::default();
            let indexes = pg_sys::RelationGetIndexList(relation);
            let count = if indexes.is_null() { 0 } else { (*indexes).length };
            for n in 0..count {
                keys.add_index(pg_sys::list_nth_oid(indexes, n));
            }
            let foreign = pg_sys::RelationGetFKeyList(relation);
            let count = if foreign.is_null() { 0 } else { (*foreign).length };
            for n in 0..count {
                let key = &*pg_sys::list_nth(foreign, n).cast::<pg_sys::ForeignKeyCacheInfo>();
                keys.foreign.push(key.conkey[..key.nkeys as usize].to_vec());
            }
            pg_sys::relation_close(relation, pg_sys::NoLock as i32);
            keys
        }
    }

    unsafe fn add_index(&mut self, index: Oid) {
        // SAFETY: the tuple is released after its last use; an index has as many columns as it says.
        unsafe {
            let cache = pg_sys::SysCacheIdentifier::INDEXRELID as i32;
            let Some(key) = index.into_datum() else { return };
            let tuple = pg_sys::SearchSysCache1(cache, key);
            if tuple.is_null() {
                return;
            }
            let form = &*pg_sys::heap_tuple_get_struct::<pg_sys::FormData_pg_index>(tuple);
            let predicate = pg_sys::Anum_pg_index_indpred as i32;
            if form.indisvalid && pg_sys::heap_attisnull(tuple, predicate, std::ptr::null_mut()) {
                let columns = form.indkey.values.as_slice(form.indnkeyatts as usize);
                self.first.extend(columns.first().filter(|column| **column > 0));
                if form.indisunique {
                    self.unique.push(columns.to_vec());
                }
            }
            pg_sys::ReleaseSysCache(tuple);
        }
    }

    /// Whether a unique index covers some of these columns and nothing else: one row has the same values, as a rule.
    pub fn are_unique(&self, columns: &[i16]) -> bool {
        covers_one(&self.unique, columns)
    }

    /// Whether a foreign key is among these columns.
    pub fn have_foreign_key(&self, columns: &[i16]) -> bool {
        covers_one(&self.foreign, columns)
    }

    /// Whether one of these columns is the first of an index.
    pub fn have_index(&self, columns: &[i16]) -> bool {
        self.first.iter().any(|column| columns.contains(column))
    }
}

fn covers_one(keys: &[Vec<i16>], columns: &[i16]) -> bool {
    let covers = |key: &Vec<i16>| key.iter().all(|column| columns.contains(column));
    keys.iter().any(covers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_counts_with_all_of_its_columns() {
        let keys = TableKeys {
            unique: vec![vec![1, 2]],
            foreign: vec![vec![3]],
            first: vec![1],
        };
        assert!(keys.are_unique(&[2, 4, 1]));
        assert!(!keys.are_unique(&[1]));
        assert!(keys.have_foreign_key(&[3, 1]));
        assert!(!keys.have_foreign_key(&[1, 2]));
        assert!(keys.have_index(&[1]));
        assert!(!keys.have_index(&[2, 3]));
    }
}
