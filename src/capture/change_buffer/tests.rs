//! Unit tests.

use super::Operation::*;
use super::*;

const TOP: u32 = 1;
const SMALL: Limits = Limits {
    flush: 100,
    collapse: 1000,
    memory: 500,
};

fn buffer() -> ChangeBuffer {
    ChangeBuffer::new(SMALL)
}

/// Adds a key without a net change.
fn add(buffer: &mut ChangeBuffer, level: u32, source: u32, operation: Operation, key: &[u8]) -> bool {
    buffer.add(level, source, operation, key, RowChange::Unknown)
}

fn row(source: u32, operation: &'static str, keys: &str) -> Row {
    Row {
        source,
        operation,
        keys: Some(keys.as_bytes().to_vec()),
        net: None,
    }
}

fn all(source: u32, operation: &'static str) -> Row {
    Row {
        source,
        operation,
        keys: None,
        net: None,
    }
}

fn keys_of(row: &Row) -> usize {
    row.keys.iter().flatten().filter(|&&byte| byte == b'{').count()
}

fn fill(buffer: &mut ChangeBuffer, level: u32, source: u32, keys: std::ops::Range<u32>) -> usize {
    let mut written = 0;
    for key in keys {
        if add(
            buffer,
            level,
            source,
            Insert,
            format!("{{\"id\":{key:06}}}").as_bytes(),
        ) {
            written += buffer.take_full(level).len();
        }
    }
    written
}

#[test]
fn one_row_per_source_holds_distinct_keys_in_order() {
    let mut buffer = buffer();
    assert!(!add(&mut buffer, TOP, 7, Insert, b"{\"id\":1}"));
    assert!(!add(&mut buffer, TOP, 7, Insert, b"{\"id\":2}"));
    assert!(!add(&mut buffer, TOP, 7, Insert, b"{\"id\":1}"));
    assert!(!add(&mut buffer, TOP, 8, Delete, b"{}"));
    assert_eq!(
        buffer.take_rest(),
        [
            row(7, "INSERT", "[{\"id\":1},{\"id\":2}]"),
            row(8, "DELETE", "[{}]")
        ]
    );
    assert_eq!(buffer.take_rest(), []);
}

#[test]
fn several_operations_are_mixed_and_requests_stay_apart() {
    let mut buffer = buffer();
    assert!(!add(&mut buffer, TOP, 7, Insert, b"1"));
    assert!(!add(&mut buffer, TOP, 7, Refresh, b"2"));
    assert!(!add(&mut buffer, TOP, 7, Update, b"1"));
    assert_eq!(
        buffer.take_rest(),
        [row(7, "MIXED", "[1]"), row(7, "REFRESH", "[2]")]
    );
    assert!(!add(&mut buffer, TOP, 7, Delete, b"3"));
    assert!(!add(&mut buffer, TOP, 7, Refresh, b"4"));
    assert_eq!(
        buffer.take_rest(),
        [row(7, "DELETE", "[3]"), row(7, "REFRESH", "[4]")]
    );
}

#[test]
fn all_keys_swallow_the_source_and_are_written_once() {
    let mut buffer = buffer();
    assert!(!add(&mut buffer, TOP, 7, Insert, b"1"));
    buffer.add_all(TOP, 7, Truncate);
    assert!(!add(&mut buffer, TOP, 7, Insert, b"2"));
    assert!(!add(&mut buffer, TOP, 7, Refresh, b"3"));
    assert_eq!(buffer.take_rest(), [all(7, "MIXED"), row(7, "REFRESH", "[3]")]);
    assert!(!add(&mut buffer, TOP, 7, Update, b"4"));
    buffer.add_all(5, 7, Truncate);
    assert_eq!(buffer.take_rest(), []);
}

#[test]
fn a_rolled_back_savepoint_takes_only_its_own_keys() {
    let mut buffer = buffer();
    assert!(!add(&mut buffer, TOP, 7, Insert, b"1"));
    assert!(!add(&mut buffer, 2, 7, Insert, b"2"));
    assert!(!add(&mut buffer, 3, 7, Insert, b"3"));
    buffer.rolled_back(2);
    assert!(!add(&mut buffer, 4, 7, Insert, b"4"));
    buffer.committed(4, TOP);
    assert_eq!(buffer.take_rest(), [row(7, "INSERT", "[1,4]")]);
}

