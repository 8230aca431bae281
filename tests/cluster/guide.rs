//! The commands of the integration guide, as written there (files in guide/), from shell and psql.

use std::path::PathBuf;
use std::process::{Command, Output};

use crate::harness::{repository, shared, Ask, Database};

pub const ENTITIES: [&str; 3] = ["user", "post", "comment"];

/// A folder as the guide supposes it: `schema/` beside this repository's `sql/`, for one database.
pub struct Project {
    folder: PathBuf,
    pub database: Database<'static>,
}

impl Project {
    /// The guide's `mydb` is called `name` here, because other tests follow the guide at the same time.
    pub fn new(name: &str) -> Self {
        Self::of(Database::without_extension(shared(), name))
    }

    /// The same for a database that is there.
    pub fn of(database: Database<'static>) -> Self {
        let name = database.name.clone();
        let folder = std::env::temp_dir().join(format!("pgtv-guide-{}-{name}", std::process::id()));
        let script = "cp -r tests/cluster/guide \"$1\" && ln -s \"$PWD/sql\" \"$1/sql\" &&
                      sed -i \"s/mydb/$2/\" \"$1\"/*.sh &&
                      cat \"$1\"/schema/01*.sql \"$1\"/schema/02*.sql > \"$1\"/schema.sql";
        let status = Command::new("sh")
            .args(["-ec", script, "sh"])
            .arg(&folder)
            .arg(&name)
            .current_dir(repository())
            .status();
        assert!(
            status.is_ok_and(|status| status.success()),
            "the guide's folder cannot be made"
        );
        Self { folder, database }
    }

    /// Runs a shell command line and returns what it said and how it ended.
    fn shell(&self, line: &str) -> Output {
        self.database
            .cluster
            .program("bash", &self.folder)
            .args(["-c", line])
            .output()
            .expect("bash runs")
    }

    /// Runs a shell command line in which nothing may fail, not even inside psql.
    #[track_caller]
    pub fn succeeds(&self, line: &str) -> String {
        let output = self.shell(line);
        let (out, err) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert!(
            output.status.success() && !err.contains("ERROR:"),
            "{line}\n{out}\n{err}"
        );
        out.into_owned()
    }

    /// Runs a shell command line that must say no.
    #[track_caller]
    pub fn refused(&self, line: &str) -> String {
        let output = self.shell(line);
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(!output.status.success(), "{line} should have failed:\n{said}");
        said
    }

