//! Whether the library works with the SQL objects of the extension in this database, by their versions.
//!
//! ```text
//! objects of                                              the library
//! the version of the library                              works
//! an older version, from OLDEST on                        works; ALTER EXTENSION pg_tviews UPDATE is due
//! an even older one, or a newer one with other objects    leaves changes in the queue
//! ```
//!
//! Versions that differ in the third number only have the same objects.

use pgrx::PgSqlErrorCode;

use crate::error::Problem;
use crate::postgres::extension;

/// The version of the library.
pub const LIBRARY: &str = env!("CARGO_PKG_VERSION");

/// The oldest version whose SQL objects this library works with.
const OLDEST: [u32; 3] = [0, 1, 0];

/// How the SQL objects of the extension fit the library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    Same,
    /// They work, and are to be updated.
    Older,
    /// They work with this library, which is the older one.
    Newer,
    /// They do not work with this library any more.
    TooOld,
    /// They do not work with this library yet.
    TooNew,
}

impl Fit {
    /// Whether the library works with the objects.
    pub fn works(self) -> bool {
        !matches!(self, Fit::TooOld | Fit::TooNew)
    }

    fn of(extension: &str, library: &str) -> Fit {
        if extension == library {
            return Fit::Same;
        }
        let (extension, library) = (numbers(extension), numbers(library));
        if extension < OLDEST {
            Fit::TooOld
        } else if extension < library {
            Fit::Older
        } else if extension[..2] == library[..2] {
            Fit::Newer
        } else {
            Fit::TooNew
        }
    }
}

/// What is no number counts as 0, and so as too old.
fn numbers(version: &str) -> [u32; 3] {
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    [(); 3].map(|()| parts.next().unwrap_or(0))
}

/// The version of the extension in this database, and how it fits.
pub fn of_extension() -> Option<(String, Fit)> {
    let version = extension::version()?;
    let fit = Fit::of(&version, LIBRARY);
    Some((version, fit))
}

/// An error if the library does not work with the SQL objects in this database.
pub fn check() -> Result<(), Problem> {
    match of_extension() {
        Some((version, fit)) if !fit.works() => Err(mismatch(&version, fit)),
        _ => Ok(()),
    }
}

fn mismatch(version: &str, fit: Fit) -> Problem {
    let problem = Problem::new(
        PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
        format!("the library of pg_tviews does not work with version {version} of the extension"),
    );
    let problem = problem.detail(format!(
        "The library is of version {LIBRARY}. Changes wait in pg_tview_queue."
    ));
    match fit {
        Fit::TooNew => problem.hint(format!(
            "Install the package of version {version}, and restart the server."
        )),
        _ => problem.hint("Run ALTER EXTENSION pg_tviews UPDATE;"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_two_numbers_tell_whether_objects_are_newer() {
        for (extension, library, fit) in [
            ("1.4.2", "1.4.2", Fit::Same),
            ("1.4.1", "1.4.2", Fit::Older),
            ("1.3.9", "1.4.2", Fit::Older),
            ("0.1.0", "1.4.2", Fit::Older),
            ("1.4.10", "1.4.9", Fit::Newer),
            ("1.10.0", "1.9.0", Fit::TooNew),
            ("2.0.0", "1.4.2", Fit::TooNew),
            ("0.0.9", "0.2.0", Fit::TooOld),
            ("unknown", "0.2.0", Fit::TooOld),
        ] {
            assert_eq!(Fit::of(extension, library), fit, "{extension} with {library}");
        }
    }
}
