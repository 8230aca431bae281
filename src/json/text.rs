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

/// Appends a document so that the text of the value is the document: a string as the text of a string, and no
/// null.
pub fn push_document(out: &mut Vec<u8>, document: &[u8]) {
    if document.starts_with(b"\"") || document == b"null" {
        push_string(out, document);
    } else {
        out.extend_from_slice(document);
    }
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
    fn the_text_of_a_document_is_the_document() {
        for document in [
            r#"{"a": [1.50, null]}"#,
            r#""text \" with quotes""#,
            "null",
            "-0.10",
            "true",
            "[]",
        ] {
            let mut out = Vec::new();
            push_document(&mut out, document.as_bytes());
            let read = match serde_json::from_slice(&out).unwrap() {
                serde_json::Value::String(text) => text,
                serde_json::Value::Null => panic!("a null is no value"),
                _ => String::from_utf8(out).unwrap(),
            };
            assert_eq!(read, document);
        }
    }

    #[test]
    fn other_encodings_pass_unchanged() {
        let mut out = Vec::new();
        push_string(&mut out, b"caf\xe9");
        assert_eq!(out, b"\"caf\xe9\"");
    }
}
