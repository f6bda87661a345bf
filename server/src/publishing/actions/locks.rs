//! Locks of items: who is at work on one, so that others keep away.

use axum::extract::State;
use axum::http::HeaderMap;
use dateline_engine::{Condition, Durability, ErrorKind, Transaction};
use serde_json::{Map, Value, json};

use super::act::{TRIES, answered, is_locked_by_other};
use super::told::{Sent, refusal};
use crate::app::App;
use crate::auth::Principal;
use crate::auth::policy::Action;
use crate::eve::problem::{Problem, Slug};
use crate::eve::{date, json as text, patch};
use crate::http::{Answer, RawBody};
use crate::publishing::actions::notices;
use crate::resources::answer::{self, As};
use crate::resources::target::Id;
use crate::resources::{Sight, find, missing};

/// `POST /api/archive/{id}/lock {"lock_action"?}` -> 201 the item.
///
/// # Errors
/// 403 while somebody else has it, or the same user in another session.
pub(super) async fn lock(
    State(app): State<App>,
    principal: Principal,
    Id(id): Id,
    headers: HeaderMap,
    RawBody(body): RawBody,
) -> Answer {
    let action = said(&body)?.get("lock_action").and_then(Value::as_str).unwrap_or("edit").to_owned();
    let session = principal.session().map(|session| session.as_str().to_owned());
    change(&app, &principal, &id, |item, now| {
        if is_locked_by_other(item, Some(principal.user.as_str())) {
            return Err(refusal(403, "Item is locked by another user.", Sent::AsRequest));
        }
        let held = item.get("lock_session").and_then(Value::as_str);
        if held.is_some() && held != session.as_deref() {
            return Err(refusal(403, "Item is locked by you in another session.", Sent::AsRequest));
        }
        for (member, value) in [
            ("lock_user", json!(principal.user.as_str())),
            ("lock_session", json!(session)),
            ("lock_time", json!(now)),
            ("lock_action", json!(action)),
        ] {
            item.insert(member.to_owned(), value);
        }
        Ok("item:lock")
    })
    .await?;
    answered(&app, &id, As::Created, &headers)
}

/// `POST /api/archive/{id}/unlock` -> 201 the item.
///
/// # Errors
/// 400 for an item that is not locked; 403 for another's lock without privilege `unlock`.
pub(super) async fn unlock(
    State(app): State<App>,
    principal: Principal,
    Id(id): Id,
    headers: HeaderMap,
) -> Answer {
    change(&app, &principal, &id, |item, _| {
        if item.get("lock_user").is_none_or(Value::is_null) {
            return Err(refusal(400, "Item is not locked.", Sent::AsRequest));
        }
        if is_locked_by_other(item, Some(principal.user.as_str())) && !principal.holds("unlock") {
            let message = "You don't have permissions to unlock an item.";
            return Err(refusal(403, message, Sent::AsRequest));
        }
        for member in ["lock_user", "lock_session", "lock_time", "lock_action"] {
            item.insert(member.to_owned(), Value::Null);
        }
        Ok("item:unlock")
    })
    .await?;
    answered(&app, &id, As::Created, &headers)
}

/// A body is a courtesy: many clients send none.
fn said(body: &[u8]) -> Result<Map<String, Value>, Problem> {
    if body.is_empty() {
        return Ok(Map::new());
    }
    let parsed = crate::eve::json::parse_object(body, &crate::eve::json::Limits::BODY);
    Ok(parsed?)
}

/// Changes an item without a new version of it; `decide` names what is told.
async fn change(
    app: &App,
    principal: &Principal,
    id: &str,
    decide: impl Fn(&mut Map<String, Value>, &str) -> Result<&'static str, Problem>,
) -> Result<(), crate::http::Refusal> {
    let archive = app.resources().get("archive")?;
    Sight::of(principal, Action::Update, &archive.name)?;
    let mut tries = TRIES;
    loop {
        tries -= 1;
        let document = find(app, &archive, id)?.ok_or_else(|| missing(&archive, id))?;
        let Value::Object(stored) = answer::body_of(&document)? else {
            return Err(Problem::new(Slug::Corrupt, "the item is no object").into());
        };
        let mut item = stored.clone();
        let event = decide(&mut item, &date::format(app.store().now().get()))?;
        let version = patch::version(&stored) + 1;
        patch::set_version(&mut item, version);
        let condition = Condition::Revision(document.revision());
        let transaction = Transaction::new(Durability::Buffered).put(
            archive.collection,
            document.id.clone(),
            condition,
            text::encode(&item),
        );
        let user = principal.user.as_str();
        let transaction = notices::record(app, transaction, event, id, user, &item)?;
        match app.commit(transaction).await {
            // Whoever came first may have locked it: that is then what is told.
            Err(error) if error.kind() == ErrorKind::Conflict && tries > 0 => {}
            done => return done.map(drop).map_err(|error| crate::resources::told(error).into()),
        }
    }
}
