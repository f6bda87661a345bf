//! User documents.
//!
//! A user is a document of `users` (`username`, `user_type`, `is_enabled`, `is_active`, `role`, `privileges` ...). The
//! password's hash is a document of `credentials` with the same id: `{"login": lower-case username, "hash"}`. So no
//! list, version, stream or search of users can ever hold a hash, and two names that differ only in case cannot
//! both exist.

use std::collections::BTreeSet;
use std::sync::Arc;

use dateline_engine::{CollectionId, Condition, DocId, Document, Error, Result, Store, Transaction};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Carried, Principal, Scopes, UserType};

/// Where users are.
#[derive(Clone, Copy, Debug)]
pub struct Users {
    pub(crate) users: CollectionId,
    pub(crate) roles: CollectionId,
    pub(crate) credentials: CollectionId,
}

/// A user document, parsed.
#[derive(Clone, Debug)]
pub struct User {
    /// The stored version.
    pub document: Document,
    /// Its body.
    pub fields: Map<String, Value>,
}

/// The password of a user as it was read.
pub(crate) struct Secret {
    /// The PHC string; without one nobody can sign in.
    pub(crate) hash: Option<String>,
    /// Holds as long as nobody has written another.
    pub(crate) unchanged: Condition,
    /// The token with which a new one may be set without the old one.
    pub(crate) reset: Option<Reset>,
}

/// A token that was sent to a user who does not know the password any more. The next password that is set ends it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Reset {
    pub(crate) digest: String,
    /// Good before this, in milliseconds.
    pub(crate) until: u64,
}

impl User {
    fn parse(document: Document) -> Result<Self> {
        let fields = serde_json::from_slice(&document.body)
            .map_err(|error| Error::corrupt(format!("users/{}: {error}", document.id)))?;
        Ok(Self { document, fields })
    }

    fn text(&self, name: &str) -> &str {
        self.fields.get(name).and_then(Value::as_str).unwrap_or("")
    }

    /// The user's id.
    #[must_use]
    pub fn id(&self) -> &DocId {
        &self.document.id
    }

    /// The name to sign in with.
    #[must_use]
    pub fn username(&self) -> &str {
        self.text("username")
    }

    /// `administrator`, `user` or `external`, as stored.
    #[must_use]
    pub fn user_type(&self) -> &str {
        self.text("user_type")
    }

    /// Absent flags count as set.
    pub(crate) fn flag(&self, name: &str) -> bool {
        flag(&self.fields, name)
    }

    /// Whether tokens of this user are good.
    pub(crate) fn may_enter(&self) -> bool {
        may_enter(&self.fields)
    }
}

impl Users {
    /// The user of this id.
    ///
    /// # Errors
    /// `Corrupt` when the stored document is damaged.
    pub fn get(&self, store: &Store, id: &DocId) -> Result<Option<User>> {
        store.get(self.users, id.as_str())?.map(User::parse).transpose()
    }

    /// The user who signs in with this name, whatever its case.
    ///
    /// # Errors
    /// As `get`.
    pub fn find(&self, store: &Store, username: &str) -> Result<Option<User>> {
        let login = Value::from(login_name(username));
        match store.lookup(self.credentials, "login", &[login])?.first() {
            Some(id) => self.get(store, id),
            None => Ok(None),
        }
    }

    /// The stored hash of a user's password, and the condition under which it is still that one.
    pub(crate) fn secret_of(&self, store: &Store, id: &DocId) -> Result<Secret> {
        let Some(document) = store.get(self.credentials, id.as_str())? else {
            return Ok(Secret { hash: None, unchanged: Condition::Absent, reset: None });
        };
        let fields: Value = serde_json::from_slice(&document.body)
            .map_err(|error| Error::corrupt(format!("credentials/{id}: {error}")))?;
        let hash = fields.get("hash").and_then(Value::as_str).map(str::to_owned);
        let reset = fields.get("reset").and_then(|reset| Reset::deserialize(reset).ok());
        Ok(Secret { hash, unchanged: Condition::Revision(document.revision()), reset })
    }

