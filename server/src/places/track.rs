//! Where a device has been: a page of its history as GeoJSON or MF-JSON.
//!
//! The history belongs to the device as it is registered now: fixes from before it was last deleted are nobody's any
//! more, and who sees only own devices sees only what was stored since the device was registered as theirs.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::ACCEPT;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dateline_engine::{DocId, Millis, PositionSeq, Seq};
use dateline_geo::{Fix, Track, TrackQuery};
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::auth::Principal;
use crate::auth::policy::Action;
use crate::eve::problem::{Problem, Slug};
use crate::eve::{Params, date};
use crate::http::Answer;
use crate::places::answers::ask;
use crate::places::devices::{check_device, unseen};
use crate::places::{CATCH_UP_MAX, caught_up, geojson};
use crate::resources::target::Id;
use crate::resources::{Query, Sight, answer};

/// Fixes of a page without `limit`, and at the most.
const FIXES_USUAL: u64 = 1_000;
const FIXES_MAX: u64 = 10_000;
/// Versions of a device's document that are looked through for its last deletion.
const VERSIONS_MAX: usize = 1_000;
const CURSOR_BYTES: usize = 12;

/// Moving Features JSON (OGC 19-045r3); the standard names no media type of its own.
pub(crate) const MF_JSON: &str = "application/vnd.dateline.mf+json";

/// `GET /api/devices/{id}/track`.
pub(crate) async fn of_device(
    State(app): State<App>,
    principal: Principal,
    Id(device): Id,
    Query(params): Query,
    headers: HeaderMap,
) -> Answer {
    let sight = Sight::of(&principal, Action::Read, "positions")?;
    let form = Form::of(&headers, &params)?;
    let id = DocId::new(&device).map_err(|_| unseen(&device))?;
    let limit = usize::try_from(params.number("limit", FIXES_USUAL, 1, FIXES_MAX)?).unwrap_or(usize::MAX);
    let (from, to, after) = (time(&params, "from")?, time(&params, "to")?, cursor(&params)?);
    wait(&app).await?;
    ask(&app, move |app| -> Result<Response, Problem> {
        check_device(app, &sight, &principal, &device)?;
        let since = since(app, &sight, &device)?;
        let track = app.tracks().track(&TrackQuery { device: id, from, to, since, after, limit })?;
        if track.fixes.is_empty() && app.geo().device(&device)?.is_none() {
            return Err(unseen(&device));
        }
        let mut body = form.write(&device, &track.fixes);
        add_paging(&mut body, &device, &params, &track);
        Ok(geojson::answer_as(form.media_type(), &body))
    })
    .await
}

/// Waits until the index of tracks knows what was durable when the request came.
pub(crate) async fn wait(app: &App) -> Result<(), Problem> {
    let seq = app.store().watermark().durable().positions;
    if app.tracks().visible() >= seq {
        return Ok(());
    }
    let wait = move |app: &App| app.tracks().wait_for(seq, CATCH_UP_MAX);
    let why = || app.tracks().failed().unwrap_or_else(|| "tracks are being indexed; retry".to_owned());
    caught_up(app, wait, why).await
}

/// Where the log stood when the history that may be seen began: at the last deletion, and for its owner when the device
/// became theirs.
fn since(app: &App, sight: &Sight, device: &str) -> Result<Seq, Problem> {
    let devices = app.resources().get("devices")?.collection;
    // Newest first.
    let versions = app.store().versions(devices, device, VERSIONS_MAX)?;
    let deleted = versions.iter().find(|version| version.deleted).map(|version| version.seq);
    let Some(owner) = sight.owner() else { return Ok(deleted.unwrap_or(Seq::ZERO)) };
    let mut since = None;
    for version in versions.iter().take_while(|version| !version.deleted) {
        if answer::body_of(version)?.get("user").and_then(Value::as_str) != Some(owner) {
            break;
        }
        since = Some(version.seq);
    }
    // Nobody gets here without a document that names them.
    Ok(since.unwrap_or(Seq::new(u64::MAX)))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Line,
    Points,
    MovingFeatures,
}

