//! SQL from inside the server: statements prepared once and kept, parameters as values, results by column.

mod elements;
mod execute;
mod rows;
mod session;
mod statement;
mod value;

pub use elements::Elements;
pub use execute::{under_active_snapshot, under_one_snapshot, Access};
pub use rows::Rows;
pub use session::{run_for_user, session, text_for_user};
pub use statement::{run, stream_once, Statement};
pub use value::Value;
