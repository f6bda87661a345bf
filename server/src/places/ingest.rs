//! Positions as they come in: JSON, NDJSON or packed records; good items are taken, bad ones are told by index.
//!
//! The usual item is read straight into its fields. Whatever that reader does not take is read again in full, which
//! either takes it or says what is wrong: so the fast way needs no words of its own, and both agree on what is good.

use std::collections::HashMap;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use dateline_engine::{Durability, Error, Millis};
use dateline_geo::{BATCH_FIXES_MAX, Fix};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::app::App;
use crate::auth::Principal;
use crate::auth::policy::Action;
use crate::eve::json as bounded;
use crate::eve::problem::{Problem, Slug};
use crate::http::{Answer, RawBody, Refusal};
use crate::outcome;
use crate::places::answers::owner_of;
use crate::resources::{Prefer, Sight, answer};

/// A larger body is read on a thread of its own, so that other requests need not wait for it.
const INLINE_BYTES_MAX: usize = 64 << 10;

/// `POST /api/positions`: good items are taken, bad ones are told by index.
pub(crate) async fn take(
    State(app): State<App>,
    principal: Principal,
    headers: HeaderMap,
    RawBody(body): RawBody,
) -> Answer {
    Sight::of(&principal, Action::Create, "positions")?;
    let now = app.store().now();
    let media_type = media_type(&headers);
    let read = if body.len() > INLINE_BYTES_MAX {
        let reading = tokio::task::spawn_blocking(move || read(&media_type, &body, now));
        reading.await.map_err(|error| Error::internal(format!("reading positions failed: {error}")))??
    } else {
        read(&media_type, &body, now)?
    };
    let taken = store(&app, &principal, read, Prefer::of(&headers).durability)?.await?;
    let mut response = answer::json_bytes(taken.to_string().into_bytes());
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}

/// The same for positions that have come in another way. They are handed to the engine before this returns; the answer
/// comes once they are stored. If they are all of one device, it says how far that may go unheard.
///
/// # Errors
/// 403 for whoever sends no positions, 413 for too many.
pub(crate) fn accept(
    app: &App,
    principal: &Principal,
    items: &[Value],
    durability: Durability,
) -> Result<impl Future<Output = Result<Value, Error>> + Send + 'static, Refusal> {
    Sight::of(principal, Action::Create, "positions")?;
    check_count(items.len())?;
    let now = app.store().now();
    let fixes = split(items.iter().map(|item| Fix::parse(item, now)).enumerate());
    let last = fixes.0.iter().map(|(_, fix)| fix).max_by_key(|fix| fix.at);
    let last = last.filter(|last| fixes.0.iter().all(|(_, fix)| fix.device == last.device)).cloned();
    let (app, stored) = (app.clone(), store(app, principal, fixes, durability)?);
    Ok(async move {
        let mut taken = stored.await?;
        if let (Some(last), 1..) = (last, taken["accepted"].as_u64().unwrap_or(0)) {
            let safe_m = outcome::of(|done| app.geo().safe_m(&last, |safe_m| done(Ok(safe_m))));
            // To the decimetre, and never more than is true; a busy matcher says nothing.
            if let Ok(safe_m) = safe_m.await {
                taken["safe_m"] = json!((safe_m * 10.0).floor() / 10.0);
            }
        }
        Ok(taken)
    })
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
    let known = app.store().watermark().durable().positions;
    let stored = (accepted > 0).then(|| outcome::of(|done| app.geo().submit(&fixes, durability, done)));
    Ok(async move {
        let log_seq = match stored {
            None => known,
            Some(stored) => stored
                .await?
                .positions
                .ok_or_else(|| Error::internal("positions without their place in the log"))?,
        };
        let rejected: Vec<Value> =
            rejected.into_iter().map(|(index, error)| json!({"index": index, "error": error})).collect();
        Ok(json!({"accepted": accepted, "rejected": rejected, "log_seq": log_seq.get()}))
    })
}

type Numbered<T> = Vec<(usize, T)>;

fn media_type(headers: &HeaderMap) -> String {
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Items by their index: the good ones, and why the others are not.
fn read(media_type: &str, body: &Bytes, now: Millis) -> Result<(Numbered<Fix>, Numbered<String>), Problem> {
    let items = match media_type {
        "application/vnd.dateline.positions" => {
            let fixes = dateline_geo::decode_fixes(body, now)
                .map_err(|error| Problem::new(Slug::BadRequest, format!("packed positions: {error}")))?;
            return Ok(split(fixes.into_iter().enumerate()));
        }
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" => {
            let lines = body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
            let mut items = Vec::new();
            for line in lines.filter(|line| !line.is_empty()) {
                check_count(items.len() + 1)?;
                items.push(item(line, now));
            }
            items
        }
        "" | "application/json" | "text/json" => array(body, now)?,
        other => {
            let detail = format!("positions are JSON, NDJSON or packed records, not '{other}'");
            return Err(Problem::new(Slug::UnsupportedMediaType, detail));
        }
    };
    check_count(items.len())?;
    Ok(split(items.into_iter().enumerate()))
}

fn check_count(count: usize) -> Result<(), Problem> {
    if count > BATCH_FIXES_MAX {
        let detail = format!("a batch holds at most {BATCH_FIXES_MAX} positions, this one {count}");
        return Err(Problem::new(Slug::BodyTooLarge, detail));
    }
    Ok(())
}

