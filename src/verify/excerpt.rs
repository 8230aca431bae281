//! Rows as texts of bounded size, cut out where they differ.

/// Bytes that are kept of each text.
const MOST: usize = 2_000;
/// Of these, bytes before the first difference.
const BEFORE: usize = 200;

/// The two texts; of long ones the part where they begin to differ.
pub fn excerpts(old: Option<&str>, new: Option<&str>) -> [Option<String>; 2] {
    let texts = [old, new];
    if texts.iter().flatten().all(|text| text.len() <= MOST) {
        return texts.map(|text| text.map(str::to_string));
    }
    let from = match (old, new) {
        (Some(old), Some(new)) => {
            let pairs = old.bytes().zip(new.bytes());
            pairs.take_while(|(a, b)| a == b).count().saturating_sub(BEFORE)
        }
        _ => 0,
    };
    texts.map(|text| text.map(|text| part(text, from)))
}

/// The beginning of a text.
pub fn beginning(text: &str) -> String {
    part(text, 0)
}

fn part(text: &str, from: usize) -> String {
    let from = text.floor_char_boundary(from);
    let end = text.floor_char_boundary(from + MOST);
    let before = if from > 0 { "..." } else { "" };
    let after = if end < text.len() { "..." } else { "" };
    format!("{before}{}{after}", &text[from..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_texts_stay_as_they_are() {
        assert_eq!(
            excerpts(Some("{\"a\":1}"), None),
            [Some("{\"a\":1}".to_string()), None]
        );
    }

    #[test]
    fn long_texts_are_cut_out_where_they_differ() {
        let same = "ä".repeat(5_000);
        let [old, new] = excerpts(Some(&format!("{same}x{same}")), Some(&format!("{same}y")));
        let (old, new) = (old.unwrap(), new.unwrap());
        assert!(old.len() <= MOST + 6 && old.contains('x') && old.starts_with("...") && old.ends_with("..."));
        assert!(new.ends_with('y'), "{new}");
    }

    #[test]
    fn a_long_text_alone_is_cut_at_its_end() {
        let [old, new] = excerpts(Some(&"x".repeat(10_000)), None);
        assert_eq!((old.map(|old| old.len()), new), (Some(MOST + 3), None));
    }
}
