//! docs/troubleshooting.md: every statement runs, and shows the fault whose symptom the section describes.

use super::walkthroughs::{blocks, Block};
use crate::harness::{Ask, Cluster, Database, Options, WAIT};

const PAGE: &str = "docs/troubleshooting.md";

/// A TVIEW as the page supposes it. A document fails where the number of likes is 0.
const SCHEMA: &str = "
CREATE TABLE tb_user (pk_user bigint PRIMARY KEY, name text NOT NULL);
CREATE TABLE tb_post (pk_post bigint PRIMARY KEY, fk_user bigint REFERENCES tb_user, key bigint, likes int NOT NULL);
CREATE INDEX ON tb_post (fk_user);
INSERT INTO tb_user VALUES (1, 'Ada');
INSERT INTO tb_post SELECT n, 1, n, 1 FROM generate_series(1, 5) n;
SELECT pg_tviews_create('post', 'SELECT p.key AS pk_post, u.name, 10 / p.likes AS share
                                   FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user');
";

/// A fault, and what the first statement of a section shows of it.
struct Fault {
    section: &'static str,
    cause: &'static str,
    /// Becomes true with the fault.
    seen: &'static str,
    shown: &'static [&'static str],
    repair: &'static str,
}

const FAULTS: [Fault; 5] = [
    Fault {
        section: "Rows do not follow",
        cause: "SELECT pg_tviews_pause('post'); UPDATE tb_user SET name = 'Grace'",
        seen: "SELECT pending_changes > 0 FROM pg_tview_status",
        shown: &["| paused |"],
        repair: "SELECT pg_tviews_resume('post')",
    },
    Fault {
        section: "The TVIEW is suspended",
        cause: "ALTER VIEW v_post RENAME TO v_lost; UPDATE tb_user SET name = 'Hedy'",
        seen: "SELECT state = 'suspended' FROM pg_tview_meta",
        shown: &["42P01", "the backing view public.v_post does not exist"],
        repair: "ALTER VIEW v_lost RENAME TO v_post",
    },
    Fault {
        section: "Some rows stay as they were",
        cause: "UPDATE tb_post SET likes = 0 WHERE pk_post = 2",
        seen: "SELECT count(*) = 1 FROM pg_tview_dead_letter",
        shown: &["{\"pk_post\": 2}", "22012", "division by zero"],
        repair: "UPDATE tb_post SET likes = 1 WHERE pk_post = 2",
    },
    Fault {
        section: "Rows of the view are missing",
        cause: "UPDATE tb_post SET key = NULL WHERE pk_post = 3",
        seen: "SELECT status = 'PARTIAL' FROM pg_tview_meta_audit ORDER BY audit_id DESC LIMIT 1",
        shown: &["PARTIAL", "is NULL"],
        repair: "UPDATE tb_post SET key = 3 WHERE pk_post = 3",
    },
    Fault {
        section: "Table and view differ",
        cause: "SET pg_tviews.allow_table_writes = on; UPDATE tv_post SET name = 'wrong' WHERE pk_post = 4",
        seen: "SELECT count(*) = 1 FROM tv_post WHERE name = 'wrong'",
        shown: &["{\"pk_post\": 4}", "different"],
        repair: "SELECT pg_tviews_refresh('post')",
    },
];

fn run(database: &Database, block: &Block) -> String {
    let output = database
        .cluster
        .psql(&database.name, &format!("\\pset format aligned\n{}", block.text));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{PAGE}:{}\n{}\n{errors}",
        block.line,
        block.text
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn statements_run_and_show_the_faults_they_are_for() {
    let cluster = Cluster::start(Options::preloaded().set("pg_tviews.verify_cycle", "0"));
    let database = Database::new(&cluster, "troubles");
    database.client().run(SCHEMA);
    let blocks = blocks(PAGE);
    assert!(blocks.len() >= 20 && blocks.iter().all(|block| block.kind == "sql"));
    for fault in FAULTS {
        database.client().run(fault.cause);
        database.client().wait_until(fault.seen, WAIT);
        let first = blocks.iter().find(|block| block.section == fault.section);
        let first = first.unwrap_or_else(|| panic!("no section {}", fault.section));
        let shown = run(&database, first);
        for expected in fault.shown {
            assert!(
                shown.contains(expected),
                "{}: no {expected} in\n{shown}",
                fault.section
            );
        }
        database.client().run(fault.repair);
        database
            .client()
            .wait_until("SELECT state = 'active' FROM pg_tview_meta", WAIT);
        database.client().assert_follows(&["post"]);
        database
            .client()
            .wait_until("SELECT count(*) = 0 FROM pg_tview_dead_letter", WAIT);
    }
    for block in &blocks {
        run(&database, block);
    }
}

#[test]
fn what_keeps_changes_from_being_applied_is_shown() {
    let cluster = Cluster::start(
        Options::preloaded()
            .set("pg_tviews.verify_cycle", "0")
            .set("pg_tviews.enabled", "off"),
    );
    let database = Database::new(&cluster, "troubles");
    database.client().run(SCHEMA);
    database.client().run("UPDATE tb_user SET name = 'Grace'");
    let error = database.client().fails("SELECT pg_tviews_wait()");
    assert_eq!(error.message(), "nothing is applying changes in this database");
    let section = "pg_tviews_wait fails: nothing is applying changes";
    let blocks = blocks(PAGE);
    let mut section = blocks.iter().filter(|block| block.section == section);
    let shown = run(&database, section.next().expect("the section has a query"));
    let refreshing = shown.split('|').nth(2).map(str::trim);
    assert_eq!(refreshing, Some("f"), "{shown}");
    let shown = run(&database, section.next().expect("and another one"));
    assert!(shown.contains("configuration file"), "{shown}");
}
