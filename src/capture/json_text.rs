//! JSON written byte by byte. Works in every server encoding: none of them uses ASCII bytes inside a
//! multibyte character, so quoting needs no conversion to UTF-8.

/// Appends `text` as a JSON string.
pub fn push_string(out: &mut Vec<u8>, text: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    for &byte in text {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            0..0x20 => {
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
            }
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

/// Whether this `json` value is certainly accepted by `jsonb`, which refuses some escapes (`\u0000`, lone
/// surrogates) and numbers out of range. A refusal would come while the writer commits, so doubt means no.
pub fn is_plain(json: &[u8]) -> bool {
    const LONGEST: usize = 8192;
    let mut in_string = false;
    let mut bytes = json.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match (byte, bytes.peek()) {
            (b'"', _) => in_string = !in_string,
            (b'\\', Some(b'u')) => return false,
            (b'\\', _) => drop(bytes.next()),
            (b'0'..=b'9' | b'.', Some(b'e' | b'E')) if !in_string => return false,
            _ => {}
        }
    }
    json.len() <= LONGEST
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quoted(text: &[u8]) -> String {
        let mut out = Vec::new();
        push_string(&mut out, text);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn strings_read_back_as_written() {
        for text in [
            "",
            "plain",
            "quo\"te \\ back\\slash",
            "line\nfeed\ttab\u{1}\u{1f}\r",
            "žluťoučký 🐎",
        ] {
            assert_eq!(
                serde_json::from_str::<String>(&quoted(text.as_bytes())).unwrap(),
                text
            );
        }
    }

    #[test]
    fn other_encodings_pass_unchanged() {
        let mut out = Vec::new();
        push_string(&mut out, b"caf\xe9");
        assert_eq!(out, b"\"caf\xe9\"");
    }

    #[test]
    fn json_that_jsonb_might_refuse_is_not_plain() {
        assert!(is_plain(br#"{"a": [1, 2.5, "3e4 \" \\", null]}"#));
        assert!(!is_plain(br#""\u0000""#));
        assert!(!is_plain(b"1e999999"));
        assert!(!is_plain(b"[1.E5]"));
        assert!(is_plain(br#"{"0e0c": "7E2"}"#));
        assert!(!is_plain(&[b'1'; 200_000]));
    }
}
