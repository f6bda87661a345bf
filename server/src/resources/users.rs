//! Users: the password goes to the credentials, in the same commit as the user.
//!
//! Only administrators hand out rights, so nobody can come by more than they were given; and one administrator who
//! can sign in is always left. A password that is set, and a user who is removed, take the sessions with them.

use dateline_engine::{DocId, Transaction};
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::auth::Principal;
use crate::auth::users::{administers, is_administrator, is_username, login_name};
use crate::eve::problem::{Problem, Slug};
use crate::eve::{Issue, Issues};
use crate::http::Refusal;
use crate::resources::rules::{Draft, Effect};
use crate::streams;

/// Members that give or take rights.
const POWERS: [&str; 5] = ["user_type", "role", "privileges", "is_active", "is_enabled"];
/// Members by which somebody proves to be a user.
const PROOFS: [&str; 2] = ["username", "email"];

pub(crate) async fn check(
    draft: &Draft<'_>,
    body: &mut Map<String, Value>,
    issues: &mut Issues,
) -> Result<Vec<Effect>, Problem> {
    let password = body.shift_remove("password");
    check_rights(draft, body, password.is_some())?;
    if draft.stored.is_some_and(administers) && !administers(body) {
        check_not_last(draft.app, draft.id)?;
    }
    let password = match password {
        Some(Value::String(password)) => Some(password),
        _ => None,
    };
    let username = body.get("username").and_then(Value::as_str).unwrap_or_default().trim().to_owned();
    if !is_username(&username) {
        if issues.of("username").is_empty() {
            let text = "1 to 100 characters without white space";
            issues.add(&["username"], Issue::Text(text.to_owned()));
        }
        return Ok(Vec::new());
    }
    let (store, auth) = (draft.app.store(), draft.app.auth());
    let holder = auth.users().find(store, &username)?;
    if holder.is_some_and(|holder| holder.id() != draft.id) {
        issues.add(&["username"], Issue::NotUnique(Value::String(username)));
        return Ok(Vec::new());
    }
    if let Some(password) = &password
        && let Err(problem) = auth.check_new_password(password)
    {
        issues.add(&["password"], Issue::Text(problem.detail().to_owned()));
        return Ok(Vec::new());
    }
    if !issues.is_empty() {
        return Ok(Vec::new());
    }
    let login_before =
        draft.stored.map(|stored| login_name(stored.get("username").and_then(Value::as_str).unwrap_or("")));
    if password.is_none() && login_before == Some(login_name(&username)) {
        return Ok(Vec::new());
    }
    let mut secret = auth.users().secret_of(store, draft.id)?;
    let mut sessions = Vec::new();
    if let Some(password) = password {
        secret.hash = Some(auth.hash_password(password).await.map_err(Refusal::into_problem)?);
        sessions = auth.sessions().of_user(store, draft.id)?;
    }
    let (users, all, id) = (*auth.users(), *auth.sessions(), draft.id.clone());
    let also =
        move |transaction| all.end_all(users.replace_secret(transaction, &id, &username, secret), &sessions);
    Ok(vec![Effect::Also(Box::new(also))])
}

/// Rights are an administrator's to give, and administrators are nobody else's to sign in as.
fn check_rights(draft: &Draft<'_>, body: &Map<String, Value>, sets_password: bool) -> Result<(), Problem> {
    if draft.principal.is_administrator() {
        return Ok(());
    }
    let refused = |detail: String| Err(Problem::new(Slug::Forbidden, detail));
    if let Some(name) = POWERS.iter().find(|name| power(Some(body), name) != power(draft.stored, name)) {
        return refused(format!("only an administrator sets '{name}'"));
    }
    let Some(stored) = draft.stored else { return Ok(()) };
    if sets_password && draft.principal.user == *draft.id {
        return refused("change your own password with POST /api/change_user_password".to_owned());
    }
    let proof = PROOFS.iter().find(|name| body.get(**name) != stored.get(**name));
    if is_administrator(stored) && (sets_password || proof.is_some()) {
        let name = proof.filter(|_| !sets_password).unwrap_or(&"password");
        return refused(format!("only an administrator sets '{name}' of an administrator"));
    }
    Ok(())
}

/// The value that counts, which is the default where none is given.
fn power(fields: Option<&Map<String, Value>>, name: &str) -> Value {
    let given = fields.and_then(|fields| fields.get(name)).cloned();
    given.unwrap_or_else(|| match name {
        "user_type" => json!("user"),
        "privileges" => json!({}),
        "is_active" | "is_enabled" => json!(true),
        _ => Value::Null,
    })
}

fn check_not_last(app: &App, id: &DocId) -> Result<(), Problem> {
    if app.auth().users().has_administrator_beside(app.store(), Some(id))? {
        return Ok(());
    }
    Err(Problem::new(Slug::Conflict, "this is the last administrator who can sign in; make another first"))
}

/// What goes with a user.
///
/// # Errors
/// 403 when the caller may not remove this one, 409 when nobody could administer any more.
pub(crate) fn removal(
    app: &App,
    principal: &Principal,
    id: &DocId,
    stored: &Map<String, Value>,
) -> Result<Vec<Effect>, Problem> {
    if is_administrator(stored) && !principal.is_administrator() {
        return Err(Problem::new(Slug::Forbidden, "only an administrator removes an administrator"));
    }
    if administers(stored) {
        check_not_last(app, id)?;
    }
    let (store, auth) = (app.store(), app.auth());
    let secret = auth.users().secret_of(store, id)?;
    let sessions = auth.sessions().of_user(store, id)?;
    let keys = auth.keys().list(store, Some(id), usize::MAX)?;
    let cursors = streams::cursors_of(store, id)?;
    let (users, all_sessions, all_keys, id) = (*auth.users(), *auth.sessions(), *auth.keys(), id.clone());
    Ok(vec![Effect::Also(Box::new(move |transaction| {
        let transaction = users.remove_secret(transaction, &id, secret);
        let transaction = all_keys.end_all(all_sessions.end_all(transaction, &sessions), &keys);
        cursors.into_iter().fold(transaction, Transaction::forget_cursor)
    }))])
}
