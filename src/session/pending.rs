//! `pg_tviews_pending`: which rows are behind what is committed, and since when.
//!
//! Everything is read in the snapshot of the calling statement. Rows that are not listed are up to date in
//! that snapshot.

use std::collections::{HashMap, HashSet};

use pgrx::datum::TimestampWithTimeZone;
use pgrx::{pg_sys, PgSqlErrorCode};

use super::named_key::{change_keys, key_texts};
use super::rights::check_reader;
use crate::catalog::definition;
use crate::catalog::state::State;
use crate::catalog::{feeds, limits};
use crate::error::Problem;
use crate::postgres::collected::Collected;
use crate::postgres::permit::Permit;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::{privileges, quote, recursion, role};
use crate::queue::is_pending::is_pending;
use crate::queue::position::Position;
use crate::queue::read;
use crate::refresh::affected_keys::{self, Affected};
use crate::refresh::audit::unfilled_since;
use crate::refresh::batch::Batch;
use crate::refresh::comparison::state;
use crate::refresh::current::{self, Now};
use crate::refresh::failing::dead_letter;
use crate::refresh::plan::key::Key;
use crate::refresh::plan::{self, Plan};
use crate::refresh::planner_settings::few_rows;
use crate::refresh::{equal_keys, existing_keys, keys};
use crate::statement;

/// The maximum size of the keys that are collected.
const MAX_BYTES: usize = 64 << 20;
/// Keys per statement.
const BATCH: usize = 10_000;

pub(super) type Since = Option<TimestampWithTimeZone>;

/// The rows of a TVIEW that a committed change affects which is not applied yet; of `given` keys only, if
/// there are any. For each: the key as a JSON object, the key as `pg_tviews_refresh` and `pg_tviews_wait`
/// take it, and since when, as [`since`] reads it.
pub fn pending(name: &str, given: Option<&[Option<&str>]>) -> Result<Collected<3>, Problem> {
    let definition = definition::find(name)?;
    check_reader(&definition)?;
    let given = given
        .map(|keys| {
            limits::check_keys(keys)?;
            let mut objects = Vec::new();
            change_keys(&definition, keys, |more| objects.extend(more))?;
            Ok::<_, Problem>(objects)
        })
        .transpose()?;
    let plan = match plan::kept(definition.tview) {
        Some(plan) => plan,
        None => run_internal(|| plan::prepare(definition))?,
    };
    spi::session(|| {
        let given = given.map(|objects| plan.as_owner(|| key_texts(&plan, &objects)));
        let mut found = Found::new(&plan, given);
        find(&plan, &mut found)?;
        found.rows()
    })
}

/// Reads a time as it was collected.
pub fn since(text: &str) -> Since {
    TimestampWithTimeZone::try_from(text.parse::<pg_sys::TimestampTz>().ok()?).ok()
}

/// The rows found to be behind.
struct Found<'p> {
    plan: &'p Plan,
    /// The keys that are asked for; None: all.
    given: Option<Vec<Key>>,
    /// The same, if keys are equal only where their texts are.
    asked: HashSet<Key>,
    /// The oldest first, except for dead keys.
    keys: Vec<Key>,
    bytes: usize,
    since: HashMap<Key, Since>,
    /// Since when any row may be behind.
    everything: Option<Since>,
}

fn find(plan: &Plan, found: &mut Found) -> Result<(), Problem> {
    let tview = plan.definition.tview;
    let Some(now) = current::now(tview) else {
        return Ok(());
    };
    if let Some(since) = unfilled(plan, &now) {
        found.all(since);
    } else if now.comparing.is_some() {
        found.all(state::since(tview));
    }
    let position = now.position.clone().unwrap_or_else(beginning);
    let mut sources = plan.source_oids();
    sources.push(tview);
    for changes in run_internal(|| read::by_age(&position, &sources)) {
        let since = changes.oldest;
        match plan.as_owner(|| affected_keys::of(plan, &[changes])) {
            Affected::Keys(keys) => keys
                .batches(BATCH)
                .try_for_each(|batch| found.add(batch.rows(), |_| since))?,
            Affected::Everything => found.all(since),
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
            let since = dead.get(row, 1);
            found.add(dead_letter::keys_in(plan, dead.value(row, 0)), |_| since)?;
        }
    }
    Ok(())
}

