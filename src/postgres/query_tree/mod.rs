//! PostgreSQL's analysed queries, read through enums. Handles point into the memory of the current
//! transaction: they are made, used and dropped within one analysis.

mod alternatives;
mod build_expression;
mod calls;
mod expression;
mod handles;
mod image;
mod key_query;
pub(in crate::postgres) mod lists;
mod plain_form;
mod policies;
mod push_down;
mod query_text;
mod ranges;
mod search;
mod select;

pub use calls::Calls;
pub use expression::{Column, Leaf, LinkKind, Op, SubLink, Survey};
pub use handles::{Expr, Select};
pub use image::image_of_view;
pub use key_query::{key_query, KeyQueryParts};
pub use policies::PolicyCondition;
pub use ranges::{From, JoinKind, Range};
pub use search::{IndexColumn, Method};
pub use select::{Cte, Distinct, Target};
