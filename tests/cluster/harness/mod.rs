//! Real clusters for the tests: start, break, restart and ask them. Nothing here knows a test.

mod ask;
mod binaries;
mod cluster;
mod database;
mod folder;
mod load;
mod memory;
mod random;
mod template;

pub use ask::{Ask, WAIT};
pub use binaries::{
    older_server, pg_repack, pgbouncer, pgtap, python_with, repository, send_signal, server_program, warn,
    VERSION,
};
pub use cluster::{Cluster, Options, StopMode};
pub use database::{shared, Database};
pub use folder::Folder;
pub use load::{Load, Plan};
pub use memory::{in_contexts, process_status};
pub use random::Random;
