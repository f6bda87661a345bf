//! `GET /api`: what there is, for a client that knows nothing yet.

use axum::extract::State;
use serde_json::{Value, json};

use crate::app::App;
use crate::auth::policy::is_secret;
use crate::http::Answer;
use crate::resources::answer;

/// Eve's home: a link to each resource. Names only, so that it may be public.
pub(crate) async fn home(State(app): State<App>) -> Answer {
    let resources = app.resources().all();
    let shown = resources.iter().filter(|resource| !is_secret(&resource.name));
    let links: Vec<Value> =
        shown.map(|resource| json!({"href": resource.name, "title": resource.name})).collect();
    let body = json!({"_links": {"child": links}});
    Ok(answer::json_bytes(body.to_string().into_bytes()))
}
