//! The addresses of actions.

use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri};
use dateline_engine::{Idempotency, Seq};
use dateline_formats::Fields;
use dateline_publish::action::{Archive, Command, Edit, PublishAction, Rewrite};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::act::{Action, Asked, act, answered, replayed};
use super::shelf::Shelf;
use super::told::Sent;
use super::{locks, moves, saving, validating};
use crate::app::App;
use crate::auth::Principal;
use crate::eve::Params;
use crate::eve::problem::{Problem, Slug};
use crate::http::{Access, Answer, Doc, ObjectBody, Param, RawBody, Routes};
use crate::ids;
use crate::resources::answer::As;
use crate::resources::target::Id;
use crate::resources::{Query, idempotency};

const EDIT: &[Param] = &[
    Param::new("desk_id", "string", "desk through which an item of nobody's desk goes out"),
    Param::new("publishing_warnings_confirmed", "boolean", "warnings have been read"),
];

/// Routes of actions.
pub(crate) fn routes() -> Routes {
    let doc = |summary| Doc::new(summary, "archive", Access::SignedIn);
    let edit = |summary| doc(summary).query(EDIT).request("Updates").answer(200, "Document");
    Routes::new()
        .schema("Updates", json!({"type": "object", "description": "members of the item to change with the action"}))
        .schema("Place", json!({
            "type": ["object", "array"],
            "properties": {"desk": {"type": "string"}, "stage": {"type": "string"}, "task": {"type": "object"}},
        }))
        .schema("Resend", json!({
            "type": "object",
            "properties": {"subscribers": {"type": "array", "items": {"type": "string"}}, "version": {"type": "integer"}},
        }))
        .schema("Rewrite", json!({
            "type": "object", "properties": {"update": {"type": "object"}, "desk_id": {"type": "string"}},
        }))
        .schema("Validate", json!({
            "type": "object", "required": ["act", "validate"],
            "properties": {
                "act": {"type": "string"}, "type": {"type": "string"}, "validate": {"type": "object"},
                "embedded": {"type": "boolean"},
            },
        }))
        .schema("Validated", json!({"type": "object", "required": ["errors"]}))
        .patch("/api/archive/publish/{id}", publish, edit("Publish, or schedule; needs If-Match"))
        .patch("/api/archive/correct/{id}", correct, edit("Correct what is out; needs If-Match"))
        .patch("/api/archive/kill/{id}", kill, edit("Kill what is out; needs If-Match"))
        .patch("/api/archive/takedown/{id}", takedown, edit("Recall what is out; needs If-Match"))
        .patch("/api/archive/unpublish/{id}", unpublish, edit("Take back what is out; needs If-Match"))
        .patch("/api/archive/correction/{id}", correction, edit("Begin a correction; needs If-Match"))
        .patch("/api/archive/spike/{id}", spike, edit("Throw away; needs If-Match"))
        .patch("/api/archive/unspike/{id}", unspike, edit("Bring back; needs If-Match"))
        .post(
            "/api/archive/{id}/resend",
            resend,
            doc("Send what is out to chosen subscribers").request("Resend").answer(201, "Document"),
        )
        .post(
            "/api/archive/{id}/rewrite",
            rewrite,
            doc("Make an update of a story").request("Rewrite").answer(201, "Document"),
        )
        .delete("/api/archive/{id}/rewrite", unlink, doc("Update the story no more").empty(204))
        .post("/api/archive/{id}/lock", locks::lock, doc("Lock").request("Updates").answer(201, "Document"))
        .post("/api/archive/{id}/unlock", locks::unlock, doc("Unlock").request("Updates").answer(201, "Document"))
        .post(
            "/api/archive/{id}/move",
            moves::relocate,
            doc("Move to a desk").request("Place").answer(201, "Document"),
        )
        .post(
            "/api/archive/{id}/duplicate",
            moves::duplicate,
            doc("Make a copy on a desk").request("Place").answer(201, "Document"),
        )
        .post(
            "/api/validate",
            validating::check,
            doc("Whether an item may go out as it is").request("Validate").answer(201, "Validated"),
        )
}

/// The item of `/api/archive/{action}/{id}`.
fn target(uri: &Uri) -> String {
    let segment = uri.path().split('/').nth(4).unwrap_or_default();
    percent_decode_str(segment).decode_utf8_lossy().into_owned()
}

