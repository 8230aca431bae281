//! A TVIEW made ready to refresh: lineage analysed, statements built. Kept per process until something it
//! was built from changes.

pub mod cache;
pub mod costs;
pub mod fingerprint;
pub mod key;
pub mod key_cast;
pub mod key_code;
pub mod key_column;
pub mod key_sql;
pub mod partition_locks;
pub mod reachable_code;
pub mod recompute_sql;
mod refusal;
pub mod unmatched;

use std::cell::{Cell, OnceCell};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use pgrx::pg_sys::{self, Oid};
use pgrx::PgSqlErrorCode;

use super::discretion;
use crate::catalog::columns::{self, Column};
use crate::catalog::definition::Definition;
use crate::catalog::rights;
use crate::error::Problem;
use crate::json::text;
use crate::lineage::{
    self, declared, policies, ChangedColumn, KeyQuery, Lineage, Rowcount, Source, Strategy,
};
use crate::postgres::key_type::KeyType;
use crate::postgres::named::{self, Named};
use crate::postgres::permit::{Permit, Refusal};
use crate::postgres::query_tree::Select;
use crate::postgres::run_as;
use crate::postgres::run_as::run_restricted;
use crate::postgres::spi::{self, Access, Rows, Statement, Value};
use crate::postgres::transaction::lock;
use crate::postgres::{privileges, quote, relation, relation_changes, type_facts};
use crate::refresh::plan::key::key_of;
use crate::refresh::plan::key::Key;
use costs::Costs;
use fingerprint::{Difference, Fingerprint};
use key_column::KeyColumn;
use partition_locks::Locks;
use reachable_code::Reachable;
use recompute_sql::{Content, Reach, Shape};
use unmatched::Unmatched;

/// Everything one refresh needs.
pub struct Plan {
    pub definition: Definition,
    pub shape: Shape,
    pub lineage: Lineage,
    /// How changes of each source are followed; None: they mean the whole view.
    pub sources: HashMap<Oid, Option<SourcePlan>>,
    /// How requests by pg_tviews_refresh are read.
    pub requested: SourcePlan,
    /// Whether writing the table runs triggers that may be deferred.
    pub fires_triggers: bool,
    pub each_key: Statement,
    /// Locks the table's rows of some keys, in the order of the keys.
    pub lock_rows: Statement,
    pub all_keys: String,
    pub everything: Statement,
    /// Where rows without a key may come that key queries do not find.
    pub unmatched: Option<Unmatched>,
    /// Fingerprint of what rows depend on; and how it differs from the registered one.
    pub hash: String,
    pub difference: Difference,
    /// Tables below a source that have partitions of their own.
    partitioned: HashSet<Oid>,
    /// What its statements cost; found out when first needed.
    pub costs: OnceCell<Costs>,
    /// How many rows view and table may have; found out when first needed.
    pub rows: Cell<Option<f64>>,
    reachable: Reachable,
    /// What its statements may find by name.
    pub named: Rc<Named>,
    /// A preview has taken more locks than a transaction has places for.
    pub takes_many_locks: Cell<bool>,
    /// How many partitions refreshes lock that leave those alone that they do not read.
    pub locks: Locks,
    stamp: u64,
}

/// From change keys (`$1 jsonb[]`) to keys of the TVIEW; for few and for many changes.
pub struct SourcePlan {
    pub few: Statement,
    pub many: Statement,
    /// The statements return texts, not values in the types of the view.
    texts: bool,
}

pub use cache::{forget, kept};

/// Builds and keeps the plan. Inside a transaction with a snapshot.
pub fn prepare(definition: Definition) -> Result<Rc<Plan>, Problem> {
    let stamp = relation_changes::stamp();
    let view = definition.view().ok_or_else(|| {
        Problem::new(
            PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE,
            format!(
                "the backing view {}.{} does not exist",
                definition.view_schema, definition.view_name
            ),
        )
        .hint("Create the view again; changes wait in pg_tview_queue meanwhile.")
    })?;
    let plan = Rc::new(spi::session(|| build(definition, view, stamp))?);
    cache::keep(&plan);
    Ok(plan)
}

