//! Sessions: documents of `auth` that end by themselves.
//!
//! `{"user", "username", "token_sha256", "ip", "agent"}`. The document's end is the nearer of the idle and the absolute
//! bound; being used moves the idle bound, in steps, so that a busy session costs a write every few minutes.

use dateline_engine::{
    CollectionId, Condition, DocId, Document, Durability, Error, Millis, Result, Store, Transaction,
};
use serde_json::{Value, json};

use super::token;
use super::users::User;

/// Where sessions are and how long they last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sessions {
    pub(crate) collection: CollectionId,
    pub(crate) idle_ms: u64,
    pub(crate) absolute_ms: u64,
}

/// A live session.
pub(crate) struct Session {
    pub(crate) id: DocId,
    pub(crate) user: DocId,
    pub(crate) document: Document,
}

/// A session about to be stored.
pub(crate) struct NewSession {
    pub(crate) id: DocId,
    pub(crate) token: String,
    pub(crate) expires: Millis,
    pub(crate) transaction: Transaction,
}

impl Sessions {
    /// The session of a token, if it is alive.
    pub(crate) fn find(&self, store: &Store, text: &str) -> Result<Option<Session>> {
        let (id, digest) = token::session_of(text)?;
        let Some(document) = store.get(self.collection, id.as_str())? else { return Ok(None) };
        let fields = parse(&document)?;
        let known = fields.get("token_sha256").and_then(Value::as_str).unwrap_or("");
        if !token::same_digest(known, &digest) {
            return Ok(None);
        }
        let user = DocId::new(fields.get("user").and_then(Value::as_str).unwrap_or(""))?;
        Ok(Some(Session { id, user, document }))
    }

    /// Begins a session.
    pub(crate) fn start(&self, user: &User, ip: &str, agent: &str, now: Millis) -> Result<NewSession> {
        let fresh = token::new_session()?;
        let expires = self.end(now, now);
        let body = json!({
            "user": user.id().as_str(),
            "username": user.username(),
            "token_sha256": fresh.digest,
            "ip": ip,
            "agent": agent.chars().take(200).collect::<String>(),
        });
        // Whoever makes room has to sign in first.
        let transaction = Transaction::new(Durability::Sync).when_full().put_until(
            self.collection,
            fresh.id.clone(),
            Condition::Absent,
            body.to_string().into_bytes(),
            expires,
        );
        Ok(NewSession { id: fresh.id, token: fresh.text, expires, transaction })
    }

    /// The write that moves the idle bound, once a sixteenth of it has gone by.
    pub(crate) fn refresh(&self, session: &Session, now: Millis) -> Option<Transaction> {
        let document = &session.document;
        let since = now.get().saturating_sub(document.updated.get());
        let expires = self.end(document.created, now);
        if since < self.idle_ms / 16 || document.expires.is_some_and(|end| end >= expires) {
            return None;
        }
        let condition = Condition::Revision(document.revision());
        let transaction = Transaction::new(Durability::Buffered).when_full();
        Some(transaction.put_until(
            self.collection,
            session.id.clone(),
            condition,
            document.body.clone(),
            expires,
        ))
    }

    /// Sessions of one user.
    pub(crate) fn of_user(&self, store: &Store, user: &DocId) -> Result<Vec<Document>> {
        let ids = store.lookup(self.collection, "user", &[Value::from(user.as_str())])?;
        let found = ids.iter().map(|id| store.get(self.collection, id.as_str()));
        Ok(found.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
    }

    /// Adds the writes that end sessions.
    pub(crate) fn end_all(&self, tx: Transaction, sessions: &[Document]) -> Transaction {
        sessions
            .iter()
            .fold(tx, |tx, session| tx.delete(self.collection, session.id.clone(), Condition::Always))
    }

    fn end(&self, created: Millis, now: Millis) -> Millis {
        Millis::new((now.get() + self.idle_ms).min(created.get() + self.absolute_ms))
    }
}

pub(crate) fn parse(document: &Document) -> Result<Value> {
    serde_json::from_slice(&document.body)
        .map_err(|error| Error::corrupt(format!("auth/{}: {error}", document.id)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use dateline_engine::{ManualClock, Options};

    use super::*;
    use crate::auth::{Auth, users};
    use crate::config::Config;

    #[test]
    fn idle_and_absolute_ends() {
        let clock = Arc::new(ManualClock::new(Millis::new(1_769_860_800_000)));
        let options = Options { clock: Arc::clone(&clock) as Arc<_>, ..Options::new() };
        let store = Store::memory(options).unwrap();
        let auth = Auth::open(&store, &Config::new().auth).unwrap();
        let id = DocId::new("u1").unwrap();
        let tx = Transaction::new(Durability::Sync);
        store.commit(auth.users().create(tx, &id, &users::body("Ann", "user"), None)).unwrap();
        let user = auth.users().find(&store, "ANN").unwrap().unwrap();

        let start = auth.sessions().start(&user, "::1", "test", store.now()).unwrap();
        store.commit(start.transaction).unwrap();
        let find = || auth.sessions().find(&store, &start.token).unwrap();
        assert_eq!(find().unwrap().user, id);
        assert!(auth.sessions().find(&store, "wrong").unwrap().is_none());
        assert!(auth.sessions().refresh(&find().unwrap(), store.now()).is_none());

        // Used every hour it lives on; the absolute end comes all the same.
        for hour in 1..7 * 24 {
            clock.advance_ms(3_600_000);
            let session = find().unwrap_or_else(|| panic!("gone after {hour} hours"));
            if let Some(refresh) = auth.sessions().refresh(&session, store.now()) {
                store.commit(refresh).unwrap();
            }
        }
        clock.advance_ms(3_600_000);
        assert!(find().is_none());

        let idle = auth.sessions().start(&user, "::1", "test", store.now()).unwrap();
        store.commit(idle.transaction).unwrap();
        clock.advance_ms(4 * 3_600_000 - 1);
        assert!(auth.sessions().find(&store, &idle.token).unwrap().is_some());
        clock.advance_ms(1);
        assert!(auth.sessions().find(&store, &idle.token).unwrap().is_none());
    }
}
