//! `GET /api/publish_errors`: the numbered errors by which a subscriber says what closes it.

use axum::extract::State;
use axum::http::StatusCode;
use dateline_transmit::Code;
use serde_json::{Map, Value};

use super::told;
use crate::app::App;
use crate::http::Answer;

/// `{number: text}`.
pub(super) async fn errors(State(_): State<App>) -> Answer {
    let mut all = Map::new();
    all.insert("8001".to_owned(), "Subscriber is inactive".into());
    all.insert("9008".to_owned(), "Nothing to send".into());
    all.extend(Code::ALL.iter().map(|code| (code.number().to_string(), Value::from(code.text()))));
    told(StatusCode::OK, &Value::Object(all))
}
