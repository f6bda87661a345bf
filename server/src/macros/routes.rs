//! Macros by address: which there are, and one on an item.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use dateline_formats::Item;
use serde_json::{Value, json};

use super::Call;
use crate::app::App;
use crate::auth::Principal;
use crate::auth::policy::Action;
use crate::eve::problem::{Problem, Slug};
use crate::eve::{Mode, Wording};
use crate::http::{Access, Answer, Doc, ObjectBody, Param, Routes};
use crate::ids;
use crate::resources::{Prefer, Query, Sight, Writer, answer, commit};

const LIST: &[Param] = &[
    Param::new("desk", "string", "only those that this desk is offered"),
    Param::new("backend", "boolean", "also those that editors are not offered"),
];

/// Routes of macros.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .schema("Macros", json!({"type": "object", "required": ["_items"]}))
        .schema("RunMacro", json!({
            "type": "object", "required": ["macro", "item"], "additionalProperties": false,
            "properties": {
                "macro": {"type": "string"}, "item": {"type": "object"},
                "commit": {"type": "boolean", "description": "save the item, which then has _id and _etag"},
            },
        }))
        .schema("MacroRun", json!({"type": "object", "required": ["macro", "item"]}))
        .get(
            "/api/macros",
            list,
            Doc::new("Macros there are", "macros", Access::SignedIn).query(LIST).answer(200, "Macros"),
        )
        .post(
            "/api/macros",
            run,
            Doc::new("What a macro makes of an item", "macros", Access::Privilege("archive"))
                .request("RunMacro")
                .answer(201, "MacroRun"),
        )
}

async fn list(State(app): State<App>, Query(params): Query) -> Answer {
    let desk = params.get("desk").filter(|desk| !desk.is_empty());
    let with_backend = params.get("backend").is_some_and(|text| text.eq_ignore_ascii_case("true"));
    Ok(answer::json_bytes(
        json!({"_items": app.macros().offered(desk, with_backend)}).to_string().into_bytes(),
    ))
}

/// `{"macro", "item", "commit"?}` -> 201 `{"macro", "item", "stopped"?}`; with `commit` the item as it is stored then.
///
/// # Errors
/// 400 for an unknown macro; 422 with the words of one that refuses, 502 of another server; what a save of the item is
/// refused with.
async fn run(
    State(app): State<App>,
    principal: Principal,
    headers: HeaderMap,
    ObjectBody(mut asked): ObjectBody,
) -> Answer {
    let missing = |field: &str| {
        Problem::new(Slug::ValidationFailed, format!("{field}: required field"))
            .issue(field, json!({"required": 1}))
    };
    let name = Item::from(&asked).text("macro").to_owned();
    if name.is_empty() {
        return Err(missing("macro").into());
    }
    let Some(Value::Object(mut item)) = asked.remove("item") else { return Err(missing("item").into()) };
    let commits = asked.get("commit") == Some(&Value::Bool(true));
    let id = ids::new_id(app.store().now())?;
    let (desk, stage) = place(&item);
    let call = Call { item: &item, desk: &desk, stage: stage.as_deref(), cause: "editor", id: id.as_str() };
    let outcome =
        app.macros().run(&app, &name, &call).await.map_err(|trouble| trouble.into_problem("macro"))?;
    let stopped = outcome.onto(&mut item);
    if commits && stopped.is_none() {
        item = saved(&app, &principal, &headers, item).await?;
    }
    let mut body = json!({"_status": "OK", "macro": name, "item": item, "commit": commits});
    if let Some(reason) = stopped {
        body["stopped"] = reason.into();
    }
    let response: Response = answer::json_bytes(body.to_string().into_bytes());
    Ok((StatusCode::CREATED, response).into_response())
}

fn place(item: &dateline_formats::Fields) -> (String, Option<String>) {
    let task = Item::from(item).object("task");
    let text = |field: &str| task.map(|task| task.text(field).to_owned()).unwrap_or_default();
    (text("desk"), Some(text("stage")).filter(|stage| !stage.is_empty()))
}

/// Saves the item as its editor would, and gives it as it is then.
async fn saved(
    app: &App,
    principal: &Principal,
    headers: &HeaderMap,
    item: dateline_formats::Fields,
) -> Result<dateline_formats::Fields, Problem> {
    let archive = app.resources().get("archive")?;
    Sight::of(principal, Action::Update, &archive.name)?;
    let (id, tag) = (Item::from(&item).text("_id").to_owned(), Item::from(&item).text("_etag").to_owned());
    let writer = Writer { app, principal, resource: &archive };
    let if_match = Some(tag.as_str()).filter(|tag| !tag.is_empty());
    let pending = writer.change(&id, if_match, item, Mode::Patch).await?;
    let pending = pending.map_err(|issues| Problem::validation(&issues, Wording::Codes))?;
    let written = commit(app, vec![pending], Prefer::of(headers), None).await?;
    let lost = || Problem::new(Slug::Internal, "the write left no document");
    let document = written.first().ok_or_else(lost)?;
    let Value::Object(mut body) = answer::body_of(document)? else { return Err(lost()) };
    body.insert("_id".to_owned(), document.id.as_str().into());
    body.insert("_etag".to_owned(), answer::tag(document).into());
    Ok(body)
}
