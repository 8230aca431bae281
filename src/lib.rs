//! pg_tviews keeps every `tv_*` table equal to its `v_*` view, asynchronously.
//!
//! ```text
//! capture -> queue -> refresh -> tv table, audit
//!               ^        ^
//!               worker drives both; catalog says what exists; lineage says what a change means; explain and health tell users
//! ```

pub mod error;
pub mod settings;

pub mod capture;
pub mod queue;
pub mod refresh;
pub mod worker;

pub mod catalog;
pub mod lineage;

pub mod explain;
pub mod health;

mod api;

pub mod postgres;

::pgrx::pg_module_magic!(name, version);

::pgrx::extension_sql_file!("../sql/install/relations.sql", name = "relations", bootstrap);
::pgrx::extension_sql_file!(
    "../sql/install/status.sql",
    name = "status",
    requires = ["relations"]
);
::pgrx::extension_sql_file!(
    "../sql/install/privileges.sql",
    name = "privileges",
    requires = ["triggers", "status"]
);
::pgrx::extension_sql_file!("../sql/install/comments.sql", name = "comments", finalize);

/// Called once per process that loads the library.
#[allow(non_snake_case)]
#[pgrx::pg_guard]
pub extern "C-unwind" fn _PG_init() {
    postgres::process::no_backtraces();
    settings::init();
    capture::init();
    worker::init();
}

/// What `cargo pgrx test` asks for.
#[cfg(test)]
pub mod pg_test {
    pub fn setup(_options: Vec<&str>) {}

    pub fn postgresql_conf_options() -> Vec<&'static str> {
        Vec::new()
    }
}
