//! What an operator asks for: which TVIEWs read what ([`graph`]), and which changes cost most ([`cost`]).

pub mod cost;
pub mod graph;
