//! A new password without the old one, by a token that is sent to the user's address.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use dateline_engine::{DocId, Durability, Millis, Transaction};
use serde_json::{Map, Value, json};

use super::users::{Reset, User};
use super::{login, token};
use crate::app::App;
use crate::eve::problem::{Problem, Slug};
use crate::http::{Answer, ObjectBody, Peer};
use crate::ids;
use crate::mail::{self, Letter};

const DAY_MS: u64 = 24 * 3600 * 1000;
/// Users of one address who are written to at the most.
const USERS_MAX: usize = 10;

/// `POST /api/reset_user_password`: with `{"email"}` it sends a token, with `{"token"}` it says whether that is good, with
/// `{"token", "password"}` it sets the password and ends every session of the user.
///
/// Whether anybody has an address is not told.
pub(crate) async fn reset(State(app): State<App>, peer: Peer, ObjectBody(body): ObjectBody) -> Answer {
    if let Some(text) = body.get("token").and_then(Value::as_str) {
        return with_token(&app, peer, text, &body).await;
    }
    let email = login::required(&body, "email")?.trim().to_owned();
    if !mail::is_configured(&app) {
        return Err(
            Problem::new(Slug::NotSupported, "this server sends no e-mail; ask an administrator").into()
        );
    }
    // Each request counts: nobody fills a mailbox, and nobody tries addresses by the thousand.
    let _counted = app
        .auth()
        .throttle()
        .attempt(&format!("reset {email}"), peer.ip, app.store().now())
        .map_err(login::too_many)?;
    let (used, address) = (app.clone(), email.clone());
    let users = app
        .scan(move |store| used.auth().users().with_email(store, &address, USERS_MAX).map_err(Problem::from))
        .await?;
    for user in users {
        offer(&app, &user, &email).await?;
    }
    Ok((StatusCode::CREATED, axum::Json(json!({"_status": "OK"}))).into_response())
}

/// Sends a token, with the commit that makes it good.
async fn offer(app: &App, user: &User, email: &str) -> Result<(), Problem> {
    let (store, users) = (app.store(), app.auth().users());
    let secret = users.secret_of(store, user.id())?;
    let text = format!("{}.{}", user.id(), ids::hex(&ids::random::<32>()?));
    let days = days(app);
    let until = store.now().get().saturating_add(days.saturating_mul(DAY_MS));
    let reset = Reset { digest: token::digest(&text), until };
    let client = app.config().superdesk.get("CLIENT_URL").and_then(Value::as_str).unwrap_or_default();
    let how = match client {
        "" => format!("Your token is\n\n{text}\n"),
        url => format!("Open\n\n{}/#/reset-password?token={text}\n", url.trim_end_matches('/')),
    };
    let letter = Letter {
        to: vec![email.to_owned()],
        subject: "Reset of your password".to_owned(),
        text: format!(
            "Somebody has asked for a new password for '{}'. {how}\nIt is good for {days} days, once. If it was not you, \
             nothing needs to be done.",
            user.username()
        ),
    };
    let tx =
        users.offer_reset(Transaction::new(Durability::Sync), user.id(), user.username(), secret, &reset);
    let tx = letter.job(app)?.into_iter().fold(tx, Transaction::enqueue);
    app.commit(tx).await.map(drop).map_err(Problem::from)
}

/// `RESET_PASSWORD_TOKEN_TIME_TO_LIVE`.
fn days(app: &App) -> u64 {
    let days = app.config().superdesk.get("RESET_PASSWORD_TOKEN_TIME_TO_LIVE").and_then(Value::as_u64);
    days.unwrap_or(1).clamp(1, 30)
}

async fn with_token(app: &App, peer: Peer, text: &str, body: &Map<String, Value>) -> Answer {
    let (store, users, now) = (app.store(), app.auth().users(), app.store().now());
    let account = text.split('.').next().unwrap_or_default();
    let attempt = app.auth().throttle().attempt(account, peer.ip, now).map_err(login::too_many)?;
    let bad = || {
        Problem::new(Slug::Unauthorized, "the token is wrong, used up or too old; ask for another")
            .issue("token", "expired")
    };
    let user = match DocId::new(account) {
        Ok(id) => users.get(store, &id)?.filter(User::may_enter),
        Err(_) => None,
    };
    let user = user.ok_or_else(bad)?;
    let mut secret = users.secret_of(store, user.id())?;
    let reset = secret.reset.take().filter(|reset| is_good(reset, text, now));
    if reset.is_none() {
        return Err(bad().into());
    }
    app.auth().throttle().succeeded(attempt);
    if let Some(password) = body.get("password").and_then(Value::as_str) {
        app.auth().check_new_password(password)?;
        secret.hash = Some(app.auth().hash_password(password.to_owned()).await?);
        let sessions = app.auth().sessions().of_user(store, user.id())?;
        let tx = Transaction::new(Durability::Sync);
        let tx = users.replace_secret(tx, user.id(), user.username(), secret);
        app.commit(app.auth().sessions().end_all(tx, &sessions))
            .await
            .map_err(|error| if error.conflict().is_some() { bad() } else { Problem::from(error) })?;
    }
    let told = json!({"_status": "OK", "_id": user.id().as_str(), "username": user.username()});
    Ok((StatusCode::CREATED, axum::Json(told)).into_response())
}

fn is_good(reset: &Reset, text: &str, now: Millis) -> bool {
    now.get() < reset.until && token::same_digest(&reset.digest, &token::digest(text))
}
