//! A model of the queue, run at random: transactions that commit in any order, prepare, roll back or write
//! early; refreshes, which read only blocks with recent ids; trimming; rows that move; crashes.
//!
//! After each step a committed change is in a TVIEW, or in the queue ahead of the position of that TVIEW.
//! Rules that are known to lose changes must fail here.

use std::collections::{BTreeMap, BTreeSet};

use super::position::Position;

/// How positions are taken and rows trimmed.
#[derive(Clone, Copy, PartialEq)]
enum Rules {
    Actual,
    /// Rows older than every running transaction are trimmed, whatever the positions are.
    TrimByXmin,
    /// A position stored by a transaction does not list that transaction as running.
    OwnXidForgotten,
    /// A position is the number of the newest row read.
    RowNumbers,
    /// A position is the snapshot of the end of a refresh, not the one it read with.
    PositionTakenLast,
    /// Blocks are read for transactions that began after a position, not for those it saw in progress.
    BlocksFromXmax,
    /// Writers leave their ids at blocks after the commit.
    IdsAfterCommit,
    /// After a crash the ids count as complete.
    CrashUnnoticed,
    /// After rows have moved the ids count as complete.
    MoveUnnoticed,
    /// Ids of all rows that a refresh has read count as complete although rows have moved meanwhile.
    MoveWhileNoting,
    /// A refresh that reads all blocks leaves the ids of rows that it sees, not of others.
    NotedIfSeen,
}

/// Elements that blocks share.
const ELEMENTS: usize = 3;

type Change = u32;

/// A row of pg_tview_queue. Its transaction decides whether it is visible.
#[derive(Clone)]
struct Row {
    number: u64,
    xid: u64,
    change: Change,
    block: usize,
}

/// A transaction that has not ended.
#[derive(Clone, Default)]
struct Running {
    buffer: Vec<Change>,
    prepared: bool,
    /// The TVIEW that this transaction redefines, as it will be after the commit.
    redefined: Option<(usize, Tview)>,
}

#[derive(Clone, Default)]
struct Tview {
    position: Option<Position>,
    newest_row: u64,
    absorbed: BTreeSet<Change>,
}

/// A refresh between its snapshot and its commit.
#[derive(Clone)]
struct Refresh {
    snapshot: Position,
    newest_row: u64,
    read: BTreeSet<Change>,
    /// Once it has read all blocks, it has left the ids of all rows that were there at this number.
    noting: Option<u64>,
}

/// Since when ids are complete; or all of them, while both are the same.
#[derive(Clone, Copy, Default)]
struct Known {
    since: u64,
    noted: Option<u64>,
}

#[derive(Clone)]
struct Server {
    rules: Rules,
    next_xid: u64,
    next_change: Change,
    next_row: u64,
    running: BTreeMap<u64, Running>,
    committed: BTreeMap<Change, u64>,
    log: Vec<Row>,
    tviews: Vec<Tview>,
    refreshes: Vec<Option<Refresh>>,
    /// In shared memory: the highest id by blocks, and which of these are complete.
    ids: [u64; ELEMENTS],
    known: Option<Known>,
    /// Ids that are left too late.
    late_ids: Vec<(usize, u64)>,
    /// What a crash leaves: the state of the last synchronous commit. Refreshes and trimming commit
    /// asynchronously.
    on_disk: Option<Box<Server>>,
}

impl Server {
    fn new(rules: Rules) -> Server {
        Server {
            rules,
            next_xid: 10,
            next_change: 1,
            next_row: 1,
            running: BTreeMap::new(),
            committed: BTreeMap::new(),
            log: Vec::new(),
            tviews: vec![Tview::default(); 2],
            refreshes: vec![None, None],
            ids: [0; ELEMENTS],
            known: None,
            late_ids: Vec::new(),
            on_disk: None,
        }
    }

    /// A snapshot as PostgreSQL takes it: `own` is not listed as in progress.
    fn snapshot(&self, own: Option<u64>) -> Position {
        let ended = |xid: &u64| !self.running.contains_key(xid);
        let xmax = (1..self.next_xid).rev().find(ended).map_or(1, |xid| xid + 1);
        let others = self.running.keys().copied().filter(|xid| Some(*xid) != own);
        let xip: Vec<u64> = others.filter(|xid| *xid < xmax).collect();
        Position {
            xmin: xip.first().copied().unwrap_or(xmax),
            xmax,
            xip,
        }
    }

