//! pg_tviews keeps every `tv_*` table equal to its `v_*` view, asynchronously.
//!
//! Each folder imports only folders above it in this list (`tests/floors` makes sure):
//!
//! ```text
//! json        bytes of JSON and jsonb
//! postgres    the only unsafe: what PostgreSQL calls, and facts
//! wake        what writers and workers share: shared memory, ticks, latches
//! catalog     what TVIEWs are
//! lineage     view -> key queries
//! queue    2  change keys, from commit to refresh
//! capture  1  row -> key -> buffer -> queue
//! refresh  3  keys -> rows of the tv table, audit, change feed
//! define      how TVIEWs are created, changed and dropped
//! preview     read your own writes
//! session     what a session asks for
//! explain     what changes of a source would cost
//! report      what an operator asks for: graph, cost
//! verify      compares tables with their views in the background
//! worker      launcher and workers: drive queue and refresh
//! health      what is wrong, and what to type about it
//! api         the SQL functions
//! ```
//!
//! What PostgreSQL calls is registered here, so that `postgres` knows none of the others.

pub mod error;
pub mod settings;

mod api;
#[deny(unsafe_code)]
pub mod capture;
#[deny(unsafe_code)]
pub mod catalog;
#[deny(unsafe_code)]
pub mod define;
#[deny(unsafe_code)]
pub mod explain;
#[deny(unsafe_code)]
pub mod health;
#[deny(unsafe_code)]
pub mod json;
#[deny(unsafe_code)]
pub mod lineage;
pub mod postgres;
#[deny(unsafe_code)]
pub mod preview;
#[deny(unsafe_code)]
pub mod queue;
#[deny(unsafe_code)]
pub mod refresh;
#[deny(unsafe_code)]
pub mod report;
#[deny(unsafe_code)]
pub mod session;
#[deny(unsafe_code)]
pub mod verify;
#[deny(unsafe_code)]
pub mod wake;
#[deny(unsafe_code)]
pub mod worker;

use catalog::announce;
use postgres::hooks::{
    dropped_tables, executor, executor_finish, function_calls, insistent_cancel, invalidation,
    parse_analysis, transaction_events, utility,
};
use postgres::process::{self, background_worker};
use postgres::triggers;

::pgrx::pg_module_magic!(name, version);

::pgrx::extension_sql_file!("../sql/install/relations.sql", name = "relations", bootstrap);
::pgrx::extension_sql_file!(
    "../sql/install/privileges.sql",
    name = "privileges",
    requires = ["triggers", "status", "metrics"]
);
::pgrx::extension_sql_file!("../sql/install/comments.sql", name = "comments", finalize);

/// Called once per process that loads the library.
#[allow(non_snake_case)]
#[pgrx::pg_guard]
pub extern "C-unwind" fn _PG_init() {
    process::memory::init();
    process::no_backtraces();
    settings::init(process::preloading(), postgres::short_text_setting::define);
    // The library may be loaded late, even inside a savepoint.
    transaction_events::register(&[
        capture::HANDLERS,
        capture::bulk_load::HANDLERS,
        announce::HANDLERS,
        preview::HANDLERS,
        session::behind::HANDLERS,
        session::feed::read_here::HANDLERS,
        session::throttle::HANDLERS,
        insistent_cancel::HANDLERS,
    ]);
    invalidation::register(&[
        postgres::extension::forget,
        capture::plan::CapturePlan::forget,
        capture::bulk_load::forget,
        postgres::relation_changes::note,
        catalog::tview_cache::forget,
    ]);
    parse_analysis::install();
    function_calls::install();
    dropped_tables::install();
    triggers::capture::register(capture::capture);
    triggers::unqueued::register(capture::unqueued::HANDLERS);
    postgres::queue_scan::register(wake::queue_blocks::KNOWN);
    postgres::metrics::register(catalog::metrics::METRICS);
    executor::install(executor::Before {
        is_bounded: settings::bounds_staleness,
        keep_bound: session::promise::query::before,
        preview: preview::before,
    });
    executor_finish::install();
    executor::watch_writes(executor::Writes {
        are_watched: || capture::bulk_load::is_any() || session::throttle::may_delay(),
        before: |tables| {
            session::throttle::before_write(tables);
            capture::bulk_load::before_write();
        },
        after: capture::bulk_load::after_write,
    });
    postgres::fresh_view::register(session::behind::answers, define::fresh_source::check_queries);
    utility::install(utility::Handlers {
        before_exclusive_use: worker::database_ddl::send_workers_away,
        databases_changed: worker::database_ddl::look_for_databases,
        prepared_committed: wake::signal::everything_changed,
        extension_changed: announce::catalog_change,
        extension_dropped: define::ddl_events::extension_dropped,
        rights_changed: define::ddl_events::rights_changed,
        query_to_copy: preview::copy::query,
        create_table_as: define::create_table_as::create,
    });
    background_worker::register(background_worker::Mains {
        launcher: worker::launcher::main,
        worker: worker::refresher::main,
    });
    // Without shared memory and launcher signals do nothing, and `CALL pg_tviews_drain()` does the workers'
    // job.
    if process::preloading() && !process::binary_upgrade() {
        process::shared_memory::reserve(wake::ALL);
        background_worker::register_launcher();
    }
}

/// What `cargo pgrx test` asks for.
#[cfg(test)]
pub mod pg_test {
    pub fn setup(_options: Vec<&str>) {}

    pub fn postgresql_conf_options() -> Vec<&'static str> {
        Vec::new()
    }
}
