//! Every setting (`pg_tviews.*`), with its typed accessor: a file for each subject. The two that size shared memory need a
//! restart. All others take effect on reload.

mod definitions;
mod feed;
mod kinds;
mod memory;
mod reads;
mod refreshes;
mod verification;
mod workers;
mod writes;

pub use definitions::*;
pub use feed::*;
pub use kinds::DefineShortText;
pub use memory::*;
pub use reads::*;
pub use refreshes::*;
pub use verification::*;
pub use workers::*;
pub use writes::*;

/// Registers every setting; the prefix is reserved afterwards, so a misspelt name is reported.
pub fn init(preloading: bool, define_short_text: DefineShortText) {
    workers::define();
    refreshes::define();
    writes::define(define_short_text);
    reads::define();
    definitions::define();
    feed::define();
    verification::define();
    memory::define();
    // Without preloading there is no shared memory to size. A session that loads the library late may not
    // define settings of this kind.
    if preloading {
        memory::define_sizes();
    }
}
