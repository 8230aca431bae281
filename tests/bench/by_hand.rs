//! What people write themselves: the same tv tables kept by row triggers, by set-based statements, as materialized views.

use postgres::Client;

use crate::harness::Ask;
use crate::world::TVIEWS;

/// Views and tv tables with the same contents as ours.
pub fn tables(client: &mut Client) {
    for (name, query) in TVIEWS {
        client.run(&format!(
            "SET pg_tviews.create_table_as = off;
             CREATE VIEW v_{name} AS {query};
             CREATE TABLE tv_{name} AS SELECT * FROM v_{name};
             ALTER TABLE tv_{name} ADD PRIMARY KEY (pk_{name})"
        ));
    }
}

/// Row triggers that recompute each affected row in the writer's transaction.
pub fn triggers(client: &mut Client) {
    client.run(
        "CREATE FUNCTION post_changed() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             IF OLD.fk_user = NEW.fk_user AND OLD.title = NEW.title AND OLD.body = NEW.body THEN RETURN NULL; END IF;
             UPDATE tv_post t SET fk_user = v.fk_user, data = v.data FROM v_post v
              WHERE v.pk_post = NEW.pk_post AND t.pk_post = v.pk_post;
             UPDATE tv_user t SET data = v.data FROM v_user v
              WHERE v.pk_user IN (OLD.fk_user, NEW.fk_user) AND t.pk_user = v.pk_user;
             RETURN NULL;
         END $$;
         CREATE FUNCTION user_changed() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             UPDATE tv_post t SET data = v.data FROM v_post v
              WHERE v.fk_user = NEW.pk_user AND t.pk_post = v.pk_post;
             UPDATE tv_user t SET data = v.data FROM v_user v
              WHERE v.pk_user = NEW.pk_user AND t.pk_user = v.pk_user;
             RETURN NULL;
         END $$;
         CREATE TRIGGER post_changed AFTER UPDATE ON tb_post FOR EACH ROW EXECUTE FUNCTION post_changed();
         CREATE TRIGGER user_changed AFTER UPDATE ON tb_user FOR EACH ROW EXECUTE FUNCTION user_changed()",
    );
}

/// The rows a rename of a user changes, in one statement for each table.
pub fn refresh_user(client: &mut Client, user: i32) {
    client.run(&format!(
        "UPDATE tv_post t SET data = v.data FROM v_post v WHERE v.fk_user = {user} AND t.pk_post = v.pk_post;
         UPDATE tv_user t SET data = v.data FROM v_user v WHERE v.pk_user = {user} AND t.pk_user = v.pk_user"
    ));
}

/// The rows that changes of these posts change, in one statement for each table.
pub fn refresh_posts(client: &mut Client, first: i32, last: i32) {
    client.run(&format!(
        "UPDATE tv_post t SET fk_user = v.fk_user, data = v.data FROM v_post v
          WHERE v.pk_post BETWEEN {first} AND {last} AND t.pk_post = v.pk_post;
         UPDATE tv_user t SET data = v.data FROM v_user v
          WHERE v.pk_user IN (SELECT fk_user FROM tb_post WHERE pk_post BETWEEN {first} AND {last}) AND t.pk_user = v.pk_user"
    ));
}

/// The comments named in the table `changed`, in one statement.
pub fn upsert_comments(client: &mut Client) {
    client.run(
        "INSERT INTO tv_comment (pk_comment, fk_post, fk_user, data)
         SELECT v.* FROM v_comment v JOIN changed USING (pk_comment)
             ON CONFLICT (pk_comment) DO UPDATE SET fk_post = excluded.fk_post, fk_user = excluded.fk_user, data = excluded.data",
    );
}

/// Materialized views of the same contents.
pub fn materialized_views(client: &mut Client) {
    for (name, _) in TVIEWS {
        client.run(&format!(
            "CREATE MATERIALIZED VIEW mv_{name} AS SELECT * FROM v_{name};
             CREATE UNIQUE INDEX ON mv_{name} (pk_{name})"
        ));
    }
}
