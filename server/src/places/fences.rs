//! Fences and what is inside.

use axum::extract::State;
use dateline_engine::DocId;
use dateline_geo::Point;

use crate::app::App;
use crate::auth::Principal;
use crate::auth::policy::Action;
use crate::eve::Params;
use crate::eve::problem::Problem;
use crate::http::Answer;
use crate::places::answers::{ask, documents};
use crate::places::devices::{check_device, unseen};
use crate::resources::list::list as list_documents;
use crate::resources::part::numbers;
use crate::resources::target::{Id, Named};
use crate::resources::{Query, Sight, answer};

/// `GET /api/fences`: all as any resource, or with `contains=lon,lat` those that hold a point.
pub(crate) async fn list(
    state: State<App>,
    principal: Principal,
    resource: Named,
    Query(params): Query,
) -> Answer {
    let Some(place) = contained(&params)? else {
        return list_documents(state, principal, resource, Query(params)).await;
    };
    let sight = Sight::of(&principal, Action::Read, "fences")?;
    let (app, resource) = (state.0, resource.0);
    let found = ask(&app, move |app| {
        let found = app.geo().fences_holding(place)?.into_iter().map(|id| (id, None)).collect();
        documents(app, &resource, &sight, found)
    });
    Ok(answer::json_bytes(found.await?))
}

/// The place of `contains=lon,lat`.
pub(crate) fn contained(params: &Params) -> Result<Option<Point>, Problem> {
    let Some(text) = params.get("contains").filter(|text| !text.is_empty()) else { return Ok(None) };
    let Some(&[lon, lat]) = numbers(text).as_deref() else {
        return Err(Problem::query("contains", "expected longitude,latitude in degrees"));
    };
    Point::new(lon, lat).map(Some).map_err(|reason| Problem::query("contains", reason))
}

/// `GET /api/explain/fence?fence=&device=`.
pub(crate) async fn explain(State(app): State<App>, principal: Principal, Query(params): Query) -> Answer {
    let (fence, device) = (id(&params, "fence")?, id(&params, "device")?);
    Sight::of(&principal, Action::Read, "fences")?;
    let sight = Sight::of(&principal, Action::Read, "devices")?;
    let told = ask(&app, move |app| {
        check_device(app, &sight, &principal, device.as_str())?;
        Ok(app.geo().explain_fence(&fence, &device)?)
    });
    Ok(answer::json_bytes(told.await?.to_string().into_bytes()))
}

/// A document that the query string names.
pub(crate) fn id(params: &Params, name: &str) -> Result<DocId, Problem> {
    let text = params.get(name).filter(|text| !text.is_empty());
    let text = text.ok_or_else(|| Problem::query(name, "is needed").issue(name, "required field"))?;
    DocId::new(text).map_err(|error| Problem::query(name, error))
}

/// `GET /api/devices/{id}/fences`.
pub(crate) async fn of_device(State(app): State<App>, principal: Principal, Id(device): Id) -> Answer {
    let sight = Sight::of(&principal, Action::Read, "devices")?;
    let fences_sight = Sight::of(&principal, Action::Read, "fences")?;
    let found = ask(&app, move |app| {
        check_device(app, &sight, &principal, &device)?;
        let inside = app.geo().fences_of(&device)?.ok_or_else(|| unseen(&device))?;
        let fences = app.resources().get("fences")?;
        documents(app, &fences, &fences_sight, inside.into_iter().map(|id| (id, None)).collect())
    });
    Ok(answer::json_bytes(found.await?))
}