    fn write(&mut self, xid: Option<u64>) {
        let xid = xid.unwrap_or(self.next_xid);
        self.next_xid = self.next_xid.max(xid + 1);
        self.running.entry(xid).or_default().buffer.push(self.next_change);
        self.next_change += 1;
    }

    /// Before the end of a transaction, before PREPARE, or when the buffer is full.
    fn flush(&mut self, xid: u64) {
        let buffer = std::mem::take(&mut self.running.get_mut(&xid).unwrap().buffer);
        for change in buffer {
            let block = self.next_row as usize % 5;
            self.log.push(Row {
                number: self.next_row,
                xid,
                change,
                block,
            });
            self.next_row += 1;
            if self.rules == Rules::IdsAfterCommit {
                self.late_ids.push((block, xid));
            } else {
                self.leave_id(block, xid);
            }
        }
    }

    fn leave_id(&mut self, block: usize, xid: u64) {
        let id = &mut self.ids[block % ELEMENTS];
        *id = (*id).max(xid);
    }

    fn leave_late_ids(&mut self) {
        for (block, xid) in std::mem::take(&mut self.late_ids) {
            self.leave_id(block, xid);
        }
    }

    /// Rows are written again, elsewhere, by a statement.
    fn move_rows(&mut self) {
        for row in &mut self.log {
            row.block += 1;
        }
        if self.rules != Rules::MoveUnnoticed {
            self.forget();
        }
    }

    fn forget(&mut self) {
        let known = self.known.get_or_insert_default();
        known.since = self.next_xid.max(known.since + 1);
    }

    /// The lowest id that a refresh needs.
    fn first(&self, position: &Position, snapshot: &Position) -> u64 {
        let ended = position.xip.iter().find(|xid| snapshot.covers(**xid));
        match self.rules {
            Rules::BlocksFromXmax => position.xmax,
            _ => ended.copied().unwrap_or(position.xmax),
        }
    }

    /// A refresh that has to read all blocks leaves the ids of all rows.
    fn note_all(&mut self, first: u64, snapshot: &Position) -> Option<u64> {
        if self.known.is_none() {
            self.forget();
        }
        let known = self.known.unwrap();
        if first >= known.since || known.noted == Some(known.since) {
            return None;
        }
        for row in self.log.clone() {
            if self.rules != Rules::NotedIfSeen || snapshot.covers(row.xid) {
                self.leave_id(row.block, row.xid);
            }
        }
        Some(known.since)
    }

    fn commit(&mut self, xid: u64) {
        self.flush(xid);
        let ended = self.running.remove(&xid).unwrap();
        if let Some((tview, state)) = ended.redefined {
            self.tviews[tview] = state;
        }
        let own = self.log.iter().filter(|row| row.xid == xid);
        self.committed.extend(own.map(|row| (row.change, xid)));
        self.sync();
    }

    fn roll_back(&mut self, xid: u64) {
        self.running.remove(&xid);
        self.log.retain(|row| row.xid != xid);
    }

    fn prepare(&mut self, xid: u64) {
        self.flush(xid);
        self.running.get_mut(&xid).unwrap().prepared = true;
        self.sync();
    }

    /// Whether the TVIEW is locked, so that no refresh can begin.
    fn locked(&self, tview: usize) -> bool {
        let redefines = |running: &Running| {
            running
                .redefined
                .as_ref()
                .is_some_and(|(which, _)| *which == tview)
        };
        self.refreshes[tview].is_some() || self.running.values().any(redefines)
    }

    /// pg_tviews_create in the middle of a writing transaction: everything visible, and its own changes so
    /// far.
    fn redefine(&mut self, xid: u64, tview: usize) {
        let mut position = self.snapshot(Some(xid));
        if self.rules != Rules::OwnXidForgotten {
            position = position.with_in_progress(xid);
        }
        let newest_row = self.log.iter().map(|row| row.number).max().unwrap_or(0);
        let absorbed = self.committed.keys().copied().collect();
        let state = Tview {
            position: Some(position),
            newest_row,
            absorbed,
        };
        self.running.get_mut(&xid).unwrap().redefined = Some((tview, state));
    }

