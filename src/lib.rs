//! pg_tviews keeps every `tv_*` table equal to its `v_*` view, asynchronously.
//!
//! ```text
//! capture -> queue -> refresh -> tv table, audit
//!               ^        ^
//!               worker drives both; catalog says what exists; lineage says what a change means; explain and health tell users
//!
//! capture -> preview -> tv table, for the transaction itself before it commits
//! ```

#[deny(unsafe_code)]
pub mod error;
#[deny(unsafe_code)]
pub mod settings;

#[deny(unsafe_code)]
pub mod capture;
#[deny(unsafe_code)]
pub mod preview;
#[deny(unsafe_code)]
pub mod queue;
#[deny(unsafe_code)]
pub mod refresh;
#[deny(unsafe_code)]
pub mod worker;

#[deny(unsafe_code)]
pub mod catalog;
#[deny(unsafe_code)]
pub mod lineage;

#[deny(unsafe_code)]
pub mod explain;
#[deny(unsafe_code)]
pub mod health;

mod api;

pub mod postgres;

::pgrx::pg_module_magic!(name, version);

::pgrx::extension_sql_file!("../sql/install/relations.sql", name = "relations", bootstrap);
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
    postgres::memory::init();
    postgres::process::no_backtraces();
    settings::init();
    // The library may be loaded late, even inside a savepoint.
    postgres::xact::register(&[capture::HANDLERS, preview::HANDLERS]);
    postgres::invalidation::register(&[
        postgres::extension::forget,
        capture::capture_plan::CapturePlan::forget,
        postgres::relation_changes::note,
        catalog::known::forget,
    ]);
    postgres::named::install();
    postgres::dropped_tables::install();
    preview::init();
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
