//! `jsonb` from JSON text in the encoding of the database.

use pgrx::pg_sys::{self, Datum};

use crate::json::jsonb_image;

/// A value of the type.
pub(super) enum Jsonb {
    /// Laid out here.
    Image(Vec<u8>),
    /// Made by PostgreSQL, in the memory context that was current.
    Parsed(Datum),
}

impl Jsonb {
    /// Raises what `jsonb_in` raises.
    ///
    /// # Safety
    /// There must be a current memory context, as there always is in a server process.
    pub(super) unsafe fn from_text(json: &[u8]) -> Jsonb {
        match jsonb_image::of_array(json) {
            Some(image) => Jsonb::Image(image),
            // SAFETY: the copy ends with a NUL byte. Key text holds no other: PostgreSQL's text types cannot.
            None => Jsonb::Parsed(unsafe { parse(terminated(json)) }),
        }
    }

    /// To be read as long as this lives.
    pub(super) fn datum(&self) -> Datum {
        match self {
            Jsonb::Image(image) => Datum::from(image.as_ptr()),
            Jsonb::Parsed(datum) => *datum,
        }
    }
}

/// `json` ends with a NUL byte.
unsafe fn parse(json: *mut u8) -> Datum {
    // SAFETY: callers pass a text that ends with a NUL byte.
    unsafe {
        let json = Some(Datum::from(json));
        pgrx::direct_function_call_as_datum(pg_sys::jsonb_in, &[json]).unwrap_or(Datum::from(0))
    }
}

/// With a NUL byte after it.
unsafe fn terminated(bytes: &[u8]) -> *mut u8 {
    // SAFETY: the place has room for the bytes and one more.
    unsafe {
        let copied = pg_sys::palloc(bytes.len() + 1).cast::<u8>();
        copied.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        copied.add(bytes.len()).write(0);
        copied
    }
}

#[cfg(any(test, feature = "pg_test"))]
#[pgrx::pg_schema]
mod tests {
    use super::*;
    use pgrx::prelude::*;

    fn bytes(value: Datum) -> Vec<u8> {
        // SAFETY: a value just made, neither compressed nor stored elsewhere.
        unsafe {
            let start = value.cast_mut_ptr::<pg_sys::varlena>();
            std::slice::from_raw_parts(start.cast::<u8>(), pgrx::varsize_any(start)).to_vec()
        }
    }

    /// Whether the short way was taken; the result is that of `jsonb_in`, to the byte.
    fn compare(json: &str) -> bool {
        // SAFETY: inside a transaction; the copy ends with a NUL byte.
        let (ours, theirs) = unsafe {
            (
                bytes(Jsonb::from_text(json.as_bytes()).datum()),
                bytes(parse(terminated(json.as_bytes()))),
            )
        };
        assert_eq!(ours, theirs, "{json}");
        jsonb_image::of_array(json.as_bytes()).is_some()
    }

    #[pg_test]
    fn numbers_and_lengths_at_their_edges() {
        let powers = (0..18).map(|exponent| 10i64.pow(exponent));
        let mut numbers: Vec<i64> = powers.flat_map(|n| [n - 1, n, n + 1, 12 * n / 10, -n]).collect();
        numbers.extend([
            40_000,
            100_000_001,
            999_999_999_999_999_999,
            -999_999_999_999_999_999,
        ]);
        for number in numbers {
            assert!(compare(&format!("[{{\"a\": {number}}}]")), "{number}");
        }
        assert!(compare(r#"[{"a": -0}]"#));
        for count in 0..70 {
            let texts: Vec<String> = (0..count)
                .map(|n| format!(r#"{{"k": "{}"}}"#, "x".repeat(n)))
                .collect();
            assert!(compare(&format!("[{}]", texts.join(","))));
            let members: Vec<String> = (0..count).map(|n| format!(r#""m{n}": {}"#, n * n * n)).collect();
            assert!(compare(&format!("[{{{}}}]", members.join(", "))));
        }
    }

    #[pg_test]
    fn what_is_odd_is_left_to_postgresql() {
        for json in [
            r#"[{"a": 1, "b": 2, "a": 3}]"#,
            r#"[{"a": 1.50}, {"a": 12345678901234567890}, {"a": 1e2}]"#,
            r#"[{"a": {"b": [1, 2]}}]"#,
            r#"[{"a": "tab\t quote\" \u00e9"}]"#,
            "[ {\"a\":\n1} ]",
            "[1, null]",
            "{}",
        ] {
            assert!(!compare(json), "{json}");
        }
    }

    #[pg_test]
    fn random_keys() {
        let mut state = 88_172_645_463_325_252u64;
        let mut random = |below: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % below
        };
        for _ in 0..500 {
            let mut json = String::from("[");
            for object in 0..random(40) {
                json.push_str(if object == 0 { "{" } else { ",{" });
                for member in 0..random(6) {
                    let name = "né".repeat(random(4) as usize);
                    let comma = if member == 0 { "" } else { ", " };
                    let value = match random(6) {
                        0 => "null".to_string(),
                        1 => "true".to_string(),
                        2 => "false".to_string(),
                        3 => format!("\"{}\"", "ž".repeat(random(5) as usize)),
                        digits => format!("{}", random(10u64.pow(digits as u32 * 3)) as i64 - 500),
                    };
                    json.push_str(&format!("{comma}\"{name}{member}\": {value}"));
                }
                json.push('}');
            }
            json.push(']');
            assert!(compare(&json), "{json}");
        }
    }
}
