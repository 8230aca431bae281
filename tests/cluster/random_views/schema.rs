//! Random tables, all with the same columns: few distinct values, so that joins find something, and NULLs.

use crate::harness::Random;

/// Types of columns the grammar joins and aggregates.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Type {
    Int,
    Text,
    /// `int[]`
    Array,
    /// A JSON array of numbers.
    Document,
}

/// Columns of every table.
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

/// Names of the tables; a schema has the first few.
const TABLES: [&str; 5] = ["t0", "t1", "t2", "t3", "t4"];

/// A few tables and their first rows.
pub struct Schema {
    /// Names of the tables.
    pub tables: Vec<&'static str>,
    /// CREATE TABLE and CREATE INDEX.
    pub definitions: Vec<String>,
    /// One INSERT per row.
    pub rows: Vec<String>,
}

impl Schema {
    /// Tables of random nullability.
    pub fn random(random: &mut Random) -> Self {
        let tables: Vec<&str> = TABLES[..random.upto(3) as usize + 2].to_vec();
        let mut definitions = Vec::new();
        let mut rows = Vec::new();
        for table in &tables {
            let not_null = if random.chance(30) { "NOT NULL" } else { "" };
            definitions.push(format!(
                "CREATE TABLE {table} (id int PRIMARY KEY, a int, b int, d int {not_null} DEFAULT 1, t text, \
                 num numeric, arr int[], doc jsonb)"
            ));
            if random.chance(30) {
                definitions.push(format!("CREATE INDEX ON {table} (a)"));
            }
            for id in 1..=random.upto(7) + 1 {
                rows.push(format!("INSERT INTO {table} VALUES ({id}, {})", values(random)));
            }
        }
        Self {
            tables,
            definitions,
            rows,
        }
    }
}

/// Values of all columns but the first; `d` is never NULL.
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
    }
}

fn numbers(random: &mut Random) -> String {
    let count = random.upto(4) - 1;
    let numbers: Vec<String> = (0..count).map(|_| random.upto(5).to_string()).collect();
    numbers.join(",")
}
