//! The collection of internal destinations, defined as a client would define it.

use serde_json::{Value, json};

/// Name and definition.
pub(crate) fn definitions() -> Vec<(&'static str, Value)> {
    let reference = |resource: &str| json!({"resource": resource, "field": "_id"});
    vec![(
        "internal_destinations",
        json!({
            "versions": {"keep": 20}, "indexes": [["desk"], ["stage"], ["filter"]],
            "schema": {
                "name": {"type": "string", "required": true, "empty": false, "iunique": true},
                "is_active": {"type": "boolean", "default": true},
                "filter": {"type": "string", "nullable": true, "data_relation": reference("content_filters")},
                "desk": {"type": "string", "required": true, "data_relation": reference("desks")},
                "stage": {"type": "string", "nullable": true, "data_relation": reference("stages")},
                "macro": {"type": "string", "nullable": true},
                "send_after_schedule": {"type": "boolean", "default": false},
            },
        }),
    )]
}
