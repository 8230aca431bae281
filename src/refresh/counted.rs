//! The transactions of a refresh: what they do, and which commits their snapshots see, is counted.

use super::one_refresh::Refresh;
use super::plan::Plan;
use super::tally;
use crate::error::Caught;
use crate::postgres::{process, spi};
use crate::wake::counters::Stage;
use crate::wake::database::Database;
use crate::wake::sources::Sources;
use crate::wake::tview::Tview;

impl Refresh<'_> {
    /// Runs a transaction: `lock` takes locks before the snapshot, and can return the result; otherwise `work` runs
    /// under that snapshot, inside an SPI session.
    pub fn transaction<R>(
        &self,
        lock: impl FnOnce() -> Option<R>,
        work: impl FnOnce() -> R,
    ) -> Result<R, Caught> {
        let lock = || {
            let instead = lock();
            tally::ended(Stage::Lock);
            instead
        };
        let work = || {
            let result = spi::session(work);
            tally::ended(Stage::Record);
            result
        };
        tally::counting(self.tview, || self.driver.repeatable_read(lock, work))
    }

    /// Notes how many commits the snapshot will see at least. Before the snapshot is taken.
    pub fn note_commits(&self, plan: &Plan) {
        let database = Database::find(process::database());
        let places = || Sources::places_of(&plan.source_oids(), self.tview);
        self.commits
            .set(database.map(|database| database.sources.commits(&places())));
    }

    /// All that the snapshot saw is applied, unless a comparison of all rows goes on.
    pub fn note_absorbed(&self, all: bool) {
        let place = Tview::find(process::database(), self.tview);
        if let (Some(place), Some(commits)) = (place, self.commits.get()) {
            place.note_absorbed(commits, all);
        }
    }
}
