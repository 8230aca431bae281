//! Long texts cut to what a message repeats of them, or what is kept of them.

/// Bytes that a message repeats of a value that a user has written, which may have megabytes.
const MOST_OF_A_VALUE: usize = 100;
/// Bytes that a message repeats of one by PostgreSQL, which may repeat such a value.
const MOST_OF_A_MESSAGE: usize = 1000;
/// Bytes that are kept of each part of a caught ERROR: functions of users raise messages of any length.
const MOST_KEPT: usize = 64 << 10;

/// The beginning of a value that a user has written, for a message.
pub fn shown(value: &str) -> String {
    cut(value, MOST_OF_A_VALUE)
}

/// The beginning of a message by PostgreSQL, for another message.
pub fn shown_message(message: &str) -> String {
    cut(message, MOST_OF_A_MESSAGE)
}

/// The part of a message that is kept.
pub fn kept(text: &str) -> String {
    cut(text, MOST_KEPT)
}

fn cut(text: &str, most: usize) -> String {
    if text.len() > most {
        format!("{}...", &text[..text.floor_char_boundary(most)])
    } else {
        text.to_string()
    }
}
