//! Making API keys, listing them, ending them.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use dateline_engine::{DocId, Millis};
use serde_json::{Map, Value, json};

use super::keys::{self, NewKey};
use super::{Principal, login};
use crate::app::App;
use crate::eve::problem::{Problem, Slug};
use crate::http::{Answer, ObjectBody, Refusal};

const LISTED_MAX: usize = 500;

/// `POST /api/tokens {"name", "scopes", "expires_in_s"?, "user"?}`: the key is in the answer, and nowhere else.
pub(crate) async fn create(
    State(app): State<App>,
    caller: Principal,
    ObjectBody(body): ObjectBody,
) -> Answer {
    if !caller.scopes.allow_administration() {
        return Err(Problem::new(Slug::Forbidden, "a key with narrow scopes makes no keys").into());
    }
    let name = login::required(&body, "name")?;
    let scopes = scopes(&body)?;
    let user = user_for(&app, &caller, &body)?;
    let expires = match body.get("expires_in_s") {
        None | Some(Value::Null) => None,
        Some(value) => {
            let seconds = value.as_u64().filter(|&s| s > 0 && s <= 10 * 366 * 86_400);
            let seconds = seconds.ok_or_else(|| {
                Problem::new(Slug::ValidationFailed, "expires_in_s: whole seconds, at most ten years")
                    .issue("expires_in_s", "must be a positive whole number")
            })?;
            Some(Millis::new(app.store().now().get() + seconds * 1000))
        }
    };
    let NewKey { id, text, transaction } = app.auth().keys().create(&user, name, &scopes, expires)?;
    app.commit(transaction).await?;
    let stored = app.store().get(app.auth().keys().collection, id.as_str())?;
    let mut shown = stored.as_ref().map(keys::shown).transpose()?.unwrap_or_default();
    if let Some(shown) = shown.as_object_mut() {
        shown.insert("token".into(), text.into());
        shown.insert("_status".into(), "OK".into());
    }
    Ok((StatusCode::CREATED, axum::Json(shown)).into_response())
}

/// `GET /api/tokens`: one's own; administrators see all.
pub(crate) async fn list(State(app): State<App>, caller: Principal) -> Answer {
    let keys = *app.auth().keys();
    let own = (!caller.is_administrator()).then(|| caller.user.clone());
    let found = app.scan(move |store| keys.list(store, own.as_ref(), LISTED_MAX)).await?;
    let items = found.iter().map(keys::shown).collect::<dateline_engine::Result<Vec<_>>>()?;
    let body = json!({
        "_meta": {"page": 1, "max_results": LISTED_MAX, "total": items.len()},
        "_items": items,
        "_links": {"self": {"href": "tokens", "title": "tokens"}},
        "_seq": app.store().watermark().applied().seq.get(),
    });
    Ok(axum::Json(body).into_response())
}

/// `DELETE /api/tokens/{id}`.
pub(crate) async fn revoke(State(app): State<App>, caller: Principal, Path(id): Path<String>) -> Answer {
    let id = DocId::new(id)?;
    let found = app.store().get(app.auth().keys().collection, id.as_str())?;
    let shown = found.as_ref().map(keys::shown).transpose()?.unwrap_or_default();
    let owner = shown.get("user").and_then(Value::as_str);
    if owner.is_none() || (owner != Some(caller.user.as_str()) && !caller.is_administrator()) {
        return Err(Problem::new(Slug::NotFound, "there is no such key").into());
    }
    app.commit(app.auth().keys().revoke(&id)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn scopes(body: &Map<String, Value>) -> Result<Vec<String>, Problem> {
    let wrong = || {
        let detail = "scopes: a list of *, read, write, admin, RESOURCE:read, RESOURCE:write, RESOURCE:*";
        Problem::new(Slug::ValidationFailed, detail).issue("scopes", detail)
    };
    let given = body.get("scopes").and_then(Value::as_array).ok_or_else(wrong)?;
    let scopes: Option<Vec<String>> = given
        .iter()
        .map(|scope| scope.as_str().filter(|text| keys::is_scope(text)).map(str::to_owned))
        .collect();
    scopes.filter(|scopes| (1..=100).contains(&scopes.len())).ok_or_else(wrong)
}

fn user_for(app: &App, caller: &Principal, body: &Map<String, Value>) -> Result<DocId, Refusal> {
    let Some(named) = body.get("user").and_then(Value::as_str) else { return Ok(caller.user.clone()) };
    let user = match app.auth().users().find(app.store(), named)? {
        Some(user) => Some(user),
        None => app.auth().users().get(app.store(), &DocId::new(named)?)?,
    };
    match user {
        Some(user) if *user.id() == caller.user => Ok(user.id().clone()),
        _ if !caller.is_administrator() => {
            Err(Problem::new(Slug::Forbidden, "only administrators make keys for others").into())
        }
        Some(user) => Ok(user.id().clone()),
        None => {
            Err(Problem::new(Slug::ValidationFailed, "there is no such user").issue("user", "unknown").into())
        }
    }
}
