//! Correctness cases against live workers: three writers at random, then the oracle; then a roll back.

mod identity;
mod joins;
mod nesting;
mod rows;
mod sets;

use crate::harness::{shared, Ask, Database, Load, Plan, Random};

/// Tables, TVIEWs over them, and statements that random writers choose from.
struct Case<'a> {
    tables: &'a str,
    /// Name, query, and `key_columns` as an array literal ("" where the extension is to choose).
    tviews: &'a [(&'a str, &'a str, &'a str)],
    /// `{n}` becomes a number from 1 to n.
    statements: &'a [&'a str],
    /// Run before the comparison, to make the data right again.
    finally: &'a str,
    /// A TVIEW reads another one's table: it is right once the queue is empty, one wait is not enough.
    chained: bool,
}

/// For the fields a case does not need.
const PLAIN: Case = Case {
    tables: "",
    tviews: &[],
    statements: &[],
    finally: "",
    chained: false,
};

fn live(name: &str, case: &Case) {
    let database = Database::new(shared(), &format!("case_{name}"));
    let mut client = database.client();
    client.run(case.tables);
    for (entity, query, keys) in case.tviews {
        let keys = if keys.is_empty() {
            String::new()
        } else {
            format!(", key_columns => '{keys}'")
        };
        client.run(&format!(
            "SELECT pg_tviews_create('{entity}', $q${query}$q${keys})"
        ));
    }
    let random = Random::announced(name);
    let plan = Plan {
        cluster: shared(),
        database: &database.name,
        statements: case.statements,
        crashes: false,
    };
    for round in 0..3 {
        let commits = Load::run(&plan, 3, 25, &random.branch(1000 * round));
        assert!(commits > 5, "only {commits} transactions committed");
        client.run(case.finally);
        assert_right(&mut client, case);
    }
    client.assert_queue_empties();
    let before = contents(&mut client, case);
    rolled_back(&mut client, case, &mut random.branch(1));
    assert_eq!(
        client.rows("SELECT count(*) FROM pg_tview_queue"),
        ["0"],
        "rolled back, but queued"
    );
    assert_right(&mut client, case);
    assert_eq!(contents(&mut client, case), before, "rolled back, but refreshed");
}

fn assert_right(client: &mut postgres::Client, case: &Case) {
    assert!(
        client.one::<bool>("SELECT pg_tviews_wait()"),
        "pg_tviews_wait gave up"
    );
    if case.chained {
        client.assert_queue_empties();
    }
    for (entity, _, _) in case.tviews {
        client.assert_views_equal(&[&table(entity)]);
    }
}

/// Each statement once, all undone.
fn rolled_back(client: &mut postgres::Client, case: &Case, random: &mut Random) {
    client.run("BEGIN");
    for statement in case.statements {
        client.run("SAVEPOINT s");
        if client.batch_execute(&random.fill(statement)).is_err() {
            client.run("ROLLBACK TO s");
        }
    }
    client.run("ROLLBACK");
}

fn contents(client: &mut postgres::Client, case: &Case) -> Vec<Vec<String>> {
    let read = |(entity, _, _): &(&str, &str, &str)| {
        let table = table(entity);
        client.rows(&format!(
            "SELECT t.xmin, t.ctid, t.* FROM {table} t ORDER BY t::text"
        ))
    };
    case.tviews.iter().map(read).collect()
}

/// The tv table of an entity that may name its schema.
fn table(entity: &str) -> String {
    match entity.split_once('.') {
        Some((schema, entity)) => format!("{schema}.tv_{entity}"),
        None => format!("tv_{entity}"),
    }
}
