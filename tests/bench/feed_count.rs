//! What the change feed adds to the instructions of a refresh. They do not depend on what else the machine does.

use crate::count::{stop_vacuumed, SingleUser};
use crate::harness::{Ask, Cluster};
use crate::in_memory::{create_tview, load_posts};
use crate::pairs::settle;
use crate::report::{Reach, Report};
use crate::scale::Scale;
use crate::world::{caught_up, durable, patient};

const ON: &str = "feed_on";
const OFF: &str = "feed_off";
/// Users of the data, with 25 posts each.
const USERS: i32 = 400;
/// Refreshes of one row: few and many.
const TIMES: [i32; 2] = [40, 140];
/// Rows of one refresh.
const ROWS: [i32; 2] = [1_000, 9_000];

/// Refreshes of one row, and of many in one batch.
pub fn measure(_: &Scale, report: &mut Report) {
    let cluster = Cluster::start(durable().set("autovacuum", "off"));
    for database in [ON, OFF] {
        patient(&cluster, "postgres").run(&format!("CREATE DATABASE {database}"));
        let mut client = patient(&cluster, database);
        load_posts(&mut client, USERS);
        client.run("CREATE EXTENSION pg_tviews");
        create_tview(&mut client);
        if database == ON {
            client.run("UPDATE pg_tview_meta SET feed = true; SELECT pg_tviews_subscribe('consumer')");
        }
        caught_up(&mut client);
        settle(&mut client);
    }
    let Some(server) = SingleUser::of(&cluster) else {
        return;
    };
    stop_vacuumed(&cluster, [ON, OFF]);
    // Less an update of a column that no view reads, with a drain that finds nothing.
    let one = |column: &'static str| {
        move |times: i32| -> String {
            let refresh = |i| {
                format!("UPDATE tb_post SET {column} WHERE pk_post = {i}\nCALL pg_tviews_drain('post')\n")
            };
            (1..=times).map(refresh).collect()
        }
    };
    let [on, off] = [ON, OFF].map(|database| {
        let each = |column| server.each(database, one(column), TIMES);
        each("title = title || '.'") - each("seen = seen + 1")
    });
    add(report, "one row per refresh, feed on", on, off);
    let many = |rows: i32| format!("UPDATE tb_post SET title = title || '.' WHERE pk_post <= {rows}\n");
    let refreshed = |rows: i32| many(rows) + "CALL pg_tviews_drain('post')\n";
    let [on, off] =
        [ON, OFF].map(|database| server.each(database, refreshed, ROWS) - server.each(database, many, ROWS));
    add(report, "one row of many in a refresh, feed on", on, off);
}

fn add(report: &mut Report, scenario: &str, on: f64, off: f64) {
    let seen = format!("{on:.0} / {off:.0}");
    let measure = "instructions / feed off";
    report.add(scenario, measure, on / off, Reach::AtMost(1.05), seen);
}
