//! A small change while a large backlog of the same TVIEW is worked off: from commit to visible. Once by keys, once by a
//! comparison of all rows, which more than a million changes lead to.

use std::time::{Duration, Instant};

use crate::harness::Ask;
use crate::latency::{report_percentiles, Probe};
use crate::report::Report;
use crate::scale::Scale;
use crate::world::{caught_up, patient, start_cluster};

const DATABASE: &str = "postgres";
/// How many keys there are is known.
const IS_LOOKED_UP: &str = "SELECT count(keys_total) > 0 FROM pg_tview_progress";
/// The default bound.
const BOUND: f64 = 250.0;

/// The rows of the probe are before all others, and none of the backlog.
pub fn measure(scale: &Scale, report: &mut Report) {
    let cluster = start_cluster();
    let mut client = patient(&cluster, DATABASE);
    let probed = scale.load / 10;
    let rows = probed + scale.load / 10 * 11;
    client.run(&format!(
        "CREATE EXTENSION pg_tviews;
         CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text);
         CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int, title text);
         INSERT INTO tb_user SELECT i, 'user ' || i FROM generate_series(1, 10000) i;
         INSERT INTO tb_post SELECT i, 1 + i % 10000, 'post ' || i FROM generate_series(1, {rows}) i;
         CREATE INDEX ON tb_post (fk_user)"
    ));
    client.run("VACUUM ANALYZE");
    client.run(
        "SELECT pg_tviews_create('post', 'SELECT p.pk_post, jsonb_build_object(''title'', p.title, ''author'', u.name) AS data
                                            FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user')",
    );
    caught_up(&mut client);
    let probe = Probe {
        cluster: &cluster,
        database: DATABASE,
        update: "UPDATE tb_post SET title = $1 WHERE pk_post = $2",
        look: "SELECT data->>'title' = $1 FROM tv_post WHERE pk_post = $2",
        keys: 1..probed,
        pause: Duration::from_millis(20),
        look_every: Duration::from_millis(1),
    };
    for changed in [scale.load, scale.load / 10 * 11] {
        let first = rows - changed + 1;
        client.run("VACUUM ANALYZE tb_post, tv_post");
        client.run(&format!(
            "UPDATE tb_post SET title = title || '.' WHERE pk_post >= {first}"
        ));
        let token: String = client.one("SELECT pg_tviews_token()");
        let begin = Instant::now();
        let mut reader = patient(&cluster, DATABASE);
        let mut is_done =
            || reader.one::<bool>(&format!("SELECT pg_tviews_wait_for('{token}', 'post', '1 ms')"));
        let (mut seen, mut looked_up) = (Vec::new(), None);
        while !is_done() {
            seen.extend(probe.commits(1));
            if looked_up.is_none() && client.one::<bool>(IS_LOOKED_UP) {
                looked_up = Some(begin.elapsed());
            }
        }
        let looked_up = looked_up.unwrap_or_default();
        caught_up(&mut client);
        let scenario = format!("one row while {changed} are worked off");
        report_percentiles(report, &scenario, &mut seen, (BOUND, BOUND), Some(BOUND));
        eprintln!(
            "looking up what is affected took {:.1} s, the rest {:.1} s",
            looked_up.as_secs_f64(),
            (begin.elapsed() - looked_up).as_secs_f64()
        );
    }
    client.assert_views_equal(&["post"]);
}
