//! The workers of a database, as the worker sees them that has a large backlog to share.

/// The workers of a database.
pub trait Team {
    /// The number of workers, including this one and workers that may be started to help.
    fn size(&self) -> usize;
    /// Offers parts, numbered from 0, to workers without more urgent work. `since`: when the oldest change
    /// was made that they apply, in microseconds since 2000; 0: unknown.
    fn offer(&self, parts: u32, since: i64);
    /// Takes a part that no worker has taken.
    fn take(&self) -> Option<u32>;
    /// Whether other workers still apply parts that they took.
    fn others_at_work(&self) -> bool;
    /// Ends the offer: no further parts are taken.
    fn withdraw(&self);
}
