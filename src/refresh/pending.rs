//! `pg_tviews_pending`: which rows are behind what is committed, and since when.
//!
//! Everything is read in the snapshot of the calling statement: what is not named here is right in the rows that the
//! statement reads.

use std::collections::{HashMap, HashSet};

use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_sys;

use super::apply::{self, Now};
use super::check::check_reader;
use super::comparison;
use super::keys::{self, few_rows, Batch, Key, Wanted};
use super::named_key::{change_key, key_texts};
use super::plan::{self, Plan};
use super::wait;
use super::{dead_letter, equal_keys};
use crate::catalog::definition::{self, State};
use crate::error::Problem;
use crate::postgres::identity::{self, run_internal};
use crate::postgres::permit::Permit;
use crate::postgres::relation;
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::sql_types::Document;
use crate::queue::log;
use crate::queue::position::Position;
use crate::statement;

type Since = Option<TimestampWithTimeZone>;

/// A row that is behind.
pub struct PendingRow {
    /// As a JSON object.
    pub key: Document,
    /// As `pg_tviews_refresh` and `pg_tviews_wait` take it.
    pub text: String,
    pub since: Since,
}

/// The rows of a TVIEW, of `given` keys only if there are any, that a committed change concerns which is not applied.
pub fn pending(name: &str, given: Option<Vec<Option<String>>>) -> Result<Vec<PendingRow>, Problem> {
    let definition = definition::find(name)?;
    check_reader(&definition)?;
    let given = given
        .map(|keys| {
            let keys = keys.iter();
            keys.map(|key| change_key(&definition, key.as_deref()))
                .collect::<Result<Vec<_>, _>>()
        })
        .transpose()?;
    let plan = match plan::kept(definition.tview) {
        Some(plan) => plan,
        None => run_internal(|| plan::prepare(definition))?,
    };
    Ok(spi::session(|| {
        let given = given.map(|objects| plan.as_owner(|| key_texts(&plan, &objects)));
        let mut found = find(&plan);
        found.keep(&plan, given);
        found.rows(&plan)
    }))
}

/// What was found to be behind.
#[derive(Default)]
struct Found {
    /// In this order: the oldest first, apart from dead keys.
    keys: Vec<Key>,
    since: HashMap<Key, Since>,
    /// Any row may be behind, since then.
    everything: Option<Since>,
}

fn find(plan: &Plan) -> Found {
    let mut found = Found::default();
    let tview = plan.definition.tview;
    let Some(now) = apply::now(tview) else {
        return found;
    };
    if let Some(since) = unfilled(plan, &now) {
        found.all(since);
    } else if now.comparing.is_some() {
        found.all(comparison::since(tview));
    }
    let position = now.position.clone().unwrap_or_else(beginning);
    let mut sources = plan.source_oids();
    sources.push(tview);
    for changes in run_internal(|| log::by_age(&position, &sources)) {
        let since = changes.oldest;
        match plan.as_owner(|| keys::wanted(plan, &[changes])) {
            Wanted::Keys(keys) => keys.into_rows().iter().for_each(|key| found.add(key, since)),
            Wanted::Everything => found.all(since),
        }
    }
    if let Some(since) = feeders_behind_since(plan, &now) {
        found.all(since);
    }
    if now.has_dead_keys {
        let dead = run_internal(|| {
            let args = [(pg_sys::OIDOID, Value::of(tview))];
            spi::run(&statement!("dead_letter_since"), Access::Snapshot, &args)
        });
        for row in 0..dead.len() {
            let keys = dead_letter::keys_in(plan, dead.value(row, 0));
            keys.iter().for_each(|key| found.add(key, dead.get(row, 1)));
        }
    }
    found
}

/// Since when every row waits to be compared with the view: at first, after a redefinition, after changes were given up.
fn unfilled(plan: &Plan, now: &Now) -> Option<Since> {
    let args = [(pg_sys::OIDOID, Value::of(plan.definition.tview))];
    let ask = |statement: &str| run_internal(|| spi::run(statement, Access::Snapshot, &args));
    let waits = now.state == State::Populating
        || now.position.is_none()
        || now.hash != plan.hash
        || ask(&statement!("needs_population")).one::<bool>() != Some(false);
    waits.then(|| ask(&statement!("unfilled_since")).one())
}

