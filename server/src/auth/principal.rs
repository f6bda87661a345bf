//! The caller of a request, as handlers see it.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::request::Parts;
use dateline_engine::DocId;

use super::policy;
use crate::app::App;
use crate::http::Refusal;

/// The two kinds of users that can sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserType {
    /// Holds every privilege.
    Administrator,
    /// Holds the privileges of the role and of the user document.
    User,
}

/// What narrows a caller's privileges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scopes {
    /// Nothing: a session.
    All,
    /// An API key's list: `*`, `read`, `write`, `admin`, `RESOURCE:read`, `RESOURCE:write`.
    Listed(Vec<String>),
}

/// What the token was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carried {
    /// A session, by its id.
    Session(DocId),
    /// An API key, by its id.
    Key(DocId),
}

/// The caller of a request. As an extractor it fails with 401 where there is none; `Option<Principal>` does not.
#[derive(Clone, Debug)]
pub struct Principal {
    /// The user's id.
    pub user: DocId,
    /// The name the user signs in with.
    pub username: Arc<str>,
    /// The kind of user.
    pub user_type: UserType,
    /// The role's id, if the user has one.
    pub role: Option<DocId>,
    /// Privileges of the role overlaid by the user's own.
    pub privileges: Arc<BTreeSet<String>>,
    /// What narrows them.
    pub scopes: Scopes,
    /// What the token was.
    pub carried: Carried,
}

impl Principal {
    /// Whether the caller is an administrator with unnarrowed power.
    #[must_use]
    pub fn is_administrator(&self) -> bool {
        self.user_type == UserType::Administrator && self.scopes.allow_administration()
    }

    /// Whether the caller holds a privilege; administrators hold all.
    #[must_use]
    pub fn holds(&self, privilege: &str) -> bool {
        self.user_type == UserType::Administrator || self.privileges.contains(privilege)
    }

    /// Whether somebody is the same user with exactly the same rights.
    #[must_use]
    pub fn has_rights_of(&self, other: &Self) -> bool {
        self.user == other.user
            && self.user_type == other.user_type
            && self.role == other.role
            && self.privileges == other.privileges
            && self.scopes == other.scopes
    }

    /// The session's id, if the token was a session's.
    #[must_use]
    pub fn session(&self) -> Option<&DocId> {
        match &self.carried {
            Carried::Session(id) => Some(id),
            Carried::Key(_) => None,
        }
    }
}

impl Scopes {
    pub(crate) fn allow_administration(&self) -> bool {
        self.any(|scope| scope == "*" || scope == "admin")
    }

    pub(crate) fn allow(&self, resource: &str, writes: bool) -> bool {
        let verb = if writes { "write" } else { "read" };
        self.any(|scope| match scope.split_once(':') {
            None => scope == "*" || scope == "admin" || scope == verb,
            Some((named, what)) => named == resource && (what == verb || what == "*"),
        })
    }

    /// Whether anything at all may be written.
    pub(crate) fn allow_some_write(&self) -> bool {
        self.any(|scope| matches!(scope.rsplit(':').next(), Some("*" | "admin" | "write")))
    }

    fn any(&self, test: impl Fn(&str) -> bool) -> bool {
        match self {
            Self::All => true,
            Self::Listed(scopes) => scopes.iter().any(|scope| test(scope)),
        }
    }
}

impl FromRequestParts<App> for Principal {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _app: &App) -> Result<Self, Refusal> {
        let found = parts.extensions.get::<Self>().cloned();
        found.ok_or_else(|| policy::not_signed_in("sign in with POST /api/auth and send the token").into())
    }
}

impl OptionalFromRequestParts<App> for Principal {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _app: &App) -> Result<Option<Self>, Refusal> {
        Ok(parts.extensions.get::<Self>().cloned())
    }
}