#[test]
fn a_truncate_rolled_back_leaves_the_keys_before_it() {
    let mut buffer = buffer();
    assert!(!add(&mut buffer, TOP, 7, Insert, b"1"));
    buffer.add_all(2, 7, Truncate);
    assert!(!add(&mut buffer, 3, 7, Insert, b"3"));
    buffer.committed(3, 2);
    buffer.rolled_back(2);
    assert!(!add(&mut buffer, TOP, 7, Insert, b"2"));
    assert_eq!(buffer.take_rest(), [row(7, "INSERT", "[1,2]")]);
}

#[test]
fn a_committed_savepoint_follows_the_fate_of_its_parent() {
    let mut buffer = buffer();
    assert!(!add(&mut buffer, 3, 7, Insert, b"3"));
    buffer.committed(3, 2);
    assert!(!add(&mut buffer, 2, 7, Delete, b"2"));
    buffer.committed(2, TOP);
    assert!(!add(&mut buffer, 4, 7, Insert, b"4"));
    buffer.rolled_back(4);
    assert_eq!(buffer.take_rest(), [row(7, "MIXED", "[3,2]")]);
}

#[test]
fn ends_of_subtransactions_without_changes_mean_nothing() {
    let mut buffer = buffer();
    assert!(!add(&mut buffer, 2, 7, Insert, b"2"));
    buffer.committed(4, 3);
    buffer.rolled_back(3);
    buffer.committed(2, TOP);
    assert_eq!(buffer.take_rest(), [row(7, "INSERT", "[2]")]);
}

#[test]
fn a_full_set_is_handed_out_early_and_starts_again() {
    let mut buffer = buffer();
    assert_eq!(fill(&mut buffer, TOP, 7, 0..20), 2);
    let rest = buffer.take_rest();
    assert_eq!(rest.len(), 1);
    assert!(rest[0].keys.as_ref().unwrap().len() < 102);
}

#[test]
fn an_early_row_written_in_a_savepoint_holds_no_outer_key() {
    let mut buffer = buffer();
    assert_eq!(fill(&mut buffer, TOP, 7, 0..5), 0);
    assert_eq!(fill(&mut buffer, 2, 7, 10..30), 2);
    buffer.rolled_back(2);
    let rest = buffer.take_rest();
    assert_eq!(rest.len(), 1);
    assert_eq!(keys_of(&rest[0]), 5);
}

#[test]
fn far_too_many_keys_collapse_to_one_row() {
    let mut buffer = buffer();
    let early = fill(&mut buffer, TOP, 7, 0..1000);
    assert!(early > 5 && early < 11, "{early}");
    assert_eq!(buffer.take_rest(), [all(7, "INSERT")]);
    assert_eq!(fill(&mut buffer, TOP, 7, 1000..1100), 0);
    assert_eq!(buffer.take_rest(), []);
}

#[test]
fn a_collapse_rolled_back_gives_room_again() {
    let mut buffer = buffer();
    assert!(!add(&mut buffer, TOP, 7, Insert, b"1"));
    fill(&mut buffer, 2, 7, 0..1000);
    buffer.rolled_back(2);
    assert!(!add(&mut buffer, TOP, 7, Insert, b"2"));
    assert_eq!(buffer.take_rest(), [row(7, "INSERT", "[1,2]")]);
}

#[test]
fn one_huge_key_means_all_keys() {
    let mut buffer = buffer();
    assert!(!add(&mut buffer, TOP, 7, Insert, &[b'1'; 101]));
    assert_eq!(buffer.take_rest(), [all(7, "INSERT")]);
}

