//! The change feed: a consumer that follows it has the rows of the TVIEW, whatever happens in between.

mod copy;
mod delivery;
mod mirror;
mod notifications;
mod redefinition;
mod retention;
mod soak;

use postgres::Client;

use crate::harness::Ask;

fn feed_on(client: &mut Client, entity: &str) {
    client.run(&format!(
        "UPDATE pg_tview_meta SET feed = true WHERE entity_name = '{entity}'"
    ));
}

/// What the feed has for a consumer, acknowledged.
fn take(client: &mut Client, consumer: &str) -> Vec<String> {
    let rows = client.rows(&format!(
        "SELECT entity_name, operation, key, token FROM pg_tviews_changes('{consumer}', 10000)"
    ));
    let mut changes = Vec::new();
    for row in &rows {
        let (change, token) = row.rsplit_once('|').expect("four columns");
        client.run(&format!("SELECT pg_tviews_ack('{consumer}', '{token}')"));
        changes.push(change.to_owned());
    }
    changes
}
