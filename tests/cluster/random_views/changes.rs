//! Random transactions: what happens to the tables between two comparisons.

use super::schema::{numeric, value, values, Type, COLUMNS};
use crate::harness::Random;

/// Statements run one by one; an error ends the transaction they are in and is no failure.
#[derive(Clone)]
pub struct Step {
    /// The statements, BEGIN and COMMIT included where there are any.
    pub statements: Vec<String>,
    /// Whether everything is refreshed and compared after it.
    pub compare: bool,
}

/// The next step.
pub fn step(random: &mut Random, tables: &[&str]) -> Step {
    let compare = random.chance(55);
    let mut statements = Vec::new();
    if random.chance(50) {
        statements.push(statement(random, tables));
        return Step { statements, compare };
    }
    statements.push("BEGIN".to_string());
    for _ in 0..random.upto(4) {
        match random.upto(10) {
            1 => {
                statements.push("SAVEPOINT s".to_string());
                for _ in 0..random.upto(2) {
                    statements.push(statement(random, tables));
                }
                let end = ["ROLLBACK TO s", "RELEASE s"];
                statements.push(random.pick(&end).to_string());
            }
            2 => statements.extend(swap(random, tables)),
            _ => statements.push(statement(random, tables)),
        }
    }
    let end = ["COMMIT", "COMMIT", "COMMIT", "COMMIT", "ROLLBACK"];
    statements.push(random.pick(&end).to_string());
    Step { statements, compare }
}

/// Two rows change places.
fn swap(random: &mut Random, tables: &[&str]) -> Vec<String> {
    let table = random.pick(tables);
    let (one, other) = (random.upto(9), random.upto(9));
    vec![
        format!("UPDATE {table} SET id = -1 WHERE id = {one} AND {one} <> {other}"),
        format!("UPDATE {table} SET id = {one} WHERE id = {other} AND {one} <> {other}"),
        format!("UPDATE {table} SET id = {other} WHERE id = -1"),
    ]
}

fn statement(random: &mut Random, tables: &[&str]) -> String {
    let table = *random.pick(tables);
    match random.upto(100) {
        1..=28 => format!(
            "INSERT INTO {table} VALUES ({}, {}) ON CONFLICT DO NOTHING",
            random.upto(11),
            values(random)
        ),
        29..=33 => {
            let from = random.pick(tables);
            format!(
                "INSERT INTO {table} SELECT id + 5, b, a, d, t, num, arr, doc FROM {from} WHERE {} ON CONFLICT DO NOTHING",
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
            format!(
                "UPDATE {table} SET id = {to} WHERE id = {from} AND NOT EXISTS (SELECT FROM {table} WHERE id = {to})"
            )
        }
        92..=97 => {
            let other = tables
                .iter()
                .find(|other| **other != table)
                .copied()
                .unwrap_or(table);
            format!(
                "WITH gone AS (DELETE FROM {other} WHERE {} RETURNING id, a) \
                 UPDATE {table} SET b = gone.a FROM gone WHERE {table}.d = gone.id",
                condition(random)
            )
        }
        _ => format!("TRUNCATE {table}"),
    }
}

fn setting(random: &mut Random) -> String {
    if random.chance(12) {
        return "a = b, b = a".to_string();
    }
    let (column, of) = *random.pick(&COLUMNS[1..]);
    let new = match (column, of) {
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
