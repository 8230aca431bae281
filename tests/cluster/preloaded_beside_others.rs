//! pg_tviews in shared_preload_libraries with other libraries whose hooks see the same statements, before and after it.

use crate::blog;
use crate::harness::{Ask, Cluster, Options};

/// Each library sees what the session does, and documents follow, in workers and inside the transaction.
fn works_with(libraries: &str) {
    let cluster = Cluster::start(
        Options::preloaded()
            .set("shared_preload_libraries", libraries)
            .set("pg_stat_statements.track", "all")
            .set("auto_explain.log_min_duration", "0")
            .set("auto_explain.log_nested_statements", "on")
            .set("auto_explain.log_analyze", "on"),
    );
    let (_database, mut client) = blog::open(&cluster, "beside");
    client.run("CREATE EXTENSION pg_stat_statements");
    client.run("BEGIN");
    client.run("UPDATE tb_user SET name = 'seen by all' WHERE pk_user = 1");
    let own = "SELECT data #>> '{author,name}' FROM tv_post WHERE fk_user = 1 LIMIT 1";
    assert_eq!(client.rows(own), ["seen by all"], "{libraries}");
    client.run("COMMIT");
    client.assert_follows(&blog::ENTITIES);
    let errors = "SELECT component, message FROM pg_tviews_health_check() WHERE status = 'ERROR'";
    assert_eq!(client.rows(errors), [""; 0], "{libraries}");
    let counted = "SELECT calls FROM pg_stat_statements WHERE query LIKE 'UPDATE tb_user SET name%'";
    assert_eq!(client.rows(counted), ["1"], "{libraries}");
    assert!(
        cluster
            .read_log()
            .contains("Query Text: UPDATE tb_user SET name = 'seen by all'"),
        "{libraries}: auto_explain has logged no plan"
    );
}

#[test]
fn others_before_it() {
    works_with("pg_stat_statements,auto_explain,pg_tviews");
}

#[test]
fn others_after_it() {
    works_with("pg_tviews,pg_stat_statements,auto_explain");
}
