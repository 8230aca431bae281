//! The keys of a large backlog are looked up in parts, each in a transaction of its own. Small changes are applied in
//! between, see [`super::apply_news`].
//!
//! ```text
//! read the queue -> keys of changes 1 to n -> small changes -> keys of n + 1 to 2n -> ... -> keys of the last ones, recompute
//! ```
//!
//! Each part has a later snapshot than the one before. A row that a change leads to may have been moved away in
//! between, by a later change. So later changes are looked up, too, and the position moves to the snapshot of the
//! last part: of the changes on the way to a key, the one that is nearest to the key finds it in any of these snapshots.

mod changes;
mod in_parts;
mod part_size;
pub mod under_way;
