//! The rows of `pg_tview_metrics` and `pg_tview_server_metrics`: one pass over shared memory, and bounded looks at tables.
//! Names and meanings are a contract with the queries of `monitoring`: columns are added at the end, never changed.

mod server;
mod tviews;

use crate::postgres::metrics::Metrics;

/// The rows of both views.
pub const METRICS: Metrics = Metrics {
    tviews: tviews::ROWS,
    server: server::ROWS,
};

fn seconds(micros: i64) -> f64 {
    micros as f64 / 1e6
}
