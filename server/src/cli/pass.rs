//! A session for a command that brings its own server: nobody else ever sees its token.
//!
//! It is that of an administrator of the directory. A directory without one gets a passing administrator who has no
//! password and ends by himself within a day, also when the command is killed.

use dateline_engine::{Condition, DocId, Durability, ErrorKind, Millis, Transaction};
use serde_json::Value;

use super::outcome::Failure;
use crate::app::App;
use crate::auth::users::{self, User};
use crate::eve::json;
use crate::ids;

const LIFE_MS: u64 = 24 * 3600 * 1000;

/// An open session. [`Pass::give_back`] ends it.
pub(crate) struct Pass {
    token: String,
    session: DocId,
    passing: Option<DocId>,
}

impl Pass {
    /// # Errors
    /// When the store cannot be read or written.
    pub(crate) fn issue(app: &App) -> Result<Self, Failure> {
        let (known, passing) = match administrator(app)? {
            Some(user) => (Some(user), None),
            None => {
                let id = passing_administrator(app)?;
                (app.auth().users().get(app.store(), &id)?, Some(id))
            }
        };
        let user = known.ok_or_else(|| Failure::error("the passing administrator is gone"))?;
        let agent = concat!("dateline/", env!("CARGO_PKG_VERSION"));
        let session = app.auth().sessions().start(&user, "127.0.0.1", agent, app.store().now())?;
        app.store().commit(session.transaction)?;
        Ok(Self { token: session.token, session: session.id, passing })
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// # Errors
    /// When the store cannot be written.
    pub(crate) fn give_back(self, app: &App) -> Result<(), Failure> {
        let auth = app.auth();
        let tx = Transaction::new(Durability::Sync);
        let tx = tx.delete(auth.sessions().collection, self.session, Condition::Always);
        let tx = match self.passing {
            Some(id) => tx.delete(auth.users().users, id, Condition::Always),
            None => tx,
        };
        match app.store().commit(tx) {
            // Somebody has ended the session already.
            Err(error) if error.kind() != ErrorKind::Conflict => Err(error.into()),
            _ => Ok(()),
        }
    }
}

fn administrator(app: &App) -> Result<Option<User>, Failure> {
    let (store, users) = (app.store(), app.auth().users());
    for id in store.lookup(users.users, "user_type", &[Value::from("administrator")])? {
        let user = users.get(store, &id)?;
        if user.as_ref().is_some_and(User::may_enter) {
            return Ok(user);
        }
    }
    Ok(None)
}

fn passing_administrator(app: &App) -> Result<DocId, Failure> {
    let store = app.store();
    let id = ids::new_id(store.now())?;
    let body = json::encode(&users::body(&format!("offline-{id}"), "administrator"));
    let end = Millis::new(store.now().get() + LIFE_MS);
    let tx = Transaction::new(Durability::Sync);
    store.commit(tx.put_until(app.auth().users().users, id.clone(), Condition::Absent, body, end))?;
    Ok(id)
}