/// The items of a JSON body: an array of positions, or one.
fn array(body: &[u8], now: Millis) -> Result<Vec<Result<Fix, String>>, Problem> {
    // Each item is found without being taken apart; what is no array of values is told by the full reader.
    let is_array = body.trim_ascii_start().first() == Some(&b'[');
    if let Some(items) = is_array.then(|| serde_json::from_slice::<Vec<&RawValue>>(body).ok()).flatten() {
        check_count(items.len())?;
        return Ok(items.into_iter().map(|text| item(text.get().as_bytes(), now)).collect());
    }
    let limits = bounded::Limits { bytes_max: 4 << 20, values_max: 1_000_000, ..bounded::Limits::BODY };
    Ok(match bounded::parse(body, &limits)? {
        Value::Array(items) => items.iter().map(|item| Fix::parse(item, now)).collect(),
        item => vec![Fix::parse(&item, now)],
    })
}

/// The usual members of an item, as they lie in the text. A name with an escape in it is not usual.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Usual<'a> {
    device: &'a str,
    lon: f64,
    lat: f64,
    #[serde(borrow)]
    at: Option<&'a str>,
    speed: Option<f64>,
    heading: Option<f64>,
    accuracy: Option<f64>,
    altitude: Option<f64>,
    ttl_s: Option<u32>,
    #[serde(borrow)]
    fields: Option<&'a RawValue>,
}

/// Deeper than this the members of `fields` are not usual.
const FIELDS_DEPTH_MAX: usize = 16;

/// One item of a body.
fn item(text: &[u8], now: Millis) -> Result<Fix, String> {
    if let Some(fix) = usual(text, now) {
        return Ok(fix);
    }
    let item = bounded::parse(text, &bounded::Limits::PARAMETER).map_err(|error| error.to_string())?;
    Fix::parse(&item, now)
}

fn usual(text: &[u8], now: Millis) -> Option<Fix> {
    let usual: Usual<'_> = serde_json::from_slice(text).ok()?;
    let fields = match usual.fields {
        None => None,
        Some(text) if text.get() == "null" => None,
        Some(text) => {
            let limits = bounded::Limits { depth_max: FIELDS_DEPTH_MAX, ..bounded::Limits::PARAMETER };
            Some(bounded::parse(text.get().as_bytes(), &limits).ok()?)
        }
    };
    let numbers = [usual.speed, usual.heading, usual.accuracy, usual.altitude];
    Fix::of_parts(usual.device, (usual.lon, usual.lat), usual.at, numbers, usual.ttl_s, fields.as_ref(), now)
        .ok()
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

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis::new(1_780_000_000_000);

    fn full(text: &[u8]) -> Result<Fix, String> {
        let item = bounded::parse(text, &bounded::Limits::PARAMETER).map_err(|error| error.to_string())?;
        Fix::parse(&item, NOW)
    }

    #[test]
    fn the_fast_reader_takes_nothing_that_the_full_one_reads_otherwise() {
        let texts = [
            r#"{"device":"d1","lon":13.405,"lat":52.52}"#,
            r#"{"lat":52.52,"lon":-180,"device":"d1","at":"2026-01-31T12:00:00.5Z","speed":3,"heading":-10,"accuracy":0}"#,
            r#"{"device":"d\u0031","lon":1,"lat":2}"#,
            r#"{"device":"d","lon":1,"lat":2,"fields":{"b": 1.50, "c":[1, {"d" : null}]}}"#,
            r#"{"device":"d","lon":1,"lat":2,"fields":null,"at":null,"speed":null}"#,
            r#"{"device":"d","lon":1,"lat":2,"altitude":-3.5,"ttl_s":60}"#,
            r#"{"device":"d","lon":1,"lat":2,"ttl_s":0}"#,
            r#"{"device":"d","lon":1,"lat":2,"ttl_s":1.5}"#,
            r#"{"device":"d","lon":1,"lat":2,"extra":1}"#,
            r#"{"device":"d","lon":1,"lon":3,"lat":2}"#,
            r#"{"device":"d","lon":1,"lat":2,"fields":[]}"#,
            r#"{"device":"d","lon":181,"lat":2}"#,
            r#"{"device":"d","lon":1,"lat":2,"speed":-1}"#,
            r#"{"device":"d","lon":1,"lat":2,"at":"2099-01-01T00:00:00Z"}"#,
            r#"{"device":"d","lon":1e400,"lat":2}"#,
            r#"{"device":"","lon":1,"lat":2}"#,
            r#"{"device":"d","lon":"1","lat":2}"#,
            r#"{"device":"d","lon":1}"#,
            r#"["d",1,2]"#,
            r#"{"device":"d","lon":1,"lat":2} x"#,
            r#"nonsense"#,
            "",
        ];
        for text in texts {
            let (fast, slow) = (usual(text.as_bytes(), NOW), full(text.as_bytes()));
            assert!(fast.is_none() || fast.as_ref() == slow.as_ref().ok(), "{text}: {fast:?}, {slow:?}");
            assert_eq!(item(text.as_bytes(), NOW), slow, "{text}");
        }
        assert!(usual(texts[1].as_bytes(), NOW).is_some() && usual(texts[3].as_bytes(), NOW).is_some());
    }
}
