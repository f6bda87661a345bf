//! Positions of devices: taken in batches, asked for one by one or by place.

use std::collections::HashMap;

use axum::extract::State;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use dateline_engine::{Durability, Error, Millis};
use dateline_geo::{BATCH_FIXES_MAX, DeviceHit, Fix, Shape, Within};
use serde_json::{Value, json};

use crate::app::App;
use crate::auth::Principal;
use crate::auth::policy::Action;
use crate::eve::problem::{Problem, Slug};
use crate::eve::{ListWriter, Params, json as bounded};
use crate::http::{Answer, RawBody, Refusal};
use crate::outcome;
use crate::places::answers::{finish, owner_of};
use crate::places::catch_up;
use crate::resources::target::Id;
use crate::resources::{Prefer, Query, Sight, answer, within};

/// Devices in one answer without `max_results`.
const DEVICES_USUAL: usize = 1_000;
/// Devices in one answer at the most.
const DEVICES_MAX: usize = 10_000;

/// `POST /api/positions`: good items are taken, bad ones are told by index.
pub(crate) async fn take(
    State(app): State<App>,
    principal: Principal,
    headers: HeaderMap,
    RawBody(body): RawBody,
) -> Answer {
    Sight::of(&principal, Action::Create, "positions")?;
    let now = app.store().now();
    let read = read(&headers, &body, now)?;
    let taken = store(&app, &principal, read, Prefer::of(&headers).durability)?.await?;
    let mut response = answer::json_bytes(taken.to_string().into_bytes());
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}

/// The same for positions that have come in another way. They are handed to the engine before this returns; the answer
/// comes once they are stored.
///
/// # Errors
/// 403 for whoever sends no positions, 413 for too many.
pub(crate) fn accept(
    app: &App,
    principal: &Principal,
    items: Vec<Result<Value, String>>,
    durability: Durability,
) -> Result<impl Future<Output = Result<Value, Error>> + Send + 'static, Refusal> {
    Sight::of(principal, Action::Create, "positions")?;
    store(app, principal, parsed(items, app.store().now())?, durability)
}

fn store(
    app: &App,
    principal: &Principal,
    (mut fixes, mut rejected): (Numbered<Fix>, Numbered<String>),
    durability: Durability,
) -> Result<impl Future<Output = Result<Value, Error>> + Send + 'static, Refusal> {
    refuse_foreign(app, principal, &mut fixes, &mut rejected)?;
    rejected.sort_by_key(|(index, _)| *index);
    let accepted = fixes.len();
    let fixes: Vec<Fix> = fixes.into_iter().map(|(_, fix)| fix).collect();
    let before = app.store().watermark().durable().positions;
    let stored = (!fixes.is_empty()).then(|| outcome::of(|done| app.geo().submit(&fixes, durability, done)));
    Ok(async move {
        let log_seq = match stored {
            None => before,
            Some(receipt) => {
                let lost = || Error::internal("positions without their place in the log");
                receipt.await?.positions.ok_or_else(lost)?
            }
        };
        let rejected: Vec<Value> =
            rejected.into_iter().map(|(index, error)| json!({"index": index, "error": error})).collect();
        Ok(json!({"accepted": accepted, "rejected": rejected, "log_seq": log_seq.get()}))
    })
}

type Numbered<T> = Vec<(usize, T)>;

/// Items by their index: the good ones, and why the others are not.
fn read(
    headers: &HeaderMap,
    body: &Bytes,
    now: Millis,
) -> Result<(Numbered<Fix>, Numbered<String>), Problem> {
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let items: Vec<Result<Value, String>> = match media_type.as_str() {
        "application/vnd.dateline.positions" => {
            let fixes = dateline_geo::decode_fixes(body, now)
                .map_err(|error| Problem::new(Slug::BadRequest, format!("packed positions: {error}")))?;
            return Ok(split(fixes.into_iter().enumerate()));
        }
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" => lines(body),
        "" | "application/json" | "text/json" => {
            let limits =
                bounded::Limits { bytes_max: 4 << 20, values_max: 1_000_000, ..bounded::Limits::BODY };
            match bounded::parse(body, &limits)? {
                Value::Array(items) => items.into_iter().map(Ok).collect(),
                item => vec![Ok(item)],
            }
        }
        other => {
            let detail = format!("positions are JSON, NDJSON or packed records, not '{other}'");
            return Err(Problem::new(Slug::UnsupportedMediaType, detail));
        }
    };
    parsed(items, now)
}

