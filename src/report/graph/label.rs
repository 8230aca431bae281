//! Names in the text of a graph.

/// Control characters become their pictures, and characters that change the direction of the text are replaced.
/// Otherwise a name could end a line of the text, or show as another name.
pub fn visible(name: &str) -> String {
    name.chars().map(picture).collect()
}

fn picture(c: char) -> char {
    match c {
        '\0'..='\u{1f}' => char::from_u32(0x2400 + c as u32).unwrap_or('\u{fffd}'),
        '\u{7f}' => '\u{2421}',
        '\u{80}'..='\u{9f}' | '\u{2028}' | '\u{2029}' => '\u{fffd}',
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::visible;

    #[test]
    fn names_stay_on_their_line() {
        assert_eq!(visible("public.tv_post"), "public.tv_post");
        assert_eq!(visible("a\nb\tc\u{7f}"), "a\u{240a}b\u{2409}c\u{2421}");
        assert_eq!(visible("ž\u{202e}x\u{2028}🐎"), "ž\u{fffd}x\u{fffd}🐎");
    }
}