    /// Whether the position of the TVIEW is past the row.
    fn covers(&self, tview: &Tview, row: &Row) -> bool {
        match self.rules {
            Rules::RowNumbers => row.number <= tview.newest_row,
            _ => tview
                .position
                .as_ref()
                .is_some_and(|position| position.covers(row.xid)),
        }
    }

    fn begin_refresh(&mut self, tview: usize) {
        let snapshot = self.snapshot(None);
        let position = self.tviews[tview].position.as_ref();
        let first = position.map_or(0, |position| self.first(position, &snapshot));
        let noting = self.note_all(first, &snapshot);
        let state = &self.tviews[tview];
        let is_read = |row: &Row| noting.is_some() || self.ids[row.block % ELEMENTS] >= first;
        let visible = self
            .log
            .iter()
            .filter(|row| snapshot.covers(row.xid) && is_read(row));
        let new: Vec<&Row> = visible.filter(|row| !self.covers(state, row)).collect();
        let newest_row = new
            .iter()
            .map(|row| row.number)
            .max()
            .unwrap_or(0)
            .max(state.newest_row);
        let read = match state.position {
            // The first one reads the view, not the log.
            None => self
                .committed
                .iter()
                .filter(|(_, xid)| snapshot.covers(**xid))
                .map(|(c, _)| *c)
                .collect(),
            Some(_) => new.iter().map(|row| row.change).collect(),
        };
        self.refreshes[tview] = Some(Refresh {
            snapshot,
            newest_row,
            read,
            noting,
        });
    }

    fn end_refresh(&mut self, tview: usize) {
        let Some(refresh) = self.refreshes[tview].take() else {
            return;
        };
        if let (Some(noting), Some(known)) = (refresh.noting, &mut self.known) {
            known.noted = Some(match self.rules {
                Rules::MoveWhileNoting => known.since,
                _ => noting,
            });
        }
        let position = match self.rules {
            Rules::PositionTakenLast => self.snapshot(None),
            _ => refresh.snapshot,
        };
        let state = &mut self.tviews[tview];
        state.absorbed.extend(refresh.read);
        state.position = Some(position);
        state.newest_row = refresh.newest_row;
        // The id of the refresh itself.
        self.next_xid += 1;
    }

    fn trim(&mut self) {
        let xmin = self.snapshot(None).xmin;
        let gone = |row: &Row| match self.rules {
            Rules::TrimByXmin => row.xid < xmin,
            _ => self.tviews.iter().all(|tview| self.covers(tview, row)),
        };
        let keep: Vec<Row> = self.log.iter().filter(|row| !gone(row)).cloned().collect();
        self.log = keep;
        self.next_xid += 1;
    }

    fn sync(&mut self) {
        let mut copy = self.clone();
        copy.on_disk = None;
        self.on_disk = Some(Box::new(copy));
    }

    fn crash(&mut self) {
        let rules = self.rules;
        let left = self
            .on_disk
            .take()
            .map_or_else(|| Server::new(rules), |disk| *disk);
        let known = self.known;
        *self = left;
        self.ids = [0; ELEMENTS];
        self.late_ids.clear();
        self.known = match rules {
            Rules::CrashUnnoticed => known,
            _ => None,
        };
        self.refreshes = vec![None, None];
        let open = |(xid, running): (&u64, &Running)| (!running.prepared).then_some(*xid);
        let open: Vec<u64> = self.running.iter().filter_map(open).collect();
        open.into_iter().for_each(|xid| self.roll_back(xid));
        self.sync();
    }

    /// A committed change that no refresh will ever read.
    fn lost(&self) -> Option<Change> {
        let ahead = |tview: &Tview, change: Change| {
            let mut rows = self.log.iter().filter(|row| row.change == change);
            tview.position.is_none() || rows.any(|row| !self.covers(tview, row))
        };
        let lost = |change: &Change| {
            let mut tviews = self.tviews.iter();
            tviews.any(|tview| !tview.absorbed.contains(change) && !ahead(tview, *change))
        };
        self.committed.keys().copied().find(lost)
    }

