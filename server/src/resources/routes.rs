//! The addresses of resources. The built-in ones are listed one by one, so that each is in the API's description;
//! those that users define are served by the same handlers under `/api/{resource}`.

use serde_json::json;

use crate::http::{Access, Doc, Param, Routes};
use crate::media;
use crate::places::PART;
use crate::resources::{bulk, home, list, read, upgrades, write};

const LIST: &[Param] = &[
    Param::new("where", "string", "Mongo-style condition in JSON"),
    Param::new("sort", "string", "fields by comma, '-' before a descending one"),
    Param::new("page", "integer", "from 1"),
    Param::new("max_results", "integer", "documents on a page, 0 to 500, 25 without it"),
    Param::new("cursor", "string", "opaque token of the next page; stable while documents change"),
    Param::new("projection", "string", "members to keep or leave out, in JSON"),
    Param::new("q", "string", "full-text query"),
    Param::new("default_operator", "string", "what a blank between two words of q means: AND, or OR"),
    Param::new(
        "contains",
        "string",
        "lon,lat: fences and adlists that hold the place, without other conditions",
    ),
    Param::new("as_of", "string", "a log sequence or a time of the past"),
    Param::new("min_seq", "integer", "wait up to 5 s until search has seen this log sequence"),
];

const ITEM: &[Param] = &[
    Param::new("version", "string", "'all' or a version number"),
    Param::new("as_of", "string", "a log sequence or a time of the past"),
];

const BULK: &[Param] =
    &[Param::new("atomic", "boolean", "all lines in one transaction: all are stored or none")];

/// Who writes a built-in resource over its own address.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Writes {
    ByClients,
    /// What was there once is never removed: others refer to it.
    ButNotRemoval,
    /// What is in them comes another way.
    OnlyRemoval,
    ByTheServer,
}

const BUILTIN: [(&str, &str, &str, Writes); 38] = [
    ("users", "/api/users", "/api/users/{id}", Writes::ByClients),
    ("ads", "/api/ads", "/api/ads/{id}", Writes::ByClients),
    ("adlists", "/api/adlists", "/api/adlists/{id}", Writes::ByClients),
    ("fences", "/api/fences", "/api/fences/{id}", Writes::ByClients),
    ("devices", "/api/devices", "/api/devices/{id}", Writes::ByClients),
    ("collections", "/api/collections", "/api/collections/{id}", Writes::ByClients),
    ("schedules", "/api/schedules", "/api/schedules/{id}", Writes::ByClients),
    ("blobs", "/api/blobs", "/api/blobs/{id}", Writes::OnlyRemoval),
    ("uploads", "/api/uploads", "/api/uploads/{id}", Writes::OnlyRemoval),
    ("upload", "/api/upload", "/api/upload/{id}", Writes::OnlyRemoval),
    ("media", "/api/media", "/api/media/{id}", Writes::ByTheServer),
    ("media_references", "/api/media_references", "/api/media_references/{id}", Writes::ByTheServer),
    ("matches", "/api/matches", "/api/matches/{id}", Writes::ByTheServer),
    ("fence_events", "/api/fence_events", "/api/fence_events/{id}", Writes::ByTheServer),
    ("activity", "/api/activity", "/api/activity/{id}", Writes::ByTheServer),
    ("filter_conditions", "/api/filter_conditions", "/api/filter_conditions/{id}", Writes::ByClients),
    ("content_filters", "/api/content_filters", "/api/content_filters/{id}", Writes::ByClients),
    ("products", "/api/products", "/api/products/{id}", Writes::ByClients),
    ("subscribers", "/api/subscribers", "/api/subscribers/{id}", Writes::ButNotRemoval),
    ("vocabularies", "/api/vocabularies", "/api/vocabularies/{id}", Writes::ByClients),
    ("content_types", "/api/content_types", "/api/content_types/{id}", Writes::ByClients),
    ("validators", "/api/validators", "/api/validators/{id}", Writes::ByClients),
    ("desks", "/api/desks", "/api/desks/{id}", Writes::ByClients),
    ("stages", "/api/stages", "/api/stages/{id}", Writes::ByClients),
    ("archive", "/api/archive", "/api/archive/{id}", Writes::ButNotRemoval),
    ("archive_history", "/api/archive_history", "/api/archive_history/{id}", Writes::ByTheServer),
    ("published", "/api/published", "/api/published/{id}", Writes::ByTheServer),
    ("legal_archive", "/api/legal_archive", "/api/legal_archive/{id}", Writes::ByTheServer),
    (
        "legal_archive_history",
        "/api/legal_archive_history",
        "/api/legal_archive_history/{id}",
        Writes::ByTheServer,
    ),
    ("legal_publish_queue", "/api/legal_publish_queue", "/api/legal_publish_queue/{id}", Writes::ByTheServer),
    ("publish_queue", "/api/publish_queue", "/api/publish_queue/{id}", Writes::ByClients),
    ("api_audit", "/api/api_audit", "/api/api_audit/{id}", Writes::ByTheServer),
    ("ingest_providers", "/api/ingest_providers", "/api/ingest_providers/{id}", Writes::ByClients),
    ("routing_schemes", "/api/routing_schemes", "/api/routing_schemes/{id}", Writes::ByClients),
    ("rule_sets", "/api/rule_sets", "/api/rule_sets/{id}", Writes::ByClients),
    ("ingest", "/api/ingest", "/api/ingest/{id}", Writes::ByTheServer),
    (
        "internal_destinations",
        "/api/internal_destinations",
        "/api/internal_destinations/{id}",
        Writes::ByClients,
    ),
    ("ingest_states", "/api/ingest_states", "/api/ingest_states/{id}", Writes::ByTheServer),
];

