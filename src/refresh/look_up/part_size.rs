//! How many changes are looked up together.

use std::time::Duration;

/// How long a part is to take: small changes wait for it.
const TIME: f64 = 0.1;
/// The number of changes of the first part, before the time of one is known.
pub const FIRST: usize = 5_000;
const MINIMUM: usize = 1_000;
const LARGEST: usize = 250_000;

/// The number of changes of the next part.
pub struct PartSize {
    size: usize,
    /// With fewer changes, most of the time would be what each part takes, however few changes it has: where a table
    /// is read as a whole, say.
    least: usize,
}

impl PartSize {
    /// `few`, `many`: a number of changes, and what the planner expects that looking them up costs.
    pub fn expecting(few: (usize, f64), many: (usize, f64)) -> PartSize {
        let more = many.0 as f64 - few.0 as f64;
        let each = (many.1 - few.1) / more;
        let fixed = few.1 - each * few.0 as f64;
        // A plan that costs the same for many changes as for few is as good as free for each of them.
        let each = each.max(many.1 / LARGEST as f64);
        let least = if more > 0.0 { fixed / each } else { 0.0 };
        let least = (least.max(0.0) as usize).clamp(MINIMUM, LARGEST);
        PartSize {
            size: FIRST.max(least),
            least,
        }
    }

    pub fn get(&self) -> usize {
        self.size
    }

    /// A part of so many changes took so long.
    pub fn took(&mut self, changes: usize, taken: Duration) {
        let size = self.size as f64;
        let fitting = changes as f64 * TIME / taken.as_secs_f64().max(0.001);
        let fitting = fitting.clamp(size / 2.0, size * 2.0) as usize;
        self.size = fitting.clamp(self.least, LARGEST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The size after some parts, each of which takes these microseconds per change.
    fn size(mut size: PartSize, each: f64) -> usize {
        for _ in 0..10 {
            let seconds = each / 1e6 * size.get() as f64;
            size.took(size.get(), Duration::from_secs_f64(seconds));
        }
        size.get()
    }

    #[test]
    fn a_part_takes_a_tenth_of_a_second() {
        for (each, fitting) in [(2.0, 50_000), (8.0, 12_500), (40.0, 2_500), (1_000.0, MINIMUM)] {
            // Each change is looked up by an index.
            let last = size(PartSize::expecting((100, 600.0), (5_000, 30_000.0)), each);
            assert!(last.abs_diff(fitting) <= fitting / 20, "{each}: {last}");
        }
    }

    #[test]
    fn most_of_its_time_is_for_its_changes() {
        // Each part reads a table of a million rows.
        let reads = PartSize::expecting((100, 20_000.0), (5_000, 21_000.0));
        let first = reads.get();
        assert!((97_000..98_000).contains(&first), "{first}");
        assert_eq!(size(reads, 100.0), first);
        let as_free = PartSize::expecting((100, 20_000.0), (5_000, 20_000.0));
        assert_eq!(as_free.get(), LARGEST);
    }

    #[test]
    fn unlikely_costs_mean_nothing() {
        for (few, many) in [
            ((100, f64::INFINITY), (5_000, f64::INFINITY)),
            ((100, 0.0), (100, 0.0)),
            ((100, 50.0), (5_000, 10.0)),
        ] {
            let size = PartSize::expecting(few, many).get();
            assert!((FIRST..=LARGEST).contains(&size), "{size}");
        }
    }
}
