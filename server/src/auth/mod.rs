//! Who is calling, and what they may do.
//!
//! Users, sessions and keys are documents like any other, so they survive restarts and are in every backup. Secrets
//! are not: hashes of passwords live in `credentials`, hashes of tokens in `auth` and `api_keys`, and no route reads
//! those collections out ([`policy::is_secret`]). A token itself is never stored.
//!
//! Invariant: [`policy`] is the only place that says yes; everything it does not know is refused.

mod account_routes;
pub(crate) mod credentials;
mod key_routes;
pub(crate) mod keys;
mod known;
pub(crate) mod login;
pub(crate) mod password;
pub mod policy;
mod principal;
mod reset;
pub(crate) mod routes;
mod session_routes;
pub(crate) mod sessions;
pub(crate) mod setup;
mod throttle;
pub(crate) mod tickets;
pub(crate) mod token;
pub mod users;

use std::sync::{Mutex, MutexGuard, PoisonError};

use dateline_engine::{CollectionId, CollectionOptions, Result, Store, Transaction};

pub use principal::{Carried, Principal, Scopes, UserType};

use crate::config::AuthConfig;
use crate::eve::problem::Problem;
use crate::http::Refusal;
use credentials::Credentials;
use keys::Keys;
use known::Known;
use password::Passwords;
use sessions::Sessions;
use setup::Setup;
use throttle::Throttle;
use tickets::Tickets;
use users::Users;

/// The parts of authentication over one store.
pub struct Auth {
    users: Users,
    sessions: Sessions,
    keys: Keys,
    passwords: Passwords,
    setup: Setup,
    throttle: Mutex<Throttle>,
    tickets: Tickets,
    password_min: usize,
    known: Known,
    changing: tokio::sync::Mutex<()>,
}

/// Who a request comes from, and the write that keeps the session alive if one is due.
pub(crate) struct Identified {
    pub(crate) principal: Principal,
    pub(crate) refresh: Option<Transaction>,
}

impl Auth {
    /// Makes sure of the collections.
    ///
    /// # Errors
    /// As `Store::commit`.
    pub fn open(store: &Store, config: &AuthConfig) -> Result<Self> {
        let ensure = |name: &str, unique: &[&str], indexes: &[&str]| {
            let sets = |fields: &[&str]| fields.iter().map(|&field| field.into()).collect();
            let options = CollectionOptions {
                definition: "{}".to_owned(),
                unique: sets(unique),
                indexes: sets(indexes),
                ..CollectionOptions::default()
            };
            store.ensure_collection(name, options)
        };
        let users = Users {
            users: ensure("users", &["username"], &["user_type", "email", "role"])?,
            roles: ensure("roles", &["name"], &[])?,
            credentials: ensure("credentials", &["login"], &[])?,
        };
        let sessions = ensure("auth", &[], &["user"])?;
        let keys = ensure("api_keys", &[], &["user"])?;
        Ok(Self {
            known: Known::new(vec![users.users, users.roles, sessions, keys]),
            users,
            sessions: Sessions {
                collection: sessions,
                idle_ms: config.session_idle_s * 1000,
                absolute_ms: config.session_absolute_s * 1000,
            },
            keys: Keys { collection: keys },
            passwords: Passwords::new()?,
            setup: Setup::default(),
            throttle: Mutex::new(Throttle::default()),
            tickets: Tickets::default(),
            password_min: config.password_min,
            changing: tokio::sync::Mutex::default(),
        })
    }

    /// The users.
    #[must_use]
    pub fn users(&self) -> &Users {
        &self.users
    }

    pub(crate) fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    pub(crate) fn keys(&self) -> &Keys {
        &self.keys
    }

    pub(crate) fn passwords(&self) -> &Passwords {
        &self.passwords
    }

    pub(crate) fn setup(&self) -> &Setup {
        &self.setup
    }

    pub(crate) fn throttle(&self) -> MutexGuard<'_, Throttle> {
        self.throttle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tickets for sockets.
    pub(crate) fn tickets(&self) -> &Tickets {
        &self.tickets
    }

    /// Collections that say who somebody is and what they may do.
    pub(crate) fn sources(&self) -> &[CollectionId] {
        self.known.sources()
    }

    /// One user is changed or removed at a time: two administrators who demote each other must not both succeed.
    pub(crate) async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.changing.lock().await
    }

    /// Whether a text is good enough for a new password.
    ///
    /// # Errors
    /// 400 with the issue under `password`.
    pub fn check_new_password(&self, text: &str) -> std::result::Result<(), Problem> {
        password::check_new(text, self.password_min)
    }

    /// The hash to store for a password; takes tens of milliseconds on a thread of its own.
    ///
    /// # Errors
    /// 503 when too many wait.
    pub async fn hash_password(&self, text: String) -> std::result::Result<String, Refusal> {
        self.passwords.hash(text).await
    }

    /// Point reads only: the token's document, the user, the role; none of them for a token seen a moment ago.
    pub(crate) fn identify(&self, store: &Store, credentials: &Credentials) -> Result<Option<Identified>> {
        let (mark, now) = (self.known.mark(store), store.now());
        if let Some(principal) = self.known.find(&credentials.token, &mark, now) {
            return Ok(Some(Identified { principal, refresh: None }));
        }
        let found = self.read(store, credentials)?;
        if let Some(Identified { principal, refresh: None }) = &found {
            self.known.keep(&credentials.token, principal, mark, now);
        }
        Ok(found)
    }

    fn read(&self, store: &Store, credentials: &Credentials) -> Result<Option<Identified>> {
        if token::is_key(&credentials.token) {
            return self.identify_key(store, &credentials.token);
        }
        let Some(session) = self.sessions.find(store, &credentials.token)? else { return Ok(None) };
        let Some(user) = self.users.get(store, &session.user)? else { return Ok(None) };
        if !user.may_enter() {
            return Ok(None);
        }
        let refresh = self.sessions.refresh(&session, store.now());
        let carried = Carried::Session(session.id);
        let principal = self.users.principal(store, &user, Scopes::All, carried)?;
        Ok(Some(Identified { principal, refresh }))
    }

    fn identify_key(&self, store: &Store, text: &str) -> Result<Option<Identified>> {
        let Some(key) = self.keys.find(store, text)? else { return Ok(None) };
        let Some(user) = self.users.get(store, &key.user)? else { return Ok(None) };
        if !user.may_enter() {
            return Ok(None);
        }
        let principal =
            self.users.principal(store, &user, Scopes::Listed(key.scopes), Carried::Key(key.id))?;
        Ok(Some(Identified { principal, refresh: None }))
    }
}

#[cfg(test)]
mod tests;