/// Routes of all resources. `fences` and `adlists` list by `contains` too: their lists are registered with the geo routes.
pub(crate) fn routes() -> Routes {
    let mut routes = Routes::new()
        .schema("Document", json!({
            "type": "object",
            "properties": {
                "_id": {"type": "string"}, "_etag": {"type": "string"}, "_version": {"type": "integer"},
                "_created": {"type": "string"}, "_updated": {"type": "string"}, "_seq": {"type": "integer"},
                "_links": {"type": "object"},
            },
        }))
        .schema("List", json!({
            "type": "object", "required": ["_items", "_meta", "_links", "_seq"],
            "properties": {
                "_items": {"type": "array", "items": {"$ref": "#/components/schemas/Document"}},
                "_meta": {"type": "object"}, "_links": {"type": "object"}, "_seq": {"type": "integer"},
            },
        }))
        .schema("DocumentOrArray", json!({
            "oneOf": [
                {"type": "object"},
                {"type": "array", "minItems": 1, "maxItems": 1000, "items": {"type": "object"}},
            ],
        }));
    routes = routes
        .schema("Collection", collection())
        .schema("CollectionOrArray", json!({
            "oneOf": [
                {"$ref": "#/components/schemas/Collection"},
                {"type": "array", "minItems": 1, "maxItems": 1000, "items": {"$ref": "#/components/schemas/Collection"}},
            ],
        }))
        .schema("Upgrade", upgrades::schema())
        .schema("BulkLine", json!({
            "type": "object", "required": ["op", "resource"], "additionalProperties": false,
            "properties": {
                "op": {"enum": ["create", "replace", "patch", "delete"]},
                "resource": {"type": "string"}, "_id": {"type": "string"},
                "if_match": {"type": "string", "description": "the entity tag, without quotes"},
                "doc": {"type": "object"},
            },
        }))
        .schema("BulkAnswer", json!({
            "type": "object", "required": ["index", "status", "_status"],
            "properties": {
                "index": {"type": "integer"}, "status": {"type": "integer"}, "_status": {"enum": ["OK", "ERR"]},
                "_id": {"type": "string"}, "_etag": {"type": "string"}, "_version": {"type": "integer"},
                "_issues": {"type": "object"},
            },
        }));
    for (name, all, one, writes) in BUILTIN {
        if !matches!(name, "fences" | "adlists") {
            routes = routes.get(all, list::list, list_doc(name));
        }
        routes = routes.get(one, read::get, item_doc(name));
        routes = match writes {
            Writes::ByClients => with_removal(with_writes(routes, all, one, name), one, name),
            Writes::ButNotRemoval => with_writes(routes, all, one, name),
            Writes::OnlyRemoval => with_removal(routes, one, name),
            Writes::ByTheServer => routes,
        };
    }
    let routes = routes
        .schema("Home", json!({"type": "object", "required": ["_links"]}))
        .get(
            "/api",
            home::home,
            Doc::new("The resources there are", "resources", Access::Public).answer(200, "Home"),
        )
        .post(
            "/api/bulk",
            bulk::bulk,
            Doc::new("Many writes, a line of NDJSON each", "resources", Access::SignedIn)
                .query(BULK)
                .request_as("application/x-ndjson", "BulkLine")
                .answer_as(200, "application/x-ndjson", Some("BulkAnswer"))
                .body_max(bulk::BULK_BYTES_MAX),
        )
        .get("/api/{resource}", list::list, list_doc("collections of your own"))
        .get("/api/{resource}/{id}", read::get, item_doc("collections of your own"));
    let routes = with_writes(routes, "/api/{resource}", "/api/{resource}/{id}", "collections of your own");
    with_removal(routes, "/api/{resource}/{id}", "collections of your own")
}