impl Form {
    fn of(headers: &HeaderMap, params: &Params) -> Result<Self, Problem> {
        let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        match params.get("form").filter(|form| !form.is_empty()) {
            None if accept.contains("mf+json") => Ok(Self::MovingFeatures),
            None | Some("line") => Ok(Self::Line),
            Some("points") => Ok(Self::Points),
            Some("mf-json") => Ok(Self::MovingFeatures),
            Some(_) => Err(Problem::query("form", "expected line, points or mf-json")),
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            Self::Line | Self::Points => geojson::MEDIA_TYPE,
            Self::MovingFeatures => MF_JSON,
        }
    }

    fn write(self, device: &str, fixes: &[Fix]) -> Value {
        match self {
            Self::Line => line(device, fixes),
            Self::Points => points(fixes),
            Self::MovingFeatures => moving_features(device, fixes),
        }
    }
}

fn place(fix: &Fix) -> Value {
    json!([fix.point.lon(), fix.point.lat()])
}

fn times(fixes: &[Fix]) -> Vec<String> {
    fixes.iter().map(|fix| date::format_precise(fix.at.get())).collect()
}

/// One feature: a line, a point if there is but one fix, nothing if there is none.
fn line(device: &str, fixes: &[Fix]) -> Value {
    let places: Vec<Value> = fixes.iter().map(place).collect();
    let geometry = match places.as_slice() {
        [] => Value::Null,
        [only] => json!({"type": "Point", "coordinates": only}),
        _ => json!({"type": "LineString", "coordinates": places}),
    };
    let mut properties = Map::new();
    properties.insert("device".to_owned(), device.into());
    properties.insert("times".to_owned(), times(fixes).into());
    for (name, pick) in NUMBERS {
        if fixes.iter().any(|fix| pick(fix).is_some()) {
            properties.insert(name.to_owned(), fixes.iter().map(|fix| json!(pick(fix))).collect());
        }
    }
    json!({"type": "Feature", "id": device, "geometry": geometry, "properties": properties})
}

type Number = fn(&Fix) -> Option<f64>;

const NUMBERS: [(&str, Number); 3] =
    [("speed", |fix| fix.speed), ("heading", |fix| fix.heading), ("accuracy", |fix| fix.accuracy)];

fn points(fixes: &[Fix]) -> Value {
    // One device has no name of its own for each place.
    let feature = |fix: &Fix| {
        let mut feature = geojson::feature(fix, None);
        feature.as_object_mut().map(|map| map.shift_remove("id"));
        feature
    };
    json!({"type": "FeatureCollection", "features": fixes.iter().map(feature).collect::<Vec<_>>()})
}

/// A moving point (OGC 19-045r3 7.2): no time comes twice, so of fixes of one time the last one counts.
fn moving_features(device: &str, fixes: &[Fix]) -> Value {
    let mut distinct: Vec<&Fix> = Vec::with_capacity(fixes.len());
    for fix in fixes {
        if distinct.last().is_some_and(|last| last.at == fix.at) {
            distinct.pop();
        }
        distinct.push(fix);
    }
    let time = |fix: &&Fix| date::format_precise(fix.at.get());
    let times: Vec<String> = distinct.iter().map(time).collect();
    let places: Vec<Value> = distinct.iter().map(|fix| place(fix)).collect();
    let mut properties = Vec::new();
    for ((name, pick), unit) in NUMBERS.into_iter().zip(["m/s", "deg", "m"]) {
        let known: Vec<&&Fix> = distinct.iter().filter(|fix| pick(fix).is_some()).collect();
        if !known.is_empty() {
            let values: Vec<f64> = known.iter().filter_map(|fix| pick(fix)).collect();
            let times: Vec<String> = known.iter().map(|fix| time(fix)).collect();
            properties.push(json!({
                "datetimes": times,
                name: {"type": "Measure", "form": unit, "values": values, "interpolation": "Linear"},
            }));
        }
    }
    let period = times.first().zip(times.last()).map(|(first, last)| [first, last]);
    json!({
        "type": "Feature", "id": device,
        "crs": {"type": "Name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}},
        "trs": {"type": "Link", "properties": {
            "type": "OGCDEF", "href": "http://www.opengis.net/def/uom/ISO-8601/0/Gregorian",
        }},
        "temporalGeometry": {
            "type": "MovingPoint", "datetimes": times, "coordinates": places, "interpolation": "Linear",
        },
        "temporalProperties": properties,
        "geometry": null, "properties": {"device": device}, "time": period,
    })
}

/// `_meta.next_cursor` and a link of relation `next`, while there is more.
fn add_paging(body: &mut Value, device: &str, params: &Params, track: &Track) {
    let mut meta = json!({"fixes": track.fixes.len()});
    let mut links = Vec::new();
    if let Some((seq, index)) = track.next {
        let token = token(seq, index);
        let mut query = form_urlencoded::Serializer::new(String::new());
        params.iter().filter(|(name, _)| *name != "cursor").for_each(|(name, value)| {
            query.append_pair(name, value);
        });
        let query = query.append_pair("cursor", &token).finish();
        let href = crate::eve::link::document_href("api/devices", device);
        links.push(json!({"rel": "next", "href": format!("/{href}/track?{query}")}));
        meta["next_cursor"] = token.into();
    }
    body["_meta"] = meta;
    body["links"] = links.into();
}

fn token(seq: PositionSeq, index: u32) -> String {
    URL_SAFE_NO_PAD.encode([&seq.get().to_be_bytes()[..], &index.to_be_bytes()].concat())
}

fn cursor(params: &Params) -> Result<Option<(PositionSeq, u32)>, Problem> {
    let Some(text) = params.get("cursor").filter(|text| !text.is_empty()) else { return Ok(None) };
    let unknown = || {
        Problem::new(Slug::InvalidCursor, "the cursor is not one of a track")
            .issue("cursor", "unknown cursor")
    };
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| unknown())?;
    let bytes: [u8; CURSOR_BYTES] = bytes.try_into().map_err(|_| unknown())?;
    let (seq, index) = bytes.split_first_chunk::<8>().ok_or_else(unknown)?;
    let index: [u8; 4] = index.try_into().map_err(|_| unknown())?;
    Ok(Some((PositionSeq::new(u64::from_be_bytes(*seq)), u32::from_be_bytes(index))))
}

