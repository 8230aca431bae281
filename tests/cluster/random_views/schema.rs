//! Random tables, all with the same columns: few distinct values, so that joins find something, and NULLs.

use crate::harness::{Random, VERSION};

/// Types of columns the grammar joins and aggregates.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Type {
    Int,
    Text,
    /// `int[]`
    Array,
    /// A JSON array of numbers.
    Document,
    /// Made from `id`, in a generated column.
    Uuid,
}

/// Columns of every table, but for `u`, which is generated.
pub const COLUMNS: [(&str, Type); 8] = [
    ("id", Type::Int),
    ("a", Type::Int),
    ("b", Type::Int),
    ("d", Type::Int),
    ("t", Type::Text),
    // A numeric, compared with the others through casts.
    ("num", Type::Int),
    ("arr", Type::Array),
    ("doc", Type::Document),
];

/// The columns that are written, in one order for all kinds of tables.
pub const WRITTEN: &str = "id, a, b, d, t, num, arr, doc";

/// Names of the tables; a schema has the first few.
const TABLES: [&str; 5] = ["t0", "t1", "t2", "t3", "t4"];

/// A table, with the tables below it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Plain,
    /// By ranges of `id`, one leaf with columns in another order and a dropped one.
    Partitioned,
    /// With a child that has columns in another order and one of its own.
    Inherited,
}

#[derive(Clone, Copy, Debug)]
pub struct Table {
    pub name: &'static str,
    pub kind: Kind,
}

impl Table {
    /// Itself, and what else its rows can be written through.
    pub fn writable(&self) -> Vec<String> {
        let name = self.name;
        let parts: &[&str] = match self.kind {
            Kind::Plain => &[],
            Kind::Partitioned => &["_low", "_mid", "_rest"],
            Kind::Inherited => &["_child"],
        };
        let mut all = vec![name.to_string()];
        all.extend(parts.iter().map(|part| format!("{name}{part}")));
        all
    }

    /// Commands that take tables below it away and bring them back; some fail, depending on what was done before.
    pub fn tree_changes(&self) -> Vec<String> {
        let name = self.name;
        match self.kind {
            Kind::Plain => Vec::new(),
            Kind::Partitioned => vec![
                format!("ALTER TABLE {name} DETACH PARTITION {name}_mid"),
                format!("ALTER TABLE {name} ATTACH PARTITION {name}_mid FOR VALUES FROM (3) TO (6)"),
                format!("CREATE TABLE {name}_new PARTITION OF {name} FOR VALUES FROM (20) TO (30)"),
                format!("DROP TABLE {name}_new"),
            ],
            Kind::Inherited => vec![
                format!("ALTER TABLE {name}_child NO INHERIT {name}"),
                format!("ALTER TABLE {name}_child INHERIT {name}"),
                format!("CREATE TABLE {name}_new () INHERITS ({name})"),
                format!("DROP TABLE {name}_new"),
            ],
        }
    }

    fn definitions(&self, not_null: &str) -> Vec<String> {
        let name = self.name;
        // Children may have NULL where the table has not. From PostgreSQL 18 on, the table has to say so.
        let own = match self.kind {
            Kind::Inherited if VERSION >= 18 && !not_null.is_empty() => "NO INHERIT",
            _ => "",
        };
        let d = format!("d int {not_null} {own} DEFAULT 1");
        let u = "u uuid GENERATED ALWAYS AS (lpad(replace(id::text, '-', 'f'), 32, '0')::uuid) STORED";
        let usual = format!("a int, gone int, b int, {d}, t text, num numeric, arr int[], doc jsonb, {u}");
        let other = format!(
            "doc jsonb, gone int, t text, {d}, {u}, b int, id int NOT NULL, arr int[], a int, num numeric"
        );
        let table = format!("CREATE TABLE {name} (id int PRIMARY KEY, {usual})");
        let dropped = |name: &str| format!("ALTER TABLE {name} DROP COLUMN gone");
        match self.kind {
            Kind::Plain => vec![table, dropped(name)],
            Kind::Partitioned => vec![
                format!("{table} PARTITION BY RANGE (id)"),
                dropped(name),
                format!("CREATE TABLE {name}_low PARTITION OF {name} FOR VALUES FROM (MINVALUE) TO (3)"),
                format!("CREATE TABLE {name}_mid ({other})"),
                dropped(&format!("{name}_mid")),
                format!("ALTER TABLE {name} ATTACH PARTITION {name}_mid FOR VALUES FROM (3) TO (6)"),
                format!("CREATE TABLE {name}_rest PARTITION OF {name} DEFAULT"),
            ],
            Kind::Inherited => vec![
                table,
                dropped(name),
                format!("CREATE TABLE {name}_child ({other}, own int)"),
                dropped(&format!("{name}_child")),
                format!("ALTER TABLE {name}_child INHERIT {name}"),
                format!("ALTER TABLE {name}_child ALTER d DROP NOT NULL"),
            ],
        }
    }
}