/// A collection's definition.
fn collection() -> serde_json::Value {
    let fields = json!({"type": "array", "items": {"type": "string"}});
    let index = json!({"oneOf": [{"type": "string"}, fields, {"type": "object", "required": ["fields"]}]});
    let indexes = json!({"type": "array", "maxItems": 32, "items": index});
    json!({
        "type": "object",
        "properties": {
            "name": {"type": "string", "pattern": "^[a-z0-9_-]{1,64}$"},
            "schema": {"type": "object", "description": "by field: the rules for its values"},
            "strict": {"type": "boolean", "description": "fields that the schema does not name are refused"},
            "indexes": indexes, "unique": indexes,
            "search": {"description": "true, or the searched fields and their kinds"},
            "geo": fields,
            "versions": {"type": "object", "properties": {"keep": {"type": "integer"}, "for_s": {"type": "number"}}},
            "expire_after_s": {"type": "number"}, "tombstones_for_s": {"type": "number"},
            "durability": {"type": "string"},
            "upgrades": {
                "type": "array", "maxItems": 100, "items": {"$ref": "#/components/schemas/Upgrade"},
                "description": "what documents become from one version of the schema to the next; may only grow",
            },
            "_indexes": {"type": "array", "readOnly": true, "items": {"type": "object"}},
            "_schema_version": {"type": "integer", "readOnly": true},
        },
    })
}

pub(crate) fn list_doc(tag: &'static str) -> Doc {
    Doc::new("List documents", tag, Access::SignedIn).query(LIST).query(PART).answer(200, "List")
}

fn item_doc(tag: &'static str) -> Doc {
    Doc::new("Read a document", tag, Access::SignedIn).query(ITEM).answer(200, "Document").empty(304)
}

fn with_writes(routes: Routes, all: &'static str, one: &'static str, tag: &'static str) -> Routes {
    let doc = |summary| Doc::new(summary, tag, Access::SignedIn);
    let (one_or_many, single) = match tag {
        "collections" => ("CollectionOrArray", "Collection"),
        _ => ("DocumentOrArray", "Document"),
    };
    let created = doc("Create one or many").request(one_or_many).answer(201, "Document");
    let routes = match tag {
        // A form makes an item of a file; the handler bounds what is no form.
        "archive" => routes.post(all, media::create_item, created.body_max(0)),
        _ => routes.post(all, write::create, created),
    };
    routes
        .patch(
            one,
            write::change,
            doc("Merge members; needs If-Match").request(single).answer(200, "Document"),
        )
        .put(
            one,
            write::replace,
            doc("Replace with If-Match, create with If-None-Match: *")
                .request(single)
                .answer(200, "Document"),
        )
}

fn with_removal(routes: Routes, one: &'static str, tag: &'static str) -> Routes {
    let doc = Doc::new("Remove; needs If-Match", tag, Access::SignedIn);
    routes.delete(one, write::remove, doc.empty(204))
}
