//! Code of a TVIEW's owner never meets what another role has prepared in a session: temporary objects, compiled
//! functions, settings.

mod cancels;
mod clean;
mod doors;
mod drain;
mod hosts;
mod keys;
mod locks;
mod logs;
mod planned;
mod settings;
mod shared_process;
mod sources;
mod views;

use std::sync::{Arc, Mutex, OnceLock};

use postgres::Client;

use crate::harness::{Ask, Cluster, Database, Options};

/// A cluster without workers: what is pending stays so.
fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| Cluster::start(Options::without_preload()))
}

/// Becomes a superuser if called with the rights of one.
const EVIL: &str = "RETURNS boolean LANGUAGE plpgsql AS $$
    BEGIN
        BEGIN EXECUTE 'ALTER ROLE ' || quote_ident(session_user) || ' SUPERUSER'; EXCEPTION WHEN OTHERS THEN NULL; END;
        RETURN true;
    END$$";

/// A schema `app` of the superuser, a TVIEW `app.item` over `app.shown` and `app.tb_item`, and a role that may write the
/// table, read the TVIEW, and make schemas.
struct Stage {
    database: Database<'static>,
    admin: Client,
    role: String,
}

fn stage(name: &str, objects: &str, view: &str) -> Stage {
    let database = Database::new(cluster(), name);
    let mut admin = database.client();
    let role = format!("{name}_mallory");
    admin.run(&format!(
        "DO $$BEGIN IF to_regrole('{role}') IS NULL THEN CREATE ROLE {role} LOGIN; END IF; END$$;
         ALTER ROLE {role} NOSUPERUSER;
         GRANT CREATE ON DATABASE {name} TO {role};
         CREATE SCHEMA app;
         CREATE TABLE app.tb_item (pk_item int PRIMARY KEY, n int NOT NULL);
         INSERT INTO app.tb_item VALUES (1, 1), (2, 2);
         CREATE TABLE app.rate (n int, label text);
         INSERT INTO app.rate VALUES (1, 'one');
         {objects};
         SELECT pg_tviews_create('app.item', $v${view}$v$);
         GRANT USAGE ON SCHEMA app TO {role};
         GRANT SELECT, INSERT, UPDATE ON app.tb_item TO {role};
         GRANT SELECT ON app.v_item, app.tv_item TO {role}"
    ));
    // On a busy machine the call above leaves the rows to a worker; nobody works here.
    admin.run("CALL pg_tviews_drain()");
    Stage {
        database,
        admin,
        role,
    }
}

/// Notices of a session.
#[derive(Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

impl Heard {
    /// What was said since the last call.
    fn text(&self) -> String {
        std::mem::take(&mut *self.0.lock().expect("nobody panicked")).join("\n")
    }
}

impl Stage {
    fn mallory(&self) -> Client {
        self.database.client_as(&self.role)
    }

    /// A session of the other role, and what the server says to it.
    fn listening(&self) -> (Client, Heard) {
        let heard = Heard::default();
        let notices = heard.0.clone();
        let client =
            self.database
                .cluster
                .client_as_with_notices(&self.database.name, &self.role, move |notice| {
                    let all = [Some(notice.message()), notice.detail(), notice.hint()];
                    let text = all.into_iter().flatten().collect::<Vec<_>>().join(" ");
                    notices.lock().expect("nobody panicked").push(text);
                });
        (client, heard)
    }

    #[track_caller]
    fn assert_harmless(&mut self, how: &str) {
        let role = &self.role;
        let sql = format!("SELECT rolsuper FROM pg_roles WHERE rolname = '{role}'");
        assert_eq!(self.admin.rows(&sql), ["f"], "a superuser by {how}");
    }
}
