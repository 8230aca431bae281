use super::*;

fn ids(blocks: usize, sources: usize) -> Ids {
    let leaked = |count: usize| -> &'static [AtomicU64] {
        Box::leak((0..count).map(|_| AtomicU64::new(0)).collect::<Box<[_]>>())
    };
    Ids {
        start: hash(5),
        by_block: leaked(blocks),
        by_source: leaked(sources),
    }
}

fn note(ids: &Ids, block: u32, source: u32, xid: u64) {
    ids.of_block(block).unwrap().fetch_max(xid, SeqCst);
    ids.of_source(block, source.into())
        .unwrap()
        .fetch_max(xid, SeqCst);
}

fn chosen(ids: &Ids, blocks: u32, sources: Option<&[u32]>, first_xid: u64) -> Vec<u32> {
    let sources: Option<Vec<Oid>> = sources.map(|oids| oids.iter().map(|oid| Oid::from(*oid)).collect());
    let search = Search {
        file: 1,
        blocks,
        sources: sources.as_deref(),
        first_xid,
    };
    ids.choose(&search).into_iter().flatten().collect()
}

#[test]
fn only_blocks_with_later_rows_of_the_sources_are_read() {
    let ids = ids(BLOCKS, SOURCES);
    for (block, source, xid) in [(0, 10, 100), (1, 10, 101), (1, 11, 105), (7, 11, 103)] {
        note(&ids, block, source, xid);
    }
    assert_eq!(chosen(&ids, 9, None, 101), [1, 7]);
    assert_eq!(chosen(&ids, 9, Some(&[10]), 100), [0, 1]);
    assert_eq!(chosen(&ids, 9, Some(&[10]), 102), [0; 0]);
    assert_eq!(chosen(&ids, 9, Some(&[10, 11]), 104), [1]);
    assert_eq!(
        chosen(&ids, 7, Some(&[11]), 101),
        [1],
        "the table ends before block 7"
    );
}

#[test]
fn a_block_is_never_left_out_where_elements_are_shared() {
    let ids = ids(8, 16);
    let mut written = Vec::new();
    for number in 0..200_u32 {
        let (block, source) = (number * 7 % 50, 10 + number % 3);
        note(&ids, block, source, 100 + u64::from(number));
        written.push((block, source, 100 + u64::from(number)));
    }
    for first in [100, 150, 290, 299] {
        for source in 10..13 {
            let read = chosen(&ids, 50, Some(&[source]), first);
            let needed = written.iter().filter(|row| row.1 == source && row.2 >= first);
            for (block, _, xid) in needed {
                assert!(read.contains(block), "block {block} with a row of {xid}");
            }
        }
    }
}

#[test]
fn ten_thousand_blocks_of_a_backlog_are_mostly_left_out() {
    let ids = ids(BLOCKS, SOURCES);
    (0..10_000).for_each(|block| note(&ids, block, 10, 1_000 + u64::from(block)));
    note(&ids, 42, 11, 20_000);
    let read = chosen(&ids, 10_000, Some(&[11]), 500);
    assert!(read.contains(&42));
    assert!(read.len() < 2_000, "{} blocks", read.len());
}
