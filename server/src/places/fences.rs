//! Fences and what is inside.

use axum::extract::State;
use dateline_geo::Point;

use crate::app::App;
use crate::auth::Principal;
use crate::auth::policy::Action;
use crate::eve::problem::{Problem, Slug};
use crate::http::Answer;
use crate::places::answers::documents;
use crate::places::catch_up;
use crate::places::positions::check_device;
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
    let Some(text) = params.get("contains").filter(|text| !text.is_empty()) else {
        return list_documents(state, principal, resource, Query(params)).await;
    };
    let sight = Sight::of(&principal, Action::Read, "fences")?;
    let numbers: Result<Vec<f64>, _> = text.split(',').map(|part| part.trim().parse::<f64>()).collect();
    let Ok(&[lon, lat]) = numbers.as_deref() else {
        return Err(Problem::query("contains", "expected longitude,latitude in degrees").into());
    };
    let place = Point::new(lon, lat).map_err(|reason| Problem::query("contains", reason))?;
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
