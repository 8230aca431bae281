//! A check that the installation script calls. The script drops the function at its end.

use pgrx::prelude::*;

use crate::error::Problem;
use crate::postgres::extension;

#[pg_extern(sql = false)]
fn pg_tviews_check_encoding() {
    if let Some(encoding) = extension::other_encoding() {
        Problem::new(
            PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
            format!("pg_tviews needs a database in UTF8, this one is in {encoding}"),
        )
        .hint("Run CREATE DATABASE ... TEMPLATE template0 ENCODING 'UTF8'; and move the data there with pg_dump.")
        .raise();
    }
}
