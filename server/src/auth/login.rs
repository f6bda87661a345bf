//! Signing in: a name and a password become a session.

use axum::extract::State;
use axum::http::header::{SET_COOKIE, USER_AGENT};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use dateline_engine::Receipt;
use serde_json::{Map, Value, json};

use super::credentials::{COOKIE_PLAIN, COOKIE_TLS};
use super::password;
use super::sessions::NewSession;
use super::users::User;
use crate::app::App;
use crate::eve::date;
use crate::eve::problem::{Problem, Slug};
use crate::http::{Answer, ObjectBody, Peer, Refusal};

/// `POST /api/auth`.
pub(crate) async fn sign_in(
    State(app): State<App>,
    peer: Peer,
    headers: HeaderMap,
    ObjectBody(body): ObjectBody,
) -> Answer {
    let username = required(&body, "username")?.trim().to_owned();
    let password = required(&body, "password")?.to_owned();
    let now = app.store().now();
    let attempt = app.auth().throttle().attempt(&username, peer.ip, now).map_err(too_many)?;
    let user = match check(&app, &username, password).await {
        Ok(user) => user,
        Err(refusal) => {
            app.auth().throttle().give_back(attempt);
            return Err(refusal);
        }
    };
    let Some(user) = user else {
        app.metrics().sign_in("refused");
        return Err(Problem::new(Slug::Unauthorized, "the name or the password is wrong")
            .issue("credentials", 1)
            .into());
    };
    app.auth().throttle().succeeded(attempt);
    may_enter(&user)?;
    app.metrics().sign_in("ok");
    let agent = headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or("");
    begin(&app, &user, peer, agent).await
}

/// 429: wrong passwords came too fast.
pub(super) fn too_many(wait_ms: u64) -> Problem {
    let seconds = u32::try_from(wait_ms.div_ceil(1000)).unwrap_or(u32::MAX);
    let detail = format!("too many wrong passwords; wait {seconds} s");
    Problem::new(Slug::RateLimited, detail).retry_after(seconds)
}

/// The user, if the password is right. Takes the same time whether or not there is such a user.
async fn check(app: &App, username: &str, password: String) -> Result<Option<User>, Refusal> {
    let (store, users) = (app.store(), app.auth().users());
    let user =
        if username.is_empty() || username.len() > 100 { None } else { users.find(store, username)? };
    let hash = match &user {
        Some(user) => users.secret_of(store, user.id())?.hash,
        None => None,
    };
    let absurd = password::is_absurd(&password);
    let password = if absurd { String::new() } else { password };
    let fits = app.auth().passwords().verify(password, hash).await?;
    Ok(user.filter(|_| fits && !absurd))
}

/// Superdesk's answers for users that exist but may not enter.
fn may_enter(user: &User) -> Result<(), Problem> {
    let problem = |detail: &str| Problem::new(Slug::Forbidden, detail);
    if user.user_type() == "external" {
        return Err(problem("external users do not sign in here").issue("user_type", "external"));
    }
    if !user.flag("is_enabled") {
        return Err(problem("Account is disabled, access restricted.").issue("is_enabled", false));
    }
    if !user.flag("is_active") {
        return Err(problem("the account is not active").message("").issue("is_active", false));
    }
    Ok(())
}

/// Begins a session for a user who has proved to be one.
async fn begin(app: &App, user: &User, peer: Peer, agent: &str) -> Answer {
    let NewSession { id, token, expires, transaction } =
        app.auth().sessions().start(user, &peer.ip.to_string(), agent, app.store().now())?;
    let receipt = app.commit(transaction).await?;
    let body = session_body(user, id.as_str(), &token, &receipt, expires.get());
    let mut response: Response = (StatusCode::CREATED, axum::Json(body)).into_response();
    let max_age_s = app.config().auth.session_absolute_s;
    if let Ok(cookie) = HeaderValue::from_str(&cookie(&token, max_age_s, peer.tls)) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    Ok(response)
}

fn session_body(user: &User, id: &str, token: &str, receipt: &Receipt, expires_ms: u64) -> Value {
    json!({
        "_id": id,
        "_etag": receipt.revision(0).map(|revision| revision.to_string()),
        "_created": date::format(receipt.at.get()),
        "_updated": date::format(receipt.at.get()),
        "_seq": receipt.tail.seq.get(),
        "_status": "OK",
        "_links": {"self": {"href": format!("auth/{id}"), "title": "auth"}},
        "token": token,
        "user": user.id().as_str(),
        "username": user.username(),
        "user_type": user.user_type(),
        "expires": date::format(expires_ms),
    })
}

pub(crate) fn cookie(token: &str, max_age_s: u64, tls: bool) -> String {
    let (name, secure) = if tls { (COOKIE_TLS, "; Secure") } else { (COOKIE_PLAIN, "") };
    format!("{name}={token}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Lax{secure}")
}

/// A member that must be text.
pub(crate) fn required<'a>(body: &'a Map<String, Value>, name: &str) -> Result<&'a str, Problem> {
    match body.get(name) {
        Some(Value::String(text)) => Ok(text),
        found => {
            let issue =
                if found.is_none() { json!({"required": 1}) } else { json!("must be of string type") };
            Err(Problem::new(Slug::ValidationFailed, format!("'{name}' is needed, as text"))
                .issue(name, issue))
        }
    }
}
