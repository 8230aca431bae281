//! Plays a script and compares every TVIEW with its view.

use std::sync::mpsc::Receiver;
use std::time::Duration;

use postgres::error::DbError;
use postgres::{Client, SimpleQueryMessage};

use super::changes::Step;
use super::grammar::View;

/// Everything one run does, from an empty schema on.
#[derive(Clone)]
pub struct Script {
    /// Tables, indexes, first rows, plain views.
    pub setup: Vec<String>,
    pub tviews: Vec<Tview>,
    pub steps: Vec<Step>,
}

/// A TVIEW of a script.
#[derive(Clone)]
pub struct Tview {
    pub entity: String,
    pub sql: String,
    pub keys: &'static str,
}

impl Tview {
    pub fn new(number: usize, view: &View) -> Self {
        Self {
            entity: format!("e{number}"),
            sql: view.sql.clone(),
            keys: view.keys,
        }
    }

    /// The call that creates it.
    pub fn create(&self) -> String {
        format!(
            "SELECT pg_tviews_create('{}', $q${}$q$, key_columns => '{}')",
            self.entity, self.sql, self.keys
        )
    }
}

/// What went wrong.
#[derive(Debug)]
pub struct Failure {
    /// The TVIEW, by its place in the script.
    pub tview: usize,
    /// After how many steps.
    pub steps: usize,
    pub text: String,
}

impl Failure {
    /// What kind it is: rows that differ, or an error's code.
    pub fn kind(&self) -> &str {
        match self.text.split_once(" (") {
            Some((_, rest)) if !self.text.starts_with("missing |") && !self.text.starts_with("extra |") => {
                rest.get(..5).unwrap_or_default()
            }
            _ => "rows",
        }
    }
}

/// A connection that plays scripts.
pub struct Player {
    pub client: Client,
    pub notices: Receiver<DbError>,
}

impl Player {
    /// Empties the schema and runs statements in it; the first that fails is an error.
    pub fn start_over(&mut self, setup: &[String]) -> Result<(), String> {
        self.run("DROP SCHEMA IF EXISTS fuzz CASCADE")?;
        self.run("CREATE SCHEMA fuzz")?;
        self.run("SET search_path = fuzz, public")?;
        setup.iter().try_for_each(|statement| self.run(statement))
    }

    /// Whether the extension may be asked to follow a query: it runs, quickly, and its keys are keys.
    pub fn accepts(&mut self, tview: &Tview) -> Result<(), String> {
        self.run("SET statement_timeout = '400ms'")?;
        let accepted = self.has_keys(tview);
        self.run("SET statement_timeout = '60s'")?;
        accepted
    }

    /// Whether a query's keys are keys, however long it takes.
    fn has_keys(&mut self, tview: &Tview) -> Result<(), String> {
        let keys = tview.keys.trim_matches(['{', '}']);
        let right = self.value(&format!(
            "SELECT count(*) = count(DISTINCT ({keys})) AND count(*) = count(*) FILTER (WHERE ({keys}) IS NOT NULL) \
             FROM ({}) q",
            tview.sql
        ));
        match right?.as_str() {
            "t" => Ok(()),
            _ => Err("keys are not unique".to_string()),
        }
    }

    /// Runs a script from the beginning. Err: something in it is not valid SQL.
    pub fn play(&mut self, script: &Script) -> Result<Option<Failure>, String> {
        self.start_over(&script.setup)?;
        for (number, tview) in script.tviews.iter().enumerate() {
            // A query that was quick when it was tried may take longer on a machine with other work.
            self.has_keys(tview)?;
            let fresh = format!("SELECT pg_tviews_create_fresh_view('{}')", tview.entity);
            if let Err(text) = self.run(&tview.create()).and_then(|()| self.run(&fresh)) {
                return Ok(Some(Failure {
                    tview: number,
                    steps: 0,
                    text,
                }));
            }
        }
        for (number, step) in script.steps.iter().enumerate() {
            self.change(step);
            if step.compare || number + 1 == script.steps.len() {
                if let Some(failure) = self.compare(script, number + 1) {
                    return Ok(Some(failure));
                }
            }
        }
        Ok(None)
    }

    /// Runs a script while workers refresh and verify. Returns what they take for damage, and how many TVIEWs they have verified.
    pub fn verify(&mut self, script: &Script) -> (Vec<String>, i64) {
        self.start_over(&script.setup).expect("tables can be created");
        for tview in &script.tviews {
            // Not every query can be followed here.
            let _ = self.run(&tview.create());
        }
        for step in &script.steps {
            self.change(step);
            std::thread::sleep(Duration::from_millis(100));
        }
        let _ = self.run("SELECT pg_tviews_wait(timeout => '20 s')");
        std::thread::sleep(Duration::from_secs(6));
        // A worker that has found no TVIEW looks again ten seconds later.
        for _ in 0..30 {
            if self.verified() > 0 {
                break;
            }
            std::thread::sleep(Duration::from_secs(1));
        }
        let alarms = "SELECT DISTINCT entity_name FROM pg_tview_meta_audit WHERE operation = 'drift' AND status = 'ERROR'";
        let alarms = self.rows(alarms).expect("the audit is readable");
        let mut reported = Vec::new();
        for entity in alarms {
            if self.is_stable(&entity) {
                let rows = self.rows(&format!("SELECT message, details FROM pg_tview_meta_audit WHERE operation = 'drift' AND entity_name = '{entity}'"));
                let tview = script.tviews.iter().find(|tview| tview.entity == entity);
                reported.push(format!(
                    "{}\n{}",
                    tview.map_or("", |tview| &tview.sql),
                    rows.unwrap_or_default().join("\n")
                ));
            }
        }
        let verified = self.verified();
        // The next script uses the names again.
        let _ = self.run("DROP SCHEMA fuzz CASCADE");
        self.run("DELETE FROM pg_tview_meta_audit WHERE operation = 'drift'")
            .expect("the audit can be deleted");
        (reported, verified)
    }

