//! `GET /api/blobs/{id}/raw`.

use axum::extract::State;
use axum::http::HeaderMap;
use serde_json::Value;

use super::manifests::Shelf;
use super::serve::{Served, disposition, serve};
use crate::app::App;
use crate::auth::Principal;
use crate::auth::policy::Action;
use crate::http::Answer;
use crate::resources::answer;
use crate::resources::target::Id;
use crate::resources::{Sight, check_sight, find, missing};

/// The bytes under an id never change.
pub(super) async fn get(
    State(app): State<App>,
    principal: Principal,
    Id(id): Id,
    headers: HeaderMap,
) -> Answer {
    let sight = Sight::of(&principal, Action::Read, "blobs")?;
    let resource = app.resources().get("blobs")?;
    let document = find(&app, &resource, &id)?.ok_or_else(|| missing(&resource, &id))?;
    check_sight(&sight, &resource, &document)?;
    let about = answer::body_of(&document)?;
    let word = |name: &str| about.get(name).and_then(Value::as_str).unwrap_or_default();
    let (manifest, _) = Shelf::of(app.store())?.manifest(app.store(), document.id.as_str())?;
    let served = Served {
        manifest,
        tag: word("sha256"),
        media_type: word("media_type"),
        // Whatever was uploaded, no browser runs it as a page of this origin.
        disposition: disposition("attachment", word("name")),
        cache: "private, max-age=31536000, immutable",
    };
    serve(&app, &headers, served).await
}