impl Plan {
    /// Whether nothing this was built from has changed.
    pub fn is_current(&self) -> bool {
        relation_changes::unchanged_since(self.stamp, |changed| {
            changed == self.definition.tview
                || self.lineage.views.contains(&changed)
                || self.sources.contains_key(&changed)
                || self.partitioned.contains(&changed)
                || Some(changed) == self.definition_view()
        })
    }

    /// What it takes in memory, about: bytes.
    pub fn memory(&self) -> usize {
        let of_sources = self.sources.values().flatten().chain([&self.requested]);
        let own = [&self.each_key, &self.lock_rows, &self.everything];
        let statements = own
            .into_iter()
            .chain(of_sources.flat_map(|source| [&source.few, &source.many]));
        // Key queries are kept as text twice more: to be explained, and in the lineage.
        statements
            .map(|statement| statement.memory() + 3 * statement.sql().len())
            .sum::<usize>()
            + self.all_keys.len()
            + self.unmatched.as_ref().map_or(0, Unmatched::memory)
    }

    /// Runs `work` with the rights and settings that rows of this TVIEW are computed with. Its errors are raised without what only
    /// the owner may know.
    pub fn as_owner<R>(&self, work: impl FnOnce() -> R) -> R {
        let permit = self.permit().unwrap_or_else(|refusal| refusal.raise(self));
        discretion::discreetly(&self.definition, || {
            run_restricted(permit, &self.definition.pinned, || {
                run_as::set("pg_tviews.allow_table_writes", "on");
                named::within(&self.named, work)
            })
        })
    }

    /// Runs `work` on keys as texts, which reads no table: with the rights of the owner, where these must not be used with
    /// those of the caller, if it runs no code.
    pub fn on_keys<R>(&self, work: impl FnOnce() -> R) -> R {
        let permit = self.permit().unwrap_or_else(|refusal| {
            if key_code::runs(self.shape.key.iter().map(|key| &key.values)) {
                refusal.raise(self);
            }
            Permit::of_caller()
        });
        self.as_reader(permit, work)
    }

    /// Runs `work`, which writes nothing, with rights that were permitted.
    pub fn as_reader<R>(&self, permit: Permit, work: impl FnOnce() -> R) -> R {
        run_restricted(permit, &self.definition.pinned, || {
            named::within(&self.named, work)
        })
    }

    /// Whether [`Plan::as_owner`] may be called here.
    pub fn permit(&self) -> Result<Permit, Refusal> {
        Permit::ask(self.definition.owner, || {
            self.reachable.get(self.lineage.root_view, self.definition.tview)
        })
    }

    /// A key as a JSON object, as it is logged and shown.
    pub fn key_object(&self, key: &[String]) -> String {
        let texts: Vec<Option<&str>> = key.iter().map(|text| Some(&text[..])).collect();
        self.key_object_of(&texts)
    }

    /// The same of a key of which parts may be NULL.
    pub fn key_object_of(&self, key: &[Option<&str>]) -> String {
        let names = self.definition.key_columns.iter().zip(&self.shape.key);
        key_object(names.map(|(name, k)| (&name[..], &k.values)), key)
    }

    fn definition_view(&self) -> Option<Oid> {
        self.lineage.root_view
    }

    /// The backing view and the views below it.
    pub fn view_oids(&self) -> impl Iterator<Item = Oid> + '_ {
        let nested = self.lineage.views.iter().copied();
        nested
            .filter(|view| Some(*view) != self.lineage.root_view)
            .chain(self.lineage.root_view)
    }

    /// With whose rights the tables below the view are read.
    pub fn readers(&self) -> Vec<Oid> {
        readers(&self.definition, &self.lineage)
    }

    /// Sources and their partitions, in the order they are locked.
    pub fn tables(&self) -> Vec<Oid> {
        let mut tables: Vec<Oid> = self
            .lineage
            .sources
            .iter()
            .flat_map(|source| source.partitions.iter().copied().chain([source.relation]))
            .collect();
        tables.sort_by_key(|table| table.to_u32());
        tables.dedup();
        tables
    }

    /// Whether reading its sources as a whole takes more locks than one transaction has places for in the lock table.
    pub fn is_wide(&self) -> bool {
        self.tables().len() > lock::most_of_a_transaction()
    }

    /// Whether refreshes by key lock only those partitions that they read.
    pub fn spares_partitions(&self) -> bool {
        self.is_wide() && self.locks.are_few()
    }

    /// The tables below its sources.
    pub fn partitions(&self) -> HashSet<Oid> {
        let sources = self.lineage.sources.iter();
        sources
            .flat_map(|source| source.partitions.iter().copied())
            .collect()
    }

    /// Sources in OID order.
    pub fn source_oids(&self) -> Vec<Oid> {
        self.lineage
            .sources
            .iter()
            .map(|source| source.relation)
            .collect()
    }
}

