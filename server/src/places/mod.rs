//! Where things are: positions in, questions about devices, fences and matches out.
//!
//! Thin: bodies are read and answers written here, everything spatial is asked of the geo crate. A question waits
//! until the matcher has seen all that was durable when it came, so a client always sees its own writes.

pub(crate) mod answers;
pub(crate) mod clock;
pub(crate) mod devices;
pub(crate) mod fences;
pub(crate) mod geojson;
mod heat;
pub(crate) mod ingest;
mod matches;
pub(crate) mod positions;
mod track;

use std::time::Duration;

use dateline_geo::Condition;
use serde_json::{Value, json};

use crate::app::App;
use crate::eve::Filter;
use crate::eve::problem::{Problem, Slug};
use crate::http::{Access, Doc, Param, Routes};
use crate::resources::list_doc;

/// Longest wait for the matcher to catch up.
pub(crate) const CATCH_UP_MAX: Duration = Duration::from_secs(5);

/// The `where` of a fence: the same language as in lists, over the attributes of a device.
pub(crate) fn read_condition(value: &Value) -> Result<Condition, String> {
    let filter = Filter::from_value(value).map_err(|error| error.to_string())?;
    Ok(Condition::new(move |device| filter.matches(device)))
}

/// Waits until what was durable at the call is matched.
pub(crate) async fn catch_up(app: &App) -> Result<(), Problem> {
    let tail = app.store().watermark().durable();
    let visible = app.geo().visible();
    if visible.seq >= tail.seq && visible.positions >= tail.positions {
        return Ok(());
    }
    let wait = move |app: &App| app.geo().wait_for(tail, CATCH_UP_MAX);
    caught_up(app, wait, || app.geo().failed().unwrap_or_else(|| "the matcher is behind; retry".to_owned()))
        .await
}

/// Waits for a follower where that holds up nobody; `why` says what keeps it.
async fn caught_up(
    app: &App,
    wait: impl FnOnce(&App) -> bool + Send + 'static,
    why: impl FnOnce() -> String,
) -> Result<(), Problem> {
    let asked = app.clone();
    match tokio::task::spawn_blocking(move || wait(&asked)).await {
        Ok(true) => Ok(()),
        _ => Err(Problem::new(Slug::Overloaded, why()).retry_after(1)),
    }
}

pub(crate) const BBOX: Param =
    Param::new("bbox", "string", "west,south,east,north in degrees; west > east crosses the antimeridian");
/// Parameters that name a part of the earth; one at a time.
pub(crate) const PART: &[Param] = &[
    Param::new("near", "string", "lon,lat or lon,lat,radius_m: nearest first, with distance_m in metres"),
    BBOX,
    Param::new("polygon", "string", "a GeoJSON Polygon or MultiPolygon"),
    Param::new("tile", "string", "zoom/column/row of a web map"),
    Param::new("along", "string", "a GeoJSON line, or lon,lat;lon,lat..: nearest to it first; needs width_m"),
    Param::new("width_m", "number", "metres to either side of along"),
];

