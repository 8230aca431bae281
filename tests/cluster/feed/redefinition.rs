//! A consumer follows what becomes of a TVIEW: truncation, redefinition, drop and creation.

use postgres::Client;

use super::feed_on;
use super::mirror::{Mirror, MIRRORED};
use crate::blog;
use crate::harness::{shared, Ask};

#[test]
fn a_mirror_follows_truncation_redefinition_and_creation() {
    let (database, mut client) = blog::open(shared(), "feed_ddl");
    for (entity, _) in MIRRORED {
        feed_on(&mut client, entity);
    }
    let mut mirror = Mirror::begin(&mut client);
    let mut other = database.client();
    let mut step = |client: &mut Client, sql: &str| {
        other.run(sql);
        client.run("SELECT pg_tviews_wait()");
        mirror.assert_equal(client);
        mirror.rows.len()
    };
    step(&mut client, "DELETE FROM tb_post WHERE pk_post > 25");
    assert_eq!(step(&mut client, "TRUNCATE tb_post"), 11);
    step(
        &mut client,
        "INSERT INTO tb_post (pk_post, fk_user, title) SELECT i, 1, 't' || i FROM generate_series(1, 50) i",
    );
    let upper = blog::TVIEWS[0].1.replace("'name', name", "'name', upper(name)");
    step(
        &mut client,
        &format!("SELECT pg_tviews_create('user', $${upper}$$)"),
    );
    assert_eq!(
        step(
            &mut client,
            "SELECT pg_tviews_drop('feed'), pg_tviews_drop('post')"
        ),
        11
    );
    step(
        &mut client,
        &format!(
            "SELECT pg_tviews_create('post', $${}$$); UPDATE pg_tview_meta SET feed = true WHERE entity_name = 'post'",
            blog::TVIEWS[1].1
        ),
    );
    assert_eq!(
        step(&mut client, "UPDATE tb_post SET likes = 7 WHERE pk_post < 9"),
        61
    );
    step(&mut client, "DROP TABLE tv_total");
}
