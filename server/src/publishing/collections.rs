//! The collections of publishing, defined as a client would define them.

use dateline_index::{Kind, Language};
use serde_json::{Value, json};

use super::content_api::VERSIONS_MAX;

/// Of what is gone the name is kept so long.
const DAY_S: u32 = 86_400;
/// Types of items.
const ITEM_TYPES: [&str; 9] =
    ["text", "preformatted", "audio", "video", "picture", "graphic", "composite", "event", "planning"];

/// Name and definition of each.
pub(crate) fn definitions() -> Vec<(&'static str, Value)> {
    vec![
        ("filter_conditions", filter_conditions()),
        ("content_filters", content_filters()),
        ("products", products()),
        ("subscribers", subscribers()),
        ("subscriber_secrets", json!({})),
        ("subscriber_tokens", json!({"indexes": [["subscriber"]]})),
        ("vocabularies", vocabularies()),
        ("content_types", content_types()),
        ("validators", validators()),
        ("desks", desks()),
        ("stages", stages()),
        ("archive", archive()),
        ("archive_history", json!({"indexes": [["item_id"]]})),
        ("published", published()),
        ("publish_queue", publish_queue()),
        ("formatted_items", json!({})),
        ("sequences", json!({})),
        ("items", items()),
        (
            "legal_archive",
            json!({"search": true, "indexes": [["state"], ["versioncreated"]], "schema": item_schema()}),
        ),
        ("legal_archive_history", json!({"indexes": [["item_id"]]})),
        ("legal_publish_queue", json!({"indexes": [["item_id"], ["subscriber_id"], ["state"]]})),
        ("api_audit", api_audit()),
    ]
}

fn filter_conditions() -> Value {
    json!({
        "versions": {"keep": 20},
        "schema": {
            "name": {"type": "string", "required": true, "empty": false, "iunique": true},
            "field": {"type": "string", "required": true, "empty": false},
            "operator": {"type": "string", "required": true, "empty": false},
            "value": {"type": "string", "required": true, "empty": false},
        },
    })
}

fn content_filters() -> Value {
    let ids = json!({"type": "list", "nullable": true});
    let expression = json!({"type": "dict", "allow_unknown": true, "schema": {"fc": ids, "pf": ids}});
    json!({
        "versions": {"keep": 20},
        "schema": {
            "name": {"type": "string", "required": true, "empty": false, "iunique": true},
            "content_filter": {
                "type": "list", "default": [],
                "schema": {"type": "dict", "allow_unknown": true, "schema": {"expression": expression}},
            },
            "is_global": {"type": "boolean", "default": false},
            "is_archived_filter": {"type": "boolean", "default": false},
            "api_block": {"type": "boolean", "default": false},
        },
    })
}

fn products() -> Value {
    json!({
        "versions": {"keep": 20},
        "schema": {
            "name": {"type": "string", "required": true, "empty": false, "iunique": true},
            "description": {"type": "string", "nullable": true},
            "codes": {"type": "string", "nullable": true},
            "content_filter": {
                "type": "dict", "nullable": true, "allow_unknown": true,
                "schema": {
                    "filter_id": {"type": "string", "nullable": true},
                    "filter_type": {"type": "string", "allowed": ["blocking", "permitting"], "nullable": true},
                },
            },
            "geo_restrictions": {"type": "string", "nullable": true},
            "product_type": {"type": "string", "allowed": ["direct", "api", "both"]},
        },
    })
}

