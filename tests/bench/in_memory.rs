//! Databases whose writers wait for no disk, so that what capture costs is seen whole: posts, one TVIEW of a post with its
//! author, and the same without.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::harness::{Ask, Cluster};
use crate::pairs::{settle, Writers};
use crate::scale::Scale;
use crate::world::{caught_up, durable, patient, BARE, OURS};

/// The same TVIEW as in [`OURS`], paused: only capture.
pub const PAUSED: &str = "paused";
/// Clients where nothing else is said.
pub const CLIENTS: usize = 2;
/// Posts of each user.
const POSTS: i32 = 25;
/// Where Linux has a file system in memory.
const MEMORY: &str = "/dev/shm";
/// What the data, the log up to a checkpoint, and the memory of the server take.
const ROOM: u64 = 5 << 30;

/// Cluster and databases.
pub struct InMemory {
    /// The server.
    pub cluster: Cluster,
    /// How much of everything.
    pub scale: Scale,
    in_memory: bool,
}

/// A script of writers, and its name.
pub struct Script {
    /// In the names of scenarios.
    pub name: &'static str,
    /// For pgbench.
    pub text: String,
}

impl InMemory {
    /// Starts the cluster and loads the data.
    pub fn create(scale: Scale) -> Self {
        let in_memory = has_room();
        if !in_memory {
            eprintln!(
                "{MEMORY} is no tmpfs with {} GB of room: the data is on a disk, so synchronous_commit = on is left out",
                ROOM >> 30
            );
        }
        let options = durable()
            // Checkpoints come between scenarios.
            .set("max_wal_size", "2GB")
            // Counting the changes of a paused TVIEW takes CPU.
            .set("pg_tviews.max_backlog", "0");
        let cluster = Cluster::start(match in_memory {
            true => options.below(Path::new(MEMORY)),
            false => options,
        });
        let world = Self {
            cluster,
            scale,
            in_memory,
        };
        let mut client = patient(&world.cluster, "postgres");
        client.run(&format!("CREATE DATABASE {BARE}"));
        load_posts(&mut patient(&world.cluster, BARE), scale.users);
        for copy in [OURS, PAUSED] {
            client.run(&format!(
                "CREATE DATABASE {copy} TEMPLATE {BARE} STRATEGY file_copy"
            ));
            let mut client = patient(&world.cluster, copy);
            client.run("CREATE EXTENSION pg_tviews");
            create_tview(&mut client);
        }
        for database in [BARE, OURS, PAUSED] {
            patient(&world.cluster, database).run("VACUUM ANALYZE");
        }
        world
    }

    /// Values of the writers' setting that are measured. On a disk, commits that wait for it would be what is measured.
    pub fn synchronous_commit(&self) -> &'static [&'static str] {
        match self.in_memory {
            true => self.scale.synchronous_commit,
            false => &["off"],
        }
    }

    /// The name of a scenario.
    pub fn scenario(&self, synchronous_commit: &str, rest: &str) -> String {
        let place = if self.in_memory { "in memory" } else { "on disk" };
        format!("{place}, synchronous_commit {synchronous_commit}: {rest}")
    }

    /// Writers of a script, after a checkpoint and a first second that counts for none: pages are logged whole then.
    pub fn writers<'a>(&'a self, script: &'a Script, synchronous_commit: &'static str) -> Writers<'a> {
        let writers = Writers {
            cluster: &self.cluster,
            script: &script.text,
            options: match synchronous_commit {
                "on" => "-c synchronous_commit=on",
                _ => "-c synchronous_commit=off",
            },
            slice: self.scale.slice,
            settle: true,
        };
        patient(&self.cluster, PAUSED).run("CHECKPOINT");
        for database in [BARE, OURS, PAUSED] {
            writers.load(database, CLIENTS).run(Duration::from_secs(1));
        }
        let mut ours = patient(&self.cluster, OURS);
        caught_up(&mut ours);
        settle(&mut ours);
        writers
    }

    /// Makes the TVIEW of [`PAUSED`] anew, and pauses it. Without the extension in between, nothing is left of its backlog.
    pub fn pause_anew(&self) {
        let mut client = patient(&self.cluster, PAUSED);
        client.run("SELECT pg_tviews_drop('post')");
        client.run("DROP EXTENSION pg_tviews");
        client.run("CREATE EXTENSION pg_tviews");
        client.run("VACUUM tb_post");
        create_tview(&mut client);
        client.run("SELECT pg_tviews_pause('post')");
    }

    /// The title of a post.
    pub fn change_of_a_post(&self) -> Script {
        Script {
            name: "single-row UPDATE",
            text: format!(
                "\\set id random(1, {})\n\\set n random(1, 1000000000)\nUPDATE tb_post SET title = 'title ' || :n WHERE pk_post = :id;\n",
                self.scale.users * POSTS
            ),
        }
    }

    /// A column of a post that the view does not read.
    pub fn change_no_view_reads(&self) -> Script {
        Script {
            name: "UPDATE of a column no view reads",
            text: format!(
                "\\set id random(1, {})\nUPDATE tb_post SET seen = seen + 1 WHERE pk_post = :id;\n",
                self.scale.users * POSTS
            ),
        }
    }

    /// The name of a user.
    pub fn rename(&self) -> Script {
        Script {
            name: "rename of a user with 25 posts",
            text: format!(
                "\\set id random(1, {})\n\\set n random(1, 1000000000)\nUPDATE tb_user SET name = 'name ' || :n WHERE pk_user = :id;\n",
                self.scale.users
            ),
        }
    }

    /// Every measurement is worth something only if the table is right after it.
    pub fn assert_right(&self) {
        let mut client = patient(&self.cluster, OURS);
        caught_up(&mut client);
        client.assert_views_equal(&["post"]);
    }
}

/// Users with [`POSTS`] each. Without foreign keys, whose triggers would make writers without TVIEWs slower, too.
pub fn load_posts(client: &mut postgres::Client, users: i32) {
    let posts = users * POSTS;
    client.run(&format!(
        "CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text NOT NULL);
         CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int NOT NULL, title text NOT NULL, body text NOT NULL,
                               seen int NOT NULL DEFAULT 0);
         INSERT INTO tb_user SELECT i, 'user ' || i FROM generate_series(1, {users}) i;
         INSERT INTO tb_post SELECT i, 1 + i % {users}, 'post ' || i, repeat('text ', 20) FROM generate_series(1, {posts}) i;
         CREATE INDEX ON tb_post (fk_user)"
    ));
    client.run("VACUUM ANALYZE");
}

/// A post with its author.
pub fn create_tview(client: &mut postgres::Client) {
    let (name, query) = crate::world::TVIEWS[0];
    client.run(&format!(
        "SELECT pg_tviews_create('{name}', $query${query}$query$)"
    ));
    caught_up(client);
}

/// Whether the file system in memory, and the memory, have room.
fn has_room() -> bool {
    let mut stat = Command::new("stat");
    let answer = stat.args(["--file-system", "--format=%T %a %S", MEMORY]).output();
    let answer = answer.map_or(String::new(), |output| {
        String::from_utf8_lossy(&output.stdout).into_owned()
    });
    let words: Vec<&str> = answer.split_whitespace().collect();
    let [kind, blocks, size] = words.as_slice() else {
        return false;
    };
    let bytes = |text: &str| text.parse::<u64>().unwrap_or(0);
    *kind == "tmpfs" && bytes(blocks) * bytes(size) > ROOM && available_memory() > ROOM
}

fn available_memory() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kilobytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}
