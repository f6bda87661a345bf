//! The first administrator of a fresh directory. There is never a default password.

use dateline_engine::{Durability, Store, Transaction};

use super::outcome::Failure;
use crate::auth::{Auth, password, users};
use crate::ids;

/// Name of the variable with the first administrator's password.
pub(crate) const VARIABLE: &str = "DATELINE_ADMIN_PASSWORD";

/// How the directory stands after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Administrator {
    /// There was one already.
    Known,
    /// User `admin` was made with the password of the environment.
    Created,
    /// There is none; a set-up link is needed.
    Missing,
}

/// Makes user `admin` if there is no administrator and the environment has a password.
pub(crate) fn administrator(
    store: &Store,
    auth: &Auth,
    given: Option<String>,
) -> Result<Administrator, Failure> {
    if auth.users().has_administrator(store)? {
        return Ok(Administrator::Known);
    }
    let Some(text) = given.filter(|text| !text.is_empty()) else { return Ok(Administrator::Missing) };
    let hash = password::hash(&text)?;
    let id = ids::new_id(store.now())?;
    let fields = users::body("admin", "administrator");
    let tx = auth.users().create(Transaction::new(Durability::Sync), &id, &fields, Some(&hash));
    store.commit(tx)?;
    Ok(Administrator::Created)
}

/// The password in the environment, if there is one.
pub(crate) fn given() -> Option<String> {
    std::env::var(VARIABLE).ok()
}
