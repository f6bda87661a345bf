//! Schemas for sites that have written none.

use dateline_formats::Fields;
use serde_json::{Value, json};

/// Types of items that are published, with whether they have a body.
const KINDS: [(&str, bool); 7] = [
    ("text", true),
    ("preformatted", true),
    ("picture", false),
    ("graphic", false),
    ("video", false),
    ("audio", false),
    ("composite", true),
];

/// What is asked of items of a type when nothing is configured; `None` for a type that is not published.
pub(super) fn default_schema(kind: &str) -> Option<Fields> {
    let (_, has_body) = KINDS.iter().find(|(known, _)| *known == kind)?;
    let mut schema = object(json!({
        "slugline": {"type": "string", "maxlength": 24, "nullable": true},
        "headline": {"type": "string", "required": has_body, "maxlength": 64, "nullable": !has_body},
        "abstract": {"type": "string", "maxlength": 160, "nullable": true},
    }));
    if *has_body {
        schema.insert("body_html".to_owned(), json!({}));
        schema.insert("body_footer".to_owned(), json!({}));
    }
    Some(schema)
}

/// Rows of `validators` to begin with: for each act and type, and for pictures that are embedded.
#[must_use]
pub fn shipped_validators() -> Vec<Value> {
    let row = |act: &str, kind: &str, is_embedded: bool| {
        let id = if is_embedded { format!("{act}_embedded_{kind}") } else { format!("{act}_{kind}") };
        json!({"_id": id, "act": act, "type": kind, "embedded": is_embedded, "schema": shipped_schema(act, kind)})
    };
    let mut rows = Vec::new();
    for act in ["publish", "correct", "kill"] {
        rows.extend(KINDS.iter().map(|(kind, _)| row(act, kind, false)));
    }
    rows.extend(["text", "preformatted"].map(|kind| row("auto_publish", kind, false)));
    rows.push(row("publish", "picture", true));
    rows
}

/// A kill says little and needs little.
fn shipped_schema(act: &str, kind: &str) -> Value {
    let has_body = KINDS.iter().any(|(known, has_body)| *known == kind && *has_body);
    let is_news = act != "kill" && has_body;
    let mut schema = object(json!({
        "headline": {"type": "string", "required": is_news, "maxlength": 42, "nullable": !is_news, "empty": !is_news},
        "slugline": {"type": "string", "required": is_news, "maxlength": 24, "nullable": !is_news, "empty": !is_news},
        "abstract": {"type": "string", "maxlength": 160, "nullable": true},
        "urgency": {"type": "integer", "min": 1, "max": 5, "nullable": true},
        "priority": {"type": "integer", "min": 1, "max": 9, "nullable": true},
        "pubstatus": {"type": "string", "allowed": ["usable", "canceled"], "nullable": true},
        "sms": {"type": "string", "required": true, "maxlength": 160},
    }));
    if is_news && act != "auto_publish" {
        for field in ["anpa_category", "subject"] {
            schema.insert(field.to_owned(), json!({"type": "list", "required": true, "minlength": 1}));
        }
    }
    schema.into()
}

fn object(value: Value) -> Fields {
    match value {
        Value::Object(fields) => fields,
        _ => Fields::new(),
    }
}