#[test]
fn many_sources_share_the_memory_limit() {
    let mut buffer = buffer();
    let mut keys = 0;
    for source in 0..100 {
        for key in 0..5 {
            if add(
                &mut buffer,
                TOP,
                source,
                Insert,
                format!("{{\"id\":{key:06}}}").as_bytes(),
            ) {
                keys += buffer.take_full(TOP).iter().map(keys_of).sum::<usize>();
            }
            assert!(buffer.memory <= SMALL.memory);
        }
    }
    keys += buffer.take_rest().iter().map(keys_of).sum::<usize>();
    assert_eq!(keys, 500);
}

#[test]
fn outer_levels_collapse_when_they_fill_the_memory() {
    let mut buffer = buffer();
    for level in 1..20 {
        fill(&mut buffer, level, 7 + level, 0..6);
        assert!(buffer.memory <= SMALL.memory);
    }
    assert!(buffer.take_rest().contains(&all(8, "INSERT")));
}

#[test]
fn many_small_savepoints_share_queue_rows() {
    let mut buffer = buffer();
    let mut rows = Vec::new();
    for level in 2..62 {
        fill(&mut buffer, level, 7, level..level + 1);
        rows.extend(buffer.take_before_merge(level, TOP));
        buffer.committed(level, TOP);
    }
    rows.extend(buffer.take_rest());
    assert_eq!(rows.iter().map(keys_of).sum::<usize>(), 60);
    assert!(rows.len() < 12, "{}", rows.len());
}

#[test]
fn keys_lent_to_a_savepoint_come_back_if_its_commit_fails() {
    let mut buffer = buffer();
    fill(&mut buffer, TOP, 7, 0..6);
    fill(&mut buffer, 2, 7, 6..12);
    fill(&mut buffer, 2, 8, 0..5);
    let early = buffer.take_before_merge(2, TOP);
    assert_eq!(early.iter().map(keys_of).collect::<Vec<_>>(), [12]);
    buffer.rolled_back(2);
    assert!(!add(&mut buffer, TOP, 7, Update, b"{}"));
    let rest = buffer.take_rest();
    assert_eq!(
        rest.iter()
            .map(|row| (row.operation, keys_of(row)))
            .collect::<Vec<_>>(),
        [("MIXED", 7)]
    );
}

#[test]
fn keys_lent_to_a_committed_savepoint_are_not_written_again() {
    let mut buffer = buffer();
    fill(&mut buffer, TOP, 7, 0..6);
    fill(&mut buffer, 2, 7, 6..12);
    assert_eq!(buffer.take_before_merge(2, TOP).len(), 1);
    buffer.committed(2, TOP);
    assert!(!add(&mut buffer, TOP, 7, Update, b"1"));
    assert_eq!(buffer.take_rest(), [row(7, "UPDATE", "[1]")]);
}

#[test]
fn an_all_row_written_by_a_savepoint_counts_for_the_parent_it_merged_into() {
    let mut buffer = buffer();
    assert!(!add(&mut buffer, TOP, 7, Insert, b"1"));
    fill(&mut buffer, 2, 7, 0..1000);
    buffer.committed(2, TOP);
    assert_eq!(buffer.take_rest(), [all(7, "INSERT")]);
}

fn net_of(rows: &[Row]) -> Vec<Option<&str>> {
    rows.iter()
        .map(|row| row.net.as_deref().map(|net| std::str::from_utf8(net).unwrap()))
        .collect()
}

fn change(buffer: &mut ChangeBuffer, level: u32, old: Option<&str>, new: Option<&str>) {
    let images = RowChange::Images(old.map(str::as_bytes), new.map(str::as_bytes));
    let key = new.or(old).unwrap().as_bytes();
    assert!(!buffer.add(level, 7, Update, key, images));
}

#[test]
fn the_last_row_has_the_net_change() {
    let mut buffer = buffer();
    change(&mut buffer, TOP, None, Some("{1}"));
    change(&mut buffer, 2, Some("{1}"), Some("{2}"));
    buffer.committed(2, TOP);
    change(&mut buffer, 3, None, Some("{3}"));
    buffer.rolled_back(3);
    let rows = buffer.take_rest();
    assert_eq!(net_of(&rows), [Some("[[1,{2}]]")]);
    // A change after that, by a callback at the end of the transaction.
    change(&mut buffer, TOP, None, Some("{4}"));
    assert_eq!(net_of(&buffer.take_rest()), [Some("[[1,{4}]]")]);
}