fn parsed(
    items: Vec<Result<Value, String>>,
    now: Millis,
) -> Result<(Numbered<Fix>, Numbered<String>), Problem> {
    if items.len() > BATCH_FIXES_MAX {
        let detail = format!("a batch holds at most {BATCH_FIXES_MAX} positions, this one {}", items.len());
        return Err(Problem::new(Slug::BodyTooLarge, detail));
    }
    let parsed = items.into_iter().map(|item| item.and_then(|item| Fix::parse(&item, now)));
    Ok(split(parsed.enumerate()))
}

fn lines(body: &[u8]) -> Vec<Result<Value, String>> {
    body.split(|byte| *byte == b'\n')
        .filter(|line| !line.trim_ascii().is_empty())
        .map(|line| bounded::parse(line, &bounded::Limits::PARAMETER).map_err(|error| error.to_string()))
        .collect()
}

fn split<T>(items: impl Iterator<Item = (usize, Result<T, String>)>) -> (Numbered<T>, Numbered<String>) {
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for (index, item) in items {
        match item {
            Ok(item) => good.push((index, item)),
            Err(error) => bad.push((index, error)),
        }
    }
    (good, bad)
}

/// Who may not move every device moves those that are registered as theirs.
fn refuse_foreign(
    app: &App,
    principal: &Principal,
    fixes: &mut Numbered<Fix>,
    rejected: &mut Numbered<String>,
) -> Result<(), Problem> {
    if Sight::of(principal, Action::Update, "positions")?.is_clear() {
        return Ok(());
    }
    let devices = app.resources().get("devices")?.collection;
    let mut own: HashMap<String, bool> = HashMap::new();
    let mut kept = Vec::with_capacity(fixes.len());
    for (index, fix) in fixes.drain(..) {
        let device = fix.device.as_str();
        let is_own = match own.get(device) {
            Some(known) => *known,
            None => {
                let is_own = owner_of(app, devices, device)?.as_deref() == Some(principal.user.as_str());
                own.insert(device.to_owned(), is_own);
                is_own
            }
        };
        if is_own {
            kept.push((index, fix));
        } else {
            rejected.push((index, "device: not registered as yours; POST /api/devices first".to_owned()));
        }
    }
    *fixes = kept;
    Ok(())
}

fn wants_geojson(headers: &HeaderMap) -> bool {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accept.contains("application/geo+json")
}

fn feature(fix: &Fix, distance_m: Option<f64>) -> Value {
    let mut properties = fix.to_json();
    if let Some(map) = properties.as_object_mut() {
        map.shift_remove("lon");
        map.shift_remove("lat");
        map.extend(distance_m.map(|distance| ("distance_m".to_owned(), distance.into())));
    }
    json!({
        "type": "Feature",
        "id": fix.device.as_str(),
        "geometry": {"type": "Point", "coordinates": [fix.point.lon(), fix.point.lat()]},
        "properties": properties,
    })
}

fn geojson(value: &Value) -> Response {
    let mut response = answer::json_bytes(value.to_string().into_bytes());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/geo+json"));
    response
}

/// `GET /api/positions/{device}`.
pub(crate) async fn one(
    State(app): State<App>,
    principal: Principal,
    Id(device): Id,
    headers: HeaderMap,
) -> Answer {
    let sight = Sight::of(&principal, Action::Read, "positions")?;
    let wants_geojson = wants_geojson(&headers);
    catch_up(&app).await?;
    let asked = app.clone();
    app.scan(move |_| -> Result<Response, Problem> {
        let unknown = || Problem::new(Slug::NotFound, format!("no position of '{device}' is known"));
        check_device(&asked, &sight, &principal, &device)?.then_some(()).ok_or_else(unknown)?;
        let fix = asked.geo().device(&device)?.ok_or_else(unknown)?;
        Ok(match wants_geojson {
            true => geojson(&feature(&fix, None)),
            false => answer::json_bytes(fix.to_json().to_string().into_bytes()),
        })
    })
    .await
}

