//! Looks at something again and again while work is done.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Calls `look`, with pauses, until `work` ends, also by a panic.
pub fn meanwhile(mut look: impl FnMut() + Send, pause: Duration, work: impl FnOnce()) {
    struct AtEnd<'a>(&'a AtomicBool);
    impl Drop for AtEnd<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                look();
                std::thread::sleep(pause);
            }
        });
        let _end = AtEnd(&done);
        work();
    });
}
