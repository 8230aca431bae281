//! What tests ask a connection: run, read, expect an error, wait, compare.

use std::time::{Duration, Instant};

use postgres::error::DbError;
use postgres::types::FromSqlOwned;
use postgres::{Client, SimpleQueryMessage};

/// Long enough for a slow machine, short enough to notice a hang.
pub const WAIT: Duration = Duration::from_secs(30);

/// Questions whose unexpected answer is the failure of the test.
pub trait Ask {
    /// Runs statements; several in one text form one transaction.
    fn run(&mut self, sql: &str);
    /// The one value of the one row.
    fn one<T: FromSqlOwned>(&mut self, sql: &str) -> T;
    /// Every row as text, columns separated by `|`, NULL as `~`.
    fn rows(&mut self, sql: &str) -> Vec<String>;
    /// The error of a statement that must fail.
    fn fails(&mut self, sql: &str) -> DbError;
    /// Waits until a condition holds and returns how long it took.
    fn wait_until(&mut self, condition: &str, timeout: Duration) -> Duration;
    /// The oracle: both differences between view and table are empty.
    fn assert_equal(&mut self, view: &str, table: &str, columns: &str);
    /// Waits for everything committed, then compares TVIEWs with their views in their common columns.
    fn assert_follows(&mut self, entities: &[&str]);
    /// Compares TVIEWs with their views as they are now.
    fn assert_views_equal(&mut self, entities: &[&str]);
    /// The queue gives up what every TVIEW has absorbed.
    fn assert_queue_empties(&mut self);
    /// Process ids of the refresh workers of this database.
    fn workers(&mut self) -> Vec<i32>;
    /// The same once the usual two run: small TVIEWs are right before the workers of a new database start.
    fn started_workers(&mut self) -> Vec<i32>;
}

impl Ask for Client {
    #[track_caller]
    fn run(&mut self, sql: &str) {
        if let Err(error) = self.batch_execute(sql) {
            panic!("{sql}\n{error:?}");
        }
    }

    #[track_caller]
    fn one<T: FromSqlOwned>(&mut self, sql: &str) -> T {
        match self.query_one(sql, &[]).and_then(|row| row.try_get(0)) {
            Ok(value) => value,
            Err(error) => panic!("{sql}\n{error:?}"),
        }
    }

    #[track_caller]
    fn rows(&mut self, sql: &str) -> Vec<String> {
        let messages = match self.simple_query(sql) {
            Ok(messages) => messages,
            Err(error) => panic!("{sql}\n{error:?}"),
        };
        let mut rows = Vec::new();
        for message in messages {
            if let SimpleQueryMessage::Row(row) = message {
                let values: Vec<&str> = (0..row.len()).map(|i| row.get(i).unwrap_or("~")).collect();
                rows.push(values.join("|"));
            }
        }
        rows
    }

    #[track_caller]
    fn fails(&mut self, sql: &str) -> DbError {
        match self.batch_execute(sql) {
            Ok(()) => panic!("should have failed: {sql}"),
            Err(error) => match error.as_db_error() {
                Some(error) => error.clone(),
                None => panic!("{sql}\n{error:?}"),
            },
        }
    }

    #[track_caller]
    fn wait_until(&mut self, condition: &str, timeout: Duration) -> Duration {
        let begin = Instant::now();
        let sql = format!("SELECT coalesce(({condition}), false)");
        while !self.one::<bool>(&sql) {
            assert!(
                begin.elapsed() < timeout,
                "not true within {timeout:?}: {condition}"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
        begin.elapsed()
    }

    #[track_caller]
    fn assert_equal(&mut self, view: &str, table: &str, columns: &str) {
        let differences = self.rows(&format!(
            "(SELECT 'only in view', {columns} FROM {view} EXCEPT ALL SELECT 'only in view', {columns} FROM {table})
             UNION ALL
             (SELECT 'only in table', {columns} FROM {table} EXCEPT ALL SELECT 'only in table', {columns} FROM {view})
             ORDER BY 2, 1 LIMIT 20"
        ));
        assert!(
            differences.is_empty(),
            "{table} is not {view} ({columns}):\n{}",
            differences.join("\n")
        );
    }

    #[track_caller]
    fn assert_follows(&mut self, entities: &[&str]) {
        assert!(
            self.one::<bool>("SELECT pg_tviews_wait()"),
            "pg_tviews_wait gave up"
        );
        self.assert_views_equal(entities);
    }

    #[track_caller]
    fn assert_views_equal(&mut self, entities: &[&str]) {
        for entity in entities {
            let meta = self.rows(&format!(
                "SELECT view_oid::regclass, tview_oid::regclass,
                        (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)
                           FROM pg_attribute a JOIN pg_attribute b USING (attname)
                          WHERE a.attrelid = view_oid AND b.attrelid = tview_oid AND a.attnum > 0 AND b.attnum > 0
                            AND NOT a.attisdropped AND NOT b.attisdropped)
                   FROM pg_tview_meta WHERE tview_oid = to_regclass('{entity}') OR entity_name = '{entity}'"
            ));
            let [meta] = meta.as_slice() else {
                panic!("not one TVIEW {entity}: {meta:?}")
            };
            let parts: Vec<&str> = meta.split('|').collect();
            self.assert_equal(parts[0], parts[1], parts[2]);
        }
    }

    #[track_caller]
    fn assert_queue_empties(&mut self) {
        self.wait_until("SELECT count(*) = 0 FROM pg_tview_queue", Duration::from_secs(10));
    }

    #[track_caller]
    fn workers(&mut self) -> Vec<i32> {
        let sql = "SELECT pid FROM pg_stat_activity WHERE datname = current_database()
                      AND backend_type LIKE 'pg_tviews%' ORDER BY pid";
        match self.query(sql, &[]) {
            Ok(rows) => rows.iter().map(|row| row.get(0)).collect(),
            Err(error) => panic!("{sql}\n{error:?}"),
        }
    }

    #[track_caller]
    fn started_workers(&mut self) -> Vec<i32> {
        let sql = "SELECT count(*) = 2 FROM pg_stat_activity WHERE datname = current_database()
                      AND backend_type LIKE 'pg_tviews%'";
        self.wait_until(sql, WAIT);
        self.workers()
    }
}