/// Whether somebody may see where a device is.
pub(crate) fn check_device(
    app: &App,
    sight: &Sight,
    principal: &Principal,
    device: &str,
) -> Result<bool, Problem> {
    if sight.is_clear() {
        return Ok(true);
    }
    let devices = app.resources().get("devices")?.collection;
    Ok(owner_of(app, devices, device)?.as_deref() == Some(principal.user.as_str()))
}

/// `GET /api/positions?near=|bbox=|polygon=`.
pub(crate) async fn list(
    State(app): State<App>,
    principal: Principal,
    Query(params): Query,
    headers: HeaderMap,
) -> Answer {
    let sight = Sight::of(&principal, Action::Read, "positions")?;
    let within = part(&params)?;
    let limit = match params.get("max_results").filter(|text| !text.is_empty()) {
        None => DEVICES_USUAL,
        Some(text) => match text.parse::<usize>() {
            Ok(limit) if limit > 0 => limit.min(DEVICES_MAX),
            _ => return Err(Problem::query("max_results", "expected a whole number from 1").into()),
        },
    };
    let wants_geojson = wants_geojson(&headers);
    catch_up(&app).await?;
    let asked = app.clone();
    app.scan(move |_| -> Result<Response, Problem> {
        let hits = match sight.is_clear() {
            true => asked.geo().devices(&within, limit)?,
            false => own_devices(&asked, &principal, &within, limit)?,
        };
        if wants_geojson {
            let features: Vec<Value> = hits.iter().map(|hit| feature(&hit.fix, hit.distance_m)).collect();
            return Ok(geojson(&json!({"type": "FeatureCollection", "features": features})));
        }
        let mut list = ListWriter::new(hits.len() * 128);
        for hit in &hits {
            let mut item = hit.fix.to_json();
            if let (Some(map), Some(distance)) = (item.as_object_mut(), hit.distance_m) {
                map.insert("distance_m".to_owned(), distance.into());
            }
            list.push_value(&item);
        }
        Ok(answer::json_bytes(finish(&asked, list, limit)))
    })
    .await
}

/// Where one's own devices are. Others are not even looked at: what is left out would tell where they are.
fn own_devices(
    app: &App,
    principal: &Principal,
    within: &Within,
    limit: usize,
) -> Result<Vec<DeviceHit>, Problem> {
    let devices = app.resources().get("devices")?.collection;
    let own = app.store().lookup(devices, "user", &[Value::from(principal.user.as_str())])?;
    let mut hits = Vec::new();
    for id in own {
        let Some(fix) = app.geo().device(id.as_str())? else { continue };
        if within.holds(fix.point) {
            let distance_m = match within {
                Within::Near { center, .. } => Some(center.distance_m(fix.point)),
                _ => None,
            };
            hits.push(DeviceHit { fix, distance_m });
        }
    }
    let far = |hit: &DeviceHit| hit.distance_m.unwrap_or(0.0);
    hits.sort_by(|a, b| far(a).total_cmp(&far(b)).then_with(|| a.fix.device.cmp(&b.fix.device)));
    hits.truncate(limit);
    Ok(hits)
}

/// The part of the earth that is asked for; all of it without a parameter.
fn part(params: &Params) -> Result<Within, Problem> {
    if let Some(text) = params.get("polygon").filter(|text| !text.is_empty()) {
        let geometry = bounded::parse(text.as_bytes(), &bounded::Limits::PARAMETER)
            .map_err(|error| Problem::query("polygon", error))?;
        let shape = Shape::parse("polygon", &geometry).map_err(|issues| {
            let messages: Vec<String> =
                issues.into_iter().map(|(field, message)| format!("{field}: {message}")).collect();
            Problem::query("polygon", messages.join("; "))
        })?;
        return Ok(Within::Shape(Box::new(shape)));
    }
    let whole = Within::Box { west: -180.0, south: -90.0, east: 180.0, north: 90.0 };
    Ok(within(params)?.unwrap_or(whole))
}
