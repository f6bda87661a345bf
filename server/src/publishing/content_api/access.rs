//! Tokens of subscribers: who asks the content API, and how often.
//!
//! Only the SHA-256 of a token is stored, under an id that follows from it. A token is shown once, when it is made. It
//! is good for as long as its subscriber is active.

use std::net::IpAddr;

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use dateline_engine::{Condition, DocId, Durability, Millis, Transaction};
use serde_json::{Value, json};

use super::allowance::Allowance;
use crate::app::App;
use crate::auth::credentials::Credentials;
use crate::auth::{Principal, policy, token};
use crate::eve::date;
use crate::eve::problem::{Problem, Slug};
use crate::http::{Answer, ObjectBody, Peer, Refusal};
use crate::publishing::{audience, items};
use crate::resources::answer;
use crate::resources::target::Id;

const DAY_MS: u64 = 86_400_000;
const DAYS_MAX: u64 = 36_500;
/// Tokens that one commit ends.
const REVOKED_MAX: usize = 1_000;

/// A request of a subscriber: who asks, from where, for what. As an extractor it fails with 401 for a token that is
/// good for nothing, and with 429 for one that has asked too often.
pub(super) struct Visit {
    pub(super) subscriber: String,
    pub(super) address: IpAddr,
    /// Path and query.
    pub(super) uri: String,
    allowance: Option<Allowance>,
}

impl FromRequestParts<App> for Visit {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        let (token, subscriber) = identified(&parts.headers, app).map_err(IntoResponse::into_response)?;
        let now = app.store().now();
        let taken = app.publishing().allowances().take(token.as_str(), now);
        let allowance = taken.map_err(|used_up| used_up.refusal(now))?;
        let Ok(Peer { ip, .. }) = Peer::from_request_parts(parts, app).await;
        let uri = parts.uri.path_and_query().map_or_else(String::new, ToString::to_string);
        Ok(Self { subscriber, address: ip, uri, allowance })
    }
}

impl Visit {
    /// The answer, a refusal too, with where the token stands now.
    pub(super) fn answered(&self, answer: Answer) -> Answer {
        let mut response = answer.unwrap_or_else(IntoResponse::into_response);
        if let Some(allowance) = &self.allowance {
            allowance.tell(response.headers_mut());
        }
        Ok(response)
    }
}

/// The id of the token that came, and its subscriber.
fn identified(headers: &HeaderMap, app: &App) -> Result<(DocId, String), Refusal> {
    let unknown = || policy::not_signed_in("send the token of a subscriber");
    let credentials = Credentials::of(headers, false).ok_or_else(unknown)?;
    let (id, digest) = token::session_of(&credentials.token)?;
    let collections = app.publishing().collections();
    let document = app.store().get(collections.tokens, id.as_str())?.ok_or_else(unknown)?;
    let body = audience::body(&document)?;
    let text = |key: &str| body.get(key).and_then(Value::as_str).unwrap_or_default();
    if !token::same_digest(text("sha256"), &digest) {
        return Err(unknown().into());
    }
    let subscriber = items::find(app.store(), collections.subscribers, text("subscriber"))?;
    if subscriber.and_then(|own| own.get("is_active")?.as_bool()) != Some(true) {
        return Err(policy::not_signed_in("the subscriber is not active").into());
    }
    Ok((id, text("subscriber").to_owned()))
}

/// `POST /api/subscriber_token {"subscriber", "expiry_days"?}` -> 201 `{"_id": token, "subscriber", "expiry"}`.
///
/// # Errors
/// 400 when there is no such subscriber.
pub(super) async fn create(State(app): State<App>, _: Principal, ObjectBody(asked): ObjectBody) -> Answer {
    let wrong = |field: &str, reason: &str| {
        Problem::new(Slug::ValidationFailed, format!("{field}: {reason}")).issue(field, reason)
    };
    let collections = app.publishing().collections();
    let subscriber = asked.get("subscriber").and_then(Value::as_str).unwrap_or_default();
    if subscriber.is_empty() {
        return Err(Problem::new(Slug::ValidationFailed, "subscriber: required field")
            .issue("subscriber", json!({"required": 1}))
            .into());
    }
    if items::find(app.store(), collections.subscribers, subscriber)?.is_none() {
        let reason = format!("value '{subscriber}' must exist in resource 'subscribers', field '_id'.");
        return Err(wrong("subscriber", &reason).into());
    }
    let end = match asked.get("expiry_days").filter(|days| !days.is_null()) {
        None => None,
        Some(days) => {
            let days = days.as_u64().filter(|days| (1..=DAYS_MAX).contains(days));
            let days = days.ok_or_else(|| wrong("expiry_days", "must be days, 1 to 36500"))?;
            Some(Millis::new(app.store().now().get() + days * DAY_MS))
        }
    };
    let fresh = token::new_session()?;
    let expiry = end.map(|end| date::format(end.get()));
    let body = json!({"subscriber": subscriber, "expiry": expiry, "sha256": fresh.digest, "_version": 1});
    let (id, text) = (fresh.id.clone(), body.to_string());
    let transaction = Transaction::new(Durability::Sync);
    let transaction = match end {
        Some(end) => transaction.put_until(collections.tokens, id, Condition::Absent, text, end),
        None => transaction.put(collections.tokens, id, Condition::Absent, text),
    };
    app.commit(transaction).await?;
    let shown = json!({"_id": fresh.text, "subscriber": subscriber, "expiry": expiry, "_status": "OK"});
    let response: Response = answer::json_bytes(shown.to_string().into_bytes());
    Ok((StatusCode::CREATED, response).into_response())
}

/// `DELETE /api/subscriber_token/{token}`: the token is good for nothing any more.
///
/// # Errors
/// 404 for a token that is unknown.
pub(super) async fn revoke(State(app): State<App>, _: Principal, Id(text): Id) -> Answer {
    let (id, _) = token::session_of(&text)?;
    let tokens = app.publishing().collections().tokens;
    let transaction = Transaction::new(Durability::Sync).delete(tokens, id, Condition::Present);
    app.commit(transaction).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `DELETE /api/subscribers/{id}/tokens`: the subscriber has no token any more.
///
/// # Errors
/// 403 for others than administrators.
pub(super) async fn revoke_all(State(app): State<App>, _: Principal, Id(subscriber): Id) -> Answer {
    let tokens = app.publishing().collections().tokens;
    let all = app.scan(move |store| store.lookup(tokens, "subscriber", &[Value::from(subscriber)])).await?;
    for part in all.chunks(REVOKED_MAX) {
        let transaction = part.iter().fold(Transaction::new(Durability::Sync), |transaction, id| {
            transaction.delete(tokens, id.clone(), Condition::Always)
        });
        app.commit(transaction).await?;
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}
