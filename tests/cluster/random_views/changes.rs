//! Random transactions: what happens to the tables between two comparisons.

use super::schema::{numeric, value, values, Kind, Table, Type, COLUMNS, WRITTEN};
use crate::harness::Random;

/// Statements run one by one; an error ends the transaction they are in and is no failure.
#[derive(Clone)]
pub struct Step {
    /// The statements, BEGIN and COMMIT included where there are any.
    pub statements: Vec<String>,
    /// Whether everything is refreshed and compared after it.
    pub compare: bool,
}

/// What can be changed.
pub struct Targets<'a> {
    pub tables: &'a [Table],
    /// Other definitions of the plain views.
    pub views: &'a [String],
}

/// The next step.
pub fn step(random: &mut Random, targets: &Targets) -> Step {
    let compare = random.chance(55);
    let mut statements = Vec::new();
    if random.chance(50) {
        statements.push(statement(random, targets));
        return Step { statements, compare };
    }
    statements.push("BEGIN".to_string());
    for _ in 0..random.upto(4) {
        match random.upto(10) {
            1 => {
                statements.push("SAVEPOINT s".to_string());
                for _ in 0..random.upto(2) {
                    statements.push(statement(random, targets));
                }
                let end = ["ROLLBACK TO s", "RELEASE s"];
                statements.push(random.pick(&end).to_string());
            }
            2 => statements.extend(swap(random, targets)),
            _ => statements.push(statement(random, targets)),
        }
    }
    let end = ["COMMIT", "COMMIT", "COMMIT", "COMMIT", "ROLLBACK"];
    statements.push(random.pick(&end).to_string());
    Step { statements, compare }
}

/// Two rows change places.
fn swap(random: &mut Random, targets: &Targets) -> Vec<String> {
    let table = random.pick(targets.tables).name;
    let (one, other) = (random.upto(9), random.upto(9));
    vec![
        format!("UPDATE {table} SET id = -1 WHERE id = {one} AND {one} <> {other}"),
        format!("UPDATE {table} SET id = {one} WHERE id = {other} AND {one} <> {other}"),
        format!("UPDATE {table} SET id = {other} WHERE id = -1"),
    ]
}

fn statement(random: &mut Random, targets: &Targets) -> String {
    if random.chance(7) {
        return definition(random, targets);
    }
    let chosen = *random.pick(targets.tables);
    let table = random.pick(&chosen.writable()).clone();
    match random.upto(100) {
        1..=28 => {
            let id = random.upto(11);
            // A leaf takes few ids.
            let table = match chosen.kind {
                Kind::Partitioned if random.chance(70) => chosen.name.to_string(),
                _ => table,
            };
            let row = format!("INSERT INTO {table} ({WRITTEN}) SELECT {id}, {}", values(random));
            match chosen.kind {
                // No index keeps ids of parent and child apart.
                Kind::Inherited => {
                    let name = chosen.name;
                    format!("{row} WHERE NOT EXISTS (SELECT FROM {name} WHERE id = {id})")
                }
                _ => format!("{row} ON CONFLICT DO NOTHING"),
            }
        }
        29..=33 => {
            let from = random.pick(targets.tables).name;
            let name = chosen.name;
            format!(
                "INSERT INTO {table} ({WRITTEN}) SELECT id + 5, b, a, d, t, num, arr, doc FROM {from} x WHERE ({}) \
                 AND NOT EXISTS (SELECT FROM {name} y WHERE y.id = x.id + 5)",
                condition(random)
            )
        }
        34..=53 => format!("DELETE FROM {table} WHERE {}", condition(random)),
        54..=86 => format!(
            "UPDATE {table} SET {} WHERE {}",
            setting(random),
            condition(random)
        ),
        87..=91 => {
            let (from, to) = (random.upto(10), random.upto(10));
            let name = chosen.name;
            format!(
                "UPDATE {table} SET id = {to} WHERE id = {from} AND NOT EXISTS (SELECT FROM {name} WHERE id = {to})"
            )
        }
        92..=97 => {
            let other = targets.tables.iter().find(|other| other.name != chosen.name);
            let other = other.map_or(chosen.name, |other| other.name);
            format!(
                "WITH gone AS (DELETE FROM {other} WHERE {} RETURNING id, a) \
                 UPDATE {table} SET b = gone.a FROM gone WHERE {table}.d = gone.id",
                condition(random)
            )
        }
        98 if chosen.kind == Kind::Inherited => format!("TRUNCATE ONLY {table}"),
        _ => format!("TRUNCATE {table}"),
    }
}

/// DDL beside the TVIEWs: partitions and children that come and go, columns nobody reads, views replaced.
fn definition(random: &mut Random, targets: &Targets) -> String {
    let table = random.pick(targets.tables);
    let mut commands = [table.tree_changes(), table.tree_changes()].concat();
    commands.push(format!(
        "ALTER TABLE {} ADD COLUMN IF NOT EXISTS extra int DEFAULT 3",
        table.name
    ));
    commands.push(format!("ALTER TABLE {} DROP COLUMN IF EXISTS extra", table.name));
    commands.extend(targets.views.iter().cloned());
    random.pick(&commands).clone()
}

fn setting(random: &mut Random) -> String {
    if random.chance(12) {
        return "a = b, b = a".to_string();
    }
    let (column, of) = *random.pick(&COLUMNS[1..]);
    let new = match (column, of) {
        // Refused where the column is NOT NULL; a child may allow what its parent does not.
        ("d", _) if random.chance(15) => "NULL".to_string(),
        ("d", _) => random.upto(4).to_string(),
        ("num", _) => numeric(random),
        _ => value(random, of),
    };
    if column != "b" && random.chance(20) {
        return format!("{column} = {new}, b = {}", value(random, Type::Int));
    }
    format!("{column} = {new}")
}

fn condition(random: &mut Random) -> String {
    match random.upto(8) {
        1..=4 => format!("id = {}", random.upto(9)),
        5 => format!("a = {}", random.upto(5)),
        6 => format!("b = {} OR b IS NULL", random.upto(5)),
        7 => format!("d = {} AND id < 8", random.upto(4)),
        _ => format!("id IN ({}, {})", random.upto(9), random.upto(9)),
    }
}
