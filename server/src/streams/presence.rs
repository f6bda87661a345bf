//! Who is connected, for operators and for everybody.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde_json::{Value, json};

use crate::app::App;
use crate::auth::Principal;
use crate::auth::policy::{Action, Verdict, decide};
use crate::eve::problem::{Problem, Slug};
use crate::http::{Access, Answer, Doc, Routes};

/// Routes of connections.
pub(crate) fn routes() -> Routes {
    let list = |summary, access| Doc::new(summary, "log", access).answer_as(200, "application/json", None);
    Routes::new()
        .get("/api/admin/connections", connections, list("Open streams and sockets", Access::Administrator))
        .delete(
            "/api/admin/connections/{id}",
            disconnect,
            Doc::new("End a stream or socket", "log", Access::Administrator).empty(204),
        )
        .get("/api/presence", presence, list("Users who have a stream or socket open", Access::SignedIn))
}

/// All there is, on one page.
pub(super) fn listed(items: Vec<Value>) -> Answer {
    let meta = json!({"page": 1, "max_results": items.len(), "total": items.len()});
    Ok(axum::Json(json!({"_items": items, "_meta": meta})).into_response())
}

/// `GET /api/admin/connections`.
async fn connections(State(app): State<App>) -> Answer {
    listed(app.connections().shown())
}

/// `DELETE /api/admin/connections/{id}`.
async fn disconnect(State(app): State<App>, Path(id): Path<String>) -> Answer {
    if id.parse().is_ok_and(|number| app.connections().disconnect(number)) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    Err(Problem::new(Slug::NotFound, format!("there is no connection '{id}'")).into())
}

/// `GET /api/presence`: whom one may see.
async fn presence(State(app): State<App>, principal: Principal) -> Answer {
    let all = decide(&principal, Action::Read, "users")? == Verdict::All;
    let mut present = app.connections().present();
    present.retain(|who| all || who["user"] == principal.user.as_str());
    listed(present)
}