fn subscribers() -> Value {
    let ids = json!({"type": "list", "nullable": true, "schema": {"type": "string"}});
    let destination = json!({
        "_id": {"type": "string", "nullable": true},
        "name": {"type": "string", "required": true, "empty": false},
        "format": {"type": "string", "required": true},
        "delivery_type": {"type": "string", "required": true},
        "config": {"type": "dict", "nullable": true},
        "preview_endpoint_url": {"type": "string", "nullable": true},
    });
    json!({
        "versions": {"keep": 20}, "indexes": [["is_active"]],
        "schema": {
            "name": {"type": "string", "required": true, "empty": false, "iunique": true},
            "media_type": {"type": "string", "nullable": true},
            "subscriber_type": {"type": "string", "allowed": ["digital", "wire", "all"], "default": "digital"},
            "sequence_num_settings": {
                "type": "dict", "allow_unknown": true,
                "schema": {"min": {"type": "integer"}, "max": {"type": "integer"}},
            },
            "email": {"type": "string", "multiple_emails": true, "nullable": true},
            "is_active": {"type": "boolean"},
            "is_targetable": {"type": "boolean", "default": true},
            "critical_errors": {"type": "dict", "nullable": true, "valuesrules": {"type": "boolean"}},
            "last_closed": {"type": "dict", "nullable": true},
            "destinations": {
                "type": "list", "nullable": true,
                "schema": {"type": "dict", "allow_unknown": true, "schema": destination},
            },
            "products": ids,
            "api_products": ids,
            "codes": {"type": "string", "nullable": true},
            "global_filters": {"type": "dict", "nullable": true, "valuesrules": {"type": "boolean"}},
            "async": {"type": "boolean", "default": false},
            "priority": {"type": "boolean", "default": false},
            "init_version": {"type": "integer", "nullable": true},
        },
    })
}

fn vocabularies() -> Value {
    json!({
        "versions": {"keep": 20},
        "schema": {
            "display_name": {"type": "string", "required": true, "empty": false},
            "type": {"type": "string", "allowed": ["manageable", "unmanageable"], "default": "manageable"},
            "field_type": {"type": "string", "nullable": true},
            "items": {"type": "list", "schema": {"type": "dict", "allow_unknown": true}},
            "schema": {"type": "dict", "nullable": true},
            "unique_field": {"type": "string", "nullable": true},
            "priority": {"type": "integer", "nullable": true},
        },
    })
}

fn content_types() -> Value {
    json!({
        "versions": {"keep": 20},
        "schema": {
            "label": {"type": "string", "required": true, "empty": false, "iunique": true},
            "description": {"type": "string", "nullable": true},
            "schema": {"type": "dict", "nullable": true},
            "editor": {"type": "dict", "nullable": true},
            "priority": {"type": "integer", "nullable": true},
            "enabled": {"type": "boolean", "default": false},
            "item_type": {"type": "string", "nullable": true},
            "output_name": {"type": "string", "nullable": true},
        },
    })
}

fn validators() -> Value {
    json!({
        "indexes": [["act", "type"]],
        "schema": {
            "act": {"type": "string", "required": true, "empty": false},
            "type": {"type": "string", "required": true, "empty": false},
            "embedded": {"type": "boolean", "nullable": true},
            "schema": {"type": "dict", "nullable": true},
        },
    })
}

fn desks() -> Value {
    json!({
        "versions": {"keep": 20},
        "schema": {
            "name": {"type": "string", "required": true, "empty": false, "iunique": true},
            "description": {"type": "string", "nullable": true},
            "members": {"type": "list", "schema": {"type": "dict", "allow_unknown": true}},
            "incoming_stage": {"type": "string", "data_relation": {"resource": "stages", "field": "_id"}},
            "working_stage": {"type": "string", "data_relation": {"resource": "stages", "field": "_id"}},
            "desk_type": {"type": "string", "allowed": ["authoring", "production"], "default": "authoring"},
            "content_expiry": {"type": "integer", "nullable": true},
            "source": {"type": "string", "nullable": true},
            "desk_language": {"type": "string", "nullable": true},
            "preserve_published_content": {"type": "boolean", "default": false},
        },
    })
}

fn stages() -> Value {
    json!({
        "versions": {"keep": 20}, "indexes": [["desk"]],
        "schema": {
            "name": {"type": "string", "required": true, "empty": false, "iunique_per_parent": "desk"},
            "desk": {"type": "string", "required": true, "data_relation": {"resource": "desks", "field": "_id"}},
            "description": {"type": "string", "nullable": true},
            "is_visible": {"type": "boolean", "default": true},
            "local_readonly": {"type": "boolean", "default": false},
            "content_expiry": {"type": "integer", "nullable": true},
        },
    })
}