/// Whether all rows wait to be compared with the view, or may do so.
pub fn is_unfilled(plan: &Plan, now: &Now) -> bool {
    unfilled(plan, now).is_some()
}

/// Since when all rows wait to be compared with the view: for the first time, after a redefinition, or after
/// changes were given up.
pub(super) fn unfilled(plan: &Plan, now: &Now) -> Option<Since> {
    let args = [(pg_sys::OIDOID, Value::of(plan.definition.tview))];
    let ask = |statement: &str| run_internal(|| spi::run(statement, Access::Snapshot, &args));
    let waits = now.state == State::Populating
        || now.position.is_none()
        || now.hash != plan.hash
        || ask(&statement!("audit_needs_population")).one::<bool>() != Some(false);
    waits.then(|| unfilled_since(plan.definition.tview))
}

/// Since when a TVIEW whose table this one reads is behind. Which rows that will affect is known after its
/// refresh.
fn feeders_behind_since(plan: &Plan, now: &Now) -> Option<Since> {
    let mut feeders = feeds::stages_of(Some(&plan.definition)).concat();
    feeders.retain(|tview| {
        *tview != plan.definition.tview && run_internal(|| is_pending(*tview, &now.snapshot))
    });
    if feeders.is_empty() {
        return None;
    }
    let oldest = feeders.into_iter().filter_map(|tview| {
        run_internal(|| {
            let position = current::now(tview)?.position.unwrap_or_else(beginning);
            let mut sources = definition::load(tview)?.sources;
            sources.push(tview);
            let pending = read::by_age(&position, &sources);
            pending.iter().find(|changes| changes.concerns(tview))?.oldest
        })
    });
    Some(oldest.reduce(|a, b| if b < a { b } else { a }))
}

/// A position before every change.
pub(super) fn beginning() -> Position {
    Position {
        xmin: 1,
        xmax: 1,
        xip: Vec::new(),
    }
}

