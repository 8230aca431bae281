//! docs/functions.md agrees with the catalog, and with what calls do: answers, errors and locks.

use std::collections::BTreeSet;
use std::fs;

use super::walkthroughs::{follow, patient};
use crate::harness::{repository, Ask, Cluster, Database};

const PAGE: &str = "docs/functions.md";

/// Functions that the SQL reference says are not to be called: those of the table at its end, and the conditions of
/// fresh views.
fn for_the_extension() -> BTreeSet<String> {
    let page = fs::read_to_string(repository().join("docs/sql-reference.md")).expect("the page can be read");
    let (_, table) = page.split_once("\n## For the extension\n").expect("the section");
    let names = table
        .lines()
        .filter(|line| line.starts_with("| `"))
        .flat_map(|line| line.split('`').skip(1).step_by(2));
    names
        .filter_map(|name| Some(name.split_once('(')?.0.to_owned()))
        .collect()
}

/// The sections of the page by function.
fn sections() -> Vec<(String, String)> {
    let page = fs::read_to_string(repository().join(PAGE)).expect("the page can be read");
    let page = page.split("\n## Locks on tables\n").next().expect("a text");
    let sections = page
        .split("\n### ")
        .skip(1)
        .filter_map(|section| section.split_once('\n'));
    sections
        .map(|(name, text)| (name.to_owned(), text.to_owned()))
        .collect()
}

/// The cells of the rows of a table, the header left out.
fn rows(text: &str, header: &str) -> Vec<Vec<String>> {
    let table = text
        .split_once(header)
        .map(|(_, table)| table)
        .unwrap_or_default();
    let lines = table
        .trim_start()
        .lines()
        .skip(1)
        .take_while(|line| line.starts_with("| "));
    let cells = |line: &str| {
        line.trim_matches(['|', ' '])
            .split(" | ")
            .map(|cell| cell.trim_matches('`').to_owned())
            .collect()
    };
    lines.map(cells).collect()
}

#[test]
fn synopses_descriptions_and_parameters_are_those_of_the_catalog() {
    let database = Database::new(crate::harness::shared(), "functions_catalog");
    let catalog = database.client().query(
        "SELECT p.proname::text,
                string_agg(CASE prokind WHEN 'p' THEN format('CALL %s(%s)', proname, pg_get_function_arguments(p.oid))
                                        ELSE format('%s(%s) → %s', proname, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid)) END,
                           E'\\n' ORDER BY p.oid::regprocedure::text COLLATE \"C\"),
                array_agg(DISTINCT obj_description(p.oid, 'pg_proc')),
                (SELECT coalesce(array_agg(DISTINCT name), '{}') FROM pg_proc q, unnest(q.proargnames, q.proargmodes) a (name, mode)
                  WHERE q.proname = p.proname AND coalesce(mode, 'i') = 'i')
           FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
          WHERE d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'pg_tviews')
            AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype, 'internal'::regtype)
          GROUP BY p.proname ORDER BY p.proname",
        &[],
    ).expect("the catalog is read");
    let hidden = for_the_extension();
    let sections = sections();
    let mut seen = BTreeSet::new();
    for row in &catalog {
        let name: String = row.get(0);
        if hidden.contains(&name) || name.starts_with("pg_tviews_behind") {
            continue;
        }
        let (synopsis, descriptions, parameters): (String, Vec<String>, Vec<String>) =
            (row.get(1), row.get(2), row.get(3));
        let text = sections
            .iter()
            .find(|(section, _)| *section == name)
            .map(|(_, text)| text);
        let text =
            text.unwrap_or_else(|| panic!("{PAGE} has no section {name}:\n{synopsis}\n{descriptions:?}"));
        let written = text
            .split("```synopsis\n")
            .nth(1)
            .and_then(|rest| rest.split("\n```").next());
        assert_eq!(written, Some(synopsis.as_str()), "{name}");
        for description in descriptions {
            assert!(text.contains(&description), "{name}: {description}");
        }
        let written: BTreeSet<String> = rows(text, "| parameter | meaning |")
            .into_iter()
            .map(|cells| cells[0].clone())
            .collect();
        assert_eq!(written, parameters.into_iter().collect(), "{name}");
        assert!(text.contains("```sql\n"), "{name} has no example");
        seen.insert(name);
    }
    let gone: Vec<&String> = sections
        .iter()
        .map(|(name, _)| name)
        .filter(|name| !seen.contains(*name))
        .collect();
    assert!(gone.is_empty() && seen.len() > 30, "no functions {gone:?}");
}

/// The strongest lock of a call on relations whose names begin with `prefix`, as the page writes it.
fn strongest(client: &mut postgres::Client, prefix: &str) -> String {
    let found = client.rows(&format!(
        "SELECT mode FROM pg_locks l LEFT JOIN known k ON k.oid = l.relation
           LEFT JOIN pg_class c ON c.oid = l.relation AND c.relkind IN ('r', 'v')
          WHERE l.pid = pg_backend_pid() AND l.granted AND starts_with(coalesce(k.relname, c.relname), '{prefix}')
          ORDER BY array_position('{{AccessShareLock,RowShareLock,RowExclusiveLock,ShareUpdateExclusiveLock,ShareLock,ShareRowExclusiveLock,
                                    ExclusiveLock,AccessExclusiveLock}}', mode) DESC LIMIT 1"
    ));
    found.first().cloned().unwrap_or_else(|| "none".to_owned())
}

#[test]
fn examples_answer_calls_fail_and_lock_as_shown() {
    let cluster = Cluster::start(patient());
    let database = Database::without_extension(&cluster, "reference");
    follow(PAGE, &database);
    let mut failed = 0;
    for (name, text) in sections() {
        for cells in rows(&text, "| call | error |") {
            let error = database.client().fails(&cells[0]);
            let said = format!("{}: {}", error.code().code(), error.message());
            assert_eq!(said, cells[1], "{name}: {}", cells[0]);
            failed += 1;
        }
    }
    assert!(failed > 40, "only {failed} calls that fail");

    database
        .client()
        .run("CREATE TABLE tb_note (pk_note int PRIMARY KEY, text text NOT NULL)");
    assert!(database.client().one::<bool>("SELECT pg_tviews_wait()"));
    let page = fs::read_to_string(repository().join(PAGE)).expect("the page can be read");
    let locks = rows(&page, "| call | sources | view | table |");
    assert!(locks.len() > 15, "only {} calls", locks.len());
    for cells in locks {
        // On a busy machine a call may leave the rows to a worker, and then locks less.
        let taken = (0..20)
            .map(|_| locks_of(&database, &cells[0]))
            .find(|taken| *taken == cells[1..]);
        assert!(
            taken.is_some(),
            "{}: {:?}, not {:?}",
            cells[0],
            locks_of(&database, &cells[0]),
            &cells[1..]
        );
    }
}

/// The strongest locks that a call takes on sources, view and table.
fn locks_of(database: &Database, call: &str) -> Vec<String> {
    let mut client = database.client();
    client.run(
        "CREATE TEMP TABLE known AS SELECT oid, relname FROM pg_class
                           WHERE relkind IN ('r', 'v') AND relname ~ '^(tb|v|tv)_'",
    );
    client.run("BEGIN");
    client.rows(call);
    let taken = ["tb_", "v_", "tv_"].map(|prefix| strongest(&mut client, prefix));
    client.run("ROLLBACK");
    taken.into()
}
