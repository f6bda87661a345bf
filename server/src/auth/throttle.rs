//! Slowing down those who guess passwords.
//!
//! An attempt counts as a failure from before the password is looked at until it has proved right, so guesses made
//! all at once are held up like guesses made one after another. Failures are counted per account and address, and
//! per address alone with a higher allowance. So guessing costs exponentially growing waits, but a stranger
//! elsewhere can never lock a user out. Bounded memory: names are cut, the longest unused entries go first.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

use dateline_engine::Millis;

const ENTRIES_MAX: usize = 20_000;
const ACCOUNT_BYTES_MAX: usize = 100;
const FREE_PER_ACCOUNT: u32 = 5;
const FREE_PER_ADDRESS: u32 = 50;
const WAIT_MS_MAX: u64 = 300_000;
const FORGET_MS: u64 = 3_600_000;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Guesser {
    Account(String, IpAddr),
    Address(IpAddr),
}

impl Guesser {
    fn both(account: &str, ip: IpAddr) -> [Self; 2] {
        let (account, ip) = (account.trim(), network(ip));
        let account = account.get(..account.floor_char_boundary(ACCOUNT_BYTES_MAX)).unwrap_or_default();
        [Self::Account(account.to_lowercase(), ip), Self::Address(ip)]
    }

    fn free(&self) -> u32 {
        match self {
            Self::Account(..) => FREE_PER_ACCOUNT,
            Self::Address(_) => FREE_PER_ADDRESS,
        }
    }
}

/// What one client has to itself: an IPv4 address, or the /64 that an IPv6 client may take any address of.
fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & (u128::MAX << 64))),
        ip => ip,
    }
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    last: Millis,
}

/// An attempt that counts as failed as long as it is not given back.
#[derive(Debug)]
pub(crate) struct Attempt {
    at: Millis,
    /// Each with the time of its failure before.
    guessers: [(Guesser, Millis); 2],
}

/// The recent failures.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    entries: HashMap<Guesser, Failures>,
}

impl Throttle {
    /// Counts an attempt as failed.
    ///
    /// # Errors
    /// The milliseconds to wait before this account may be tried from this address; then nothing is counted.
    pub(crate) fn attempt(&mut self, account: &str, ip: IpAddr, now: Millis) -> Result<Attempt, u64> {
        match self.wait_ms(account, ip, now) {
            0 => Ok(self.failed(account, ip, now)),
            wait_ms => Err(wait_ms),
        }
    }

    fn wait_ms(&self, account: &str, ip: IpAddr, now: Millis) -> u64 {
        let wait = |guesser: Guesser| {
            self.entries.get(&guesser).map_or(0, |failures| failures.wait_ms(guesser.free(), now))
        };
        Guesser::both(account, ip).map(wait).into_iter().max().unwrap_or(0)
    }

    fn failed(&mut self, account: &str, ip: IpAddr, now: Millis) -> Attempt {
        self.make_room(now);
        let guessers = Guesser::both(account, ip).map(|guesser| {
            let failures = self.entries.entry(guesser.clone()).or_insert(Failures { count: 0, last: now });
            if failures.is_forgotten(now) {
                failures.count = 0;
            }
            let before = failures.last;
            *failures = Failures { count: failures.count.saturating_add(1), last: now };
            (guesser, before)
        });
        Attempt { at: now, guessers }
    }

    /// The password was right: the attempt is given back, and the account's failures from here are forgiven.
    pub(crate) fn succeeded(&mut self, attempt: Attempt) {
        for (guesser, _) in &attempt.guessers {
            if let Guesser::Account(..) = guesser {
                self.entries.remove(guesser);
            }
        }
        self.give_back(attempt);
    }

    /// The password was never looked at: the attempt does not count.
    pub(crate) fn give_back(&mut self, attempt: Attempt) {
        for (guesser, before) in attempt.guessers {
            let Some(failures) = self.entries.get_mut(&guesser) else { continue };
            failures.count = failures.count.saturating_sub(1);
            if failures.last == attempt.at {
                failures.last = before;
            }
            if failures.count == 0 {
                self.entries.remove(&guesser);
            }
        }
    }

    fn make_room(&mut self, now: Millis) {
        if self.entries.len() + 2 <= ENTRIES_MAX {
            return;
        }
        self.entries.retain(|_, failures| !failures.is_forgotten(now));
        if self.entries.len() + 2 > ENTRIES_MAX {
            let mut times: Vec<Millis> = self.entries.values().map(|failures| failures.last).collect();
            let (_, &mut middle, _) = times.select_nth_unstable(ENTRIES_MAX / 2);
            self.entries.retain(|_, failures| failures.last > middle);
        }
    }
}

impl Failures {
    fn is_forgotten(&self, now: Millis) -> bool {
        now.get().saturating_sub(self.last.get()) > FORGET_MS
    }