/// Routes of places.
pub(crate) fn routes() -> Routes {
    const POSITIONS: &[Param] = &[
        Param::new(
            "where",
            "string",
            "condition in JSON on device, at, speed, heading, accuracy, fields, distance_m",
        ),
        Param::new("max_results", "integer", "devices at the most, 1 to 10000, 1000 without it"),
        Param::new("cursor", "string", "opaque token of the next page"),
    ];
    const TRACK: &[Param] = &[
        Param::new("from", "string", "fixes of this RFC 3339 time or later"),
        Param::new("to", "string", "fixes of this RFC 3339 time or earlier"),
        Param::new("limit", "integer", "fixes at the most, 1 to 10000, 1000 without it"),
        Param::new("cursor", "string", "opaque token of the next page"),
        Param::new("form", "string", "line (without it), points, or mf-json"),
    ];
    const HEAT: &[Param] = &[
        Param::new("of", "string", "devices (without it), ads, or fixes"),
        Param::new("grid", "string", "h3 (without it) or geohash"),
        Param::new("precision", "integer", "h3: 0 to 15, 8 without it; geohash: 1 to 12, 6 without it"),
        Param::new("from", "string", "of fixes: of this RFC 3339 time or later"),
        Param::new("to", "string", "of fixes: of this RFC 3339 time or earlier"),
    ];
    const FENCE_PAIR: &[Param] = &[
        Param::new("fence", "string", "id of the fence"),
        Param::new("device", "string", "id of the device"),
    ];
    const PAIR: &[Param] =
        &[Param::new("ad", "string", "id of the ad"), Param::new("adlist", "string", "id of the adlist")];
    Routes::new()
        .schema("Positions", json!({
            "oneOf": [{"$ref": "#/components/schemas/Position"}, {"type": "array", "items": {"$ref": "#/components/schemas/Position"}}],
        }))
        .schema("Position", json!({
            "type": "object", "required": ["device", "lon", "lat"],
            "properties": {
                "device": {"type": "string"}, "lon": {"type": "number"}, "lat": {"type": "number"},
                "at": {"type": "string", "format": "date-time"}, "speed": {"type": "number"},
                "heading": {"type": "number"}, "accuracy": {"type": "number"}, "altitude": {"type": "number"},
                "ttl_s": {"type": "integer", "minimum": 1}, "fields": {"type": "object"},
            },
        }))
        .schema("PositionsTaken", json!({
            "type": "object", "required": ["accepted", "rejected", "log_seq"],
            "properties": {
                "accepted": {"type": "integer"}, "log_seq": {"type": "integer"},
                "rejected": {"type": "array", "items": {"type": "object"}},
            },
        }))
        .schema("Heat", json!({
            "type": "object", "required": ["grid", "total", "cells"],
            "properties": {
                "grid": {"enum": ["h3", "geohash"]}, "total": {"type": "integer"},
                "cells": {"type": "array", "items": {
                    "type": "object", "required": ["cell", "count", "center"],
                    "properties": {
                        "cell": {"type": "string"}, "count": {"type": "integer"},
                        "center": {"type": "array", "items": {"type": "number"}},
                    },
                }},
            },
        }))
        .schema("Explanation", json!({"type": "object", "required": ["tests"]}))
        .post(
            "/api/positions",
            ingest::take,
            Doc::new("Send positions; NDJSON and packed records too", "positions", Access::SignedIn)
                .request("Positions")
                .body_max(4 << 20)
                .answer(202, "PositionsTaken"),
        )
        .get(
            "/api/positions",
            positions::list,
            Doc::new("Where devices are", "positions", Access::SignedIn)
                .query(PART)
                .query(POSITIONS)
                .answer(200, "List")
                .answer_as(200, geojson::MEDIA_TYPE, None),
        )
        .get(
            "/api/positions/{device}",
            positions::one,
            Doc::new("Where a device is", "positions", Access::SignedIn).answer(200, "Position"),
        )
        .get(
            "/api/adlists/{id}/matches",
            matches::of_list,
            Doc::new("Ads that match now, nearest first", "adlists", Access::SignedIn).answer(200, "List"),
        )
        .get(
            "/api/explain/match",
            matches::explain,
            Doc::new("Why an ad matches a list or not", "adlists", Access::SignedIn).query(PAIR).answer(200, "Explanation"),
        )
        .get(
            "/api/explain/fence",
            fences::explain,
            Doc::new("Why a device is in a fence or not", "fences", Access::SignedIn)
                .query(FENCE_PAIR)
                .answer(200, "Explanation"),
        )
        .get(
            "/api/heat",
            heat::heat,
            Doc::new("Counts of devices, ads or fixes by cell", "positions", Access::SignedIn)
                .query(PART)
                .query(HEAT)
                .answer(200, "Heat")
                .answer_as(200, geojson::MEDIA_TYPE, None),
        )
        .get(
            "/api/devices/{id}/track",
            track::of_device,
            Doc::new("Where a device has been", "devices", Access::SignedIn)
                .query(TRACK)
                .answer_as(200, geojson::MEDIA_TYPE, None)
                .answer_as(200, track::MF_JSON, None),
        )
        .get(
            "/api/devices/{id}/adlists",
            matches::of_device,
            Doc::new("Adlists whose area holds a device", "devices", Access::SignedIn).answer(200, "List"),
        )
        .get("/api/adlists", matches::list, list_doc("adlists"))
        .get("/api/fences", fences::list, list_doc("fences"))
        .get(
            "/api/devices/{id}/fences",
            fences::of_device,
            Doc::new("Fences a device is in", "devices", Access::SignedIn).answer(200, "List"),
        )
}
