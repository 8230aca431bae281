//! The SQL functions: each is thin, one line into the module that does the work.

mod feed;
mod install;
mod manage;
mod observe;
mod report;
mod running;
mod synchronise;
mod triggers;
