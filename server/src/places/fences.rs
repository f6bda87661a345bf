//! Fences and what is inside.

use axum::extract::State;
use dateline_engine::DocId;
use dateline_geo::Point;
use serde_json::Value;

use crate::app::App;
use crate::auth::Principal;
use crate::auth::policy::Action;
use crate::eve::Params;
use crate::eve::problem::{Problem, Slug};
use crate::http::Answer;
use crate::places::answers::documents;
use crate::places::catch_up;
use crate::places::devices::check_device;
use crate::resources::list::list as list_documents;
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
    catch_up(&app).await?;
    let asked = app.clone();
    let bytes = app
        .scan(move |_| -> Result<Vec<u8>, Problem> {
            let found = asked.geo().fences_holding(place)?.into_iter().map(|id| (id, None)).collect();
            documents(&asked, &resource, &sight, found)
        })
        .await?;
    Ok(answer::json_bytes(bytes))
}

/// The place of `contains=lon,lat`.
pub(crate) fn contained(params: &Params) -> Result<Option<Point>, Problem> {
    let Some(text) = params.get("contains").filter(|text| !text.is_empty()) else { return Ok(None) };
    let numbers: Result<Vec<f64>, _> = text.split(',').map(|part| part.trim().parse::<f64>()).collect();
    let Ok(&[lon, lat]) = numbers.as_deref() else {
        return Err(Problem::query("contains", "expected longitude,latitude in degrees"));
    };
    Point::new(lon, lat).map(Some).map_err(|reason| Problem::query("contains", reason))
}

/// `GET /api/explain/fence?fence=&device=`.
pub(crate) async fn explain(State(app): State<App>, principal: Principal, Query(params): Query) -> Answer {
    let (fence, device) = (id(&params, "fence")?, id(&params, "device")?);
    Sight::of(&principal, Action::Read, "fences")?;
    let sight = Sight::of(&principal, Action::Read, "devices")?;
    catch_up(&app).await?;
    let asked = app.clone();
    let told = app
        .scan(move |_| -> Result<Value, Problem> {
            let unknown = || Problem::new(Slug::NotFound, format!("device '{device}' has not been seen"));
            check_device(&asked, &sight, &principal, device.as_str())?.then_some(()).ok_or_else(unknown)?;
            Ok(asked.geo().explain_fence(&fence, &device)?)
        })
        .await?;
    Ok(answer::json_bytes(told.to_string().into_bytes()))
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
    catch_up(&app).await?;
    let asked = app.clone();
    let bytes = app
        .scan(move |_| -> Result<Vec<u8>, Problem> {
            let unknown = || Problem::new(Slug::NotFound, format!("device '{device}' has not been seen"));
            check_device(&asked, &sight, &principal, &device)?.then_some(()).ok_or_else(unknown)?;
            let inside = asked.geo().fences_of(&device)?.ok_or_else(unknown)?;
            let fences = asked.resources().get("fences")?;
            documents(&asked, &fences, &fences_sight, inside.into_iter().map(|id| (id, None)).collect())
        })
        .await?;
    Ok(answer::json_bytes(bytes))
}