macro_rules! edits {
    ($($name:ident $command:ident)*) => {
        $(async fn $name(
            State(app): State<App>,
            principal: Principal,
            uri: Uri,
            Query(params): Query,
            headers: HeaderMap,
            ObjectBody(body): ObjectBody,
        ) -> Answer {
            let once = once(&headers, &principal, &uri, &body)?;
            let edited = Edited::new(body, &params);
            let asked = move |_: &Shelf<'_>, decide: &mut dyn FnMut(&Command<'_>)| {
                decide(&Command::$command(edited.edit()));
                Ok(())
            };
            let privilege = PublishAction::$command.privilege();
            change(&app, &principal, &uri, &headers, privilege, Box::new(asked), once).await
        })*
    };
}

edits! {
    publish Publish
    correct Correct
    kill Kill
    takedown Takedown
    unpublish Unpublish
}

/// What comes with an action.
struct Edited {
    updates: Fields,
    desk: Option<String>,
    is_confirmed: bool,
}

impl Edited {
    fn new(body: Fields, params: &Params) -> Self {
        Self {
            updates: moves::updates(body),
            desk: params.get("desk_id").filter(|desk| !desk.is_empty()).map(str::to_owned),
            is_confirmed: params
                .get("publishing_warnings_confirmed")
                .is_some_and(|text| text.eq_ignore_ascii_case("true")),
        }
    }

    fn edit(&self) -> Edit<'_> {
        Edit { updates: &self.updates, desk: self.desk.as_deref(), is_confirmed: self.is_confirmed }
    }
}

/// The key under which a request takes effect once.
fn once(
    headers: &HeaderMap,
    principal: &Principal,
    uri: &Uri,
    body: &Fields,
) -> Result<Option<Idempotency>, Problem> {
    let key = idempotency::key(headers)?;
    let body = || Value::Object(body.clone());
    // The path names the action.
    Ok(key.map(|key| idempotency::bound(&key, principal, &Method::PATCH, &uri.to_string(), &body())))
}

/// A PATCH under the address of its action.
async fn change(
    app: &App,
    principal: &Principal,
    uri: &Uri,
    headers: &HeaderMap,
    privilege: &'static str,
    asked: Asked,
    once: Option<Idempotency>,
) -> Answer {
    let id = target(uri);
    let action = Action {
        id: id.clone(),
        privilege,
        sent: Sent::AsChange,
        is_conditional: true,
        respects_lock: true,
        asked,
    };
    match act(app, principal, headers, action, once).await? {
        Some(first) => replayed(app, first, As::Changed, headers, |own| own.id.as_str() == id),
        None => answered(app, &id, As::Changed, headers),
    }
}

async fn correction(
    State(app): State<App>,
    principal: Principal,
    uri: Uri,
    Query(params): Query,
    headers: HeaderMap,
    ObjectBody(body): ObjectBody,
) -> Answer {
    let once = once(&headers, &principal, &uri, &body)?;
    let gives_up = params.get("remove_correction").is_some_and(|text| text.eq_ignore_ascii_case("true"));
    let asked = move |_: &Shelf<'_>, decide: &mut dyn FnMut(&Command<'_>)| {
        decide(if gives_up { &Command::CancelCorrection } else { &Command::Correction });
        Ok(())
    };
    change(&app, &principal, &uri, &headers, "correct", Box::new(asked), once).await
}

async fn spike(
    State(app): State<App>,
    principal: Principal,
    uri: Uri,
    headers: HeaderMap,
    ObjectBody(body): ObjectBody,
) -> Answer {
    let once = once(&headers, &principal, &uri, &body)?;
    let event_id = event_id(&app)?;
    let asked = move |_: &Shelf<'_>, decide: &mut dyn FnMut(&Command<'_>)| {
        decide(&Command::Spike { event_id: &event_id });
        Ok(())
    };
    change(&app, &principal, &uri, &headers, "spike", Box::new(asked), once).await
}

async fn unspike(
    State(app): State<App>,
    principal: Principal,
    uri: Uri,
    headers: HeaderMap,
    ObjectBody(body): ObjectBody,
) -> Answer {
    let once = once(&headers, &principal, &uri, &body)?;
    let text = |key: &str| body.get("task").and_then(|task| task.get(key)?.as_str()).map(str::to_owned);
    let (desk, stage) = (text("desk"), text("stage"));
    let asked = move |_: &Shelf<'_>, decide: &mut dyn FnMut(&Command<'_>)| {
        decide(&Command::Unspike { desk: desk.as_deref(), stage: stage.as_deref() });
        Ok(())
    };
    change(&app, &principal, &uri, &headers, "unspike", Box::new(asked), once).await
}

