//! The OpenAPI 3.1 document, made from the registry of routes.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::doc::{Access, Doc};
use super::routes::{Operation, Routes};
use crate::app::App;
use crate::eve::problem::Slug;

/// `/openapi.json`.
pub(crate) fn routes() -> Routes {
    let doc = Doc::new("This document", "documentation", Access::Public).answer(200, "OpenApi");
    Routes::new()
        .get("/openapi.json", serve, doc)
        .schema("OpenApi", json!({"type": "object", "description": "an OpenAPI 3.1 document"}))
        .schema("Problem", problem_schema())
}

async fn serve(State(app): State<App>) -> Response {
    let headers = [(CONTENT_TYPE, "application/json")];
    (headers, Body::from(app.document().to_string())).into_response()
}

fn problem_schema() -> Value {
    let slugs: Vec<&str> = Slug::ALL.iter().map(|slug| slug.as_str()).collect();
    json!({
        "type": "object",
        "required": ["type", "title", "status", "detail", "_status", "_message", "_issues", "_error"],
        "properties": {
            "type": {"type": "string", "enum": slugs},
            "title": {"type": "string"},
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": {"type": "string"},
            "instance": {"type": "string", "description": "urn:request:ID, the ID of header X-Request-Id"},
            "retry_after": {"type": "integer", "description": "seconds"},
            "_status": {"const": "ERR"},
            "_message": {"type": "string"},
            "_issues": {"type": "object"},
            "_error": {
                "type": "object",
                "required": ["code", "message"],
                "properties": {"code": {"type": "integer"}, "message": {"type": "string"}}
            }
        }
    })
}

pub(crate) fn document(operations: &[Operation], schemas: &BTreeMap<&'static str, Value>) -> Value {
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for operation in operations {
        paths
            .entry(operation.path.replace("{*", "{"))
            .or_default()
            .insert(operation.method.as_str().to_ascii_lowercase(), describe(operation));
    }
    let schemas: Map<String, Value> =
        schemas.iter().map(|(&name, schema)| (name.to_owned(), schema.clone())).collect();
    let problem = json!({"schema": {"$ref": "#/components/schemas/Problem"}});
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Dateline",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Documents, one log, search, places and streams.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": {
                "Problem": {
                    "description": "An error; `type` is a stable slug explained under /docs/problems/.",
                    "content": {"application/json": problem, "application/problem+json": problem}
                }
            },
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "basic": {"type": "http", "scheme": "basic", "description": "the token as user name, no password"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "sid"},
                "ticket": {"type": "apiKey", "in": "query", "name": "ticket", "description": "good once, for 30 s"}
            }
        }
    })
}

fn describe(operation: &Operation) -> Value {
    let Operation { method, path, doc } = operation;
    let mut described = json!({
        "operationId": operation_id(method.as_str(), path),
        "summary": doc.summary,
        "tags": [doc.tag],
        "responses": replies(doc),
    });
    let parameters: Vec<Value> = path_parameters(path).chain(doc.query.iter().copied().flatten().map(|param| {
        json!({"name": param.name, "in": "query", "description": param.text, "schema": {"type": param.kind}})
    })).collect();
    let mut set = |name: &str, value: Value| {
        if let Some(map) = described.as_object_mut() {
            map.insert(name.to_owned(), value);
        }
    };
    if !parameters.is_empty() {
        set("parameters", parameters.into());
    }
    if let Some((media_type, schema)) = doc.request {
        set("requestBody", json!({"required": true, "content": {media_type: {"schema": reference(schema)}}}));
    }
    let privilege = match doc.access {
        Access::Public => {
            set("security", json!([]));
            "public"
        }
        Access::SignedIn => "signed in",
        Access::Ticket => "signed in, or a ticket",
        Access::Privilege(name) => name,
        Access::Administrator => "administrator",
    };
    match doc.access {
        Access::Public => {}
        Access::Ticket => {
            set("security", json!([{"bearer": []}, {"basic": []}, {"cookie": []}, {"ticket": []}]))
        }
        _ => set("security", json!([{"bearer": []}, {"basic": []}, {"cookie": []}])),
    }
    set("x-privilege", privilege.into());
    described
}

fn replies(doc: &Doc) -> Value {
    let mut replies = Map::new();
    for reply in &doc.replies {
        let text = axum::http::StatusCode::from_u16(reply.status)
            .ok()
            .and_then(|status| status.canonical_reason())
            .unwrap_or("Answer");
        let entry = replies.entry(reply.status.to_string()).or_insert_with(|| json!({"description": text}));
        if reply.media_type.is_empty() {
            continue;
        }
        let schema = reply.schema.map_or_else(|| json!({}), |schema| json!({"schema": reference(schema)}));
        let content = entry.as_object_mut().map(|entry| entry.entry("content").or_insert_with(|| json!({})));
        if let Some(content) = content.and_then(Value::as_object_mut) {
            content.insert(reply.media_type.to_owned(), schema);
        }
    }
    replies.insert("default".to_owned(), json!({"$ref": "#/components/responses/Problem"}));
    Value::Object(replies)
}

fn reference(schema: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{schema}")})
}

fn path_parameters(path: &str) -> impl Iterator<Item = Value> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).map(|name| {
        json!({"name": name.trim_start_matches('*'), "in": "path", "required": true, "schema": {"type": "string"}})
    })
}

/// `get_api_ads_id`: stable as long as the route is.
fn operation_id(method: &str, path: &str) -> String {
    let words = path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.fold(method.to_ascii_lowercase(), |id, word| id + "_" + word)
}
