//! The routes of this room.

use serde_json::json;

use super::{account_routes, key_routes, login, reset, session_routes};
use crate::http::{Access, Doc, Routes};

const TAG: &str = "auth";

pub(crate) fn routes() -> Routes {
    let doc = |summary, access| Doc::new(summary, TAG, access);
    let sign_in = || {
        doc("Sign in: a session token and a cookie", Access::Public)
            .request("Credentials")
            .answer(201, "Session")
    };
    Routes::new()
        .post("/api/auth", login::sign_in, sign_in())
        .post("/api/auth_db", login::sign_in, sign_in())
        .get(
            "/api/auth/{id}",
            session_routes::get,
            doc("One session", Access::SignedIn).answer(200, "SessionInfo"),
        )
        .delete("/api/auth/{id}", session_routes::end, doc("Sign out", Access::SignedIn).empty(204))
        .get(
            "/api/auth_db/{id}",
            session_routes::get,
            doc("One session", Access::SignedIn).answer(200, "SessionInfo"),
        )
        .delete("/api/auth_db/{id}", session_routes::end, doc("Sign out", Access::SignedIn).empty(204))
        .get(
            "/api/sessions",
            session_routes::list,
            doc("One's own sessions", Access::SignedIn).answer(200, "SessionList"),
        )
        .get(
            "/api/users/{id}/sessions",
            session_routes::list_of,
            doc("A user's sessions", Access::SignedIn).answer(200, "SessionList"),
        )
        .delete(
            "/api/users/{id}/sessions",
            session_routes::end_all_of,
            doc("Sign a user out everywhere", Access::SignedIn).empty(204),
        )
        .post(
            "/api/tokens",
            key_routes::create,
            doc("Make an API key; it is shown once", Access::SignedIn)
                .request("NewApiKey")
                .answer(201, "ApiKey"),
        )
        .get("/api/tokens", key_routes::list, doc("API keys", Access::SignedIn).answer(200, "ApiKeyList"))
        .delete("/api/tokens/{id}", key_routes::revoke, doc("End an API key", Access::SignedIn).empty(204))
        .post(
            "/api/setup",
            account_routes::set_up,
            doc("Make the first administrator with the one-time token", Access::Public)
                .request("SetUp")
                .answer(201, "UserRef"),
        )
        .post(
            "/api/change_user_password",
            account_routes::change_password,
            doc("Change one's own password", Access::SignedIn)
                .request("PasswordChange")
                .answer(201, "UserRef"),
        )
        .post(
            "/api/reset_user_password",
            reset::reset,
            doc("Ask by e-mail for a new password, and set it with the token that comes", Access::Public)
                .request("PasswordReset")
                .answer(201, "UserRef"),
        )
        .merge(schemas())
}

fn schemas() -> Routes {
    let text = json!({"type": "string"});
    let object = |required: &[&str], properties: serde_json::Value| json!({"type": "object", "required": required, "properties": properties});
    let list = |of: &str| {
        json!({
            "type": "object",
            "required": ["_items", "_meta", "_links", "_seq"],
            "properties": {
                "_items": {"type": "array", "items": {"$ref": format!("#/components/schemas/{of}")}},
                "_meta": {"type": "object"},
                "_links": {"type": "object"},
                "_seq": {"type": "integer"}
            }
        })
    };
    let session = json!({
        "_id": text, "user": text, "username": text, "_etag": text, "_created": text, "_updated": text, "expires": text
    });
    let mut with_token = session.clone();
    with_token["token"] = json!({"type": "string", "description": "sent as Authorization: Bearer TOKEN"});
    with_token["user_type"] = json!({"enum": ["administrator", "user"]});
    let mut info = session;
    info["ip"] = text.clone();
    info["agent"] = text.clone();
    info["current"] = json!({"type": "boolean"});
    let scopes = json!({"type": "array", "items": {"type": "string"}, "minItems": 1});
    let key = json!({"_id": text, "user": text, "name": text, "scopes": scopes, "expires": {"type": ["string", "null"]}, "token": text});
    Routes::new()
        .schema("Credentials", object(&["username", "password"], json!({"username": text, "password": text})))
        .schema("Session", object(&["_id", "token", "user"], with_token))
        .schema("SessionInfo", object(&["_id", "user"], info))
        .schema("SessionList", list("SessionInfo"))
        .schema(
            "NewApiKey",
            object(
                &["name", "scopes"],
                json!({"name": text, "scopes": scopes, "expires_in_s": {"type": "integer", "minimum": 1}, "user": text}),
            ),
        )
        .schema("ApiKey", object(&["_id", "user", "name", "scopes"], key))
        .schema("ApiKeyList", list("ApiKey"))
        .schema("SetUp", object(&["token", "password"], json!({"token": text, "password": text, "username": text})))
        .schema("UserRef", object(&["_id", "username"], json!({"_id": text, "username": text, "user_type": text})))
        .schema(
            "PasswordReset",
            json!({"type": "object", "properties": {"email": text, "token": text, "password": text}}),
        )
        .schema(
            "PasswordChange",
            object(
                &["old_password", "new_password"],
                json!({"username": text, "old_password": text, "new_password": text}),
            ),
        )
}
