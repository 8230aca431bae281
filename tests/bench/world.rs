//! The blog that most scenarios share: the same data in several databases of one cluster, each maintained in another way.

use std::time::Duration;

use postgres::Client;

use crate::by_hand;
use crate::harness::{Ask, Cluster, Options};
use crate::scale::Scale;

/// No maintenance at all: the floor for writers.
pub const BARE: &str = "bare";
/// TVIEWs.
pub const OURS: &str = "ours";
/// Row triggers that recompute in the writer's transaction.
pub const TRIGGERS: &str = "triggers";
/// tv tables and materialized views that only change when told to: the floor for refreshes.
pub const TOLD: &str = "told";

/// Posts that no load changes: what a probe wrote there stays until it is seen.
pub const PROBED: i32 = 1000;

/// Names and queries of the TVIEWs: an embedded author; an array of children and counts; flat.
pub const TVIEWS: [(&str, &str); 3] = [
    (
        "post",
        "SELECT p.pk_post, p.fk_user,
                jsonb_build_object('title', p.title, 'body', p.body,
                                   'author', jsonb_build_object('id', u.pk_user, 'name', u.name)) AS data
           FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user",
    ),
    (
        "user",
        "SELECT u.pk_user,
                jsonb_build_object('name', u.name, 'posts', coalesce(posts.list, '[]'::jsonb), 'post_count', posts.number,
                    'comment_count', (SELECT count(*) FROM tb_comment c WHERE c.fk_user = u.pk_user)) AS data
           FROM tb_user u
          CROSS JOIN LATERAL (
                SELECT count(*) AS number,
                       jsonb_agg(jsonb_build_object('id', p.pk_post, 'title', p.title) ORDER BY p.pk_post) AS list
                  FROM tb_post p WHERE p.fk_user = u.pk_user) posts",
    ),
    (
        "comment",
        "SELECT c.pk_comment, c.fk_post, c.fk_user, jsonb_build_object('body', c.body, 'post', c.fk_post) AS data FROM tb_comment c",
    ),
];

/// Cluster and databases.
pub struct World {
    /// The server.
    pub cluster: Cluster,
    /// How much of everything.
    pub scale: Scale,
}

impl World {
    /// Starts the cluster, loads the data, maintains it in each way.
    pub fn create(scale: Scale) -> Self {
        let world = World {
            cluster: start_cluster(),
            scale,
        };
        eprintln!("loading {} posts", scale.posts);
        world
            .cluster
            .client("postgres")
            .run(&format!("CREATE DATABASE {BARE}"));
        world.load();
        for copy in [OURS, TRIGGERS, TOLD] {
            let copied = format!("CREATE DATABASE {copy} TEMPLATE {BARE} STRATEGY file_copy");
            patient(&world.cluster, "postgres").run(&copied);
        }
        by_hand::tables(&mut world.client(TRIGGERS));
        by_hand::triggers(&mut world.client(TRIGGERS));
        by_hand::tables(&mut world.client(TOLD));
        let mut ours = world.client(OURS);
        ours.run("CREATE EXTENSION pg_tviews");
        for (name, query) in TVIEWS {
            ours.run(&format!(
                "SELECT pg_tviews_create('{name}', $query${query}$query$)"
            ));
        }
        caught_up(&mut ours);
        for database in [BARE, OURS, TRIGGERS, TOLD] {
            world.client(database).run("VACUUM ANALYZE");
        }
        ours.run("CHECKPOINT");
        world
    }

    fn load(&self) {
        let Scale {
            users,
            posts,
            hub,
            comments,
            ..
        } = self.scale;
        self.client(BARE).run(&format!(
            "CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text NOT NULL);
             CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int NOT NULL, title text NOT NULL, body text NOT NULL,
                                   seen int NOT NULL DEFAULT 0);
             CREATE TABLE tb_comment (pk_comment int PRIMARY KEY, fk_post int NOT NULL, fk_user int NOT NULL, body text NOT NULL);
             INSERT INTO tb_user SELECT i, 'user ' || i FROM generate_series(1, {users}) i;
             INSERT INTO tb_post SELECT i, CASE WHEN i <= {hub} THEN 1 ELSE 2 + i % ({users} - 1) END, 'post ' || i, repeat('text ', 20)
               FROM generate_series(1, {posts}) i;
             INSERT INTO tb_comment SELECT i, 1 + i % {posts}, 1 + i % {users}, 'comment ' || i FROM generate_series(1, {comments}) i;
             CREATE INDEX ON tb_post (fk_user);
             CREATE INDEX ON tb_comment (fk_post);
             CREATE INDEX ON tb_comment (fk_user);
             ALTER TABLE tb_post ADD FOREIGN KEY (fk_user) REFERENCES tb_user;
             ALTER TABLE tb_comment ADD FOREIGN KEY (fk_post) REFERENCES tb_post, ADD FOREIGN KEY (fk_user) REFERENCES tb_user"
        ));
        self.client(BARE).run("VACUUM ANALYZE");
    }

    /// A script: the title of a post of an ordinary user; the user with many posts has scenarios of its own. The last
    /// posts are [`PROBED`].
    pub fn change_of_a_post(&self) -> String {
        format!(
            "\\set id random({}, {})\n\\set n random(1, 1000000000)\nUPDATE tb_post SET title = 'title ' || :n WHERE pk_post = :id;\n",
            self.scale.hub + 1,
            self.scale.posts - PROBED - 1
        )
    }

    /// A script: the same posts, a column that no view reads.
    pub fn change_no_view_reads(&self) -> String {
        format!(
            "\\set id random({}, {})\nUPDATE tb_post SET seen = seen + 1 WHERE pk_post = :id;\n",
            self.scale.hub + 1,
            self.scale.posts
        )
    }

    /// A script: the name of an ordinary user.
    pub fn rename(&self) -> String {
        format!(
            "\\set id random(2, {})\n\\set n random(1, 1000000000)\nUPDATE tb_user SET name = 'name ' || :n WHERE pk_user = :id;\n",
            self.scale.users
        )
    }

    /// A connection without time limits.
    pub fn client(&self, database: &str) -> Client {
        patient(&self.cluster, database)
    }

    /// Every measurement is worth something only if the tables are right after it.
    pub fn assert_right(&self) {
        let mut ours = self.client(OURS);
        caught_up(&mut ours);
        ours.assert_views_equal(&["post", "user", "comment"]);
    }
}

/// A cluster with durable commits.
pub fn start_cluster() -> Cluster {
    Cluster::start(durable())
}

/// Durable commits, as in production: the writer's cost is a share of what it really pays.
pub fn durable() -> Options {
    Options::preloaded()
        .set("fsync", "on")
        .set("shared_buffers", "512MB")
        .set("max_wal_size", "8GB")
        .set("checkpoint_timeout", "1h")
        .set("pg_tviews.max_tviews", "2000")
}

/// A connection without time limits.
pub fn patient(cluster: &Cluster, database: &str) -> Client {
    let mut client = cluster.client(database);
    client.run("SET statement_timeout = 0; SET lock_timeout = 0");
    client
}

/// Waits until every TVIEW shows all that is committed; how long that took.
pub fn caught_up(client: &mut Client) -> Duration {
    let begin = std::time::Instant::now();
    let there: bool = client.one("SELECT pg_tviews_wait(timeout => '20 minutes')");
    assert!(there, "TVIEWs did not catch up");
    begin.elapsed()
}
