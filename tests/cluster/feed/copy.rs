//! A consumer whose rows are in the database: effect and acknowledgement are one transaction, so a change takes
//! effect once. Two programs work as this consumer at the same time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use postgres::{Client, Error};

use super::mirror::MIRRORED;
use crate::harness::{Ask, Database};

/// The copies, what has taken effect, and a function that applies some changes.
const CREATE: &str = "
CREATE TABLE copy (entity text, key bigint, data text, PRIMARY KEY (entity, key));
CREATE TABLE effect (entity text, operation text, key text, changed_at timestamptz);
CREATE FUNCTION apply_changes() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    change record;
    last   text;
    taken  bigint := 0;
BEGIN
    FOR change IN SELECT *, 'pk_' || entity_name AS name, (c.key ->> ('pk_' || entity_name))::bigint AS of
                    FROM pg_tviews_changes('copy', 11) c LOOP
        INSERT INTO effect VALUES (change.entity_name, change.operation, coalesce(change.key::text, ''), change.changed_at);
        DELETE FROM copy WHERE entity = change.entity_name AND (change.of IS NULL OR key = change.of);
        IF to_regclass('tv_' || change.entity_name) IS NOT NULL THEN
            EXECUTE format('INSERT INTO copy SELECT %L, %I, data::text FROM %I WHERE $1 IS NULL OR %2$I = $1',
                           change.entity_name, change.name, 'tv_' || change.entity_name) USING change.of;
        END IF;
        last := change.token;
        taken := taken + 1;
    END LOOP;
    IF taken > 0 THEN
        PERFORM pg_tviews_ack('copy', last);
    END IF;
    RETURN taken;
END$$;
";

/// Subscribes, and copies the tables.
pub fn begin(client: &mut Client) {
    client.run(CREATE);
    client.run(
        "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT pg_tviews_subscribe('copy', '{user,post,total}')",
    );
    for (entity, key) in MIRRORED {
        client.run(&format!(
            "INSERT INTO copy SELECT '{entity}', {key}, data::text FROM tv_{entity}"
        ));
    }
    client.run("COMMIT");
}

fn apply(client: &mut Client, isolation: &str) -> Result<i64, Error> {
    let mut transaction = client.transaction()?;
    transaction.batch_execute(&format!("SET TRANSACTION ISOLATION LEVEL {isolation}"))?;
    let taken = transaction.query_one("SELECT apply_changes()", &[])?.get(0);
    transaction.commit()?;
    Ok(taken)
}

/// Applies changes until it is to end, through crashes.
pub fn apply_until(at: &Database, isolation: &str, end: &AtomicBool) {
    let mut client = None;
    while !end.load(Ordering::Relaxed) {
        let Some(mut connection) = client.take().or_else(|| at.try_client().ok()) else {
            std::thread::sleep(Duration::from_millis(50));
            continue;
        };
        match apply(&mut connection, isolation) {
            Ok(_) => client = Some(connection),
            // The other program was faster, perhaps; a lost connection is replaced.
            Err(_) => client = (!connection.is_closed()).then_some(connection),
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Applies the rest, and compares. No change has taken effect twice.
#[track_caller]
pub fn assert_equal(client: &mut Client) {
    while apply(client, "READ COMMITTED").expect("applied") > 0 {}
    for (entity, key) in MIRRORED {
        let differences = format!(
            "SELECT * FROM (SELECT {key}::bigint AS key, data::text FROM tv_{entity}) t
               FULL JOIN (SELECT key, data FROM copy WHERE entity = '{entity}') c USING (key)
              WHERE t.data IS DISTINCT FROM c.data"
        );
        let rows = client.rows(&differences);
        assert!(rows.is_empty(), "the copy of {entity} differs: {rows:?}");
    }
    let twice = client.rows("SELECT *, count(*) FROM effect GROUP BY 1, 2, 3, 4 HAVING count(*) > 1");
    assert!(twice.is_empty(), "changes that took effect twice: {twice:?}");
}
