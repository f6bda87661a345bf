//! Which documents of a resource somebody may see and change.
//!
//! `auth::policy` decides by resource; here the answer "only your own" is held against documents. Reads, lists,
//! versions, changes and streams all ask here, so that none of them is a way around another.

use serde_json::{Map, Value};

use crate::auth::Principal;
use crate::auth::policy::{self, Action, Verdict};
use crate::eve::problem::{Problem, Slug};
use crate::resources::Resource;

/// What somebody may do with documents of one resource.
#[derive(Clone, Debug)]
pub(crate) struct Sight {
    /// `None`: every document; else those of this user.
    owner: Option<String>,
}

impl Sight {
    /// # Errors
    /// 403 when not even own documents are allowed.
    pub(crate) fn of(principal: &Principal, action: Action, resource: &str) -> Result<Self, Problem> {
        let owner = match policy::decide(principal, action, resource)? {
            Verdict::All => None,
            Verdict::Own => Some(principal.user.as_str().to_owned()),
        };
        Ok(Self { owner })
    }

    /// Of those parts of the server that decide by themselves who sees what.
    pub(crate) fn whole() -> Self {
        Self { owner: None }
    }

    /// Every document, without a look at it.
    pub(crate) fn is_clear(&self) -> bool {
        self.owner.is_none()
    }

    /// Whose documents, if not everybody's.
    pub(crate) fn owner(&self) -> Option<&str> {
        self.owner.as_deref()
    }

    /// Whether this document is among them.
    pub(crate) fn sees(&self, resource: &str, id: &str, body: &Value) -> bool {
        let Some(owner) = &self.owner else { return true };
        match resource {
            "users" => id == owner,
            _ => body.get("user").and_then(Value::as_str) == Some(owner),
        }
    }

    /// # Errors
    /// 403 when the document is somebody else's.
    pub(crate) fn check(
        &self,
        resource: &Resource,
        id: &str,
        body: &Map<String, Value>,
    ) -> Result<(), Problem> {
        let own = match &self.owner {
            None => true,
            Some(owner) if resource.name == "users" => id == owner,
            Some(owner) => body.get("user").and_then(Value::as_str) == Some(owner),
        };
        if own { Ok(()) } else { Err(Problem::new(Slug::Forbidden, "the document belongs to somebody else")) }
    }
}

/// A document of a resource of which people have their own is stored with its writer, unless the writer may
/// write everybody's and names somebody else.
pub(crate) fn stamp_owner(principal: &Principal, resource: &Resource, body: &mut Map<String, Value>) {
    let owned = resource.schema.knows("user");
    let everybody = policy::decide(principal, Action::Update, &resource.name) == Ok(Verdict::All);
    if owned && !everybody {
        body.insert("user".to_owned(), Value::String(principal.user.as_str().to_owned()));
    }
}
