//! Users: the password goes to the credentials, in the same commit as the user.

use dateline_engine::DocId;
use serde_json::{Map, Value};

use crate::app::App;
use crate::auth::users::is_username;
use crate::eve::problem::Problem;
use crate::eve::{Issue, Issues};
use crate::http::Refusal;
use crate::resources::rules::{Draft, Effect};

pub(crate) async fn check(
    draft: &Draft<'_>,
    body: &mut Map<String, Value>,
    issues: &mut Issues,
) -> Result<Vec<Effect>, Problem> {
    let password = match body.shift_remove("password") {
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
    let users = draft.app.auth().users();
    let holder = users.find(draft.app.store(), &username)?;
    if holder.is_some_and(|holder| holder.id() != draft.id) {
        issues.add(&["username"], Issue::NotUnique(Value::String(username)));
        return Ok(Vec::new());
    }
    if let Some(password) = &password
        && let Err(problem) = draft.app.auth().check_new_password(password)
    {
        issues.add(&["password"], Issue::Text(problem.detail().to_owned()));
        return Ok(Vec::new());
    }
    if !issues.is_empty() {
        return Ok(Vec::new());
    }
    let hash = match password {
        Some(password) => {
            Some(draft.app.auth().hash_password(password).await.map_err(Refusal::into_problem)?)
        }
        None => users.hash_of(draft.app.store(), draft.id)?,
    };
    let (users, id) = (*users, draft.id.clone());
    let also = move |transaction| users.set_password(transaction, &id, &username, hash.as_deref());
    Ok(vec![Effect::Also(Box::new(also))])
}

pub(crate) fn removal(app: &App, id: &DocId) -> Vec<Effect> {
    let (users, id) = (*app.auth().users(), id.clone());
    vec![Effect::Also(Box::new(move |transaction| users.remove_credentials(transaction, &id)))]
}
