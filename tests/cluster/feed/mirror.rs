//! A consumer that has its rows in memory, outside the database.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use postgres::{Client, Error, IsolationLevel};

use crate::harness::{Ask, Database};

/// TVIEWs that are mirrored, with their key.
pub const MIRRORED: [(&str, &str); 3] = [("user", "pk_user"), ("post", "pk_post"), ("total", "pk_total")];

/// Rows by table and key, as a program outside the database has them.
#[derive(Default)]
pub struct Mirror {
    pub rows: BTreeMap<(String, i64), String>,
}

impl Mirror {
    /// Subscribes and reads the tables, in one transaction. A subscription of that name is replaced: whoever had
    /// it has lost its rows.
    pub fn try_begin(client: &mut Client) -> Result<Mirror, Error> {
        let mut mirror = Mirror::default();
        let mut transaction = client
            .build_transaction()
            .isolation_level(IsolationLevel::RepeatableRead)
            .start()?;
        transaction.batch_execute(
            "SELECT pg_tviews_unsubscribe(consumer) FROM pg_tview_consumer WHERE consumer = 'mirror';
             SELECT pg_tviews_subscribe('mirror', '{user,post,total}')",
        )?;
        for (entity, key) in MIRRORED {
            for row in
                transaction.query(&format!("SELECT {key}::bigint, data::text FROM tv_{entity}"), &[])?
            {
                mirror.rows.insert((entity.to_owned(), row.get(0)), row.get(1));
            }
        }
        transaction.commit()?;
        Ok(mirror)
    }

    pub fn begin(client: &mut Client) -> Mirror {
        Mirror::try_begin(client).expect("subscribed")
    }

    /// Applies some changes, and then acknowledges them. Returns how many there were. The mirror has them before that
    /// is committed: should the commit be lost, they come again.
    fn follow(&mut self, client: &mut Client, max_rows: i32) -> Result<usize, Error> {
        let mut transaction = client
            .build_transaction()
            .isolation_level(IsolationLevel::RepeatableRead)
            .start()?;
        let changes = transaction.query(
            "SELECT entity_name, key::text, token FROM pg_tviews_changes('mirror', $1)",
            &[&max_rows],
        )?;
        let Some(last) = changes.last() else {
            return Ok(0);
        };
        let mut rows = self.rows.clone();
        for change in &changes {
            let (entity, key): (String, Option<String>) = (change.get(0), change.get(1));
            let column = MIRRORED
                .iter()
                .find(|(name, _)| *name == entity)
                .expect("subscribed")
                .1;
            let exists: bool = transaction
                .query_one("SELECT to_regclass($1) IS NOT NULL", &[&format!("tv_{entity}")])?
                .get(0);
            let filter = match &key {
                Some(key) => format!("{column} = ('{key}'::jsonb->>'{column}')::bigint"),
                None => "true".to_owned(),
            };
            rows.retain(|(of, at), _| match &key {
                Some(key) => *of != entity || !key.ends_with(&format!(" {at}}}")),
                None => *of != entity,
            });
            if exists {
                let sql = format!("SELECT {column}::bigint, data::text FROM tv_{entity} WHERE {filter}");
                for row in transaction.query(&sql, &[])? {
                    rows.insert((entity.clone(), row.get(0)), row.get(1));
                }
            }
        }
        let token: String = last.get(2);
        self.rows = rows;
        transaction.execute("SELECT pg_tviews_ack('mirror', $1)", &[&token])?;
        transaction.commit()?;
        Ok(changes.len())
    }

    /// Follows until it is to end, through crashes, and through its own if `kill` says so. Returns the number of
    /// changes taken.
    pub fn follow_until(&mut self, at: &Database, end: &AtomicBool, kill: &AtomicBool) -> usize {
        let (mut client, mut taken) = (None, 0);
        let mut is_lost = false;
        while !end.load(Ordering::Relaxed) || is_lost {
            let Some(mut connection) = client.take().or_else(|| at.try_client().ok()) else {
                std::thread::sleep(Duration::from_millis(50));
                continue;
            };
            if kill.swap(false, Ordering::Relaxed) {
                // It has changes, has acknowledged them, and is gone before the commit, with all its rows.
                let work = "BEGIN; SELECT pg_tviews_ack('mirror', max(token)) FROM pg_tviews_changes('mirror', 1) HAVING count(*) > 0";
                let _ = connection.batch_execute(work);
                is_lost = true;
                continue;
            }
            let followed = if is_lost {
                Mirror::try_begin(&mut connection).map(|anew| {
                    (*self, is_lost) = (anew, false);
                    0
                })
            } else {
                self.follow(&mut connection, 7)
            };
            match followed {
                Ok(some) => {
                    taken += some;
                    client = Some(connection);
                }
                // A deadlock with DDL, perhaps; a lost connection is replaced.
                Err(_) if !connection.is_closed() => client = Some(connection),
                Err(_) => {}
            }
            std::thread::sleep(Duration::from_millis(3));
        }
        taken
    }

    /// Follows to the end, and compares.
    #[track_caller]
    pub fn assert_equal(&mut self, client: &mut Client) {
        while self.follow(client, 1000).expect("follows") > 0 {}
        let mut now = Mirror::default();
        for (entity, key) in MIRRORED {
            if !client.one::<bool>(&format!("SELECT to_regclass('tv_{entity}') IS NOT NULL")) {
                continue;
            }
            for row in client
                .query(&format!("SELECT {key}::bigint, data::text FROM tv_{entity}"), &[])
                .expect("rows")
            {
                now.rows.insert((entity.to_owned(), row.get(0)), row.get(1));
            }
        }
        for (key, row) in &now.rows {
            assert_eq!(self.rows.get(key), Some(row), "{key:?} in the mirror");
        }
        assert_eq!(self.rows.len(), now.rows.len(), "the mirror has more rows");
    }
}
