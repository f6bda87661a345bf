//! Named subscriptions: a user's place in the log that outlives the connection and the server.
//!
//! A name is a durable cursor, `subscription/USER/NAME`. It moves when the client acknowledges, and holds the log as
//! far as the policy allows. What is subscribed to is said anew each time; the cursor only says how far it has come.
//! One subscription has a name at a time: a later one takes it over, because the earlier one is often a connection of
//! which nobody knows yet that it is dead.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use dateline_engine::{DocId, Durability, Receipt, Result, Seq, Store, Transaction};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::app::App;
use crate::auth::Principal;
use crate::eve::problem::{Problem, Slug};
use crate::http::{Access, Answer, Doc, Routes};
use crate::outcome::{self, Outcome};
use crate::streams::feeds::{bad, place};
use crate::streams::presence;
use crate::streams::telling::{Beginning, Bye};

const NAME_MAX: usize = 64;
const PER_USER_MAX: usize = 64;
/// Of all users: each holds the log.
const NAMES_MAX: usize = 10_000;
const PREFIX: &str = "subscription/";

/// Routes of named subscriptions.
pub(crate) fn routes() -> Routes {
    let doc = |summary| Doc::new(summary, "log", Access::SignedIn);
    Routes::new()
        .get(
            "/api/subscriptions",
            list,
            doc("One's own named subscriptions and how far they are").answer_as(
                200,
                "application/json",
                None,
            ),
        )
        .delete("/api/subscriptions/{name}", remove, doc("Forget a named subscription").empty(204))
}

fn prefix(user: &DocId) -> String {
    format!("{PREFIX}{user}/")
}

/// Names of a user, and how far each is.
fn of_user(store: &Store, user: &DocId) -> Result<Vec<(String, Seq)>> {
    let prefix = prefix(user);
    let cursors = store.cursors(&prefix)?.into_iter();
    let names =
        cursors.filter_map(|(cursor, at)| Some((cursor.strip_prefix(&prefix)?.to_owned(), at.at.seq)));
    // The id of another user may begin with this one's and a slash; a name has none.
    Ok(names.filter(|(name, _)| !name.contains('/')).collect())
}

/// The cursors that go with a user.
///
/// # Errors
/// When the store cannot be read.
pub(crate) fn cursors_of(store: &Store, user: &DocId) -> Result<Vec<String>> {
    let names = of_user(store, user)?.into_iter();
    Ok(names.map(|(name, _)| format!("{}{name}", prefix(user))).collect())
}

/// Whether a text can be a name.
///
/// # Errors
/// 400.
pub(crate) fn check(name: &str) -> std::result::Result<(), Problem> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    if name.is_empty() || name.len() > NAME_MAX || !name.chars().all(plain) {
        return Err(bad("name", "1 to 64 lower-case letters, digits, '_' and '-'"));
    }
    Ok(())
}

/// A name that a subscription has.
pub(crate) struct Named {
    app: App,
    cursor: String,
    loss: Arc<Loss>,
}

impl Named {
    /// Takes a name: where it stands, or where `last` says, or at the head when it is new. The place is stored before
    /// this returns.
    ///
    /// # Errors
    /// 429 when there are too many names; as `Store::commit`.
    pub(crate) async fn take(
        app: &App,
        user: &DocId,
        name: &str,
        last: Option<&str>,
    ) -> std::result::Result<(Self, Hold, Beginning), Problem> {
        let store = app.store();
        let cursor = format!("{}{name}", prefix(user));
        let stored = store.cursor(&cursor)?.map(|known| known.at.seq.to_string());
        if stored.is_none() && of_user(store, user)?.len() >= PER_USER_MAX {
            return Err(Problem::new(Slug::RateLimited, format!("there are {PER_USER_MAX} names already")));
        }
        if stored.is_none() && store.cursors(PREFIX)?.len() >= NAMES_MAX {
            return Err(Problem::new(Slug::Overloaded, format!("there are {NAMES_MAX} names already")));
        }
        let beginning = Beginning::after(app, last.or(stored.as_deref()))?;
        if stored != Some(beginning.from.seq.to_string()) {
            app.commit(Transaction::new(Durability::Sync).cursor(&cursor, place(beginning.from.seq))).await?;
        }
        let hold = app.holders().take(&cursor);
        let named = Self { app: app.clone(), cursor, loss: Arc::clone(&hold.loss) };
        Ok((named, hold, beginning))
    }

    /// Somebody else has the name, or it was forgotten: its place is not moved any more.
    pub(crate) fn is_lost(&self) -> bool {
        self.loss.reason.get().is_some()
    }

    fn moved(&self, to: Seq, durability: Durability) -> Transaction {
        Transaction::new(durability).cursor(&self.cursor, place(to))
    }

