//! How many streams are open, by user: a bound each, and given back however a stream ends.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::eve::problem::{Problem, Slug};

/// Streams of one user at a time.
pub(super) const PER_USER_MAX: usize = 64;

/// Open streams by user.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seats {
    taken: Arc<Mutex<HashMap<String, usize>>>,
}

/// One open stream; dropping it gives the seat back.
#[derive(Debug)]
pub(crate) struct Seat {
    seats: Seats,
    user: String,
}

impl Seats {
    /// A seat for one more stream.
    ///
    /// # Errors
    /// 429 when the user has as many as allowed.
    pub(crate) fn take(&self, user: &str) -> Result<Seat, Problem> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(user.to_owned()).or_default();
        if *count >= PER_USER_MAX {
            let problem = Problem::new(Slug::RateLimited, "too many streams of this user are open");
            return Err(problem.retry_after(5));
        }
        *count += 1;
        Ok(Seat { seats: self.clone(), user: user.to_owned() })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_are_bounded_and_come_back() {
        let seats = Seats::default();
        let held: Vec<_> = (0..PER_USER_MAX).map(|_| seats.take("a").unwrap()).collect();
        assert!(seats.take("a").is_err());
        assert!(seats.take("b").is_ok());
        drop(held);
        assert!(seats.taken.lock().unwrap().is_empty());
        assert!(seats.take("a").is_ok());
    }
}
