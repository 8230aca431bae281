//! Tests on real clusters: what needs commits, workers, several sessions, crashes or shell scripts.
//!
//! The extension must be installed in the server whose `pg_config` is `PG_CONFIG` (default: the one that cargo-pgrx knows).
//! A test disturbs nobody: it has a database of its own, or a cluster of its own where it needs one.

mod harness;
mod inheritance;

mod backlog;
mod blog;

mod cancels;
mod cases;
mod comparisons;
mod concurrency;
mod consistency;
mod crash;
mod database_commands;
mod ddl;
mod ddl_catalogs;
mod documented;
mod dump_restore;
mod failures;
mod feed;
mod foreign_keys;
mod fresh_views;
mod guide;
mod health;
mod large_queries;
mod large_transactions;
mod lifecycle;
mod lock_crossings;
mod locks_of_others;
mod long_running;
mod look_alikes;
mod many_tviews;
mod memory;
mod metrics;
mod monitoring;
mod ordinary_roles;
mod out_of_memory;
mod partitions;
mod physical_copies;
mod policies;
mod preloaded_beside_others;
mod previews;
mod prometheus;
mod promises;
mod queue_blocks;
mod queue_full;
mod random_queries;
mod random_views;
mod reads_with_a_promise;
mod redefinition;
mod replication;
mod running_aggregates;
mod security;
mod sharing;
mod slow_documents;
mod strangers;
mod time_limits;
mod tokens;
mod two_phase;
mod unrelated_ddl;
mod unrelated_ddl_cost;
mod upgrade;
mod versions;
mod waiting;
mod worker_slots;
mod workers;
mod writers_go_on;
