//! What the server says on a socket.
//!
//! ```text
//! {"op": "event", "sub": N, "id": "EPOCH-SEQ", "type": kind, "data": {..}}      as on `/api/stream`; `bye` without an id
//! {"op": "ok", "re": op, "id"?: N, ..}      {"op": "error", "re": op | null, "id"?: N, ..problem}
//! {"op": "pos", "accepted": N, "rejected": [{"index", "error"}], "log_seq": N, "safe_m"?: N}
//! ```

use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::command::Refused;
use crate::streams::telling::{Told, retry_ms};

/// A message is done.
pub(super) fn ok(re: &str, id: Option<u64>, also: Value) -> String {
    let mut message = Map::new();
    message.insert("op".to_owned(), "ok".into());
    message.insert("re".to_owned(), re.into());
    if let Some(id) = id {
        message.insert("id".to_owned(), id.into());
    }
    if let Value::Object(also) = also {
        message.extend(also);
    }
    Value::Object(message).to_string()
}

/// A message is not done.
pub(super) fn error(refused: &Refused) -> String {
    let mut message = Map::new();
    message.insert("op".to_owned(), "error".into());
    message.insert("re".to_owned(), refused.re.into());
    if let Some(id) = refused.id {
        message.insert("id".to_owned(), id.into());
    }
    if let Value::Object(problem) = refused.problem.to_json() {
        message.extend(problem);
    }
    Value::Object(message).to_string()
}

/// One event of a subscription.
pub(super) fn event(subscription: u64, told: &Told) -> String {
    let mut message = String::new();
    // Ids and kinds need no escaping, data is JSON; writing to a String cannot fail.
    let _ = write!(
        message,
        "{{\"op\":\"event\",\"sub\":{subscription},\"id\":\"{}\",\"type\":\"{}\",\"data\":{}}}",
        told.id, told.kind, told.data
    );
    message
}

/// The end of a subscription, or without one of the connection.
pub(super) fn bye(subscription: Option<u64>, reason: &str) -> String {
    let data = json!({"reason": reason, "retry_ms": retry_ms(1_000, 14_000)});
    match subscription {
        Some(sub) => json!({"op": "event", "sub": sub, "type": "bye", "data": data}).to_string(),
        None => json!({"op": "event", "type": "bye", "data": data}).to_string(),
    }
}
