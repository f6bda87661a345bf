//! How many devices, ads or fixes lie in each cell of a grid, for heat maps.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use dateline_geo::{Heat, HeatCell, HeatGrid, Point, Within};
use serde_json::{Value, json};

use crate::app::App;
use crate::auth::Principal;
use crate::auth::policy::Action;
use crate::eve::Params;
use crate::eve::problem::{Problem, Slug};
use crate::http::Answer;
use crate::places::answers::ask;
use crate::places::devices::own_devices;
use crate::places::geojson;
use crate::places::track::{time, wait};
use crate::resources::placed::over_budget;
use crate::resources::{Query, Sight, answer, within};

/// The precision when none is asked for: cells of about a kilometre.
const H3_USUAL: u8 = 8;
const GEOHASH_USUAL: u8 = 6;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counted {
    Devices,
    Ads,
    Fixes,
}

/// `GET /api/heat?of=devices|ads|fixes&grid=h3|geohash&precision=`.
pub(crate) async fn heat(
    State(app): State<App>,
    principal: Principal,
    Query(params): Query,
    headers: HeaderMap,
) -> Answer {
    let counted = match params.get("of").filter(|of| !of.is_empty()) {
        None | Some("devices") => Counted::Devices,
        Some("ads") => Counted::Ads,
        Some("fixes") => Counted::Fixes,
        Some(_) => return Err(Problem::query("of", "expected devices, ads or fixes").into()),
    };
    let resource = if counted == Counted::Ads { "ads" } else { "positions" };
    let sight = Sight::of(&principal, Action::Read, resource)?;
    if counted == Counted::Fixes && !sight.is_clear() {
        return Err(
            Problem::new(Slug::Forbidden, "counting everybody's fixes needs privilege positions").into()
        );
    }
    let (name, grid) = grid(&params)?;
    let part = within(&params)?.unwrap_or_else(Within::everywhere);
    let (from, to) = (time(&params, "from")?, time(&params, "to")?);
    if counted == Counted::Fixes {
        wait(&app).await?;
    } else if from.or(to).is_some() {
        return Err(
            Problem::query("from", "belongs to of=fixes: devices and ads are where they are now").into()
        );
    }
    let as_geojson = geojson::is_wanted(&headers);
    ask(&app, move |app| -> Result<Response, Problem> {
        let heat = match (counted, sight.owner()) {
            (Counted::Fixes, _) => app.tracks().heat(&part, from, to, grid).map_err(over_budget)?,
            (Counted::Ads, _) => count(grid, app.geo().ad_places(&part)?)?,
            (Counted::Devices, None) => count(grid, app.geo().device_places(&part)?)?,
            (Counted::Devices, Some(owner)) => {
                let own = own_devices(app, owner, &part)?;
                count(grid, own.into_iter().map(|hit| hit.fix.point))?
            }
        };
        Ok(render(&name, &heat.cells()?, as_geojson))
    })
    .await
}

fn grid(params: &Params) -> Result<(String, HeatGrid), Problem> {
    let name = params.get("grid").filter(|name| !name.is_empty()).unwrap_or("h3");
    let precision = match params.get("precision").filter(|text| !text.is_empty()) {
        None if name == "geohash" => GEOHASH_USUAL,
        None => H3_USUAL,
        Some(text) => {
            text.parse().map_err(|_| Problem::query("precision", format!("'{text}' is no precision")))?
        }
    };
    let parameter = if matches!(name, "h3" | "geohash") { "precision" } else { "grid" };
    let grid = HeatGrid::new(name, precision).map_err(|reason| Problem::query(parameter, reason))?;
    Ok((name.to_owned(), grid))
}

fn count(grid: HeatGrid, places: impl IntoIterator<Item = Point>) -> Result<Heat, Problem> {
    let mut heat = Heat::new(grid);
    places.into_iter().try_for_each(|place| heat.add(place)).map_err(over_budget)?;
    Ok(heat)
}

fn render(grid: &str, cells: &[HeatCell], as_geojson: bool) -> Response {
    let total: u64 = cells.iter().map(|cell| cell.count).sum();
    if !as_geojson {
        let cells: Vec<Value> = cells
            .iter()
            .map(|cell| json!({"cell": cell.name, "count": cell.count, "center": cell.center}))
            .collect();
        let body = json!({"grid": grid, "total": total, "cells": cells});
        return answer::json_bytes(body.to_string().into_bytes());
    }
    let feature = |cell: &HeatCell| {
        json!({
            "type": "Feature", "id": cell.name,
            "geometry": {"type": "Polygon", "coordinates": [cell.outline]},
            "properties": {"cell": cell.name, "count": cell.count},
        })
    };
    let features: Vec<Value> = cells.iter().map(feature).collect();
    let body = json!({"type": "FeatureCollection", "features": features, "grid": grid, "total": total});
    geojson::answer(&body)
}
