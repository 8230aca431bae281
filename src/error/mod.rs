//! Messages for users, with SQLSTATE, message, detail and hint: those ready to be sent, and ERRORs that were
//! caught.

mod caught;
mod excerpt;
mod problem;
mod sqlstate;

pub use caught::Caught;
pub use excerpt::{shown, shown_message};
pub use problem::{OrRaise, Problem};
#[cfg(test)]
pub use sqlstate::letters;
pub use sqlstate::sqlstate;