    /// Moves the place; the outcome comes once it is on disk. Handed to the engine before this returns, so that places
    /// are stored in the order in which they were acknowledged.
    pub(crate) fn store(&self, to: Seq) -> Outcome<Receipt> {
        outcome::of(|done| self.app.store().submit(self.moved(to, Durability::Sync), done))
    }

    /// Moves the place past records that were nothing for the subscriber: lost, it is found out again.
    pub(crate) fn pass(&self, to: Seq) {
        self.app.store().submit(self.moved(to, Durability::Buffered), |outcome| {
            if let Err(error) = outcome {
                tracing::debug!(%error, "position of a subscription not stored");
            }
        });
    }

    /// Forgets the name.
    pub(crate) fn forget(&self) -> Transaction {
        Transaction::new(Durability::Sync).forget_cursor(&self.cursor)
    }
}

/// Who has which name now.
#[derive(Clone, Default)]
pub(crate) struct Holders {
    held: Arc<Mutex<HashMap<String, Arc<Loss>>>>,
}

#[derive(Default)]
struct Loss {
    told: Notify,
    reason: OnceLock<Bye>,
}

impl Loss {
    fn tell(&self, reason: Bye) {
        // The first reason stands.
        let _ = self.reason.set(reason);
        self.told.notify_one();
    }
}

/// A name held by one subscription; dropping it gives the name back.
pub(crate) struct Hold {
    holders: Holders,
    cursor: String,
    loss: Arc<Loss>,
}

impl Holders {
    fn held(&self) -> MutexGuard<'_, HashMap<String, Arc<Loss>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, cursor: &str) -> Hold {
        let loss = Arc::new(Loss::default());
        if let Some(earlier) = self.held().insert(cursor.to_owned(), Arc::clone(&loss)) {
            earlier.tell(Bye::TakenOver);
        }
        Hold { holders: self.clone(), cursor: cursor.to_owned(), loss }
    }

    fn end(&self, cursor: &str, reason: Bye) {
        if let Some(held) = self.held().remove(cursor) {
            held.tell(reason);
        }
    }

    fn has(&self, cursor: &str) -> bool {
        self.held().contains_key(cursor)
    }
}

impl Hold {
    /// Waits until the name is lost; the reason.
    pub(crate) async fn lost(&self) -> Bye {
        self.loss.told.notified().await;
        self.loss.reason.get().copied().unwrap_or(Bye::TakenOver)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut held = self.holders.held();
        if held.get(&self.cursor).is_some_and(|loss| Arc::ptr_eq(loss, &self.loss)) {
            held.remove(&self.cursor);
        }
    }
}

/// `GET /api/subscriptions`.
async fn list(State(app): State<App>, principal: Principal) -> Answer {
    let head = app.store().feed().head();
    let items: Vec<Value> = of_user(app.store(), &principal.user)?
        .into_iter()
        .map(|(name, seq)| {
            json!({
                "_id": name,
                "seq": seq.get(),
                "lag": head.get().saturating_sub(seq.get()),
                "connected": app.holders().has(&format!("{}{name}", prefix(&principal.user))),
            })
        })
        .collect();
    presence::listed(items)
}

/// `DELETE /api/subscriptions/{name}`: also ends the subscription that has it.
async fn remove(State(app): State<App>, principal: Principal, Path(name): Path<String>) -> Answer {
    let cursor = format!("{}{name}", prefix(&principal.user));
    if check(&name).is_err() || app.store().cursor(&cursor)?.is_none() {
        return Err(Problem::new(Slug::NotFound, format!("there is no subscription '{name}'")).into());
    }
    app.holders().end(&cursor, Bye::Forgotten);
    app.commit(Transaction::new(Durability::Sync).forget_cursor(cursor)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn a_name_has_one_holder() {
        let holders = Holders::default();
        let first = holders.take("subscription/u/a");
        let other = holders.take("subscription/u/b");
        let second = holders.take("subscription/u/a");
        assert_eq!(first.lost().now_or_never(), Some(Bye::TakenOver));
        assert_eq!((second.lost().now_or_never(), other.lost().now_or_never()), (None, None));
        drop(first);
        assert!(holders.has("subscription/u/a"), "it is the second's");
        holders.end("subscription/u/a", Bye::Forgotten);
        assert_eq!(second.lost().now_or_never(), Some(Bye::Forgotten));
        drop((second, other));
        assert!(holders.held().is_empty());
    }

    #[test]
    fn names_are_plain() {
        for good in ["a", "phone-1_x", &"x".repeat(64)] {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in ["", "A", "a/b", "ä", "a b", &"x".repeat(65)] {
            assert_eq!(check(bad).unwrap_err().status_code(), 400, "{bad}");
        }
    }
}
