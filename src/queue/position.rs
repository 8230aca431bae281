//! How far a TVIEW has absorbed the queue: a snapshot, never an id or a time.

use std::fmt;
use std::str::FromStr;

use crate::postgres::stored_snapshot::StoredSnapshot;

/// A TVIEW has absorbed the transactions that are visible in this snapshot. Same text form as `pg_snapshot`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    pub xmin: u64,
    pub xmax: u64,
    /// Transactions in progress when the snapshot was taken, in ascending order.
    pub xip: Vec<u64>,
}

impl From<&StoredSnapshot> for Position {
    fn from(stored: &StoredSnapshot) -> Position {
        Position {
            xmin: stored.lowest_unseen(),
            xmax: stored.xmax(),
            xip: stored.in_progress().to_vec(),
        }
    }
}

impl Position {
    /// Whether the transaction is absorbed.
    pub fn covers(&self, xid: u64) -> bool {
        xid < self.xmax && self.xip.binary_search(&xid).is_err()
    }

    /// Whether every transaction that `other` covers is covered.
    pub fn is_at_or_ahead_of(&self, other: &Position) -> bool {
        let in_progress_for_other = |xid: &u64| *xid >= other.xmax || other.xip.binary_search(xid).is_ok();
        // The ids from here to the end of `other` are not covered. None of them may be covered by `other`.
        let beyond = other.xmax.saturating_sub(self.xmax);
        let first = other.xip.partition_point(|xid| *xid < self.xmax);
        (other.xip.len() - first) as u64 == beyond && self.xip.iter().all(in_progress_for_other)
    }

    /// The same snapshot after the end of a transaction that had no id when the snapshot was taken. Transactions
    /// that were given lower ids meanwhile are still not covered.
    pub fn with_ended(mut self, xid: u64) -> Position {
        if xid >= self.xmax {
            self.xip.extend(self.xmax..xid);
            self.xmax = xid + 1;
            self.xmin = self.xip.first().copied().unwrap_or(self.xmax);
        }
        self
    }

    /// The same snapshot with one more transaction in progress.
    ///
    /// A snapshot does not list the transaction that took it as in progress. A transaction that stores its
    /// own snapshot as a position must add itself: its changes reach the queue when it commits, and would
    /// otherwise count as absorbed.
    pub fn with_in_progress(mut self, xid: u64) -> Position {
        if xid < self.xmax {
            if let Err(at) = self.xip.binary_search(&xid) {
                self.xip.insert(at, xid);
            }
            self.xmin = self.xmin.min(xid);
        }
        self
    }
}

impl FromStr for Position {
    type Err = String;

    fn from_str(text: &str) -> Result<Position, String> {
        let invalid = || format!("not a snapshot: {text}");
        let number = |part: &str| part.parse::<u64>().map_err(|_| invalid());
        let mut parts = text.split(':');
        let (Some(xmin), Some(xmax), Some(list), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(invalid());
        };
        let mut xip = list
            .split(',')
            .filter(|x| !x.is_empty())
            .map(number)
            .collect::<Result<Vec<_>, _>>()?;
        xip.sort_unstable();
        Ok(Position {
            xmin: number(xmin)?,
            xmax: number(xmax)?,
            xip,
        })
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let in_progress: Vec<String> = self.xip.iter().map(u64::to_string).collect();
        write!(f, "{}:{}:{}", self.xmin, self.xmax, in_progress.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(text: &str) -> Position {
        text.parse().unwrap()
    }

    #[test]
    fn reads_and_writes_the_text_of_pg_snapshot() {
        for text in [
            "10:10:",
            "10:20:10,14,15",
            "18446744073709551000:18446744073709551001:",
        ] {
            assert_eq!(position(text).to_string(), text);
        }
        for text in ["", "1:2", "1:2:3:4", "a:2:", "1:2:x"] {
            assert!(text.parse::<Position>().is_err(), "{text}");
        }
    }

    #[test]
    fn covers_what_the_snapshot_sees() {
        let p = position("10:20:10,14");
        for (xid, covered) in [
            (9, true),
            (10, false),
            (11, true),
            (14, false),
            (19, true),
            (20, false),
            (21, false),
        ] {
            assert_eq!(p.covers(xid), covered, "{xid}");
        }
    }

    #[test]
    fn is_ahead_of_what_covers_no_more() {
        for (ahead, behind) in [
            ("10:20:10,14", "10:20:10,14"),
            ("10:20:10", "10:20:10,14"),
            ("20:20:", "10:20:10,14"),
            ("10:20:10,14", "10:15:10,14"),
            ("10:20:10,18", "10:15:10,14"),
            ("10:20:10", "5:10:"),
            // Nothing that began in between has ended.
            ("10:20:10", "10:23:10,20,21,22"),
        ] {
            assert!(
                position(ahead).is_at_or_ahead_of(&position(behind)),
                "{ahead} {behind}"
            );
        }
        for (behind, ahead) in [
            ("10:20:10,14", "10:20:10"),
            ("10:20:10", "14:20:14"),
            ("10:20:10", "10:21:10"),
            ("10:20:10", "10:23:10,20,22"),
            ("10:15:10,14", "10:20:10,14"),
            ("10:20:10,14", "14:15:14"),
        ] {
            assert!(
                !position(behind).is_at_or_ahead_of(&position(ahead)),
                "{behind} {ahead}"
            );
        }
    }

    #[test]
    fn is_ahead_where_each_id_is_covered() {
        // All snapshots of a few ids.
        let all: Vec<Position> = (1..6u64)
            .flat_map(|xmax| {
                (0..1u64 << (xmax - 1)).map(move |running| {
                    let xip: Vec<u64> = (1..xmax).filter(|xid| running >> (xid - 1) & 1 == 1).collect();
                    let xmin = xip.first().copied().unwrap_or(xmax);
                    Position { xmin, xmax, xip }
                })
            })
            .collect();
        for one in &all {
            for other in &all {
                let covers_all = (1..8).all(|xid| !other.covers(xid) || one.covers(xid));
                assert_eq!(one.is_at_or_ahead_of(other), covers_all, "{one} {other}");
            }
        }
    }

    #[test]
    fn a_transaction_without_an_id_ends_after_the_snapshot() {
        for (before, xid, after) in [
            ("10:20:10,14", 20, "10:21:10,14"),
            ("20:20:", 20, "21:21:"),
            ("20:20:", 22, "20:23:20,21"),
            ("10:20:10,14", 22, "10:23:10,14,20,21"),
        ] {
            let position = position(before).with_ended(xid);
            assert_eq!(position.to_string(), after);
            assert!(position.covers(xid) && position.is_at_or_ahead_of(&before.parse().unwrap()));
        }
    }

    #[test]
    fn never_claims_the_transaction_that_stores_it() {
        // Transaction 12 took its snapshot after 13 had completed: 12 is below xmax and not in xip.
        let taken = position("12:14:");
        assert!(taken.covers(12), "the trap");
        let stored = taken.with_in_progress(12);
        assert!(!stored.covers(12));
        assert!(stored.covers(13));
        assert_eq!(stored.to_string(), "12:14:12");
        assert_eq!(stored.clone().with_in_progress(12), stored);
        assert_eq!(
            position("12:14:").with_in_progress(15),
            position("12:14:"),
            "already beyond xmax"
        );
    }
}