impl<'p> Found<'p> {
    fn new(plan: &'p Plan, given: Option<Vec<Key>>) -> Found<'p> {
        let texts = given.iter().flatten().filter(|_| plan.shape.one_text_per_key());
        Found {
            plan,
            asked: texts.cloned().collect(),
            given,
            keys: Vec::new(),
            bytes: 0,
            since: HashMap::new(),
            everything: None,
        }
    }

    /// Adds those of the keys that are asked for.
    fn add(&mut self, mut keys: Vec<Key>, since: impl Fn(&Key) -> Since) -> Result<(), Problem> {
        recursion::step();
        if !self.asked.is_empty() {
            keys.retain(|key| self.asked.contains(key));
        } else if let Some(given) = &self.given {
            let pairs = self.plan.as_owner(|| equal_keys::pairs(self.plan, &keys, given));
            retain(&mut keys, &pairs.into_iter().map(|(place, _)| place).collect());
        }
        for key in keys {
            if !self.since.contains_key(&key) {
                self.bytes += keys::bytes(&key);
                self.since.insert(key.clone(), since(&key));
                self.keys.push(key);
            }
        }
        if self.bytes > MAX_BYTES {
            return Err(self.too_many());
        }
        Ok(())
    }

    fn too_many(&self) -> Problem {
        let name = self.plan.definition.display();
        Problem::new(
            PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
            format!("more rows of {name} are behind than can be listed"),
        )
        .detail(format!(
            "The keys of {} rows take more than {MAX_BYTES} bytes of memory.",
            self.keys.len()
        ))
        .hint(format!(
            "Name keys: SELECT * FROM pg_tviews_pending({}, '{{...}}');",
            quote::literal(&name)
        ))
    }

    fn all(&mut self, since: Since) {
        let known = self.everything.flatten();
        self.everything = Some(match (known, since) {
            (Some(known), Some(since)) if known <= since => Some(known),
            (known, since) => since.or(known),
        });
    }

    /// The rows that are asked for and behind: all rows, if any row may be.
    fn rows(mut self) -> Result<Collected<3>, Problem> {
        let plan = self.plan;
        let everything = self.everything;
        // The change that affects all rows may be older than the one that affects this row.
        if let Some(all) = everything.flatten() {
            for since in self.since.values_mut() {
                *since = Some(since.map_or(all, |since| if since < all { since } else { all }));
            }
        }
        let mut rest = Collected::default();
        match (&self.given, everything) {
            (Some(given), Some(all)) => self.add(given.clone(), |_| all)?,
            (None, Some(_)) => {
                pgrx::notice!("any row of {} may be behind", plan.definition.display());
                rest = self.keys_in_table();
            }
            (_, None) => {}
        }
        plan.as_owner(|| equal_keys::merge(plan, &mut self.keys));
        let mut rows = Collected::default();
        for keys in self.keys.chunks(BATCH) {
            self.list(keys.to_vec(), &mut rows);
        }
        let mut rest = rest
            .into_iter()
            .filter_map(|[key]| serde_json::from_str(&key?).ok());
        loop {
            let mut keys: Vec<Key> = rest.by_ref().take(BATCH).collect();
            if keys.is_empty() {
                return Ok(rows);
            }
            self.retain_unlisted(&mut keys);
            self.list(keys, &mut rows);
        }
    }

    /// The keys of the tv table, each as a JSON array of texts.
    fn keys_in_table(&self) -> Collected<1> {
        let mut found = Collected::default();
        self.plan.as_owner(|| {
            few_rows(false);
            existing_keys::each_of_table(self.plan, |key| {
                found.push([Some(&serde_json::json!(key).to_string())])
            });
        });
        found
    }

    /// Keeps the keys that are not listed yet.
    fn retain_unlisted(&self, keys: &mut Vec<Key>) {
        if self.plan.shape.one_text_per_key() {
            return keys.retain(|key| !self.since.contains_key(key));
        }
        let pairs = self
            .plan
            .as_owner(|| equal_keys::pairs(self.plan, keys, &self.keys));
        let known: HashSet<usize> = pairs.into_iter().map(|(place, _)| place).collect();
        let unknown = (0..keys.len()).filter(|place| !known.contains(place));
        retain(keys, &unknown.collect());
    }

    /// Lists keys, except those of rows that the caller may not see.
    fn list(&self, mut keys: Vec<Key>, rows: &mut Collected<3>) {
        recursion::step();
        let caller = role::current_role();
        if privileges::hides_rows_from(self.plan.definition.tview, caller) {
            let visible = visible(self.plan, &keys);
            retain(&mut keys, &visible);
        }
        for key in keys {
            let object = self.plan.key_object(&key);
            let text = match (&key[..], &self.plan.shape.key[..]) {
                ([text], [only]) => only.values.shown(text),
                _ => object.clone(),
            };
            let since = self.since.get(&key).copied().or(self.everything).flatten();
            let since = since.map(|since| pg_sys::TimestampTz::from(since).to_string());
            rows.push([Some(&object), Some(&text), since.as_deref()]);
        }
    }
}

/// Keeps the keys at some positions.
fn retain(keys: &mut Vec<Key>, places: &HashSet<usize>) {
    let mut place = 0..;
    keys.retain(|_| place.next().is_some_and(|place| places.contains(&place)));
}

/// The keys, by position, whose rows row security shows to the caller. A row that is not in the table yet is
/// not shown.
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
