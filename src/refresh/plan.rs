//! A TVIEW made ready to refresh: lineage analysed, statements built. Kept per process until something it
//! was built from changes.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use pgrx::pg_sys::{self, Oid};
use pgrx::PgSqlErrorCode;

use super::fingerprint::{Difference, Fingerprint};
use super::keys::{key_of, Batch};
use super::plan_cache;
use super::texts::{Content, Key, Reach, Shape};
use crate::catalog::columns::{self, Column};
use crate::catalog::definition::Definition;
use crate::catalog::foreign_keys;
use crate::error::Problem;
use crate::lineage::{self, KeyQuery, Lineage, Rowcount, Source, Strategy};
use crate::postgres::identity::{self, run_as, Trust};
use crate::postgres::query_tree::Select;
use crate::postgres::spi::{self, Access, Statement, Value};
use crate::postgres::{relation, relation_changes};

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
    key_objects: Statement,
    /// Locks the table's rows of some keys, in the order of the keys.
    pub lock_rows: Statement,
    pub all_keys: String,
    pub everything: Statement,
    /// Fingerprint of what rows depend on; and how it differs from the registered one.
    pub hash: String,
    pub difference: Difference,
    /// Tables below a source that have partitions of their own.
    partitioned: HashSet<Oid>,
    /// How many keys are worth looking up one by one; found out when first needed.
    pub few_keys: OnceCell<usize>,
    stamp: u64,
}

/// From change keys (`$1 jsonb[]`) to keys of the TVIEW as texts; for few and for many changes.
pub struct SourcePlan {
    pub few: Statement,
    pub many: Statement,
}

