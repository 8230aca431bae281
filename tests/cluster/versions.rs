//! What later versions of PostgreSQL have, and sessions or workers meet. What one session shows is in
//! `tests/pg_regress`, in files called `since_18_...`.
#![cfg(any(feature = "pg17", feature = "pg18"))]

use crate::harness::{shared, Ask, Cluster, Database, Options, WAIT};

#[test]
fn what_a_login_event_trigger_writes_is_followed() {
    let database = Database::new(shared(), "login_event_trigger");
    let mut client = database.client();
    client.run(
        "CREATE TABLE tb_login (pk_login int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, who text, kind text);
         SELECT pg_tviews_create('login', 'SELECT pk_login, who FROM tb_login');
         CREATE FUNCTION note_login() RETURNS event_trigger LANGUAGE plpgsql AS
         $$BEGIN INSERT INTO public.tb_login (who, kind) SELECT session_user, backend_type FROM pg_stat_activity WHERE pid = pg_backend_pid(); END$$;
         CREATE EVENT TRIGGER on_login ON login EXECUTE FUNCTION note_login();
         ALTER EVENT TRIGGER on_login ENABLE ALWAYS",
    );
    client.started_workers();
    let mut second = database.client();
    second.wait_until("SELECT count(*) >= 1 FROM tv_login", WAIT);
    client.assert_follows(&["login"]);
    // Workers do not log in.
    assert_eq!(
        client.rows("SELECT DISTINCT kind FROM tb_login"),
        ["client backend"]
    );
    client.run("DROP EVENT TRIGGER on_login");
}

#[test]
fn transaction_timeout_ends_no_refresh() {
    let cluster = Cluster::start(Options::preloaded());
    let database = Database::new(&cluster, "transaction_timeout");
    let mut client = database.client();
    client.run(
        "CREATE TABLE tb_slow (pk_slow int PRIMARY KEY, n int);
         INSERT INTO tb_slow VALUES (1, 0);
         CREATE FUNCTION slowly(n int) RETURNS int LANGUAGE plpgsql AS
         $$BEGIN IF n > 0 THEN PERFORM pg_sleep(1.5); END IF; RETURN n; END$$;
         SELECT pg_tviews_create('slow', 'SELECT pk_slow, slowly(n) AS n FROM tb_slow')",
    );
    client.started_workers();
    client.run("ALTER SYSTEM SET transaction_timeout = '400ms'");
    client.run("ALTER DATABASE transaction_timeout SET transaction_timeout = '400ms'");
    client.run("SELECT pg_reload_conf()");
    client.run("UPDATE tb_slow SET n = 1");
    client.wait_until("SELECT n = 1 FROM tv_slow", WAIT);
    assert!(!cluster.read_log().contains("due to transaction timeout"));
}