    /// The number of TVIEWs that have been verified.
    fn verified(&mut self) -> i64 {
        let verified = self.value("SELECT count(verified_at) FROM pg_tview_status");
        verified.ok().and_then(|rows| rows.parse().ok()).unwrap_or(0)
    }

    fn change(&mut self, step: &Step) {
        for statement in &step.statements {
            if self.run(statement).is_err() {
                // Ends what was begun, if anything.
                let _ = self.run("ROLLBACK");
                return;
            }
        }
        // Shrinking may have taken the COMMIT away.
        if step.statements.iter().any(|statement| statement == "BEGIN") {
            let _ = self.run("ROLLBACK");
        }
    }

    /// First what is behind, through fresh views, and then what is not.
    fn compare(&mut self, script: &Script, steps: usize) -> Option<Failure> {
        for (tview, compared) in script.tviews.iter().enumerate() {
            // A view over the table of another TVIEW, perhaps through another view, returns what that table has.
            if ["tv_", "w0", "w1", "w2"]
                .iter()
                .any(|name| compared.sql.contains(name))
            {
                continue;
            }
            if let Some(text) = self.difference(compared, "fv") {
                return Some(Failure { tview, steps, text });
            }
        }
        let drained = self.run("CALL pg_tviews_drain()");
        for (number, tview) in script.tviews.iter().enumerate() {
            let text = match &drained {
                Ok(()) => self
                    .difference(tview, "tv")
                    .or_else(|| self.difference(tview, "fv")),
                Err(_) => self
                    .run(&format!("CALL pg_tviews_drain('{}')", tview.entity))
                    .err(),
            };
            if let Some(text) = text {
                return Some(Failure {
                    tview: number,
                    steps,
                    text,
                });
            }
        }
        drained.err().map(|text| Failure {
            tview: 0,
            steps,
            text,
        })
    }

    /// How a TVIEW, or its fresh view, differs from its view. A view that has stopped to have keys is not compared.
    fn difference(&mut self, tview: &Tview, prefix: &str) -> Option<String> {
        let entity = &tview.entity;
        let columns = match self.value(&format!(
            "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute \
             WHERE attrelid = 'v_{entity}'::regclass AND attnum > 0"
        )) {
            Ok(columns) => columns,
            Err(text) => return Some(text),
        };
        let rows = self.rows(&format!(
            "(SELECT 'missing', * FROM v_{entity} EXCEPT ALL SELECT 'missing', {columns} FROM {prefix}_{entity}) UNION ALL \
             (SELECT 'extra', {columns} FROM {prefix}_{entity} EXCEPT ALL SELECT 'extra', * FROM v_{entity}) ORDER BY 2, 1"
        ));
        match rows {
            Ok(rows) if rows.is_empty() => None,
            _ if self.has_keys(tview).is_err() || !self.is_stable(entity) => None,
            Ok(rows) => Some(rows.join("\n")),
            Err(text) => Some(text),
        }
    }

    /// Whether a view's rows are the same whatever the plan.
    fn is_stable(&mut self, entity: &str) -> bool {
        let kept = format!("CREATE TEMP TABLE as_planned AS SELECT * FROM v_{entity}");
        let plan = "SET enable_hashagg = off; SET enable_hashjoin = off; SET enable_mergejoin = off";
        let usual =
            "RESET enable_hashagg; RESET enable_hashjoin; RESET enable_mergejoin; DROP TABLE as_planned";
        let full_joins_need = "SET enable_mergejoin = on; SET enable_sort = on";
        let same = self
            .run(&kept)
            .and_then(|()| self.run(plan))
            .and_then(|()| self.run(full_joins_need));
        let differences = self.rows(&format!(
            "(TABLE v_{entity} EXCEPT ALL TABLE as_planned) UNION ALL (TABLE as_planned EXCEPT ALL TABLE v_{entity})"
        ));
        let _ = self.run(usual);
        same.is_ok() && differences.is_ok_and(|rows| rows.is_empty())
    }

    pub fn run(&mut self, sql: &str) -> Result<(), String> {
        self.client
            .batch_execute(sql)
            .map_err(|error| message(sql, &error))
    }

    /// The one value of the one row.
    pub fn value(&mut self, sql: &str) -> Result<String, String> {
        Ok(self.rows(sql)?.pop().unwrap_or_default())
    }

    fn rows(&mut self, sql: &str) -> Result<Vec<String>, String> {
        let messages = self
            .client
            .simple_query(sql)
            .map_err(|error| message(sql, &error))?;
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => {
                let values: Vec<&str> = (0..row.len()).map(|i| row.get(i).unwrap_or("~")).collect();
                Some(values.join(" | "))
            }
            _ => None,
        });
        Ok(rows.collect())
    }
}

fn message(sql: &str, error: &postgres::Error) -> String {
    match error.as_db_error() {
        Some(error) => format!(
            "{} ({}) {}\nin: {sql}",
            error.message(),
            error.code().code(),
            error.detail().unwrap_or_default()
        ),
        None => format!("{error:?}\nin: {sql}"),
    }
}