/// A time of the query string.
pub(crate) fn time(params: &Params, name: &str) -> Result<Option<Millis>, Problem> {
    let Some(text) = params.get(name).filter(|text| !text.is_empty()) else { return Ok(None) };
    let at = date::parse_time(text).and_then(|at| u64::try_from(at.as_millisecond()).ok());
    at.map(|ms| Some(Millis::new(ms))).ok_or_else(|| Problem::query(name, "expected an RFC 3339 time"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fix(at: u64, lon: f64, speed: Option<f64>) -> Fix {
        let mut body = json!({"device": "d", "lon": lon, "lat": 1.5});
        if let Some(speed) = speed {
            body["speed"] = speed.into();
        }
        Fix { at: Millis::new(at), ..Fix::parse(&body, Millis::new(1 << 42)).unwrap() }
    }

    #[test]
    fn lines_and_moving_points() {
        let fixes = [fix(1_000, 1.0, None), fix(2_500, 2.0, Some(3.0)), fix(2_500, 2.25, Some(4.0))];
        let written = Form::Line.write("d", &fixes);
        assert_eq!(written["geometry"]["coordinates"], json!([[1.0, 1.5], [2.0, 1.5], [2.25, 1.5]]));
        assert_eq!(written["properties"]["times"][1], "1970-01-01T00:00:02.5Z");
        assert_eq!(written["properties"]["speed"], json!([null, 3.0, 4.0]));
        assert_eq!(Form::Line.write("d", &fixes[..1])["geometry"]["type"], "Point");
        assert_eq!(Form::Line.write("d", &[])["geometry"], Value::Null);
        let written = Form::MovingFeatures.write("d", &fixes);
        assert_eq!(written["temporalGeometry"]["coordinates"], json!([[1.0, 1.5], [2.25, 1.5]]));
        assert_eq!(written["temporalGeometry"]["datetimes"].as_array().unwrap().len(), 2);
        assert_eq!(written["temporalProperties"][0]["speed"]["values"], json!([4.0]));
        assert_eq!(Form::Points.write("d", &fixes)["features"].as_array().unwrap().len(), 3);
    }

    #[test]
    fn cursors_come_back() {
        let params = |text: &str| Params::new([("cursor".to_owned(), text.to_owned())]);
        let place = (PositionSeq::new(77), 5);
        assert_eq!(cursor(&params(&token(place.0, place.1))).unwrap(), Some(place));
        for bad in ["x", "AAAA", "&"] {
            assert!(cursor(&params(bad)).is_err());
        }
    }
}
