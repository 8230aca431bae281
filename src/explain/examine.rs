//! Asks the planner, under the settings of a refresh, which tables a statement would read in full. Then plans
//! again as if an index existed, to see whether it would help.

use pgrx::datum::JsonString;
use pgrx::pg_sys::{self, Oid};

use super::plans::{self, Reads, Scan, Scans, Search};
use crate::error::Caught;
use crate::postgres::hooks::hypothetical_index::{self, HypotheticalIndex};
use crate::postgres::hooks::planner::reshaping;
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::{inheritance, quote, run_as, transaction};
use crate::refresh::planner_settings::few_rows;
use crate::refresh::pushdown::push_down;

/// Reading a whole table up to this size costs as little as an index.
const TINY_PAGES: i64 = 16;
/// A change that leads to a larger share of a table than this costs much more than reading the table.
const MANY_ROWS: f64 = 0.1;

/// A table that is read in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub table: Oid,
    pub alias: String,
}

/// What the planner would do with a statement.
#[derive(Default)]
pub struct Verdict {
    /// Tables that are read in full now.
    pub found: Vec<Found>,
    /// Tables that would be read in full even with the indexes.
    pub full: Vec<Found>,
    /// Tables of which a key query finds many rows for each change, by any index.
    pub many: Vec<Found>,
    /// Indexes the planner would use.
    pub used: Vec<HypotheticalIndex>,
}

/// A statement the planner is asked about.
pub struct Examination {
    pub explain: String,
    /// Whether it recomputes rows. Conditions are pushed down into such a statement before it is planned.
    pub recomputes: bool,
    pub parameters: Vec<(Oid, Value)>,
}

impl Examination {
    /// `candidates`: the indexes that could help with what is read in full.
    pub fn examine(
        &self,
        candidates: impl Fn(&[Found]) -> Vec<HypotheticalIndex>,
    ) -> Result<Verdict, Caught> {
        few_rows(true);
        run_as::set("enable_hashjoin", "on");
        let now = self.scans(&[])?;
        let (mut found, mut many) = (large(now.full), large(now.many));
        if found.is_empty() {
            return Ok(Verdict {
                many,
                ..Verdict::default()
            });
        }
        // A hash join may cost less than many index searches: then no index is missing.
        run_as::set("enable_hashjoin", "off");
        let without_hashing = self.scans(&[])?;
        let still = large(without_hashing.full);
        found.retain(|scan| still.contains(scan));
        many.extend(large(without_hashing.many));
        let candidates = if found.is_empty() {
            Vec::new()
        } else {
            candidates(&found)
        };
        if candidates.is_empty() {
            let full = found.clone();
            return Ok(Verdict {
                full,
                found,
                many,
                ..Verdict::default()
            });
        }
        let scans = hypothetical_index::with(candidates.clone(), || self.scans(&candidates))?;
        let numbered = candidates.iter().enumerate();
        let used = numbered
            .filter(|(n, _)| scans.searched.contains(&hypothetical_index::name(*n)))
            .map(|(_, index)| index.clone())
            .collect();
        let full = large(scans.full);
        Ok(Verdict {
            full: found.iter().filter(|scan| full.contains(scan)).cloned().collect(),
            many: many.into_iter().chain(large(scans.many)).collect(),
            found,
            used,
        })
    }

    /// `offered`: the indexes that are planned with as if they existed.
    fn scans(&self, offered: &[HypotheticalIndex]) -> Result<Scans, Caught> {
        let run = || {
            spi::session(|| {
                spi::run(&self.explain, Access::Current, &self.parameters)
                    .one::<JsonString>()
                    .map(|json| json.0)
                    .unwrap_or_default()
            })
        };
        let text = transaction::attempt(|| {
            if self.recomputes {
                reshaping(&self.explain, push_down, run)
            } else {
                run()
            }
        })?;
        Ok(plans::scans(&text, &|search| {
            if !is_narrow(search, offered) {
                Reads::All
            } else if !self.recomputes && finds_many(search) {
                Reads::Many
            } else {
                Reads::Few
            }
        }))
    }
}

/// Whether one search finds a large share of the table. The rows of the view that belong to these are recomputed, which
/// costs more than finding them.
fn finds_many(search: &Search) -> bool {
    let rows = spi::run(
        "SELECT c.reltuples::float8
           FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
          WHERE n.nspname = $1 AND c.relname = $2 AND c.reltuples > 0",
        Access::Current,
        &[
            (pg_sys::TEXTOID, Value::of(search.scan.schema.as_str())),
            (pg_sys::TEXTOID, Value::of(search.scan.table.as_str())),
        ],
    );
    rows.one::<f64>().is_some_and(|all| search.rows > MANY_ROWS * all)
}

/// Whether the condition of a search is about the first column of the index. Otherwise the whole index is
/// read.
fn is_narrow(search: &Search, offered: &[HypotheticalIndex]) -> bool {
    let mut numbered = offered.iter().enumerate();
    let offered = numbered.find(|(n, _)| hypothetical_index::name(*n) == search.index);
    let first = match offered {
        Some((_, index)) => index.leading_column(),
        None => leading_column(search),
    };
    let alias = quote::identifier(&search.scan.alias);
    first.is_none_or(|first| search.is_on(&format!("{alias}.{first}")))
}

/// The first column of an index, if the order of columns matters and the column is not an expression.
fn leading_column(search: &Search) -> Option<String> {
    let rows = spi::run(
        "SELECT quote_ident(a.attname)
           FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
           JOIN pg_catalog.pg_am am ON am.oid = c.relam
           JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
           JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
          WHERE n.nspname = $1 AND c.relname = $2 AND am.amname = 'btree' AND i.indnkeyatts > 1",
        Access::Current,
        &[
            (pg_sys::TEXTOID, Value::of(search.scan.schema.as_str())),
            (pg_sys::TEXTOID, Value::of(search.index.as_str())),
        ],
    );
    rows.one::<String>()
}

/// The scans of tables that are not tiny. Partitions count together as their partitioned table.
fn large(scans: Vec<Scan>) -> Vec<Found> {
    let mut sizes: Vec<(Found, i64)> = Vec::new();
    for scan in scans {
        let Some((oid, pages)) = size(&scan) else { continue };
        let root = inheritance::above(oid).last().copied();
        let found = Found {
            table: root.unwrap_or(oid),
            alias: match root {
                Some(_) => plans::without_number(&scan.alias).to_string(),
                None => scan.alias,
            },
        };
        match sizes.iter_mut().find(|(known, _)| *known == found) {
            Some((_, sum)) => *sum += pages,
            None => sizes.push((found, pages)),
        }
    }
    sizes.retain(|(_, pages)| *pages > TINY_PAGES);
    sizes.into_iter().map(|(found, _)| found).collect()
}

/// A scanned table and its pages.
fn size(scan: &Scan) -> Option<(Oid, i64)> {
    let rows = spi::run(
        "SELECT c.oid, pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::int8
           FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
          WHERE n.nspname = $1 AND c.relname = $2",
        Access::Current,
        &[
            (pg_sys::TEXTOID, Value::of(scan.schema.as_str())),
            (pg_sys::TEXTOID, Value::of(scan.table.as_str())),
        ],
    );
    (!rows.is_empty())
        .then(|| Some((rows.get(0, 0)?, rows.get(0, 1)?)))
        .flatten()
}