/// A few tables and their first rows.
pub struct Schema {
    pub tables: Vec<Table>,
    /// CREATE TABLE and CREATE INDEX.
    pub definitions: Vec<String>,
    /// One INSERT per row.
    pub rows: Vec<String>,
}

impl Schema {
    /// Tables of random kind and nullability.
    pub fn random(random: &mut Random) -> Self {
        let kinds = [Kind::Plain, Kind::Plain, Kind::Partitioned, Kind::Inherited];
        let tables: Vec<Table> = TABLES[..random.upto(3) as usize + 2]
            .iter()
            .map(|name| Table {
                name,
                kind: *random.pick(&kinds),
            })
            .collect();
        let mut definitions = Vec::new();
        let mut rows = Vec::new();
        for table in &tables {
            let not_null = if random.chance(30) { "NOT NULL" } else { "" };
            definitions.extend(table.definitions(not_null));
            if random.chance(30) {
                definitions.push(format!("CREATE INDEX ON {} (a)", table.name));
            }
            for id in 1..=random.upto(7) + 1 {
                let into = match table.kind {
                    Kind::Inherited => random.pick(&table.writable()).clone(),
                    _ => table.name.to_string(),
                };
                rows.push(format!(
                    "INSERT INTO {into} ({WRITTEN}) VALUES ({id}, {})",
                    values(random)
                ));
            }
        }
        definitions.extend(keys(&tables, random));
        Self {
            tables,
            definitions,
            rows,
        }
    }
}

/// Keys beside the primary ones, by which lineage chooses among chains. Foreign keys are not enforced: values are random.
fn keys(tables: &[Table], random: &mut Random) -> Vec<String> {
    let mut keys = Vec::new();
    for Table { name, kind } in tables {
        if random.chance(30) {
            let columns = random.pick(&["a, id", "id, b", "d, a, id"]);
            keys.push(format!("CREATE UNIQUE INDEX ON {name} ({columns})"));
        }
        let other = random.pick(tables);
        if random.chance(40) && [*kind, other.kind] == [Kind::Plain, Kind::Plain] {
            let (column, other) = (random.pick(&["a", "b", "d"]), other.name);
            keys.extend([
                format!("ALTER TABLE {name} ADD FOREIGN KEY ({column}) REFERENCES {other} (id) NOT VALID"),
                format!("ALTER TABLE {name} DISABLE TRIGGER ALL"),
                format!("ALTER TABLE {other} DISABLE TRIGGER ALL"),
            ]);
        }
    }
    keys
}

/// Values of all columns but the first; `d` is not NULL at first.
pub fn values(random: &mut Random) -> String {
    format!(
        "{}, {}, {}, {}, {}, {}, {}",
        value(random, Type::Int),
        value(random, Type::Int),
        random.upto(4),
        value(random, Type::Text),
        numeric(random),
        value(random, Type::Array),
        value(random, Type::Document)
    )
}

/// A value of the numeric column.
pub fn numeric(random: &mut Random) -> String {
    random.pick(&["1", "2", "3", "2.5", "NULL"]).to_string()
}

/// A value of a type, NULL now and then.
pub fn value(random: &mut Random, of: Type) -> String {
    if random.chance(18) {
        return "NULL".to_string();
    }
    match of {
        Type::Int => random.upto(5).to_string(),
        Type::Text => format!("'{}'", random.pick(&["a", "b", "c", "A", "B"])),
        Type::Array => format!("'{{{}}}'", numbers(random)),
        Type::Document => format!("'[{}]'", numbers(random)),
        Type::Uuid => format!("lpad('{}', 32, '0')::uuid", random.upto(9)),
    }
}

fn numbers(random: &mut Random) -> String {
    let count = random.upto(4) - 1;
    let numbers: Vec<String> = (0..count).map(|_| random.upto(5).to_string()).collect();
    numbers.join(",")
}
