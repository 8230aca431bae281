//! SQLSTATEs as their five letters and digits.

use pgrx::PgSqlErrorCode;

/// The letters and digits of an error code.
pub fn sqlstate(code: PgSqlErrorCode) -> String {
    letters(code as i32)
}

/// PostgreSQL packs six bits for each into one number.
pub fn letters(code: i32) -> String {
    (0..5)
        .map(|n| char::from((((code >> (6 * n)) & 0x3f) as u8) + b'0'))
        .collect()
}