fn build(definition: Definition, view: Oid, stamp: u64) -> Result<Plan, Problem> {
    rights::check_view(&definition.display(), definition.owner, view)?;
    let shape = shape(&definition, view)?;
    if privileges::hides_rows_from(definition.tview, definition.owner) {
        let table = definition.display();
        return Err(Problem::new(
            PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            format!("row security of {table} hides rows from its owner"),
        )
        .detail("Refreshes write the table as its owner.")
        .hint(format!("ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY;")));
    }
    let mut lineage = lineage::analyse(Select::of_view(view), &definition.key_columns)?;
    lineage.root_view = Some(view);
    declared::extend(&definition, view, &mut lineage)?;
    let readers = readers(&definition, &lineage);
    policies::extend(&mut lineage, &readers);
    let unmatched = Unmatched::of(&definition, view, &lineage, &shape, &readers)?;
    let mut sources = HashMap::new();
    for source in &lineage.sources {
        sources.insert(source.relation, source_plan(&definition, &shape, source));
    }
    let arrays: Vec<Oid> = shape.key.iter().map(|k| k.values.parameter_type()).collect();
    let partitioned = lineage
        .sources
        .iter()
        .flat_map(|source| source.partitions.iter().copied())
        .filter(|partition| relation::kind(*partition) == Some('p'))
        .collect();
    let fingerprint = Fingerprint::of(&definition, &shape, &lineage, view);
    let named = named(&definition, &lineage);
    Ok(Plan {
        each_key: Statement::new(shape.recompute(Reach::EachKey), &arrays),
        lock_rows: Statement::new(shape.lock_rows(), &arrays),
        all_keys: shape.recompute(Reach::AllKeys),
        everything: Statement::new(shape.recompute(Reach::Everything), &[]),
        unmatched,
        requested: requested(&shape),
        fires_triggers: relation::has_user_triggers(definition.tview),
        sources,
        shape,
        lineage,
        hash: fingerprint.to_string(),
        difference: fingerprint.compare(&definition.hash),
        definition,
        partitioned,
        costs: OnceCell::new(),
        rows: Cell::new(None),
        reachable: Reachable::default(),
        named: Rc::new(named),
        takes_many_locks: Cell::new(false),
        locks: Locks::default(),
        stamp,
    })
}

/// What statements that are made of the view may find.
fn named(definition: &Definition, lineage: &Lineage) -> Named {
    let views = lineage.views.iter().copied().chain(lineage.root_view);
    let relations = views
        .clone()
        .chain([definition.tview])
        .chain(lineage.sources.iter().flat_map(Source::tables));
    Named::new(definition.owner, views.map(Select::of_view), relations)
}

fn readers(definition: &Definition, lineage: &Lineage) -> Vec<Oid> {
    let views = lineage.views.iter().copied().chain(lineage.root_view);
    let mut readers: Vec<Oid> = views
        .filter_map(relation::owner)
        .chain([definition.owner])
        .collect();
    readers.sort_by_key(|reader| reader.to_u32());
    readers.dedup();
    readers
}

fn source_plan(definition: &Definition, shape: &Shape, source: &Source) -> Option<SourcePlan> {
    let mut queries = Vec::new();
    for occurrence in &source.occurrences {
        match &occurrence.strategy {
            Strategy::Full { .. } => return None,
            Strategy::Keyed(keyed) => queries.extend(keyed),
        }
    }
    if source.unreadable_by(definition.owner).is_some() {
        return None;
    }
    let keys = |text: fn(&KeyQuery) -> &String| -> Vec<String> {
        queries
            .iter()
            .map(|query| shape.whole_keys(&query.columns, text(query)))
            .collect()
    };
    Some(SourcePlan::new(
        shape,
        keys(|query| &query.few),
        keys(|query| &query.many),
    ))
}

