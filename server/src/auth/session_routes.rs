//! Looking at sessions and ending them.

use axum::extract::{Path, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use dateline_engine::{Document, Durability, Transaction};
use serde_json::{Value, json};

use super::policy::{self, Action, Verdict};
use super::{Principal, login, sessions};
use crate::app::App;
use crate::eve::date;
use crate::eve::problem::{Problem, Slug};
use crate::http::{Answer, Peer, Refusal};

const LISTED_MAX: usize = 500;

/// `GET /api/auth/{id}`: one's own, or any with the privilege; others do not exist.
pub(crate) async fn get(State(app): State<App>, caller: Principal, Path(id): Path<String>) -> Answer {
    let session = find(&app, &caller, Action::Read, &id)?;
    Ok(axum::Json(shown(&session)?).into_response())
}

/// `DELETE /api/auth/{id}`: signs out.
pub(crate) async fn end(
    State(app): State<App>,
    caller: Principal,
    peer: Peer,
    Path(id): Path<String>,
) -> Answer {
    let session = find(&app, &caller, Action::Delete, &id)?;
    let ends_itself = caller.session().is_some_and(|own| *own == session.id);
    let tx = Transaction::new(Durability::Sync);
    app.commit(app.auth().sessions().end_all(tx, &[session])).await?;
    let mut response: Response = StatusCode::NO_CONTENT.into_response();
    if ends_itself && let Ok(cookie) = HeaderValue::from_str(&login::cookie("", 0, peer.tls)) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    Ok(response)
}

/// `GET /api/sessions`: one's own.
pub(crate) async fn list(State(app): State<App>, caller: Principal) -> Answer {
    answer_list(&app, &caller, app.auth().sessions().of_user(app.store(), &caller.user)?)
}

/// `GET /api/users/{id}/sessions`.
pub(crate) async fn list_of(State(app): State<App>, caller: Principal, Path(id): Path<String>) -> Answer {
    let user = user_of(&caller, Action::Read, &id)?;
    answer_list(&app, &caller, app.auth().sessions().of_user(app.store(), &user)?)
}

/// `DELETE /api/users/{id}/sessions`: signs a user out everywhere.
pub(crate) async fn end_all_of(State(app): State<App>, caller: Principal, Path(id): Path<String>) -> Answer {
    let user = user_of(&caller, Action::Delete, &id)?;
    let found = app.auth().sessions().of_user(app.store(), &user)?;
    if !found.is_empty() {
        let tx = Transaction::new(Durability::Sync);
        app.commit(app.auth().sessions().end_all(tx, &found)).await?;
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn user_of(caller: &Principal, action: Action, id: &str) -> Result<dateline_engine::DocId, Refusal> {
    let verdict = policy::decide(caller, action, "sessions")?;
    if verdict == Verdict::Own && caller.user.as_str() != id {
        return Err(Problem::new(Slug::Forbidden, "these are another user's sessions").into());
    }
    Ok(dateline_engine::DocId::new(id)?)
}

fn find(app: &App, caller: &Principal, action: Action, id: &str) -> Result<Document, Refusal> {
    let verdict = policy::decide(caller, action, "sessions")?;
    let found = app.store().get(app.auth().sessions().collection, id)?;
    let visible = match &found {
        Some(session) => verdict == Verdict::All || owner(session)? == caller.user.as_str(),
        None => false,
    };
    match found {
        Some(session) if visible => Ok(session),
        _ => Err(Problem::new(Slug::NotFound, "there is no such session").into()),
    }
}

fn owner(session: &Document) -> Result<String, Refusal> {
    let fields = sessions::parse(session)?;
    Ok(fields.get("user").and_then(Value::as_str).unwrap_or("").to_owned())
}

fn answer_list(app: &App, caller: &Principal, mut found: Vec<Document>) -> Answer {
    found.sort_by_key(|session| std::cmp::Reverse(session.updated));
    found.truncate(LISTED_MAX);
    let current = caller.session().map(|id| id.as_str());
    let items = found
        .iter()
        .map(|session| {
            let mut item = shown(session)?;
            if let Some(item) = item.as_object_mut() {
                item.insert("current".into(), (Some(session.id.as_str()) == current).into());
            }
            Ok(item)
        })
        .collect::<Result<Vec<Value>, Refusal>>()?;
    let body = json!({
        "_meta": {"page": 1, "max_results": LISTED_MAX, "total": items.len()},
        "_items": items,
        "_links": {"self": {"href": "sessions", "title": "sessions"}},
        "_seq": app.store().watermark().applied().seq.get(),
    });
    Ok(axum::Json(body).into_response())
}

/// A session as it may be shown: without the hash of its token.
fn shown(session: &Document) -> Result<Value, Refusal> {
    let mut fields = sessions::parse(session)?;
    if let Some(fields) = fields.as_object_mut() {
        fields.remove("token_sha256");
        let id = session.id.as_str();
        fields.insert("_id".into(), id.into());
        fields.insert("_etag".into(), session.revision().to_string().into());
        fields.insert("_created".into(), date::format(session.created.get()).into());
        fields.insert("_updated".into(), date::format(session.updated.get()).into());
        fields.insert("expires".into(), session.expires.map(|end| date::format(end.get())).into());
        fields.insert("_links".into(), json!({"self": {"href": format!("auth/{id}"), "title": "auth"}}));
    }
    Ok(fields)
}
