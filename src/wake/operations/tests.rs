use super::*;

fn seen(keys: Option<(i64, i64)>, rows: Option<(i64, i64)>) -> Seen {
    let place = Operation::default();
    place.kind.store(Kind::Populate as u32 + 1, Relaxed);
    let mut seen = place.read().expect("an operation");
    (seen.keys, seen.rows, seen.measured_from) = (keys, rows, 1_000);
    seen
}

#[test]
fn the_rest_is_estimated_after_five_percent() {
    assert_eq!(seen(None, None).remaining(2_000), None);
    assert_eq!(seen(Some((0, 0)), None).remaining(2_000), None);
    assert_eq!(seen(Some((100, 4)), None).remaining(2_000), None);
    assert_eq!(seen(Some((100, 5)), None).remaining(2_000), Some(19_000));
    assert_eq!(seen(Some((100, 100)), None).remaining(2_000), Some(0));
}

#[test]
fn only_what_this_process_has_done_is_a_measure() {
    let mut resumed = seen(Some((100, 80)), None);
    resumed.done_before = 80;
    assert_eq!(resumed.remaining(2_000), None);
    resumed.keys = Some((100, 90));
    assert_eq!(resumed.remaining(2_000), Some(1_000));
}

#[test]
fn rows_read_count_as_much_as_comes_before_the_first_key() {
    let mut sorted = seen(Some((100, 0)), Some((1_000, 500)));
    assert_eq!(sorted.remaining(2_000), None);
    sorted.before_first = 1_000;
    assert_eq!(sorted.remaining(2_000), Some(1_000));
    sorted.before_first = 500;
    assert_eq!(sorted.remaining(2_000), Some(3_000));
}

#[test]
fn a_total_is_never_less_than_what_is_done() {
    let place = Operation::default();
    place.kind.store(Kind::Refresh as u32 + 1, Relaxed);
    place.keys_total.store(10, Relaxed);
    place.add(12, 3);
    let seen = place.read().expect("an operation");
    assert_eq!(
        (seen.keys, seen.rows, seen.rows_written),
        (Some((12, 12)), None, 3)
    );
}

#[test]
fn a_reader_sees_fields_that_belong_together() {
    let place = Operation::default();
    place.kind.store(Kind::Refresh as u32 + 1, Relaxed);
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 1..200_000 {
                place.write(|| {
                    place.tview.store(number, Relaxed);
                    place.keys_total.store(i64::from(number), Relaxed);
                    place.owner.store(number, Relaxed);
                });
            }
            ended.store(true, Release);
        });
        while !ended.load(Acquire) {
            if let Some(seen) = place.read() {
                let total = seen.keys.map_or(0, |(total, _)| total);
                assert_eq!(i64::from(seen.tview.to_u32()), total.max(0));
                assert_eq!(seen.tview, seen.owner);
            }
        }
    });
}
