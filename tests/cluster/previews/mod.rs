//! Read your own writes: what a query sees of its own transaction in tv tables.

mod functions;
mod limits;
mod random;
mod statements;
mod together;

use std::sync::{Arc, Mutex};

use postgres::error::DbError;
use postgres::Client;

use crate::blog;
use crate::harness::{shared, Ask, Database};

/// Isolation levels, as BEGIN takes them.
const LEVELS: [&str; 3] = ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"];

/// The blog, with everything applied.
fn open(name: &str) -> (Database<'static>, Client) {
    let (database, mut client) = blog::open(shared(), name);
    client.assert_follows(&blog::ENTITIES);
    (database, client)
}

/// The name that a TVIEW shows.
fn name(client: &mut Client, tview: &str, key: i64) -> Vec<String> {
    client.rows(&format!(
        "SELECT data->>'name' FROM tv_{tview} WHERE pk_{tview} = {key}"
    ))
}

/// What the server has said to a connection.
type Notices = Arc<Mutex<Vec<DbError>>>;

/// A connection, and what the server says to it.
fn listen(database: &Database) -> (Client, Notices) {
    let notices = Notices::default();
    let heard = notices.clone();
    let client = database
        .cluster
        .client_with_notices(&database.name, move |notice| heard.lock().unwrap().push(notice));
    (client, notices)
}

/// What was said since the last call.
fn said(notices: &Notices) -> Vec<String> {
    let heard = std::mem::take(&mut *notices.lock().unwrap());
    let text = |notice: &DbError| format!("{}: {}", notice.message(), notice.detail().unwrap_or(""));
    heard.iter().map(text).collect()
}