/// Since when a TVIEW whose table this one reads is behind: which of our rows that will concern, its refresh tells.
fn feeders_behind_since(plan: &Plan, now: &Now) -> Option<Since> {
    let target = now.snapshot.to_string();
    let mut feeders = wait::stages(Some(&plan.definition)).concat();
    feeders.retain(|tview| {
        *tview != plan.definition.tview && run_internal(|| wait::is_pending(*tview, &target))
    });
    if feeders.is_empty() {
        return None;
    }
    let oldest = feeders.into_iter().filter_map(|tview| {
        run_internal(|| {
            let position = apply::now(tview)?.position.unwrap_or_else(beginning);
            let mut sources = definition::load(tview)?.sources;
            sources.push(tview);
            log::by_age(&position, &sources).first()?.oldest
        })
    });
    Some(oldest.reduce(|a, b| if b < a { b } else { a }))
}

/// A position before every change.
fn beginning() -> Position {
    Position {
        xmin: 1,
        xmax: 1,
        xip: Vec::new(),
    }
}

impl Found {
    fn add(&mut self, key: &Key, since: Since) {
        if !self.since.contains_key(key) {
            self.since.insert(key.clone(), since);
            self.keys.push(key.clone());
        }
    }

    fn all(&mut self, since: Since) {
        let known = self.everything.flatten();
        self.everything = Some(match (known, since) {
            (Some(known), Some(since)) if known <= since => Some(known),
            (known, since) => since.or(known),
        });
    }

    /// Leaves the keys that were given, or adds every row if all are behind; and hides what the caller may not see.
    fn keep(&mut self, plan: &Plan, given: Option<Vec<Key>>) {
        let everything = self.everything;
        let rest = match (&given, everything) {
            (Some(given), Some(_)) => given.clone(),
            (None, Some(_)) => {
                pgrx::notice!("any row of {} may be behind", plan.definition.display());
                plan.as_owner(|| {
                    few_rows(false);
                    keys::some_in_table(plan, usize::MAX >> 1)
                })
            }
            (_, None) => Vec::new(),
        };
        // What makes every row wait may be older than what named one.
        if let Some(all) = everything.flatten() {
            for since in self.since.values_mut() {
                *since = Some(since.map_or(all, |since| if since < all { since } else { all }));
            }
        }
        rest.iter().for_each(|key| self.add(key, everything.flatten()));
        plan.as_owner(|| equal_keys::merge(plan, &mut self.keys));
        if let Some(given) = given {
            let pairs = plan.as_owner(|| equal_keys::pairs(plan, &self.keys, &given));
            self.retain(pairs.into_iter().map(|(place, _)| place).collect());
        }
        let caller = identity::current_role();
        if relation::hides_rows_from(plan.definition.tview, caller) {
            self.retain(visible(plan, &self.keys));
        }
    }

    /// Leaves the keys at some positions.
    fn retain(&mut self, places: HashSet<usize>) {
        let mut place = 0..;
        self.keys
            .retain(|_| place.next().is_some_and(|place| places.contains(&place)));
    }

    fn rows(self, plan: &Plan) -> Vec<PendingRow> {
        let row = |key: &Key| {
            let object = plan.key_object(key);
            PendingRow {
                text: match (&key[..], &plan.shape.key[..]) {
                    ([text], [only]) => only.values.shown(text),
                    _ => object.clone(),
                },
                key: Document(object),
                since: self.since.get(key).copied().flatten(),
            }
        };
        self.keys.iter().map(row).collect()
    }
}

/// Which of the keys, by position, are those of rows that row security shows the caller: of a row that is not there yet, nobody
/// can say.
fn visible(plan: &Plan, keys: &[Key]) -> HashSet<usize> {
    if keys.is_empty() {
        return HashSet::new();
    }
    let typed = Batch::from(keys).typed(plan);
    plan.as_reader(Permit::of_caller(), || {
        let rows = spi::run(&plan.shape.keys_in_table(), Access::Snapshot, &typed);
        (0..rows.len())
            .filter_map(|row| usize::try_from(rows.get::<i64>(row, 0)? - 1).ok())
            .collect()
    })
}