impl SourcePlan {
    /// The keys that change keys (`jsonb[]`) lead to. Inside an SPI session.
    pub fn keys(&self, plan: &Plan, changes: Value) -> Vec<Key> {
        let rows = self.few.run(Access::Snapshot, &[changes], 0);
        (0..rows.len())
            .filter_map(|row| self.key(plan, &rows, row))
            .collect()
    }

    /// The key in a row that a statement returned; None if a part of it is NULL.
    pub fn key(&self, plan: &Plan, rows: &Rows, row: usize) -> Option<Key> {
        if !self.texts {
            return key_of(&plan.shape, rows, row);
        }
        let columns = plan.shape.key.iter().enumerate();
        columns
            .map(|(place, k)| Some(k.values.normal(&rows.get::<String>(row, place)?)))
            .collect()
    }

    fn new(shape: &Shape, few: Vec<String>, many: Vec<String>) -> SourcePlan {
        let changes = [pg_sys::JSONBARRAYOID];
        SourcePlan {
            few: Statement::new(shape.distinct_keys(&few), &changes),
            many: Statement::new(shape.distinct_keys(&many), &changes),
            texts: false,
        }
    }
}

/// Requests name keys of the TVIEW itself, as objects like change keys.
fn requested(shape: &Shape) -> SourcePlan {
    let columns: Vec<ChangedColumn> = shape.key.iter().map(|k| ChangedColumn::text(&k.name)).collect();
    let changes = [pg_sys::JSONBARRAYOID];
    let statement = |rows| Statement::new(lineage::changed_rows(&columns, rows), &changes);
    SourcePlan {
        few: statement(Rowcount::Few),
        many: statement(Rowcount::Many),
        texts: true,
    }
}

/// A key as a JSON object: names and types of its columns, and their values.
pub fn key_object<'k>(
    columns: impl Iterator<Item = (&'k str, &'k KeyType)>,
    values: &[Option<&str>],
) -> String {
    let mut object = Vec::new();
    for ((name, of_type), text) in columns.zip(values) {
        object.extend_from_slice(if object.is_empty() { b"{" } else { b", " });
        text::push_string(&mut object, name.as_bytes());
        object.extend_from_slice(b": ");
        match text {
            Some(text) => of_type.push_json(text, &mut object),
            None => object.extend_from_slice(b"null"),
        }
    }
    object.push(b'}');
    String::from_utf8_lossy(&object).into_owned()
}

/// Columns and key of a TVIEW. Inside an SPI session.
pub fn shape(definition: &Definition, view: Oid) -> Result<Shape, Problem> {
    let in_view = columns::of(view);
    let in_table = columns::of(definition.tview);
    let find = |columns: &[Column], name: &str| columns.iter().find(|column| column.name == name).cloned();
    let mut key = Vec::new();
    for name in &definition.key_columns {
        let (Some(of_view), Some(of_table)) = (find(&in_view, name), find(&in_table, name)) else {
            return Err(Problem::new(
                PgSqlErrorCode::ERRCODE_UNDEFINED_COLUMN,
                format!(
                    "key column \"{name}\" is missing from the view or the table of {}",
                    definition.display()
                ),
            )
            .hint("Create the TVIEW again with pg_tviews_create, naming key_columns."));
        };
        let table = definition.display();
        key.push(KeyColumn::new(&of_view, &of_table, &format!(" of {table}"))?);
        key_cast::check(&of_view, &of_table, &table)?;
    }
    refuse_written_by_others(definition, &in_view, &in_table)?;
    let mut content = Vec::new();
    let mut converted = Vec::new();
    for column in in_table
        .iter()
        .filter(|c| !c.generated && !definition.key_columns.contains(&c.name))
    {
        let name = quote::identifier(&column.name);
        let value = match find(&in_view, &column.name) {
            Some(of_view) if of_view.type_oid == column.type_oid && of_view.modifier == column.modifier => {
                format!("v.{name}")
            }
            Some(of_view) if !type_facts::can_cast(of_view.type_oid, column.type_oid) => {
                return Err(no_cast(definition, &of_view, column));
            }
            Some(of_view) => {
                let types = [&of_view, column].map(|c| type_facts::display(c.type_oid, c.modifier));
                converted.push(format!("{name} from {} to {}", types[0], types[1]));
                format!("v.{name}::{}", cast_type(column))
            }
            None if column.name == "data" => format!("({})::{}", document(&in_view), cast_type(column)),
            None => continue,
        };
        content.push(Content { name, value });
    }
    let touch = find(&in_table, "updated_at")
        .filter(|column| !column.generated && find(&in_view, "updated_at").is_none())
        .filter(|column| type_facts::takes_the_time(column.type_oid, column.modifier))
        .map(|_| "updated_at = now()".to_string());
    let missing = || {
        Problem::new(
            PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE,
            format!(
                "the table or view of TVIEW \"{}\" does not exist",
                definition.entity_name
            ),
        )
    };
    Ok(Shape {
        table: relation::qualified_name(definition.tview).ok_or_else(missing)?,
        view: relation::qualified_name(view).ok_or_else(missing)?,
        key,
        content,
        converted,
        touch,
    })
}

