//! Positions as they come in: JSON, NDJSON or packed records; good items are taken, bad ones are told by index.
//!
//! The usual item is read straight into its fields. Whatever that reader does not take is read again in full, which
//! either takes it or says what is wrong: so the fast way needs no words of its own, and both agree on what is good.

use std::collections::HashMap;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use dateline_engine::{Error, Millis};
use dateline_geo::{BATCH_FIXES_MAX, Fix};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::app::App;
use crate::auth::Principal;
use crate::auth::policy::Action;
use crate::eve::json as bounded;
use crate::eve::problem::{Problem, Slug};
use crate::http::{Answer, RawBody};
use crate::places::answers::owner_of;
use crate::resources::{Prefer, Sight, answer};

/// `POST /api/positions`: good items are taken, bad ones are told by index.
pub(crate) async fn take(
    State(app): State<App>,
    principal: Principal,
    headers: HeaderMap,
    RawBody(body): RawBody,
) -> Answer {
    Sight::of(&principal, Action::Create, "positions")?;
    let now = app.store().now();
    let (mut fixes, mut rejected) = read(&headers, &body, now)?;
    refuse_foreign(&app, &principal, &mut fixes, &mut rejected)?;
    rejected.sort_by_key(|(index, _)| *index);
    let accepted = fixes.len();
    let log_seq = if fixes.is_empty() {
        app.store().watermark().durable().positions
    } else {
        let fixes: Vec<Fix> = fixes.into_iter().map(|(_, fix)| fix).collect();
        store(&app, &fixes, &headers).await?
    };
    let rejected: Vec<Value> =
        rejected.into_iter().map(|(index, error)| json!({"index": index, "error": error})).collect();
    let body = json!({"accepted": accepted, "rejected": rejected, "log_seq": log_seq.get()});
    let mut response = answer::json_bytes(body.to_string().into_bytes());
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}

async fn store(app: &App, fixes: &[Fix], headers: &HeaderMap) -> Result<dateline_engine::PositionSeq, Error> {
    let (answer, outcome) = oneshot::channel();
    app.geo().submit(fixes, Prefer::of(headers).durability, move |result| {
        // Nobody waits any more when the request was given up.
        let _ = answer.send(result);
    });
    let receipt =
        outcome.await.map_err(|_| Error::unavailable("the engine stopped before it answered"))??;
    receipt.positions.ok_or_else(|| Error::internal("positions without their place in the log"))
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
