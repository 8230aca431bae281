//! docs/messages.md has every message that the source can send, with its SQLSTATE, and no other.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::raised::raised;
use super::syntax::with_gaps;
use crate::harness::{repository, server_program};

/// Where the source passes on the text of another error. What it adds to that is in [`ADDED`].
const PASSED_ON: [&str; 2] = [
    "refresh/failing/dead_keys.rs note_failed",
    "session/source_rows.rs not_a_value",
];
/// SQLSTATEs that messages get after they were made.
const CODES: [(&str, &str); 2] = [
    ("… is later than …", "55T01"),
    ("… does not show everything that is committed", "55T01"),
];
/// Further ones, that of the error of a type in place of 22023, and a message that is put together of two.
const ADDED: [(&str, &str); 2] = [
    ("\"…\" is not a key of …", "*"),
    ("… of … could not be recomputed: …", "*"),
];

type Messages = BTreeMap<String, BTreeSet<String>>;

/// The SQLSTATEs by the names of PostgreSQL.
fn sqlstates() -> BTreeMap<String, String> {
    let shared = server_program("pg_config")
        .arg("--sharedir")
        .output()
        .expect("pg_config runs");
    let folder = String::from_utf8_lossy(&shared.stdout).trim().to_owned();
    let list =
        fs::read_to_string(format!("{folder}/errcodes.txt")).expect("the server has its list of codes");
    let mut states = BTreeMap::new();
    for line in list.lines() {
        if let [state, "E" | "W" | "S", name, ..] = line.split_whitespace().collect::<Vec<_>>()[..] {
            states.entry(name.to_owned()).or_insert_with(|| state.to_owned());
        }
    }
    states
}

/// What the source can send.
fn sent() -> Messages {
    let raised = raised(&repository().join("src"));
    let unread: Vec<&str> = raised.unread.iter().map(String::as_str).collect();
    assert_eq!(unread, PASSED_ON, "texts of these messages cannot be read");
    let states = sqlstates();
    let mut sent = Messages::new();
    for (code, texts) in raised.messages {
        let state = match code.as_str() {
            "" => "*",
            code => states.get(code).unwrap_or_else(|| panic!("no SQLSTATE {code}")),
        };
        for text in texts {
            sent.entry(text).or_default().insert(state.to_owned());
        }
    }
    for (text, state) in CODES {
        sent.insert(text.to_owned(), BTreeSet::from([state.to_owned()]));
    }
    for (text, state) in ADDED {
        sent.entry(text.to_owned()).or_default().insert(state.to_owned());
    }
    sent
}

/// What scripts of sql/ send, but for those of releases, which are never edited.
fn sent_by_scripts() -> Messages {
    let mut sent = Messages::new();
    for entry in fs::read_dir(repository().join("sql")).expect("sql can be read") {
        let path = entry.expect("an entry").path();
        let script = path
            .is_file()
            .then(|| fs::read_to_string(&path).expect("a script"));
        for part in script.unwrap_or_default().split("RAISE EXCEPTION '").skip(1) {
            let (text, rest) = part.split_once('\'').expect("a closed text");
            let rest = rest.split(";\n").next().unwrap_or_default();
            let state = rest
                .split("ERRCODE = '")
                .nth(1)
                .and_then(|rest| rest.split('\'').next());
            let states = sent.entry(text.replace('%', "…")).or_default();
            states.insert(state.unwrap_or("P0001").to_owned());
        }
    }
    sent
}

/// The rows of the page.
fn documented() -> Messages {
    let page = fs::read_to_string(repository().join("docs/messages.md")).expect("the page can be read");
    let mut messages = Messages::new();
    for row in page.lines().filter_map(|line| line.strip_prefix("| `")) {
        let (text, rest) = row.split_once("` | ").expect("a message ends with `");
        let (states, advice) = rest.split_once(" | ").expect("three columns");
        assert!(advice.len() > 10, "{text}: what is to be done?");
        let states = states.split(", ").map(str::to_owned).collect();
        assert!(
            messages.insert(text.to_owned(), states).is_none(),
            "{text} has two rows"
        );
    }
    messages
}

#[test]
fn every_message_is_documented_with_its_sqlstate() {
    let mut sent = sent();
    sent.extend(sent_by_scripts());
    let documented = documented();
    assert!(sent.len() > 190, "only {} messages", sent.len());
    let missing: Vec<_> = sent
        .iter()
        .filter(|(text, _)| !documented.contains_key(*text))
        .collect();
    assert!(missing.is_empty(), "docs/messages.md does not have {missing:#?}");
    let gone: Vec<_> = documented
        .keys()
        .filter(|text| !sent.contains_key(*text))
        .collect();
    assert!(gone.is_empty(), "nothing sends {gone:#?}");
    for (text, states) in &sent {
        assert_eq!(&documented[text], states, "{text}");
    }
}

#[test]
fn texts_are_read_through_variables_arguments_and_closures() {
    let folder = crate::harness::Folder::new();
    let source = "
        const HINT: &str = \"no message\";
        pub fn plain() -> Problem { Problem::new(PgSqlErrorCode::ERRCODE_A, \"plain\").hint(HINT) }
        fn passed(message: String) -> Problem { Problem::new(ERRCODE_B, message) }
        fn calls(n: i32) {
            passed(format!(\"{n} of {{}}\"));
            let text = if n > 0 { \"some\" } else { return; };
            Problem::for_notice(text).notice();
            let made = |message: &str| Problem::new(ERRCODE_C, message);
            made(\"by a closure\");
            Problem::new(ERRCODE_D, unknown());
            pgrx::error!(\"broken {n}\");
        }
        #[cfg(test)]
        mod tests { fn f() { Problem::new(ERRCODE_A, \"of a test\"); } }";
    fs::write(folder.join("one.rs"), source).expect("a file can be written");
    let raised = raised(std::path::Path::new(&folder.join("")));
    let found: Vec<String> = raised
        .messages
        .iter()
        .flat_map(|(code, texts)| texts.iter().map(move |text| format!("{code}: {text}")))
        .collect();
    let expected = [
        "ERRCODE_A: plain",
        "ERRCODE_B: … of {}",
        "ERRCODE_C: by a closure",
        "ERRCODE_INTERNAL_ERROR: broken …",
        "ERRCODE_SUCCESSFUL_COMPLETION: some",
    ];
    assert_eq!(found, expected);
    assert_eq!(raised.unread.len(), 1, "{:?}", raised.unread);
    assert_eq!(with_gaps("a {b:?} c"), "a … c");
}