/// What every item holds that is looked at; whatever else a newsroom writes into it is kept as it stands.
fn item_schema() -> Value {
    let text = json!({"type": "string", "nullable": true});
    let list = json!({"type": "list", "nullable": true});
    let dict = json!({"type": "dict", "nullable": true});
    json!({
        "type": {"type": "string", "allowed": ITEM_TYPES, "default": "text"},
        "guid": text, "family_id": text, "headline": text, "slugline": text, "abstract": text, "body_html": text,
        "byline": text, "ednote": text, "source": text, "language": text, "rewrite_of": text, "rewritten_by": text,
        "anpa_take_key": text, "usageterms": text, "profile": text, "sign_off": text, "unique_name": text,
        "urgency": {"type": "integer", "nullable": true}, "priority": {"type": "integer", "nullable": true},
        "pubstatus": {"type": "string", "allowed": ["usable", "withheld", "canceled"], "nullable": true},
        "format": {"type": "string", "allowed": ["HTML", "preserved"], "nullable": true},
        "subject": list, "genre": list, "anpa_category": list, "place": list, "keywords": list, "authors": list,
        "company_codes": list, "target_subscribers": list, "target_types": list, "target_regions": list, "groups": list,
        "flags": dict, "task": dict, "dateline": dict, "associations": dict, "renditions": dict, "extra": dict,
        "schedule_settings": dict,
    })
}

fn archive() -> Value {
    json!({
        "search": true,
        "indexes": [["state"], ["type"], ["family_id"], ["rewrite_of"], ["versioncreated"], ["unique_id"], ["task.desk"]],
        "schema": item_schema(),
    })
}

fn published() -> Value {
    json!({
        "search": true,
        "indexes": [
            ["item_id"], ["state"], ["queue_state"], ["publish_sequence_no"], ["versioncreated"], ["translation_id"],
        ],
        "schema": item_schema(),
    })
}

fn publish_queue() -> Value {
    json!({
        "versions": {"keep": 50},
        "indexes": [["item_id"], ["subscriber_id", "state"], ["state"], ["published_id"], ["published_seq_num"]],
        "schema": {
            "item_id": {"type": "string", "required": true},
            "item_version": {"type": "integer"},
            "subscriber_id": {"type": "string", "required": true},
            "state": {
                "type": "string", "default": "pending",
                "allowed": [
                    "pending", "in-progress", "retrying", "success", "canceled", "error", "failed", "routing",
                ],
            },
            "error_message": {"type": "string", "nullable": true},
        },
    })
}

const ITEM_DATES: [&str; 3] = ["versioncreated", "firstcreated", "firstpublished"];
const ITEM_NUMBERS: [&str; 4] = ["urgency", "priority", "charcount", "wordcount"];
const ITEM_TEXTS: [&str; 33] = [
    "guid",
    "type",
    "headline",
    "slugline",
    "byline",
    "located",
    "language",
    "source",
    "pubstatus",
    "profile",
    "ednote",
    "usageterms",
    "copyrightnotice",
    "copyrightholder",
    "keywords",
    "body_text",
    "body_html",
    "description_text",
    "description_html",
    "service.code",
    "service.name",
    "subject.code",
    "subject.name",
    "genre.code",
    "genre.name",
    "place.code",
    "place.name",
    "authors.name",
    "signal.code",
    "person.name",
    "organisation.name",
    "event_id",
    "evolvedfrom",
];

/// What is searched in items of the content API: only what every subscriber that has an item is shown of it.
pub(crate) fn items_searched(language: Language) -> impl Iterator<Item = (&'static str, Kind)> {
    let texts = ITEM_TEXTS.into_iter().map(move |path| (path, Kind::Text(language)));
    let dates = ITEM_DATES.into_iter().map(|path| (path, Kind::Date));
    texts.chain(dates).chain(ITEM_NUMBERS.into_iter().map(|path| (path, Kind::Number)))
}

/// Items as subscribers of the content API see them.
fn items() -> Value {
    json!({
        "search": true, "versions": {"keep": VERSIONS_MAX}, "tombstones_for_s": DAY_S,
        "indexes": [["versioncreated"], ["type"], ["subscribers"], ["media_ids"], ["original_id"]],
    })
}

/// What subscribers were shown of them.
fn api_audit() -> Value {
    json!({"versions": {"keep": 1}, "tombstones_for_s": DAY_S, "indexes": [["subscriber"], ["items_id"]]})
}