    /// Whether anybody can administer this store.
    ///
    /// # Errors
    /// As `get`.
    pub fn has_administrator(&self, store: &Store) -> Result<bool> {
        self.has_administrator_beside(store, None)
    }

    /// Whether anybody but this user can administer this store.
    pub(crate) fn has_administrator_beside(&self, store: &Store, one: Option<&DocId>) -> Result<bool> {
        for id in store.lookup(self.users, "user_type", &[Value::from("administrator")])? {
            if one != Some(&id) && self.get(store, &id)?.is_some_and(|user| user.may_enter()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// All users in the order of their ids, at most `limit`. A scan.
    ///
    /// # Errors
    /// As `get`.
    pub fn list(&self, store: &Store, limit: usize) -> Result<Vec<User>> {
        let mut documents = Vec::new();
        store.snapshot()?.scan(self.users, None, false, |document| {
            documents.push(document.clone());
            if documents.len() < limit {
                std::ops::ControlFlow::Continue(())
            } else {
                std::ops::ControlFlow::Break(())
            }
        })?;
        documents.into_iter().map(User::parse).collect()
    }

    /// Adds the writes that create a user. `fields` is the complete body, as [`body`] makes it; `hash` is the PHC
    /// string of the password, and without one nobody can sign in as this user.
    #[must_use]
    pub fn create(
        &self,
        tx: Transaction,
        id: &DocId,
        fields: &Map<String, Value>,
        hash: Option<&str>,
    ) -> Transaction {
        let username = fields.get("username").and_then(Value::as_str).unwrap_or("");
        let credentials = credential_body(username, hash);
        tx.put(self.users, id.clone(), Condition::Absent, crate::eve::json::encode(fields)).put(
            self.credentials,
            id.clone(),
            Condition::Absent,
            credentials,
        )
    }

    /// Adds the write that sets a user's password, or takes it away, whatever it was.
    #[must_use]
    pub fn set_password(
        &self,
        tx: Transaction,
        id: &DocId,
        username: &str,
        hash: Option<&str>,
    ) -> Transaction {
        tx.put(self.credentials, id.clone(), Condition::Always, credential_body(username, hash))
    }

    /// Adds the write of a name and a password that were made from `secret`; it fails when that has changed.
    pub(crate) fn replace_secret(
        &self,
        tx: Transaction,
        id: &DocId,
        username: &str,
        secret: Secret,
    ) -> Transaction {
        let body = credential_body(username, secret.hash.as_deref());
        tx.put(self.credentials, id.clone(), secret.unchanged, body)
    }

    /// Adds the write of a token beside the password that was read; it fails when that has changed.
    pub(crate) fn offer_reset(
        &self,
        tx: Transaction,
        id: &DocId,
        username: &str,
        secret: Secret,
        reset: &Reset,
    ) -> Transaction {
        let body = json!({"login": login_name(username), "hash": secret.hash, "reset": reset});
        tx.put(self.credentials, id.clone(), secret.unchanged, body.to_string())
    }

    /// The users who can sign in and have this address, whatever its case; at most `limit`.
    pub(crate) fn with_email(&self, store: &Store, email: &str, limit: usize) -> Result<Vec<User>> {
        let mut found = Vec::new();
        let mut flaw = None;
        store.snapshot()?.scan(self.users, None, false, |document| {
            match User::parse(document.clone()) {
                Ok(user) if user.text("email").eq_ignore_ascii_case(email) && user.may_enter() => {
                    found.push(user)
                }
                Ok(_) => {}
                Err(error) => flaw = Some(error),
            }
            if found.len() < limit && flaw.is_none() {
                std::ops::ControlFlow::Continue(())
            } else {
                std::ops::ControlFlow::Break(())
            }
        })?;
        flaw.map_or(Ok(found), Err)
    }

    /// Adds the removal of a password together with whatever removes the user.
    pub(crate) fn remove_secret(&self, tx: Transaction, id: &DocId, secret: Secret) -> Transaction {
        match secret.unchanged {
            // There is nothing to remove.
            Condition::Absent => tx,
            condition => tx.delete(self.credentials, id.clone(), condition),
        }
    }

    /// Adds the writes that remove a user for good.
    #[must_use]
    pub fn remove(&self, tx: Transaction, id: &DocId) -> Transaction {
        tx.delete(self.users, id.clone(), Condition::Present).delete(
            self.credentials,
            id.clone(),
            Condition::Always,
        )
    }

    /// The caller a user is. Reads the role.
    pub(crate) fn principal(
        &self,
        store: &Store,
        user: &User,
        scopes: Scopes,
        carried: Carried,
    ) -> Result<Principal> {
        let user_type = match user.user_type() {
            "administrator" => UserType::Administrator,
            _ => UserType::User,
        };
        let role = match user.text("role") {
            "" => None,
            id => store.get(self.roles, id)?,
        };
        let mut privileges = BTreeSet::new();
        if let Some(role) = &role {
            let fields: Value = serde_json::from_slice(&role.body)
                .map_err(|error| Error::corrupt(format!("roles/{}: {error}", role.id)))?;
            overlay(&mut privileges, fields.get("privileges"));
        }
        overlay(&mut privileges, user.fields.get("privileges"));
        Ok(Principal {
            user: user.id().clone(),
            username: user.username().into(),
            user_type,
            role: role.map(|role| role.id),
            privileges: Arc::new(privileges),
            scopes,
            carried,
        })
    }
}

fn flag(fields: &Map<String, Value>, name: &str) -> bool {
    fields.get(name).and_then(Value::as_bool).unwrap_or(true)
}

fn may_enter(fields: &Map<String, Value>) -> bool {
    let external = fields.get("user_type").and_then(Value::as_str) == Some("external");
    flag(fields, "is_enabled") && flag(fields, "is_active") && !external
}

/// Whether a body makes its user an administrator.
pub(crate) fn is_administrator(fields: &Map<String, Value>) -> bool {
    fields.get("user_type").and_then(Value::as_str) == Some("administrator")
}

/// Whether a body makes its user an administrator who can sign in.
pub(crate) fn administers(fields: &Map<String, Value>) -> bool {
    is_administrator(fields) && may_enter(fields)
}

/// `{"p": 1}` grants, `{"p": 0}` takes back what a role granted.
fn overlay(privileges: &mut BTreeSet<String>, granted: Option<&Value>) {
    for (name, value) in granted.and_then(Value::as_object).into_iter().flatten() {
        let on = value.as_bool().unwrap_or_else(|| value.as_f64().is_some_and(|number| number != 0.0));
        if on {
            privileges.insert(name.clone());
        } else {
            privileges.remove(name);
        }
    }
}

/// The form of a name under which it is unique.
#[must_use]
pub fn login_name(username: &str) -> String {
    username.trim().to_lowercase()
}

/// The least body of a new user.
#[must_use]
pub fn body(username: &str, user_type: &str) -> Map<String, Value> {
    let fields = json!({
        "username": username.trim(),
        "display_name": username.trim(),
        "user_type": user_type,
        "is_active": true,
        "is_enabled": true,
        "needs_activation": false,
        "_version": 1,
    });
    fields.as_object().cloned().unwrap_or_default()
}

/// Whether a text can be a user name: 1 to 100 bytes, no white space or control characters inside.
#[must_use]
pub fn is_username(text: &str) -> bool {
    let text = text.trim();
    (1..=100).contains(&text.len()) && !text.chars().any(|c| c.is_whitespace() || c.is_control())
}

fn credential_body(username: &str, hash: Option<&str>) -> Vec<u8> {
    json!({"login": login_name(username), "hash": hash}).to_string().into_bytes()
}
