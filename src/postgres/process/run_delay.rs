//! How long this process has waited for a CPU while it could have run, as Linux counts it. Where the system does
//! not count it, the process seems never to have waited.

use std::cell::OnceCell;
use std::fs::File;
use std::os::unix::fs::FileExt;

/// Three numbers: nanoseconds on a CPU, nanoseconds on a run queue, how often it ran.
const FILE: &str = "/proc/self/schedstat";

/// The counter of this process. The file stays open.
#[derive(Default)]
pub struct RunDelay {
    file: OnceCell<Option<File>>,
}

impl RunDelay {
    /// Microseconds since the process was started; 0 where the system does not count them.
    pub fn so_far(&self) -> i64 {
        let file = self.file.get_or_init(|| File::open(FILE).ok());
        let mut text = [0; 64];
        file.as_ref()
            .and_then(|file| file.read_at(&mut text, 0).ok())
            .and_then(|length| parse(&text[..length]))
            .unwrap_or(0)
    }
}

fn parse(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    let nanoseconds: i64 = text.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(nanoseconds / 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_number_counts() {
        assert_eq!(parse(b"81034512 2415387 17\n"), Some(2415));
        assert_eq!(parse(b"0 0 0\n"), Some(0));
        assert_eq!([parse(b""), parse(b"81034512"), parse(b"1 two 3")], [None; 3]);
    }

    #[test]
    fn a_system_that_does_not_count_seems_never_to_delay() {
        let nothing = RunDelay {
            file: OnceCell::from(None),
        };
        assert_eq!(nothing.so_far(), 0);
        let other = RunDelay {
            file: OnceCell::from(File::open("/dev/null").ok()),
        };
        assert_eq!(other.so_far(), 0);
    }

    #[test]
    fn the_file_is_read_anew_each_time() {
        let delay = RunDelay::default();
        let counted = || {
            std::fs::read(FILE)
                .ok()
                .and_then(|text| parse(&text))
                .unwrap_or(0)
        };
        for _ in 0..10 {
            let (before, read, after) = (counted(), delay.so_far(), counted());
            assert!((before..=after).contains(&read), "{before} {read} {after}");
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
    }
}