    fn step(&mut self, random: &mut Random) {
        let writers: Vec<u64> = self.running.keys().copied().collect();
        let writer = writers.get(random.below(writers.len().max(1))).copied();
        let open = writer.filter(|xid| !self.running[xid].prepared);
        let tview = random.below(self.tviews.len());
        match (random.below(18), writer, open) {
            (0..=2, _, _) => self.write(None),
            (3, _, Some(xid)) => self.write(Some(xid)),
            (4, _, Some(xid)) => self.flush(xid),
            (5 | 6, Some(xid), _) => self.commit(xid),
            (7, Some(xid), _) => self.roll_back(xid),
            (8, _, Some(xid)) if self.running[&xid].redefined.is_none() => self.prepare(xid),
            (9, _, Some(xid)) if !self.locked(tview) => self.redefine(xid, tview),
            (10 | 11, _, _) if !self.locked(tview) => self.begin_refresh(tview),
            (12 | 13, _, _) => self.end_refresh(tview),
            (14, _, _) => self.trim(),
            (15, _, _) if random.below(8) == 0 => self.crash(),
            (16, _, _) => self.leave_late_ids(),
            (17, _, _) if random.below(4) == 0 => self.move_rows(),
            _ => {}
        }
    }

    /// All transactions end, every TVIEW is refreshed, the queue is trimmed.
    fn settle(&mut self) {
        (0..self.tviews.len()).for_each(|tview| self.end_refresh(tview));
        let running: Vec<u64> = self.running.keys().copied().collect();
        running.into_iter().for_each(|xid| self.commit(xid));
        self.leave_late_ids();
        for tview in 0..self.tviews.len() {
            self.begin_refresh(tview);
            self.end_refresh(tview);
        }
        self.trim();
    }
}

/// A xorshift generator: the same steps for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % limit
    }
}

/// The first seed and change lost by these rules.
fn first_loss(rules: Rules) -> Option<(u64, Change)> {
    for seed in 1..=1500 {
        let mut random = Random(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(seed));
        let mut server = Server::new(rules);
        for _ in 0..120 {
            server.step(&mut random);
            if let Some(change) = server.lost() {
                return Some((seed, change));
            }
        }
        server.settle();
        if let Some(change) = server.lost() {
            return Some((seed, change));
        }
        if rules == Rules::Actual {
            assert!(
                server.log.is_empty(),
                "seed {seed}: rows nobody needs stay in the log"
            );
        }
    }
    None
}

#[test]
fn nothing_committed_is_passed_or_trimmed_unread() {
    assert_eq!(first_loss(Rules::Actual), None, "(seed, change)");
}

#[test]
fn trimming_by_xmin_loses_changes() {
    assert!(first_loss(Rules::TrimByXmin).is_some());
}

#[test]
fn position_that_forgets_its_own_transaction_loses_changes() {
    assert!(first_loss(Rules::OwnXidForgotten).is_some());
}

#[test]
fn row_numbers_as_positions_lose_changes() {
    assert!(first_loss(Rules::RowNumbers).is_some());
}

#[test]
fn position_taken_after_the_work_loses_changes() {
    assert!(first_loss(Rules::PositionTakenLast).is_some());
}

#[test]
fn blocks_chosen_without_transactions_in_progress_lose_changes() {
    assert!(first_loss(Rules::BlocksFromXmax).is_some());
}

#[test]
fn ids_left_after_the_commit_lose_changes() {
    assert!(first_loss(Rules::IdsAfterCommit).is_some());
}

#[test]
fn ids_taken_for_complete_after_a_crash_lose_changes() {
    assert!(first_loss(Rules::CrashUnnoticed).is_some());
}

#[test]
fn ids_taken_for_complete_after_rows_moved_lose_changes() {
    assert!(first_loss(Rules::MoveUnnoticed).is_some());
}

#[test]
fn ids_of_rows_that_have_moved_meanwhile_lose_changes() {
    assert!(first_loss(Rules::MoveWhileNoting).is_some());
}

#[test]
fn ids_left_only_of_rows_that_are_seen_lose_changes() {
    assert!(first_loss(Rules::NotedIfSeen).is_some());
}
