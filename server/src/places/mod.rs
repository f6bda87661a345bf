//! Where things are: positions in, questions about devices, fences and matches out.
//!
//! Thin: bodies are read and answers written here, everything spatial is asked of the geo crate. A question waits
//! until the matcher has seen all that was durable when it came, so a client always sees its own writes.

mod answers;
pub(crate) mod clock;
mod fences;
mod matches;
pub(crate) mod positions;

use std::time::Duration;

use dateline_geo::Condition;
use serde_json::{Value, json};

use crate::app::App;
use crate::eve::Filter;
use crate::eve::problem::{Problem, Slug};
use crate::http::{Access, Doc, Param, Refusal, Routes};
use crate::resources::list_doc;

/// Longest wait for the matcher to catch up.
const CATCH_UP_MAX: Duration = Duration::from_secs(5);

/// The `where` of a fence: the same language as in lists, over the attributes of a device.
pub(crate) fn read_condition(value: &Value) -> Result<Condition, String> {
    let filter = Filter::from_value(value).map_err(|error| error.to_string())?;
    Ok(Condition::new(move |device| filter.matches(device)))
}

/// Waits until what was durable at the call is matched.
pub(crate) async fn catch_up(app: &App) -> Result<(), Refusal> {
    let tail = app.store().watermark().durable();
    let visible = app.geo().visible();
    if visible.seq >= tail.seq && visible.positions >= tail.positions {
        return Ok(());
    }
    let asked = app.clone();
    let waited = tokio::task::spawn_blocking(move || asked.geo().wait_for(tail, CATCH_UP_MAX)).await;
    if waited.unwrap_or(false) {
        return Ok(());
    }
    let detail = app.geo().failed().unwrap_or_else(|| "the matcher is behind; retry".to_owned());
    Err(Problem::new(Slug::Overloaded, detail).retry_after(1).into())
}

/// Routes of places.
pub(crate) fn routes() -> Routes {
    const WITHIN: &[Param] = &[
        Param::new("near", "string", "lon,lat,radius_m: nearest first, with distance_m in metres"),
        Param::new(
            "bbox",
            "string",
            "west,south,east,north in degrees; west > east crosses the antimeridian",
        ),
        Param::new("polygon", "string", "a GeoJSON Polygon or MultiPolygon"),
        Param::new("max_results", "integer", "devices at the most, 1 to 10000"),
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
        .schema("Explanation", json!({"type": "object", "required": ["matches", "tests"]}))
        .post(
            "/api/positions",
            positions::take,
            Doc::new("Send positions; NDJSON and packed records too", "positions", Access::SignedIn)
                .request("Positions")
                .body_max(4 << 20)
                .answer(202, "PositionsTaken"),
        )
        .get(
            "/api/positions",
            positions::list,
            Doc::new("Where devices are", "positions", Access::SignedIn)
                .query(WITHIN)
                .answer(200, "List")
                .answer_as(200, "application/geo+json", None),
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
        .get("/api/fences", fences::list, list_doc("fences"))
        .get(
            "/api/devices/{id}/fences",
            fences::of_device,
            Doc::new("Fences a device is in", "devices", Access::SignedIn).answer(200, "List"),
        )
}
