//! Threads that sleep until their answer is there, and how many of them are woken with little work for the writer.
//!
//! To wake a thread costs a system call, and a group answers as many callers as have been waiting. The writer
//! wakes a few; each of them wakes a few more before it goes on. So the callers pay, on all cores, while the
//! writer plans its next group.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;

/// How many each wakes.
const BRANCHES: usize = 2;

/// A thread that waits to be woken.
pub(crate) struct Sleeper {
    thread: Thread,
    woken: AtomicBool,
    /// The others of its group, of whom it wakes some.
    roll: OnceLock<Arc<Roll>>,
}

/// The sleepers of a group. Each is woken once: whoever takes a number wakes that one.
pub(crate) struct Roll {
    sleepers: Vec<Arc<Sleeper>>,
    next: AtomicUsize,
}

impl Sleeper {
    pub(crate) fn this_thread() -> Self {
        Self { thread: std::thread::current(), woken: AtomicBool::new(false), roll: OnceLock::new() }
    }

    /// Sleeps until it is woken, and wakes others.
    pub(crate) fn sleep(&self) {
        // A thread may be unparked by a stranger.
        while !self.woken.load(Ordering::Acquire) {
            std::thread::park();
        }
        if let Some(roll) = self.roll.get() {
            roll.wake_some();
        }
    }

    pub(crate) fn wake(&self) {
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

impl Roll {
    /// Wakes all of them, most of them through each other.
    pub(crate) fn wake(sleepers: Vec<Arc<Sleeper>>) {
        Arc::new(Self { sleepers, next: AtomicUsize::new(0) }).wake_some();
    }

    fn wake_some(self: &Arc<Self>) {
        for _ in 0..BRANCHES {
            let Some(sleeper) = self.sleepers.get(self.next.fetch_add(1, Ordering::Relaxed)) else { return };
            // A sleeper is on one roll, once.
            let _ = sleeper.roll.set(Arc::clone(self));
            sleeper.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everyone_is_woken() {
        for count in [0, 1, 2, 3, 64, 200] {
            let (tell, told) = std::sync::mpsc::channel();
            let threads: Vec<_> = (0..count)
                .map(|_| {
                    let tell = tell.clone();
                    std::thread::spawn(move || {
                        let sleeper = Arc::new(Sleeper::this_thread());
                        tell.send(Arc::clone(&sleeper)).unwrap();
                        sleeper.sleep();
                    })
                })
                .collect();
            Roll::wake(told.iter().take(count).collect());
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        }
    }
}
