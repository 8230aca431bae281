//! The scripts that the integration guide calls, in sql/: they plan and convert, and check definitions.

use crate::guide::{Project, ENTITIES};
use crate::harness::Ask;

#[test]
fn loading_the_conversion_script_several_times_is_harmless() {
    let project = Project::new("guide_script");
    project.tables();
    for _ in 0..3 {
        project.succeeds("psql -v ON_ERROR_STOP=1 -d guide_script -f sql/auto_convert_tviews.sql");
    }
    let mut client = project.database.client();
    assert_eq!(
        client.rows("SELECT count(*) FROM pg_tviews_auto_convert_plan() WHERE action = 'convert'"),
        ["3"]
    );
}

#[test]
fn helper_script_plans_without_changing_anything_then_converts() {
    let project = Project::new("guide_helper");
    project.tables();
    let mut client = project.database.client();
    let plan = project.succeeds("./sql/convert_tviews.sh -d guide_helper -s public --plan");
    assert!(ENTITIES.iter().all(|entity| plan.contains(entity)), "{plan}");
    assert_eq!(client.rows("SELECT count(*) FROM pg_tview_meta"), ["0"]);
    assert_eq!(
        client.rows("SELECT count(*) FROM pg_views WHERE viewname ~ '^v_'"),
        ["0"]
    );
    project.succeeds("bash -e helper.sh");
    client.assert_follows(&ENTITIES);
    project.succeeds("bash -e helper.sh");
    assert_eq!(client.rows("SELECT count(*) FROM pg_tview_meta"), ["3"]);
}

#[test]
fn helper_script_checks_its_arguments() {
    let project = Project::new("guide_arguments");
    project.tables();
    let help = project.succeeds("./sql/convert_tviews.sh --help");
    assert!(help.contains("--plan") && help.contains("-d"), "{help}");
    project.refused("./sql/convert_tviews.sh");
    project.refused("./sql/convert_tviews.sh -s public");
    project.refused("./sql/convert_tviews.sh -d");
    project.refused("./sql/convert_tviews.sh -d guide_arguments --unknown");
    project.refused("./sql/convert_tviews.sh -d guide_arguments surplus");
    project.refused("./sql/convert_tviews.sh -d no_such_database -s public");
    project.refused("./sql/convert_tviews.sh -d guide_arguments -s no_such_schema");
    let injected = project
        .refused("./sql/convert_tviews.sh -d guide_arguments -s \"x'); DROP TABLE tb_user CASCADE; --\"");
    let mut client = project.database.client();
    assert!(
        client.one::<bool>("SELECT to_regclass('tb_user') IS NOT NULL"),
        "{injected}"
    );
    assert_eq!(client.rows("SELECT count(*) FROM pg_tview_meta"), ["0"]);
}

#[test]
fn helper_script_fails_when_one_table_cannot_be_converted_but_converts_the_others() {
    let project = Project::new("guide_error");
    project.tables();
    let mut client = project.database.client();
    client.run(
        "INSERT INTO tb_user (email, name) VALUES ('a', 'A');
         CREATE TABLE tb_twice (pk_twice int PRIMARY KEY);
         INSERT INTO tb_twice VALUES (1);
         CREATE TABLE tv_twice (pk_twice int PRIMARY KEY, data jsonb);
         CREATE VIEW v_twice AS SELECT t.pk_twice, to_jsonb(n) AS data FROM tb_twice t, generate_series(1, 2) n",
    );
    let said = project.refused("./sql/convert_tviews.sh -d guide_error -s public");
    assert!(said.contains("ERROR") && said.contains("twice"), "{said}");
    client.assert_follows(&ENTITIES);
    assert_eq!(
        client.rows("SELECT count(*) FROM pg_tview_meta WHERE entity_name = 'twice'"),
        ["0"]
    );
    assert!(
        client.one::<bool>("SELECT to_regclass('v_twice') IS NOT NULL"),
        "the application's own view is gone"
    );
}

#[test]
fn the_lint_script_reports_in_three_formats_and_by_its_exit_status() {
    let project = Project::new("guide_lint");
    project.tables();
    let mut client = project.database.client();
    client.run(
        "INSERT INTO tb_user (email, name) SELECT n || '@example.org', 'user ' || n FROM generate_series(1, 3) n;
         SELECT pg_tviews_create('user', max_latency => '1 s', query => 'SELECT pk_user, name FROM tb_user')",
    );
    assert_eq!(project.succeeds("./sql/lint_tviews.sh -d guide_lint"), "");
    client.run("SELECT pg_tviews_create('top', 'SELECT pk_user AS pk_top, name || ''100%'' AS name FROM tb_user ORDER BY 1 LIMIT 2')");
    let text = project.refused("./sql/lint_tviews.sh -d guide_lint -s public");
    assert!(
        text.contains("tv_top: warning: any change of public.tb_user"),
        "{text}"
    );
    assert!(
        text.contains("(full_comparison)") && text.contains("Leave LIMIT"),
        "{text}"
    );
    project.succeeds("./sql/lint_tviews.sh -d guide_lint --fail-on error");
    let json = project.succeeds("./sql/lint_tviews.sh -d guide_lint --fail-on=error --format=json");
    let found: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(found[0]["rule"], "full_comparison", "{json}");
    let annotations = project.refused("./sql/lint_tviews.sh -d guide_lint --format github");
    let lines: Vec<&str> = annotations
        .lines()
        .filter(|line| line.starts_with("::"))
        .collect();
    assert_eq!(lines.len(), 2, "{annotations}");
    assert!(
        lines[0].starts_with("::warning title=full_comparison public.tv_top::any change"),
        "{annotations}"
    );
    assert!(lines[0].contains("%0A"), "{annotations}");
    assert!(lines[1].starts_with("::notice title=no_bound"), "{annotations}");
    for wrong in [
        "",
        "-d guide_lint --format xml",
        "-d guide_lint --fail-on never",
        "-d no_such_database",
        "-d guide_lint -s missing",
    ] {
        project.refused(&format!("./sql/lint_tviews.sh {wrong}"));
    }
}

#[test]
fn scripts_show_the_hints_of_errors() {
    let project = Project::new("guide_hints");
    let scripts = [
        "./sql/lint_tviews.sh -d guide_hints",
        "./sql/convert_tviews.sh -d guide_hints",
        "./sql/convert_tviews.sh -d guide_hints --plan",
    ];
    project
        .database
        .client()
        .run("DROP EXTENSION IF EXISTS pg_tviews CASCADE");
    for script in scripts {
        let said = project.refused(script);
        assert!(said.contains("HINT:  Run CREATE EXTENSION pg_tviews;"), "{said}");
        assert!(!said.contains("CONTEXT"), "{said}");
    }
}
