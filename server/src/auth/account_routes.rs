//! The first administrator, and changing one's password.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use dateline_engine::{Conflict, Durability, Transaction};
use serde_json::{Value, json};

use super::{Principal, login, password, users};
use crate::app::App;
use crate::eve::problem::{Problem, Slug};
use crate::http::{Answer, ObjectBody, Peer};
use crate::ids;

/// `POST /api/setup {"token", "password", "username"?}`: makes the first administrator, once.
pub(crate) async fn set_up(State(app): State<App>, ObjectBody(body): ObjectBody) -> Answer {
    let token = login::required(&body, "token")?;
    let new_password = login::required(&body, "password")?;
    let username = body.get("username").and_then(Value::as_str).unwrap_or("admin");
    let Some(taken) = app.auth().setup().take(token, app.store().now()) else {
        let detail = "the set-up link is used up or too old; start the server again for a new one";
        return Err(Problem::new(Slug::Unauthorized, detail).issue("token", "expired").into());
    };
    if app.auth().users().has_administrator(app.store())? {
        return Err(Problem::new(Slug::Conflict, "there is an administrator already").into());
    }
    if !users::is_username(username) {
        return Err(Problem::new(Slug::ValidationFailed, "username: 1 to 100 bytes without spaces")
            .issue("username", "not a name")
            .into());
    }
    app.auth().check_new_password(new_password)?;
    let hash = app.auth().hash_password(new_password.to_owned()).await?;
    let id = ids::new_id(app.store().now())?;
    let tx = Transaction::new(Durability::Sync);
    let fields = users::body(username, "administrator");
    app.commit(app.auth().users().create(tx, &id, &fields, Some(&hash))).await?;
    taken.done();
    let body = json!({"_status": "OK", "_id": id.as_str(), "username": username.trim(), "user_type": "administrator"});
    Ok((StatusCode::CREATED, axum::Json(body)).into_response())
}

/// `POST /api/change_user_password {"username", "old_password", "new_password"}`: ends the other sessions.
pub(crate) async fn change_password(
    State(app): State<App>,
    caller: Principal,
    peer: Peer,
    ObjectBody(body): ObjectBody,
) -> Answer {
    let (old, new) = (login::required(&body, "old_password")?, login::required(&body, "new_password")?);
    let username = body.get("username").and_then(Value::as_str).unwrap_or(&caller.username);
    if users::login_name(username) != users::login_name(&caller.username) {
        return Err(Problem::new(Slug::Forbidden, "this changes one's own password only").into());
    }
    let now = app.store().now();
    let (store, all) = (app.store(), app.auth().users());
    let mut secret = all.secret_of(store, &caller.user)?;
    let attempt = app.auth().throttle().attempt(&caller.username, peer.ip, now).map_err(login::too_many)?;
    let fits = match password::is_absurd(old) {
        true => Ok(false),
        false => app.auth().passwords().verify(old.to_owned(), secret.hash.take()).await,
    };
    let fits = match fits {
        Ok(fits) => fits,
        Err(refusal) => {
            app.auth().throttle().give_back(attempt);
            return Err(refusal);
        }
    };
    if !fits {
        return Err(Problem::new(Slug::Unauthorized, "the old password is wrong")
            .issue("credentials", 1)
            .into());
    }
    app.auth().throttle().succeeded(attempt);
    app.auth().check_new_password(new)?;
    secret.hash = Some(app.auth().hash_password(new.to_owned()).await?);
    let mut sessions = app.auth().sessions().of_user(store, &caller.user)?;
    sessions.retain(|session| Some(&session.id) != caller.session());
    // Whoever has set another password meanwhile did so knowing more than the old one.
    let tx = all.replace_secret(Transaction::new(Durability::Sync), &caller.user, &caller.username, secret);
    app.commit(app.auth().sessions().end_all(tx, &sessions)).await.map_err(set_meanwhile)?;
    let body = json!({"_status": "OK", "_id": caller.user.as_str(), "username": &*caller.username});
    Ok((StatusCode::CREATED, axum::Json(body)).into_response())
}

fn set_meanwhile(error: dateline_engine::Error) -> Problem {
    match error.conflict() {
        Some(Conflict::Stale { .. } | Conflict::Exists(_)) => {
            Problem::new(Slug::Conflict, "the password was set by somebody else meanwhile")
        }
        _ => error.into(),
    }
}
