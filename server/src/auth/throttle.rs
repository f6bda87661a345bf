//! Slowing down those who guess passwords.
//!
//! Failures are counted per account and address, and per address alone with a higher allowance. So guessing costs
//! exponentially growing waits, but a stranger elsewhere can never lock a user out. Bounded memory: the longest
//! unused entries go first.

use std::collections::HashMap;
use std::net::IpAddr;

use dateline_engine::Millis;

const ENTRIES_MAX: usize = 20_000;
const FREE_PER_ACCOUNT: u32 = 5;
const FREE_PER_ADDRESS: u32 = 50;
const WAIT_MS_MAX: u64 = 300_000;
const FORGET_MS: u64 = 3_600_000;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Guesser {
    Account(String, IpAddr),
    Address(IpAddr),
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    last: Millis,
}

/// The recent failures.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    entries: HashMap<Guesser, Failures>,
}

impl Throttle {
    /// Milliseconds to wait before this account may be tried again from this address; 0 for now.
    pub(crate) fn wait_ms(&self, account: &str, ip: IpAddr, now: Millis) -> u64 {
        let wait =
            |guesser, free| self.entries.get(&guesser).map_or(0, |failures| failures.wait_ms(free, now));
        let account = wait(Guesser::Account(account.to_lowercase(), ip), FREE_PER_ACCOUNT);
        account.max(wait(Guesser::Address(ip), FREE_PER_ADDRESS))
    }

    /// Notes a wrong password.
    pub(crate) fn failed(&mut self, account: &str, ip: IpAddr, now: Millis) {
        self.make_room(now);
        for guesser in [Guesser::Account(account.to_lowercase(), ip), Guesser::Address(ip)] {
            let failures = self.entries.entry(guesser).or_insert(Failures { count: 0, last: now });
            if failures.is_forgotten(now) {
                failures.count = 0;
            }
            *failures = Failures { count: failures.count.saturating_add(1), last: now };
        }
    }

    /// Notes a right password: the account's failures from here are forgiven.
    pub(crate) fn succeeded(&mut self, account: &str, ip: IpAddr) {
        self.entries.remove(&Guesser::Account(account.to_lowercase(), ip));
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
        throttle.succeeded("ann", HERE);
        assert_eq!(throttle.wait_ms("ann", HERE, now), 0);
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
