//! JSON arrays of flat objects, read without a copy. Works in every server encoding, see [`super::text`].

/// A value that needs no unescaping and no arithmetic beyond 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    Null,
    Bool(bool),
    Integer(i64),
    Text(&'a [u8]),
}

/// Names and values, in the order of the text.
pub type Members<'a> = Vec<(&'a [u8], Value<'a>)>;

/// Reads an array object by object. Functions return None for other JSON, and for text that is not JSON.
pub struct Reader<'a> {
    rest: &'a [u8],
    /// Whether an object has been read.
    begun: bool,
}

impl<'a> Reader<'a> {
    /// At the begin of an array.
    pub fn new(json: &'a [u8]) -> Option<Self> {
        let mut reader = Reader {
            rest: json,
            begun: false,
        };
        reader.expect(b'[')?;
        Some(reader)
    }

    /// Puts the members of the next object into `members`; false: there is none, and nothing after the array.
    pub fn object(&mut self, members: &mut Members<'a>) -> Option<bool> {
        members.clear();
        if self.take(b']') {
            return self.at_end().then_some(false);
        }
        if self.begun {
            self.expect(b',')?;
        }
        self.begun = true;
        self.expect(b'{')?;
        while !self.take(b'}') {
            if !members.is_empty() {
                self.expect(b',')?;
            }
            self.expect(b'"')?;
            let name = self.text()?;
            self.expect(b':')?;
            members.push((name, self.value()?));
        }
        Some(true)
    }

    fn value(&mut self) -> Option<Value<'a>> {
        self.skip_spaces();
        match self.rest.first()? {
            b'"' => {
                self.rest = &self.rest[1..];
                self.text().map(Value::Text)
            }
            b'-' | b'0'..=b'9' => self.integer(),
            _ => {
                const WORDS: [(&[u8], Value); 3] = [
                    (b"null", Value::Null),
                    (b"true", Value::Bool(true)),
                    (b"false", Value::Bool(false)),
                ];
                let (word, value) = WORDS.into_iter().find(|(word, _)| self.rest.starts_with(word))?;
                self.rest = &self.rest[word.len()..];
                Some(value)
            }
        }
    }

    /// The rest of a string whose first quote has been read.
    fn text(&mut self) -> Option<&'a [u8]> {
        let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
        let end = self.rest.iter().position(special)?;
        let text = &self.rest[..end];
        let quote = self.rest[end] == b'"';
        self.rest = &self.rest[end + 1..];
        quote.then_some(text)
    }

    /// A number that ends here: without a fraction or an exponent.
    fn integer(&mut self) -> Option<Value<'a>> {
        const MOST_DIGITS: usize = 18;
        let negative = self.take(b'-');
        let count = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = self.rest.split_at(count);
        let canonical = matches!(digits, [b'0'] | [b'1'..=b'9', ..]) && count <= MOST_DIGITS;
        let ends = matches!(rest.first(), Some(b',' | b'}' | b' '));
        if !canonical || !ends {
            return None;
        }
        self.rest = rest;
        let add = |number, digit: &u8| number * 10 + i64::from(digit - b'0');
        let number = digits.iter().fold(0, add);
        Some(Value::Integer(if negative { -number } else { number }))
    }

    fn at_end(&mut self) -> bool {
        self.skip_spaces();
        self.rest.is_empty()
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.take(byte).then_some(())
    }

    fn take(&mut self, byte: u8) -> bool {
        self.skip_spaces();
        let there = self.rest.first() == Some(&byte);
        if there {
            self.rest = &self.rest[1..];
        }
        there
    }

    fn skip_spaces(&mut self) {
        while let [b' ', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Option<Vec<Members<'_>>> {
        let mut reader = Reader::new(json.as_bytes())?;
        let (mut objects, mut members) = (Vec::new(), Vec::new());
        while reader.object(&mut members)? {
            objects.push(members.clone());
        }
        Some(objects)
    }

    #[test]
    fn flat_objects_are_read() {
        let read = read(r#"[{"a": 1,"b":"x y", "c" : null},{},{"d": true, "e": false, "f": -20 } ]"#);
        let expected: Vec<Members> = vec![
            vec![
                (b"a", Value::Integer(1)),
                (b"b", Value::Text(b"x y")),
                (b"c", Value::Null),
            ],
            vec![],
            vec![
                (b"d", Value::Bool(true)),
                (b"e", Value::Bool(false)),
                (b"f", Value::Integer(-20)),
            ],
        ];
        assert_eq!(read, Some(expected));
    }

    #[test]
    fn other_json_is_refused() {
        let others = [
            "", "[", "{}", "[]]", "[{}", "[{},]", "[,{}]", "[{}{}]", "[1]", "null", "[{}] x",
        ];
        assert!(others.iter().all(|json| read(json).is_none()));
        let values = [
            "1.5",
            "1e3",
            "01",
            "-",
            "--1",
            "1234567890123456789",
            "[]",
            "{}",
            r#""\n""#,
            r#""\"""#,
            "\"\n\"",
            "\"",
            "nul",
            "nullx",
            "+1",
            "1x",
            "",
            "\t1",
            "1,",
            "truefalse",
        ];
        for value in values {
            assert!(read(&format!("[{{\"a\": {value}}}]")).is_none(), "{value}");
        }
    }
}