fn no_cast(definition: &Definition, of_view: &Column, of_table: &Column) -> Problem {
    let (table, name) = (definition.display(), quote::identifier(&of_view.name));
    let of_view_type = type_facts::display(of_view.type_oid, of_view.modifier);
    Problem::new(
        PgSqlErrorCode::ERRCODE_CANNOT_COERCE,
        format!(
            "column \"{}\" of the view has type {of_view_type}, which cannot be cast to {}, its type in {table}",
            of_view.name,
            type_facts::display(of_table.type_oid, of_table.modifier)
        ),
    )
    .hint(format!(
        "ALTER TABLE {table} ALTER COLUMN {name} TYPE {of_view_type} USING NULL; or cast the column in the view."
    ))
}

/// Columns that PostgreSQL computes itself cannot hold what the view says.
fn refuse_written_by_others(
    definition: &Definition,
    view: &[Column],
    table: &[Column],
) -> Result<(), Problem> {
    let in_view = |column: &&Column| view.iter().any(|of_view| of_view.name == column.name);
    // Rows are found by an identity that is the key, and never get another one.
    let in_key = |column: &Column| definition.key_columns.contains(&column.name);
    let of_its_own = |column: &&Column| column.generated || (column.identity_always && !in_key(column));
    let Some(column) = table.iter().filter(in_view).find(of_its_own) else {
        return Ok(());
    };
    let (table, name) = (definition.display(), quote::identifier(&column.name));
    let (what, drop) = match column.generated {
        true => ("generated", "DROP EXPRESSION"),
        false => ("an identity column GENERATED ALWAYS", "DROP IDENTITY"),
    };
    Err(Problem::new(
        PgSqlErrorCode::ERRCODE_GENERATED_ALWAYS,
        format!(
            "column \"{}\" of {table} is {what}, and the view has a column of that name",
            column.name
        ),
    )
    .detail("Refreshes could not write what the view returns.")
    .hint(format!(
        "ALTER TABLE {table} ALTER COLUMN {name} {drop}; or let the view not return that column."
    )))
}

/// The type a value is cast to before it is compared with what is stored. Not the length of a varchar: a
/// value that is too long must fail, as it does in INSERT, not be cut.
fn cast_type(column: &Column) -> String {
    let lengths = [
        pg_sys::VARCHAROID,
        pg_sys::BPCHAROID,
        pg_sys::BITOID,
        pg_sys::VARBITOID,
    ];
    let modifier = if lengths.contains(&column.type_oid) {
        -1
    } else {
        column.modifier
    };
    type_facts::name(column.type_oid, modifier)
}

/// One document of a view's columns, surrogate keys (`pk_*`) left out.
fn document(view: &[Column]) -> String {
    let pairs: Vec<String> = view
        .iter()
        .filter(|column| !column.name.starts_with("pk_"))
        .map(|column| {
            format!(
                "{}, v.{}",
                quote::literal(&column.name),
                quote::identifier(&column.name)
            )
        })
        .collect();
    json_object(&pairs)
}

/// `jsonb_build_object` over any number of pairs (a function takes at most 100 arguments).
pub fn json_object(pairs: &[String]) -> String {
    if pairs.is_empty() {
        return "'{}'::jsonb".to_string();
    }
    let parts: Vec<String> = pairs
        .chunks(50)
        .map(|chunk| format!("jsonb_build_object({})", chunk.join(", ")))
        .collect();
    parts.join(" || ")
}
