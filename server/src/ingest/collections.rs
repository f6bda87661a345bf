//! The collections of ingest, defined as a client would define them.

use serde_json::{Value, json};

/// Name and definition of each.
pub(crate) fn definitions() -> Vec<(&'static str, Value)> {
    vec![
        ("rule_sets", rule_sets()),
        ("routing_schemes", routing_schemes()),
        ("ingest_providers", providers()),
        ("ingest_secrets", json!({})),
        ("ingest_states", json!({})),
        ("ingest", ingest()),
    ]
}

fn providers() -> Value {
    let dict = json!({"type": "dict", "nullable": true});
    let flag = json!({"type": "boolean", "default": false});
    json!({
        "versions": {"keep": 20}, "indexes": [["routing_scheme"], ["rule_set"]],
        "schema": {
            "name": {"type": "string", "required": true, "empty": false, "iunique": true},
            "source": {"type": "string", "required": true, "empty": false},
            "feeding_service": {"type": "string", "required": true, "empty": false},
            "feed_parser": {"type": "string", "nullable": true},
            "content_types": {"type": "list", "nullable": true, "schema": {"type": "string"}},
            "content_expiry": {"type": "integer", "nullable": true},
            "disable_item_updates": flag,
            "is_closed": flag,
            "config": dict, "update_schedule": dict, "idle_time": dict, "notifications": dict, "last_closed": dict,
            "last_opened": dict,
            "critical_errors": {"type": "dict", "nullable": true, "valuesrules": {"type": "boolean"}},
            "rule_set": {"type": "string", "nullable": true, "data_relation": {"resource": "rule_sets", "field": "_id"}},
            "routing_scheme": {
                "type": "string", "nullable": true,
                "data_relation": {"resource": "routing_schemes", "field": "_id"},
            },
        },
    })
}

fn routing_schemes() -> Value {
    json!({
        "versions": {"keep": 20},
        "schema": {
            "name": {"type": "string", "required": true, "empty": false, "iunique": true},
            "rules": {"type": "list", "schema": {"type": "dict", "allow_unknown": true}},
        },
    })
}

fn rule_sets() -> Value {
    json!({
        "versions": {"keep": 20},
        "schema": {
            "name": {"type": "string", "required": true, "empty": false, "iunique": true},
            "rules": {"type": "list", "schema": {"type": "dict", "allow_unknown": true}},
        },
    })
}

/// Items as they came; the server alone writes them.
fn ingest() -> Value {
    json!({
        "search": true, "unique": [["guid"]],
        "indexes": [["uri"], ["ingest_provider"], ["state"], ["versioncreated"]],
    })
}