    /// Steps 1 and 2 of the guide: extension and tables.
    pub fn tables(&self) -> &Self {
        self.database.client().run("CREATE EXTENSION pg_tviews");
        self.succeeds(&format!("psql -d {} -f schema.sql", self.database.name));
        self
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn quick_start_builds_converts_and_follows_the_seed_data() {
    let project = Project::new("guide_quick_start");
    let said = project.succeeds("bash build.sh");
    for entity in ENTITIES {
        assert!(
            said.contains(&format!("tb_{entity}")),
            "the plan does not show {entity}:\n{said}"
        );
    }
    assert_eq!(said.matches("SUCCESS").count(), 3, "{said}");
    let mut client = project.database.client();
    let registered = client.rows("SELECT entity_name, tview_oid FROM pg_tview_meta ORDER BY 1");
    assert_eq!(registered, ["comment|tv_comment", "post|tv_post", "user|tv_user"]);
    client.assert_follows(&ENTITIES);
    assert_eq!(client.rows("SELECT count(*) FROM tv_comment"), ["40"]);
    let comment = client.rows(
        "SELECT data->>'text', data->>'fk_post', data ? 'pk_comment' FROM tv_comment WHERE pk_comment = 1",
    );
    assert_eq!(comment, ["it's \"fine\"|2|f"]);
    client.assert_queue_empties();
}

#[test]
fn quick_start_can_be_run_again() {
    let project = Project::new("guide_again");
    project.succeeds("bash build.sh");
    // The schema files fail the second time, as they would without the extension; the conversion does not.
    let said = project.shell("bash build.sh");
    assert!(
        !String::from_utf8_lossy(&said.stdout).contains("| ERROR"),
        "{said:?}"
    );
    let mut client = project.database.client();
    client.assert_follows(&ENTITIES);
}

#[test]
fn metadata_can_be_updated_and_bad_values_are_refused() {
    let project = Project::new("guide_metadata");
    project.succeeds("bash build.sh");
    project.succeeds("psql -v ON_ERROR_STOP=1 -d guide_metadata -f schema/03_tview_metadata.sql");
    let mut client = project.database.client();
    let columns = client.rows("SELECT entity_name, fk_columns FROM pg_tview_meta ORDER BY 1");
    assert_eq!(
        columns,
        ["comment|{fk_user,fk_post}", "post|{fk_user}", "user|{}"]
    );
    client.run("UPDATE pg_tview_meta SET max_latency = '100 ms' WHERE entity_name = 'user'");
    client.fails("UPDATE pg_tview_meta SET fk_columns = '{fk_nobody}' WHERE entity_name = 'post'");
    client.fails("UPDATE pg_tview_meta SET max_latency = '-1 s' WHERE entity_name = 'post'");
    client.run(
        "UPDATE tb_user SET name = 'renamed' WHERE pk_user = 1; DELETE FROM tb_comment WHERE fk_post = 3",
    );
    client.assert_follows(&ENTITIES);
}

#[test]
fn declared_lineage_refreshes_what_the_view_text_does_not_show() {
    let project = Project::new("guide_lineage");
    project.succeeds("bash build.sh");
    let mut client = project.database.client();
    client.run(
        "CREATE FUNCTION author(key bigint) RETURNS text STABLE LANGUAGE plpgsql AS
         $$BEGIN RETURN (SELECT name FROM public.tb_user WHERE pk_user = key); END$$",
    );
    client.run(
        "SELECT pg_tviews_create('post', 'SELECT pk_post, fk_user, jsonb_build_object(''author'', author(fk_user)) AS data
                                            FROM tb_post')",
    );
    client.run("UPDATE pg_tview_meta SET fk_columns = '{fk_user}' WHERE entity_name = 'post'");
    client.assert_follows(&["post"]);
    client.run("UPDATE tb_user SET name = 'seen through the key' WHERE pk_user = 2");
    client.assert_follows(&["post"]);
}

#[test]
fn backing_view_can_be_dropped_made_again_and_registered_with_a_custom_query() {
    let project = Project::new("guide_views");
    project.succeeds("bash build.sh");
    project.succeeds("psql -v ON_ERROR_STOP=1 -d guide_views -f schema/04_backing_views.sql");
    let mut client = project.database.client();
    client.assert_follows(&ENTITIES);
    let document = client.rows("SELECT data - 'id' FROM tv_post WHERE pk_post = 1");
    assert_eq!(
        document,
        [r#"{"title": "Post 1", "content": "text", "fk_user": 2}"#]
    );
    client.run("UPDATE tb_post SET title = 'Changed' WHERE pk_post = 1; DELETE FROM tb_post WHERE pk_post = 20 AND false");
    client.assert_follows(&ENTITIES);
    assert_eq!(
        client.rows("SELECT data->>'title' FROM tv_post WHERE pk_post = 1"),
        ["Changed"]
    );
}

#[test]
fn changes_wait_while_the_backing_view_is_missing() {
    let project = Project::new("guide_missing_view");
    project.succeeds("bash build.sh");
    let mut client = project.database.client();
    client.assert_follows(&ENTITIES);
    client.run("DROP VIEW v_post");
    client.run("UPDATE tb_post SET title = 'while missing' WHERE pk_post = 2");
    client.run("UPDATE tb_user SET name = 'others go on' WHERE pk_user = 2");
    client.wait_until(
        "SELECT data->>'name' = 'others go on' FROM tv_user WHERE pk_user = 2",
        crate::harness::WAIT,
    );
    assert_eq!(client.rows("SELECT count(*) FROM tv_post"), ["20"]);
    client
        .run("CREATE VIEW v_post AS SELECT pk_post, jsonb_build_object('title', title) AS data FROM tb_post");
    client.wait_until(
        "SELECT data->>'title' = 'while missing' FROM tv_post WHERE pk_post = 2",
        crate::harness::WAIT,
    );
    client.assert_follows(&ENTITIES);
    client.run("UPDATE tb_post SET title = 'afterwards' WHERE pk_post = 3");
    client.assert_follows(&ENTITIES);
}

#[test]
fn verification_commands_work() {
    let project = Project::new("guide_verify");
    project.succeeds("bash build.sh");
    let said = project.succeeds("bash -e verify.sh");
    assert!(said.contains("tv_user") && said.contains("v_post"), "{said}");
    let mut client = project.database.client();
    client.assert_follows(&ENTITIES);
    assert_eq!(
        client.rows("SELECT count(*) FROM tv_user WHERE data->>'name' = 'Alice'"),
        ["1"]
    );
}

#[test]
fn several_databases_are_built_by_one_script() {
    let project = Project::new("guide_several");
    let databases = ["development", "staging"].map(|name| Database::without_extension(shared(), name));
    project.succeeds("bash -e build_several.sh");
    for database in &databases {
        let mut client = database.client();
        client.run("INSERT INTO tb_user (email, name) VALUES ('a@example.com', current_database())");
        client.assert_follows(&ENTITIES);
        assert_eq!(
            client.rows("SELECT data->>'name' FROM tv_user"),
            [database.name.as_str()]
        );
    }
}

#[test]
fn troubleshooting_queries_work_before_and_after_conversion() {
    let project = Project::new("guide_trouble");
    project.tables();
    for _ in 0..2 {
        project.succeeds("psql -v ON_ERROR_STOP=1 -d guide_trouble -f tables_missing.sql");
        let said = project.succeeds("psql -v ON_ERROR_STOP=1 -d guide_trouble -f no_tviews_registered.sql");
        assert!(!said.contains("| ERROR"), "{said}");
    }
    let mut client = project.database.client();
    client.assert_follows(&ENTITIES);
    let again = client.rows("SELECT entity, action FROM pg_tviews_auto_convert_plan() ORDER BY 1");
    assert_eq!(
        again,
        ["comment|registered", "post|registered", "user|registered"]
    );
}

#[test]
fn repeated_key_column_collapses() {
    let project = Project::new("guide_repeated");
    project.tables();
    project.succeeds("psql -v ON_ERROR_STOP=1 -d guide_repeated -f views_not_created.sql");
    let mut client = project.database.client();
    client.run("INSERT INTO tb_user (email, name) VALUES ('a@example.com', 'A')");
    client.run("INSERT INTO tb_post (fk_user, title, content) VALUES (1, 'T', 'C')");
    client.assert_follows(&["post"]);
    assert_eq!(client.rows("SELECT data->>'title' FROM tv_post"), ["T"]);
}

#[test]
fn graph_of_the_documentation_is_what_the_function_prints() {
    let project = Project::new("guide_graph");
    project.succeeds("bash build.sh");
    project.succeeds("psql -v ON_ERROR_STOP=1 -d guide_graph -f schema/03_tview_metadata.sql");
    let mut client = project.database.client();
    client.assert_follows(&ENTITIES);
    let read = |name: &str| {
        let path = repository().join("docs/pictures").join(name);
        std::fs::read_to_string(path).expect("the picture can be read")
    };
    let (printed, drawn) = (read("graph.dot"), read("graph.svg"));
    assert_eq!(
        client.rows("SELECT pg_tviews_graph(NULL, 'dot')"),
        [printed.as_str()]
    );
    let labels = printed
        .split("label=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next());
    for label in labels {
        assert!(drawn.contains(&format!(">{label}<")), "{label} is not drawn");
    }
}
