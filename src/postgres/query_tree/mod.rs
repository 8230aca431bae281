//! PostgreSQL's analysed queries, read through enums. Handles point into the memory of the current
//! transaction: they are made, used and dropped within one analysis.

mod aggregate_calls;
mod alternatives;
mod build_expression;
mod calls;
mod expression;
mod group_lookup;
mod handles;
mod hidden_operators;
mod image;
mod join_tree;
mod key_query;
pub(in crate::postgres) mod lists;
mod plain_form;
mod policies;
mod push_down;
mod query_text;
mod ranges;
mod row_order;
mod search;
mod select;

pub use aggregate_calls::AggregateCall;
pub use calls::Calls;
pub use expression::{Column, Leaf, LinkKind, Op, SubLink, Survey};
pub use group_lookup::GroupLookup;
pub use handles::{Expr, Select};
pub use image::image_of_view;
pub use key_query::{key_query, KeyQueryParts};
pub use policies::PolicyCondition;
pub use ranges::{From, JoinKind, Range};
pub use search::{IndexColumn, Method};
pub use select::{Cte, Distinct, Target};