#[test]
fn a_net_change_is_unknown_once_keys_are_written_early() {
    let mut buffer = buffer();
    let told = |buffer: &mut ChangeBuffer, keys: std::ops::Range<u32>| {
        let mut written = 0;
        for key in keys {
            if buffer.add(2, 7, Insert, format!("{{{key:08}}}").as_bytes(), RowChange::TOLD) {
                written += buffer.take_full(2).len();
            }
        }
        written
    };
    change(&mut buffer, TOP, None, Some("{1}"));
    assert!(told(&mut buffer, 0..12) > 0, "nothing was written early");
    buffer.rolled_back(2);
    assert_eq!(net_of(&buffer.take_rest()), [Some("[[1,{1}]]")]);

    change(&mut buffer, TOP, None, Some("{1}"));
    assert!(told(&mut buffer, 0..12) > 0, "nothing was written early");
    buffer.committed(2, TOP);
    assert_eq!(net_of(&buffer.take_rest()), [None]);
}

#[test]
fn the_second_key_of_a_row_changes_nothing_of_the_net_change() {
    let mut buffer = buffer();
    change(&mut buffer, TOP, Some("{1}"), Some("{2}"));
    assert!(!buffer.add(TOP, 7, Update, b"{1}", RowChange::TOLD));
    let rows = buffer.take_rest();
    assert_eq!(net_of(&rows), [Some("[[-1,{1}],[1,{2}]]")]);
    assert_eq!(rows[0].keys.as_deref().unwrap(), b"[{2},{1}]");
}

#[test]
fn net_changes_count_towards_the_memory_and_go_first() {
    let mut buffer = buffer();
    let mut full = 0;
    for source in 0..40 {
        let image = format!("{{{source:030}}}");
        let change = RowChange::Images(None, Some(image.as_bytes()));
        if buffer.add(TOP, source, Insert, b"1", change) {
            full += 1;
            assert_eq!(buffer.take_full(TOP), []);
        }
        assert!(buffer.bytes() <= SMALL.memory);
    }
    assert!(full > 0, "the memory was never full");
    let rows = buffer.take_rest();
    assert_eq!(rows.len(), 40);
    let unknown = rows.iter().filter(|row| row.net.is_none()).count();
    assert!((10..40).contains(&unknown), "{unknown}");
    assert!(rows.iter().all(|row| row.keys.is_some()));
}

#[test]
fn images_are_not_wanted_where_the_net_change_is_unknown() {
    let mut buffer = buffer();
    assert!(buffer.keeps_images(7, Insert));
    change(&mut buffer, TOP, None, Some("{1}"));
    assert!(buffer.keeps_images(7, Insert));
    assert!(!add(&mut buffer, 2, 7, Insert, b"2"));
    assert!(!buffer.keeps_images(7, Insert) && buffer.keeps_images(8, Insert));
    buffer.rolled_back(2);
    assert!(buffer.keeps_images(7, Insert));
    buffer.add_all(TOP, 7, Truncate);
    assert!(!buffer.keeps_images(7, Insert));
}

#[test]
fn a_key_without_a_net_change_makes_it_unknown() {
    let mut buffer = buffer();
    assert!(!add(&mut buffer, TOP, 7, Update, b"{0}"));
    change(&mut buffer, TOP, None, Some("{1}"));
    assert_eq!(net_of(&buffer.take_rest()), [None]);

    change(&mut buffer, TOP, None, Some("{1}"));
    assert!(!add(&mut buffer, 2, 7, Update, b"{2}"));
    buffer.committed(2, TOP);
    assert_eq!(net_of(&buffer.take_rest()), [None]);

    change(&mut buffer, TOP, None, Some("{1}"));
    buffer.add_all(2, 7, Truncate);
    buffer.committed(2, TOP);
    assert_eq!(net_of(&buffer.take_rest()), [None]);
}
