//! What clients are told of actions, by the names that they know. It stands in the history row of the action, so it is a
//! function of the log and is resumed like everything else.

use std::borrow::Cow;

use dateline_engine::{Condition, Result, Transaction};
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::eve::json as text;
use crate::ids;

/// Adds a history row for what is no production, with its notice.
///
/// # Errors
/// When no id can be made.
pub(crate) fn record(
    app: &App,
    transaction: Transaction,
    event: &str,
    item: &str,
    user: &str,
    body: &Map<String, Value>,
) -> Result<Transaction> {
    let operation = event.split(':').next_back().unwrap_or(event);
    let row = json!({
        "item_id": item,
        "user_id": user,
        "operation": operation,
        "update": {},
        "version": body.get("_current_version"),
        "notices": [{"event": event, "extra": {"item": item, "user": user}}],
        "_version": 1,
    });
    let history = app.publishing().collections().history;
    let bytes = match &row {
        Value::Object(row) => text::encode(row),
        _ => Vec::new(),
    };
    Ok(transaction.put(history, ids::new_id(app.store().now())?, Condition::Absent, bytes))
}

/// The notices of a change of a document: of a history row those of its action, of a row of the queue its state.
pub(crate) fn of(
    collection: &str,
    id: &str,
    before: Option<&Value>,
    body: &Value,
) -> Vec<(Cow<'static, str>, Value)> {
    match collection {
        "archive_history" => {
            let all = body.get("notices").and_then(Value::as_array).into_iter().flatten();
            let told = all.filter_map(|notice| {
                let event = notice.get("event")?.as_str()?.to_owned();
                Some((event.into(), notice.get("extra").cloned().unwrap_or_default()))
            });
            told.collect()
        }
        "publish_queue" if before.is_none_or(|before| before.get("state") != body.get("state")) => {
            let extra = json!({
                "queue_id": id,
                "completed_at": body.get("completed_at"),
                "state": body.get("state"),
                "error_message": body.get("error_message"),
            });
            vec![("publish_queue:update".into(), extra)]
        }
        _ => Vec::new(),
    }
}
