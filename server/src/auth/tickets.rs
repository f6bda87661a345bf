//! Tickets: what a browser shows instead of a header, which it cannot set on a WebSocket.
//!
//! A ticket stands for the credentials it was asked for with, once and for [`LIFE_MS`]. It travels in an address, which
//! ends up in logs of proxies: by then it is worth nothing. Tickets live in memory only, and by their hash.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use dateline_engine::{DocId, Millis};

use super::credentials::{Carrier, Credentials};
use super::token;
use crate::eve::problem::{Problem, Slug};
use crate::ids;

/// How long a ticket is good.
pub(crate) const LIFE_MS: u64 = 30_000;
/// Tickets of one user that are neither used nor too old.
const PER_USER_MAX: usize = 64;
/// Tickets of all.
const TICKETS_MAX: usize = 10_000;

struct Ticket {
    user: DocId,
    credentials: Credentials,
    until: Millis,
}

/// Tickets that nobody has used yet, by hash.
#[derive(Default)]
pub(crate) struct Tickets {
    open: Mutex<HashMap<String, Ticket>>,
}

impl Tickets {
    /// A new ticket.
    ///
    /// # Errors
    /// 429 when the user has too many, 503 when all have.
    pub(crate) fn issue(
        &self,
        user: &DocId,
        credentials: &Credentials,
        now: Millis,
    ) -> Result<String, Problem> {
        let text = ids::hex(&ids::random::<32>()?);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, ticket| ticket.until > now);
        if open.len() >= TICKETS_MAX {
            return Err(Problem::new(Slug::Overloaded, "too many tickets wait to be used").retry_after(5));
        }
        if open.values().filter(|ticket| ticket.user == *user).count() >= PER_USER_MAX {
            let detail = "too many tickets of this user wait to be used";
            return Err(Problem::new(Slug::RateLimited, detail).retry_after(5));
        }
        // Whoever redeems it shows no cookie, so the cookie's rules are not asked for again.
        let credentials = Credentials { carrier: Carrier::Header, ..credentials.clone() };
        let until = Millis::new(now.get().saturating_add(LIFE_MS));
        open.insert(token::digest(&text), Ticket { user: user.clone(), credentials, until });
        Ok(text)
    }

    /// Takes a ticket; nobody can take it again.
    pub(crate) fn redeem(&self, text: &str, now: Millis) -> Option<Credentials> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let ticket = open.remove(&token::digest(text))?;
        (ticket.until > now).then_some(ticket.credentials)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_good_once_and_for_a_moment() {
        let tickets = Tickets::default();
        let user = DocId::new("u").unwrap();
        let credentials = Credentials { token: "t".into(), carrier: Carrier::Cookie };
        let at = Millis::new;
        let issue = |now| tickets.issue(&user, &credentials, at(now));
        let ticket = issue(1_000).unwrap();
        assert!(tickets.redeem("another", at(1_000)).is_none());
        let redeemed = tickets.redeem(&ticket, at(1_000)).unwrap();
        assert!(redeemed.token == "t" && redeemed.carrier == Carrier::Header);
        assert!(tickets.redeem(&ticket, at(1_000)).is_none(), "used");
        let (late, in_time) = (issue(1_000).unwrap(), issue(1_001).unwrap());
        assert!(tickets.redeem(&late, at(1_000 + LIFE_MS)).is_none(), "too old");
        assert!(tickets.redeem(&in_time, at(1_000 + LIFE_MS)).is_some());
        for _ in 0..PER_USER_MAX {
            issue(2_000).unwrap();
        }
        assert_eq!(issue(2_000).unwrap_err().status_code(), 429);
        assert!(tickets.issue(&DocId::new("v").unwrap(), &credentials, at(2_000)).is_ok());
        assert!(issue(2_000 + LIFE_MS).is_ok(), "the old ones have ended");
    }
}