pub use super::plan_cache::{forget, kept};

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
    plan_cache::keep(&plan);
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
        let own = [
            &self.each_key,
            &self.key_objects,
            &self.lock_rows,
            &self.everything,
        ];
        let statements = own
            .into_iter()
            .chain(of_sources.flat_map(|source| [&source.few, &source.many]));
        // Key queries are kept as text twice more: to be explained, and in the lineage.
        statements
            .map(|statement| statement.memory() + 3 * statement.sql().len())
            .sum::<usize>()
            + self.all_keys.len()
    }

    /// Runs `work` with the rights and settings that rows of this TVIEW are computed with.
    pub fn as_owner<R>(&self, work: impl FnOnce() -> R) -> R {
        let Definition { owner, pinned, .. } = &self.definition;
        run_as(*owner, Trust::Restricted, pinned, || {
            identity::set("pg_tviews.allow_table_writes", "on");
            work()
        })
    }

    /// Keys as JSON objects. As the owner, inside an SPI session.
    pub fn key_objects(&self, keys: &[Box<[String]>]) -> Vec<String> {
        let rows = self
            .key_objects
            .run(Access::Snapshot, &Batch::from(keys).parameters(), 0);
        (0..rows.len()).filter_map(|row| rows.get(row, 0)).collect()
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
    let shape = shape(&definition, view)?;
    if relation::hides_rows_from(definition.tview, definition.owner) {
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
    foreign_keys::extend(&definition, view, &mut lineage)?;
    let mut sources = HashMap::new();
    for source in &lineage.sources {
        sources.insert(source.relation, source_plan(&definition, &shape, source));
    }
    let text_arrays = vec![pg_sys::TEXTARRAYOID; shape.key.len()];
    let partitioned = lineage
        .sources
        .iter()
        .flat_map(|source| source.partitions.iter().copied())
        .filter(|partition| relation::kind(*partition) == Some('p'))
        .collect();
    let fingerprint = Fingerprint::of(&definition, &shape, &lineage, view);
    Ok(Plan {
        each_key: Statement::new(shape.recompute(Reach::EachKey), &text_arrays),
        key_objects: Statement::new(shape.key_objects(), &text_arrays),
        lock_rows: Statement::new(shape.lock_rows(), &text_arrays),
        all_keys: shape.recompute(Reach::AllKeys),
        everything: Statement::new(shape.recompute(Reach::Everything), &[]),
        requested: requested(&shape),
        fires_triggers: relation::has_user_triggers(definition.tview),
        sources,
        shape,
        lineage,
        hash: fingerprint.to_string(),
        difference: fingerprint.compare(&definition.hash),
        definition,
        partitioned,
        few_keys: OnceCell::new(),
        stamp,
    })
}

fn source_plan(definition: &Definition, shape: &Shape, source: &Source) -> Option<SourcePlan> {
    let mut queries = Vec::new();
    for occurrence in &source.occurrences {
        match &occurrence.strategy {
            Strategy::Full { .. } => return None,
            Strategy::Keyed(keyed) => queries.extend(keyed),
        }
    }
    if unreadable(definition.owner, source).is_some() {
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
    pub fn keys(&self, plan: &Plan, changes: Value) -> Vec<Box<[String]>> {
        let rows = self.few.run(Access::Snapshot, &[changes], 0);
        (0..rows.len())
            .filter_map(|row| key_of(plan, &rows, row))
            .collect()
    }

    fn new(shape: &Shape, few: Vec<String>, many: Vec<String>) -> SourcePlan {
        let casts: Vec<String> = shape
            .key
            .iter()
            .map(|k| format!("{}::{}::text", k.name, k.view_type))
            .collect();
        let statement = |queries: Vec<String>| {
            Statement::new(
                format!(
                    "SELECT DISTINCT {} FROM ({}) AS affected",
                    casts.join(", "),
                    queries.join(" UNION ALL ")
                ),
                &[pg_sys::JSONBARRAYOID],
            )
        };
        SourcePlan {
            few: statement(few),
            many: statement(many),
        }
    }
}

/// Requests name keys of the TVIEW itself, as objects like change keys.
fn requested(shape: &Shape) -> SourcePlan {
    let columns: Vec<String> = shape
        .key
        .iter()
        .map(|k| format!("{} {}", k.name, k.view_type))
        .collect();
    let few = lineage::changed_rows(&columns, Rowcount::Few);
    let many = lineage::changed_rows(&columns, Rowcount::Many);
    SourcePlan::new(shape, vec![few], vec![many])
}

/// Key queries read tables directly, as the TVIEW's owner, who may have rights on the views only.
pub fn unreadable(owner: Oid, source: &Source) -> Option<Oid> {
    let mut followed = source.followed.iter().copied();
    followed.find(|table| !relation::may_select(owner, *table))
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
                    "key column {name:?} is missing from the view or the table of {}",
                    definition.display()
                ),
            )
            .hint("Create the TVIEW again with pg_tviews_create, naming key_columns."));
        };
        key.push(Key {
            name: relation::quote(name),
            view_type: relation::type_name(of_view.type_oid, of_view.modifier),
            table_type: relation::type_name(of_table.type_oid, of_table.modifier),
            view_equality: equality(definition, &of_view)?,
            table_equality: equality(definition, &of_table)?,
        });
    }
    let mut content = Vec::new();
    for column in in_table
        .iter()
        .filter(|c| !c.generated && !definition.key_columns.contains(&c.name))
    {
        let name = relation::quote(&column.name);
        let value = match find(&in_view, &column.name) {
            Some(of_view) if of_view.type_oid == column.type_oid && of_view.modifier == column.modifier => {
                format!("v.{name}")
            }
            Some(_) => format!("v.{name}::{}", cast_type(column)),
            None if column.name == "data" => format!("({})::{}", document(&in_view), cast_type(column)),
            None => continue,
        };
        content.push(Content { name, value });
    }
    let touch = find(&in_table, "updated_at")
        .filter(|column| !column.generated && find(&in_view, "updated_at").is_none())
        .map(|_| "updated_at = now()".to_string());
    let missing = || {
        Problem::new(
            PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE,
            format!(
                "the table or view of TVIEW {:?} does not exist",
                definition.entity_name
            ),
        )
    };
    Ok(Shape {
        table: relation::qualified_name(definition.tview).ok_or_else(missing)?,
        view: relation::qualified_name(view).ok_or_else(missing)?,
        key,
        content,
        touch,
    })
}

fn equality(definition: &Definition, column: &Column) -> Result<String, Problem> {
    relation::equality_operator(column.type_oid).ok_or_else(|| {
        Problem::new(
            PgSqlErrorCode::ERRCODE_UNDEFINED_FUNCTION,
            format!(
                "key column {:?} of {} has type {}, which has no equality operator",
                column.name,
                definition.display(),
                relation::type_name(column.type_oid, -1)
            ),
        )
        .hint("Cast the column in the view, for example to text.")
    })
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
    relation::type_name(column.type_oid, modifier)
}

/// One document of a view's columns, surrogate keys (`pk_*`) left out.
fn document(view: &[Column]) -> String {
    let pairs: Vec<String> = view
        .iter()
        .filter(|column| !column.name.starts_with("pk_"))
        .map(|column| {
            format!(
                "{}, v.{}",
                relation::quote_literal(&column.name),
                relation::quote(&column.name)
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