    fn wait_ms(&self, free: u32, now: Millis) -> u64 {
        if self.count < free || self.is_forgotten(now) {
            return 0;
        }
        let doublings = (self.count - free).min(20);
        let until = self.last.get() + (1000 << doublings).min(WAIT_MS_MAX);
        until.saturating_sub(now.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

    #[test]
    fn waits_grow_and_strangers_lock_nobody_out() {
        let mut throttle = Throttle::default();
        let now = Millis::new(1_000_000);
        for _ in 0..4 {
            throttle.failed("Ann", HERE, now);
        }
        assert_eq!(throttle.wait_ms("ann", HERE, now), 0);
        throttle.failed("ann", HERE, now);
        assert_eq!(throttle.wait_ms("ann", HERE, now), 1000);
        throttle.failed("ann", HERE, now);
        assert_eq!(throttle.wait_ms("ANN", HERE, now), 2000);
        assert_eq!(throttle.wait_ms("ann", HERE, Millis::new(1_002_000)), 0);
        assert_eq!(throttle.wait_ms("ann", THERE, now), 0);
        assert_eq!(throttle.wait_ms("bob", HERE, now), 0);
        for _ in 0..40 {
            throttle.failed("ann", HERE, now);
        }
        assert_eq!(throttle.wait_ms("ann", HERE, now), WAIT_MS_MAX);
        let late = Millis::new(1_000_000 + WAIT_MS_MAX);
        let right = throttle.attempt("ann", HERE, late).unwrap();
        throttle.succeeded(right);
        assert_eq!(throttle.wait_ms("ann", HERE, late), 0);
        assert_eq!(throttle.entries[&Guesser::Address(HERE)].count, 46, "only the right one is given back");
    }

    #[test]
    fn an_attempt_counts_until_it_is_given_back() {
        let mut throttle = Throttle::default();
        let now = Millis::new(1_000_000);
        let at_once: Vec<_> = (0..20).map(|_| throttle.attempt("ann", HERE, now)).collect();
        assert_eq!(at_once.iter().filter(|attempt| attempt.is_ok()).count(), 5);
        assert!(at_once.iter().skip(5).all(|attempt| matches!(attempt, Err(1000))));
        for attempt in at_once.into_iter().flatten() {
            throttle.give_back(attempt);
        }
        assert!(throttle.entries.is_empty());
        assert!(throttle.attempt("ann", HERE, now).is_ok());
    }

    #[test]
    fn what_is_kept_of_names_and_addresses() {
        let mut throttle = Throttle::default();
        let now = Millis::new(1_000_000);
        let at = |text: &str| text.parse::<IpAddr>().unwrap();
        for _ in 0..5 {
            throttle.failed(&"é".repeat(100_000), at("2001:db8::1"), now);
        }
        let longest = |guesser: &Guesser| match guesser {
            Guesser::Account(name, _) => name.len(),
            Guesser::Address(_) => 0,
        };
        assert_eq!(throttle.entries.keys().map(longest).max(), Some(100));
        let name = "é".repeat(50);
        assert_eq!(throttle.wait_ms(&name, at("2001:db8::ffff:ffff:ffff:ffff"), now), 1000, "the same /64");
        assert_eq!(throttle.wait_ms(&name, at("2001:db8:0:1::1"), now), 0, "another /64");
        for _ in 0..5 {
            throttle.failed("bob", at("::ffff:10.0.0.1"), now);
        }
        assert_eq!(throttle.wait_ms("bob", HERE, now), 1000, "an IPv4 address written as IPv6");
        assert_eq!(throttle.wait_ms("bob", at("::ffff:10.0.0.2"), now), 0);
    }

    #[test]
    fn one_address_over_many_accounts_waits_too() {
        let mut throttle = Throttle::default();
        let now = Millis::new(1_000_000);
        for n in 0..50 {
            throttle.failed(&format!("user{n}"), HERE, now);
        }
        assert_eq!(throttle.wait_ms("fresh", HERE, now), 1000);
        assert_eq!(throttle.wait_ms("fresh", THERE, now), 0);
        assert_eq!(throttle.wait_ms("fresh", HERE, Millis::new(1_000_000 + FORGET_MS + 1)), 0);
    }

    #[test]
    fn memory_is_bounded() {
        let mut throttle = Throttle::default();
        for n in 0..60_000_u64 {
            let ip = IpAddr::V4(std::net::Ipv4Addr::from_bits(u32::try_from(n).unwrap()));
            throttle.failed("x", ip, Millis::new(1_000_000 + n));
            assert!(throttle.entries.len() <= ENTRIES_MAX);
        }
        let newest = IpAddr::V4(std::net::Ipv4Addr::from_bits(59_999));
        assert!(throttle.entries.contains_key(&Guesser::Address(newest)));
    }
}
