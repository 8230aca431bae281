//! The groups that a recompute statement has read, stored or computed. The statement calls
//! `pg_tviews_running_group` for each, with a ticket that code behind a view does not know.

use std::cell::RefCell;
use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use crate::settings;

/// Maximum number of groups that are noted. About so many groups of a TVIEW are stored at most.
pub const MAXIMUM: usize = 10_000;
/// Maximum size of a key, in bytes: keys are in an index.
const MAXIMUM_KEY: usize = 1_000;
/// Maximum size of a state, in bytes.
const MAXIMUM_STATE: usize = 8_000;
/// Values that a sum cannot be moved away from.
const NOT_FINITE: [&str; 3] = ["NaN", "Infinity", "-Infinity"];

/// A group whose aggregates were computed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub level: i32,
    pub key: Vec<String>,
    pub rows: i64,
    pub state: Vec<Option<String>>,
}

/// The groups that were read while [`collecting`].
#[derive(Debug, Default)]
pub struct Noted {
    /// The number of groups whose aggregates were read from the store.
    pub helped: i64,
    /// Groups that are worth storing.
    pub computed: Vec<Group>,
    /// Smaller groups of joins, which may have been found among many rows.
    pub small: Vec<Group>,
    known: HashSet<(i32, Vec<String>)>,
    /// Somebody else has called the function.
    doubtful: bool,
}

/// Every number of a level is below it.
const LEVELS: i32 = 1 << 10;
/// Every number of tables of a level is below it.
const TABLES: i32 = 1 << 6;

thread_local! {
    static SECRET: i32 = (RandomState::new().hash_one(0) >> 33) as i32;
    static NOTED: RefCell<Option<Noted>> = const { RefCell::new(None) };
}

/// Runs `work`, and returns the groups that its statements read.
pub fn collecting<R>(work: impl FnOnce() -> R) -> (R, Noted) {
    struct Stop;
    impl Drop for Stop {
        fn drop(&mut self) {
            NOTED.take();
        }
    }
    NOTED.set(Some(Noted::default()));
    let _stop = Stop;
    let result = work();
    (result, NOTED.take().unwrap_or_default())
}

/// Whether groups are noted.
pub fn is_collecting() -> bool {
    NOTED.with_borrow(Option::is_some)
}

/// Notes that a group was read from the store.
pub fn stored() {
    NOTED.with_borrow_mut(|noted| {
        if let Some(noted) = noted {
            noted.helped += 1;
        }
    });
}

/// What a statement says instead of the number of a level and that of its tables.
pub fn ticket(level: i32, tables: usize) -> i32 {
    SECRET.with(|secret| secret ^ (tables as i32 * LEVELS + level))
}

/// Notes a group that was computed, if it is large enough to be stored. After a call with a wrong ticket, no
/// group of the statement is.
pub fn computed(ticket: i32, rows: i64, key: &[Option<&str>], state: &[Option<&str>]) {
    computed_at(ticket, rows, key, state, settings::running_threshold());
}

fn computed_at(ticket: i32, rows: i64, key: &[Option<&str>], state: &[Option<&str>], threshold: i64) {
    let named = SECRET.with(|secret| secret ^ ticket);
    let (level, tables) = (named % LEVELS, named / LEVELS);
    NOTED.with_borrow_mut(|noted| {
        if let Some(noted) = noted {
            noted.doubtful |= level < 1 || !(1..TABLES).contains(&tables);
            // Each row of a join is read from every table.
            let is_large = threshold > 0 && rows.saturating_mul(i64::from(tables)) >= threshold;
            noted.note(level, rows, key, state, is_large, tables > 1 && threshold > 0);
        }
    });
}

impl Noted {
    fn note(
        &mut self,
        level: i32,
        rows: i64,
        key: &[Option<&str>],
        state: &[Option<&str>],
        is_large: bool,
        is_join: bool,
    ) {
        if self.doubtful {
            self.computed.clear();
            self.small.clear();
        } else if is_large || is_join {
            if let Some(group) = self.group(level, rows, key, state) {
                let groups = if is_large {
                    &mut self.computed
                } else {
                    &mut self.small
                };
                groups.push(group);
            }
        }
    }

    /// A group, if it can be stored and is not noted yet.
    fn group(
        &mut self,
        level: i32,
        rows: i64,
        key: &[Option<&str>],
        state: &[Option<&str>],
    ) -> Option<Group> {
        // A group with NULL in its key is looked up by no equality.
        let key = key
            .iter()
            .map(|part| part.map(str::to_string))
            .collect::<Option<Vec<_>>>()?;
        let is_finite = |value: &Option<&str>| value.is_none_or(|value| !NOT_FINITE.contains(&value));
        if self.computed.len() + self.small.len() >= MAXIMUM
            || key.iter().map(String::len).sum::<usize>() > MAXIMUM_KEY
            || state.iter().flatten().map(|value| value.len() + 1).sum::<usize>() > MAXIMUM_STATE
            || !state.iter().all(is_finite)
            || !self.known.insert((level, key.clone()))
        {
            return None;
        }
        Some(Group {
            level,
            key,
            rows,
            state: state.iter().map(|value| value.map(str::to_string)).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_wrong_ticket_no_group_is_noted() {
        let groups = |tickets: &[i32]| {
            let note = || {
                for (n, ticket) in tickets.iter().enumerate() {
                    computed_at(*ticket, 600, &[Some(&n.to_string())], &[], 500);
                }
            };
            collecting(note).1.computed.len()
        };
        assert_eq!(groups(&[ticket(1, 1), ticket(7, 16)]), 2);
        for wrong in [ticket(0, 1), ticket(1, 0), ticket(1, 64), ticket(1, 1) ^ i32::MIN] {
            assert_eq!(groups(&[ticket(1, 1), wrong, ticket(2, 1)]), 0);
        }
    }

    #[test]
    fn groups_that_cannot_be_moved_are_not_noted() {
        let mut noted = Noted::default();
        let mut is_noted = |level, key: &[Option<&str>], state: &[Option<&str>]| {
            noted.group(level, 600, key, state).is_some()
        };
        assert!(!is_noted(1, &[None], &[Some("600")]));
        assert!(!is_noted(1, &[Some("a")], &[Some("600"), Some("NaN")]));
        assert!(!is_noted(1, &[Some(&"a".repeat(1_001))], &[]));
        assert!(is_noted(1, &[Some("a")], &[Some("600"), None]));
        assert!(!is_noted(1, &[Some("a")], &[Some("600"), None]), "twice");
        assert!(is_noted(2, &[], &[]));
    }

    #[test]
    fn small_groups_of_joins_are_kept_apart() {
        let note = || {
            computed_at(ticket(1, 2), 249, &[Some("a")], &[], 500);
            computed_at(ticket(1, 2), 250, &[Some("b")], &[], 500);
            computed_at(ticket(2, 1), 499, &[Some("c")], &[], 500);
        };
        let ((), noted) = collecting(note);
        let keys = |groups: &[Group]| groups.iter().map(|group| group.key.concat()).collect::<String>();
        assert_eq!([keys(&noted.computed), keys(&noted.small)], ["b", "a"]);
    }
}