fn event_id(app: &App) -> Result<String, Problem> {
    let domain = &app.publishing().settings().urn_domain;
    Ok(format!("tag:{domain}:{}", ids::new_id(app.store().now())?))
}

/// `POST /api/archive/{id}/resend {"subscribers": [id], "version"}`.
async fn resend(
    State(app): State<App>,
    principal: Principal,
    Id(id): Id,
    uri: Uri,
    headers: HeaderMap,
    ObjectBody(body): ObjectBody,
) -> Answer {
    let once = once(&headers, &principal, &uri, &body)?;
    let chosen = body.get("subscribers").and_then(Value::as_array).into_iter().flatten();
    let chosen: Vec<String> = chosen.filter_map(Value::as_str).map(str::to_owned).collect();
    let version = body.get("version").and_then(Value::as_u64);
    let asked = move |_: &Shelf<'_>, decide: &mut dyn FnMut(&Command<'_>)| {
        decide(&Command::Resend { subscribers: &chosen, version });
        Ok(())
    };
    request(&app, &principal, &headers, &id, "resend", Box::new(asked), once).await?;
    answered(&app, &id, As::Created, &headers)
}

/// `POST /api/archive/{id}/rewrite {"update"?: {"_id"}, "desk_id"?}`: the update.
async fn rewrite(
    State(app): State<App>,
    principal: Principal,
    Id(id): Id,
    uri: Uri,
    headers: HeaderMap,
    RawBody(bytes): RawBody,
) -> Answer {
    let body = match bytes.is_empty() {
        true => Fields::new(),
        false => crate::eve::json::parse_object(&bytes, &crate::eve::json::Limits::BODY)?,
    };
    let once = once(&headers, &principal, &uri, &body)?;
    let desk = body.get("desk_id").and_then(Value::as_str).map(str::to_owned);
    let update = body.get("update").and_then(|update| update.get("_id")?.as_str()).map(str::to_owned);
    let fresh = match &update {
        Some(update) => update.clone(),
        None => saving::new_id(&app, &Fields::new())?.as_str().to_owned(),
    };
    let made = fresh.clone();
    let asked = move |shelf: &Shelf<'_>, decide: &mut dyn FnMut(&Command<'_>)| {
        let unknown = |id: &String| Problem::new(Slug::NotFound, format!("no '{id}' in 'archive'"));
        let found = update.as_ref().map(|id| shelf.item(id).ok_or_else(|| unknown(id))).transpose()?;
        decide(&Command::Rewrite(Rewrite { id: &fresh, update: found.as_ref(), desk: desk.as_deref() }));
        Ok(())
    };
    match request(&app, &principal, &headers, &id, "rewrite", Box::new(asked), once).await? {
        Some(first) => replayed(&app, first, As::Created, &headers, |own| own.id.as_str() != id),
        None => answered(&app, &made, As::Created, &headers),
    }
}

/// `DELETE /api/archive/{id}/rewrite`.
async fn unlink(State(app): State<App>, principal: Principal, Id(id): Id, headers: HeaderMap) -> Answer {
    let event_id = event_id(&app)?;
    let asked = move |_: &Shelf<'_>, decide: &mut dyn FnMut(&Command<'_>)| {
        decide(&Command::Unlink { event_id: &event_id });
        Ok(())
    };
    request(&app, &principal, &headers, &id, "rewrite", Box::new(asked), None).await?;
    Ok(axum::response::IntoResponse::into_response(axum::http::StatusCode::NO_CONTENT))
}

/// An action that is asked for by POST or DELETE: without `If-Match`.
async fn request(
    app: &App,
    principal: &Principal,
    headers: &HeaderMap,
    id: &str,
    privilege: &'static str,
    asked: Asked,
    once: Option<Idempotency>,
) -> Result<Option<Seq>, crate::http::Refusal> {
    let action = Action {
        id: id.to_owned(),
        privilege,
        sent: Sent::AsRequest,
        is_conditional: false,
        respects_lock: false,
        asked,
    };
    act(app, principal, headers, action, once).await
}
