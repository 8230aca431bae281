use std::collections::HashMap;

use super::*;

const TABLE: u32 = 10;
const OTHER: u32 = 11;
const READER: u32 = 20;

fn keys(history: &ChangeHistory, reader: u32, sources: &[u32]) -> Vec<String> {
    let changes = history.not_shown(reader, sources).map(|changes| changes.sources);
    let text = |changes: SourceChanges| match changes.keys {
        Some(keys) => String::from_utf8(keys).unwrap(),
        None => "all".to_string(),
    };
    changes.into_iter().flatten().map(text).collect()
}

fn add(history: &mut ChangeHistory, level: u32, key: &str) {
    history.add(level, TABLE, Some(key.as_bytes()));
}

fn show(history: &mut ChangeHistory, level: u32) {
    let upto = history.not_shown(READER, &[TABLE]).unwrap().upto;
    history.mark(level, READER, upto, true);
}

#[test]
fn a_reader_is_shown_each_change_once() {
    let mut history = ChangeHistory::default();
    assert!(history.is_empty());
    add(&mut history, 1, "1");
    add(&mut history, 1, "2");
    add(&mut history, 1, "1");
    history.add(1, OTHER, Some(b"7"));
    assert_eq!(keys(&history, READER, &[TABLE]), ["[1,2]"]);
    assert_eq!(keys(&history, READER, &[TABLE, OTHER]), ["[1,2]", "[7]"]);
    show(&mut history, 1);
    assert!(keys(&history, READER, &[TABLE]).is_empty());
    assert_eq!(
        keys(&history, READER + 1, &[TABLE]),
        ["[1,2]"],
        "another reader's mark"
    );
    add(&mut history, 1, "1");
    assert_eq!(keys(&history, READER, &[TABLE]), ["[1]"], "changed again");
}

#[test]
fn changes_that_are_rolled_back_are_gone() {
    let mut history = ChangeHistory::default();
    add(&mut history, 1, "1");
    add(&mut history, 2, "2");
    add(&mut history, 3, "3");
    history.rolled_back(2);
    assert_eq!(keys(&history, READER, &[TABLE]), ["[1]"]);
    add(&mut history, 4, "2");
    assert_eq!(keys(&history, READER, &[TABLE]), ["[1,2]"]);
    history.rolled_back(1);
    assert!(history.is_empty());
}

#[test]
fn what_was_shown_inside_a_savepoint_is_to_be_shown_again_after_its_rollback() {
    let mut history = ChangeHistory::default();
    add(&mut history, 1, "1");
    show(&mut history, 2);
    assert!(keys(&history, READER, &[TABLE]).is_empty());
    history.rolled_back(2);
    assert_eq!(keys(&history, READER, &[TABLE]), ["[1]"]);
    show(&mut history, 3);
    history.committed(3, 1);
    history.rolled_back(4);
    assert!(
        keys(&history, READER, &[TABLE]).is_empty(),
        "shown, and kept by the release"
    );
}

#[test]
fn a_released_savepoint_dies_with_its_parent() {
    let mut history = ChangeHistory::default();
    add(&mut history, 2, "1");
    add(&mut history, 3, "2");
    show(&mut history, 3);
    history.committed(3, 2);
    add(&mut history, 2, "3");
    history.rolled_back(2);
    assert!(history.is_empty());
    add(&mut history, 1, "2");
    assert_eq!(keys(&history, READER, &[TABLE]), ["[2]"]);
}

#[test]
fn who_could_not_be_shown_is_left_alone_until_something_new_happens() {
    let mut history = ChangeHistory::default();
    add(&mut history, 1, "1");
    history.mark(1, READER, 1, false);
    assert!(keys(&history, READER, &[TABLE]).is_empty());
    history.add(1, OTHER, None);
    assert!(keys(&history, READER, &[TABLE]).is_empty());
    add(&mut history, 1, "1");
    assert_eq!(
        keys(&history, READER, &[TABLE]),
        ["[1,1]"],
        "the same row may be right now"
    );
}

#[test]
fn every_row_covers_the_keys_that_follow() {
    let mut history = ChangeHistory::default();
    add(&mut history, 1, "1");
    history.add(1, TABLE, None);
    add(&mut history, 1, "2");
    assert_eq!(keys(&history, READER, &[TABLE]), ["all"]);
    show(&mut history, 1);
    add(&mut history, 1, "2");
    assert_eq!(keys(&history, READER, &[TABLE]), ["[2]"]);
}

#[test]
fn memory_is_bounded() {
    let mut history = ChangeHistory::default();
    for key in 0..100_000 {
        add(&mut history, 1, &key.to_string());
    }
    assert!(history.entries.len() <= MOST_KEYS + 1);
    assert_eq!(keys(&history, READER, &[TABLE]), ["all"]);
    history.add(1, OTHER, Some(&[b'1'; MOST_BYTES]));
    assert_eq!(keys(&history, READER, &[OTHER]), ["all"]);
}

#[test]
fn what_was_shown_leaves_room_for_more() {
    let mut history = ChangeHistory::default();
    for key in 0..50_000 {
        add(&mut history, 1, &format!("{{\"pk_of_a_long_name\": {key}}}"));
        if key % 10 == 0 {
            show(&mut history, 1);
        }
    }
    assert_eq!(keys(&history, READER, &[TABLE])[0].matches('{').count(), 9);
    assert_eq!(
        keys(&history, READER + 1, &[TABLE])[0].matches('{').count(),
        50_000
    );
}

/// An open level: its id, what the table says in it, and what the reader was shown of that.
#[derive(Clone, Default)]
struct Level {
    id: u32,
    table: HashMap<u64, u64>,
    shown: HashMap<u64, u64>,
}

/// The log against a model that keeps everything and forgets nothing but what is rolled back.
#[test]
fn random_savepoints_leave_exactly_what_is_alive_and_not_shown() {
    let mut state = 7_u64;
    let mut random = move |limit: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % limit
    };
    for _ in 0..500 {
        let mut history = ChangeHistory::default();
        let mut levels = vec![Level {
            id: 1,
            ..Level::default()
        }];
        let (mut next_level, mut version) = (2, 0);
        for _ in 0..150 {
            let top = levels.len() - 1;
            let level = levels[top].id;
            match random(12) {
                0 if levels.len() < 5 => {
                    levels.push(Level {
                        id: next_level,
                        ..levels[top].clone()
                    });
                    next_level += 1;
                }
                1 if top > 0 => {
                    levels.pop();
                    history.rolled_back(level);
                }
                2 if top > 0 => {
                    let child = levels.pop().unwrap();
                    let parent = levels[top - 1].id;
                    levels[top - 1] = Level { id: parent, ..child };
                    history.committed(level, parent);
                }
                3 => {
                    let Some(changes) = history.not_shown(READER, &[TABLE]) else {
                        assert_eq!(levels[top].table, levels[top].shown, "a change is not shown");
                        continue;
                    };
                    let text = String::from_utf8(changes.sources[0].keys.clone().unwrap()).unwrap();
                    for key in text.trim_matches(['[', ']']).split(',') {
                        let key = key.parse().unwrap();
                        let now = levels[top].table[&key];
                        levels[top].shown.insert(key, now);
                    }
                    history.mark(level, READER, changes.upto, true);
                    assert_eq!(levels[top].table, levels[top].shown, "a change is not shown");
                }
                _ => {
                    let key = random(40);
                    version += 1;
                    levels[top].table.insert(key, version);
                    add(&mut history, level, &key.to_string());
                }
            }
        }
    }
}
