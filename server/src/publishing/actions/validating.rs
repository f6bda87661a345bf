//! `POST /api/validate`, and what validation knows of the site.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use dateline_engine::{Result, Store};
use dateline_formats::{Fields, Site};
use dateline_publish::validate::{Candidate, Rules, validate};
use serde_json::{Value, json};

use crate::app::App;
use crate::eve::problem::{Problem, Slug};
use crate::http::{Answer, ObjectBody};
use crate::publishing::{Settings, audience, collection};
use crate::resources::answer;

/// The rows of `validators`.
///
/// # Errors
/// When the store cannot be read.
pub(super) fn validators(store: &Store) -> Result<Vec<Value>> {
    let mut rows = Vec::new();
    audience::each(&store.snapshot()?, collection(store, "validators")?, |_, row| rows.push(row))?;
    Ok(rows)
}

/// The rules of the site.
pub(crate) fn rules<'a>(
    settings: &'a Settings,
    site: &'a Site,
    validators: &'a [Value],
    empty: &'a Fields,
) -> Rules<'a> {
    let is_on = |name: &str, usual: bool| settings.given.get(name).and_then(Value::as_bool).unwrap_or(usual);
    Rules {
        profiles: &site.profiles,
        vocabularies: &site.vocabularies,
        validators,
        schemas: settings.given.get("SCHEMA").and_then(Value::as_object).unwrap_or(empty),
        holds_auto_published_to_profile: is_on("AUTO_PUBLISH_CONTENT_PROFILE", true),
        holds_media_to_profile: is_on("VALIDATE_MEDIA_METADATA_ON_PUBLISH", true),
        disallowed_characters: settings
            .given
            .get("DISALLOWED_CHARACTERS")
            .and_then(Value::as_str)
            .unwrap_or(""),
    }
}

/// `{"act", "type", "embedded"?, "validate": {item}}` -> 201 `{"errors": [text], "fields": {field: fault}}`; `fields` only
/// when asked for with `"fields": true`.
///
/// # Errors
/// 400 when `act` or `validate` are missing.
pub(super) async fn check(State(app): State<App>, ObjectBody(asked): ObjectBody) -> Answer {
    let used = app.clone();
    let verdict = app.scan(move |store| -> std::result::Result<Value, Problem> {
        let missing = |field: &str| {
            Problem::new(Slug::ValidationFailed, format!("{field}: required field"))
                .issue(field, json!({"required": 1}))
        };
        let act = asked.get("act").and_then(Value::as_str).ok_or_else(|| missing("act"))?;
        let item = asked.get("validate").and_then(Value::as_object).ok_or_else(|| missing("validate"))?;
        let kind = asked.get("type").and_then(Value::as_str).or_else(|| item.get("type")?.as_str());
        let (site, validators) = (used.publishing().site(store)?, validators(store)?);
        let empty = Fields::new();
        let rules = rules(used.publishing().settings(), &site, &validators, &empty);
        let candidate = Candidate {
            act,
            kind: kind.unwrap_or("text"),
            item,
            is_embedded: asked.get("embedded") == Some(&Value::Bool(true)),
            names_headline: false,
        };
        let verdict = validate(&rules, &candidate);
        let mut told = json!({"errors": verdict.errors, "_status": "OK"});
        if asked.get("fields") == Some(&Value::Bool(true)) {
            told["fields"] = Value::Object(verdict.fields);
        }
        Ok(told)
    });
    let response: Response = answer::json_bytes(verdict.await?.to_string().into_bytes());
    Ok((StatusCode::CREATED, response).into_response())
}
