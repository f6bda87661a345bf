//! Standing lists and the ads that match them now.

use axum::extract::State;
use dateline_engine::{DocId, Document};
use dateline_geo::Point;
use serde_json::Value;

use crate::app::App;
use crate::auth::Principal;
use crate::auth::policy::Action;
use crate::eve::problem::{Problem, Slug};
use crate::http::Answer;
use crate::places::answers::{ask, documents};
use crate::places::devices::{last_fix, may_know};
use crate::places::fences::{contained, id};
use crate::resources::list::list as list_documents;
use crate::resources::target::{Id, Named};
use crate::resources::{Query, Sight, answer, check_sight, find, missing};

/// Ads in one answer at the most.
const MATCHES_MAX: usize = 10_000;
/// Lists that one question looks at.
const LOOKED_MAX: usize = 100_000;

/// `GET /api/adlists`: all as any resource, or with `contains=lon,lat` those whose area holds a point now.
pub(crate) async fn list(
    state: State<App>,
    principal: Principal,
    resource: Named,
    Query(params): Query,
) -> Answer {
    let Some(place) = contained(&params)? else {
        return list_documents(state, principal, resource, Query(params)).await;
    };
    let sight = Sight::of(&principal, Action::Read, "adlists")?;
    let found = ask(&state.0, move |app| holding(app, &sight, place)).await?;
    Ok(answer::json_bytes(found))
}

/// `GET /api/devices/{id}/adlists`: the lists whose area holds a device now.
pub(crate) async fn of_device(State(app): State<App>, principal: Principal, Id(device): Id) -> Answer {
    let sight = Sight::of(&principal, Action::Read, "devices")?;
    let lists_sight = Sight::of(&principal, Action::Read, "adlists")?;
    let found = ask(&app, move |app| {
        let fix = last_fix(app, &sight, &principal, &device)?;
        holding(app, &lists_sight, fix.point)
    });
    Ok(answer::json_bytes(found.await?))
}

/// The envelope of the lists that hold a place. Somebody who sees only own lists is shown no other.
fn holding(app: &App, sight: &Sight, place: Point) -> Result<Vec<u8>, Problem> {
    let found: Vec<DocId> = app.geo().lists_holding(place)?;
    if found.len() > LOOKED_MAX {
        let detail = format!("{} lists hold this place; {LOOKED_MAX} are looked at", found.len());
        return Err(Problem::new(Slug::PlanOverBudget, detail).with("documents_max", LOOKED_MAX));
    }
    let lists = app.resources().get("adlists")?;
    documents(app, &lists, sight, found.into_iter().map(|id| (id, None)).collect())
}

/// `GET /api/adlists/{id}/matches`.
pub(crate) async fn of_list(State(app): State<App>, principal: Principal, Id(id): Id) -> Answer {
    let lists = app.resources().get("adlists")?;
    let sight = Sight::of(&principal, Action::Read, "adlists")?;
    let list = find(&app, &lists, &id)?.ok_or_else(|| missing(&lists, &id))?;
    check_sight(&sight, &lists, &list)?;
    check_device_of(&app, &principal, &sight, &list)?;
    let ads_sight = Sight::of(&principal, Action::Read, "ads")?;
    let found = ask(&app, move |app| {
        let hits = app.geo().matches(&list.id, MATCHES_MAX)?.unwrap_or_default();
        let found = hits
            .into_iter()
            .map(|hit| (hit.ad, hit.distance_m.map(|distance| ("distance_m", Value::from(distance)))));
        let ads = app.resources().get("ads")?;
        documents(app, &ads, &ads_sight, found.collect())
    });
    Ok(answer::json_bytes(found.await?))
}

/// `GET /api/explain/match?ad=&adlist=`.
pub(crate) async fn explain(State(app): State<App>, principal: Principal, Query(params): Query) -> Answer {
    let (ad, list) = (id(&params, "ad")?, id(&params, "adlist")?);
    let lists = app.resources().get("adlists")?;
    let sight = Sight::of(&principal, Action::Read, "adlists")?;
    match find(&app, &lists, list.as_str())? {
        Some(document) => {
            check_sight(&sight, &lists, &document)?;
            check_device_of(&app, &principal, &sight, &document)?;
        }
        None if sight.is_clear() => {}
        None => return Err(Problem::new(Slug::NotFound, format!("there is no adlist '{list}'")).into()),
    }
    let told = ask(&app, move |app| Ok(app.geo().explain(&ad, &list)?)).await?;
    Ok(answer::json_bytes(told.to_string().into_bytes()))
}

/// A list around a device tells where the device is: only to those who may know.
fn check_device_of(app: &App, principal: &Principal, sight: &Sight, list: &Document) -> Result<(), Problem> {
    let body = answer::body_of(list)?;
    match body.get("device").and_then(Value::as_str) {
        Some(device) if !may_know(app, sight, principal, device)? => {
            Err(Problem::new(Slug::Forbidden, "the device of this list is not registered as yours"))
        }
        _ => Ok(()),
    }
}
