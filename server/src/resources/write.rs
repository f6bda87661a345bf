//! Creating, changing and removing documents, one request at a time.

use axum::extract::State;
use axum::http::header::IF_MATCH;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use dateline_engine::{Document, Idempotency, Transaction};
use serde_json::{Map, Value};

use crate::app::App;
use crate::auth::Principal;
use crate::auth::policy::Action;
use crate::eve::problem::{Problem, Slug};
use crate::eve::{Issues, Item, ListWriter, Mode, Wording, json};
use crate::http::{Answer, JsonBody, ObjectBody};
use crate::resources::answer::{self, As};
use crate::resources::devices::removal_of_unregistered;
use crate::resources::pending::{Writer, commit, id_of, told};
use crate::resources::preconditions::{self, Prefer};
use crate::resources::read::find;
use crate::resources::target::{Id, Named};
use crate::resources::visibility::Sight;
use crate::resources::{Resource, idempotency, rules};

/// Documents in one array at the most.
const ARRAY_MAX: usize = 1_000;

/// `POST /api/{resource}`: an object, or an array of which all are stored or none.
pub(crate) async fn create(
    State(app): State<App>,
    principal: Principal,
    Named(resource): Named,
    headers: HeaderMap,
    JsonBody(body): JsonBody,
) -> Answer {
    Sight::of(&principal, Action::Create, &resource.name)?;
    let prefer = Prefer::of(&headers);
    let once = idempotency::of(&headers, &principal, &Method::POST, &resource.name, &body)?;
    if let Some(written) = recall(&app, &resource, once.as_ref())? {
        return Ok(idempotency::replayed(created(&resource, &written, prefer)?));
    }
    let (documents, is_array) = documents(body)?;
    let defines = resource.name == "collections" && documents.len() > 1;
    if defines {
        return Err(Problem::new(Slug::BadRequest, "collections are defined one at a time").into());
    }
    let _turn = rules::turn(&app, &resource, true).await;
    let writer = Writer { app: &app, principal: &principal, resource: &resource };
    let (mut pending, mut found) = (Vec::with_capacity(documents.len()), Vec::new());
    for document in documents {
        match writer.create(document).await? {
            Ok(write) => {
                pending.push(write);
                found.push(Issues::new());
            }
            Err(issues) => found.push(issues),
        }
    }
    if found.iter().any(|issues| !issues.is_empty()) {
        return Err(match (is_array && found.len() > 1, found.first()) {
            (false, Some(issues)) => Problem::validation(issues, Wording::Codes),
            _ => Problem::validations(&found, Wording::Codes),
        }
        .into());
    }
    let written = commit(&app, pending, prefer, once).await?;
    created(&resource, &written, prefer)
}

fn created(resource: &Resource, written: &[Document], prefer: Prefer) -> Answer {
    match written {
        [only] => finish(answer::document(&resource.name, only, As::Created, prefer.minimal, &[])?, prefer),
        many => finish(created_list(resource, many, prefer)?, prefer),
    }
}

/// What an earlier request under the same key stored.
fn recall(
    app: &App,
    resource: &Resource,
    once: Option<&Idempotency>,
) -> Result<Option<Vec<Document>>, Problem> {
    let Some(once) = once else { return Ok(None) };
    match app.store().recall(once)? {
        Some(remembered) => idempotency::first_answer(app, &[resource.collection], remembered.seq).map(Some),
        None => Ok(None),
    }
}

fn created_list(resource: &Resource, written: &[Document], prefer: Prefer) -> Answer {
    let mut list = ListWriter::new(written.len() * 512);
    for document in written {
        let tag = answer::tag(document);
        let item = Item::written(answer::meta(document, &tag), &resource.name);
        let body = if prefer.minimal { &b"{}"[..] } else { &document.body[..] };
        list.push(body, &item).map_err(|error| answer::damaged(document, &error.to_string()))?;
    }
    let mut response = answer::json_bytes(list.finish_written(&[]));
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

fn documents(body: Value) -> Result<(Vec<Map<String, Value>>, bool), Problem> {
    let bad = |detail: String| Problem::new(Slug::BadRequest, detail);
    match body {
        Value::Object(map) => Ok((vec![map], false)),
        Value::Array(items) if items.is_empty() => Err(bad("the array holds no document".to_owned())),
        Value::Array(items) if items.len() > ARRAY_MAX => {
            Err(bad(format!("an array holds at most {ARRAY_MAX} documents")).status(413))
        }
        Value::Array(items) => {
            let maps = items.into_iter().enumerate().map(|(place, item)| match item {
                Value::Object(map) => Ok(map),
                other => Err(bad(format!("item {place}: expected an object, found {}", json::name(&other)))),
            });
            Ok((maps.collect::<Result<_, _>>()?, true))
        }
        other => Err(bad(format!("expected an object or an array, found {}", json::name(&other)))),
    }
}

/// `PATCH /api/{resource}/{id}`: merges top-level members.
pub(crate) async fn change(
    State(app): State<App>,
    principal: Principal,
    Named(resource): Named,
    Id(id): Id,
    headers: HeaderMap,
    ObjectBody(changes): ObjectBody,
) -> Answer {
    update(&app, &principal, &resource, &id, &headers, changes, Mode::Patch).await
}

/// `PUT /api/{resource}/{id}`: the whole document; with `If-None-Match: *` a new one.
pub(crate) async fn replace(
    State(app): State<App>,
    principal: Principal,
    Named(resource): Named,
    Id(id): Id,
    headers: HeaderMap,
    ObjectBody(document): ObjectBody,
) -> Answer {
    if !preconditions::creates(&headers)? {
        return update(&app, &principal, &resource, &id, &headers, document, Mode::Replace).await;
    }
    Sight::of(&principal, Action::Create, &resource.name)?;
    let prefer = Prefer::of(&headers);
    let id = id_of(&id)?;
    if find(&app, &resource, id.as_str())?.is_some() {
        return Err(Problem::new(Slug::PreconditionFailed, format!("'{id}' exists already")).into());
    }
    let _turn = rules::turn(&app, &resource, true).await;
    let writer = Writer { app: &app, principal: &principal, resource: &resource };
    let pending = writer.create_as(id, document).await?.map_err(invalid)?;
    let written = commit(&app, vec![pending], prefer, None).await.map_err(exists_is_412)?;
    let document = written.first().ok_or_else(lost)?;
    finish(answer::document(&resource.name, document, As::Created, prefer.minimal, &[])?, prefer)
}

fn exists_is_412(problem: Problem) -> Problem {
    if problem.slug() == Slug::Conflict { problem.status(412) } else { problem }
}

fn invalid(issues: Issues) -> Problem {
    Problem::validation(&issues, Wording::Codes)
}

async fn update(
    app: &App,
    principal: &Principal,
    resource: &std::sync::Arc<Resource>,
    id: &str,
    headers: &HeaderMap,
    changes: Map<String, Value>,
    mode: Mode,
) -> Answer {
    Sight::of(principal, Action::Update, &resource.name)?;
    let mut prefer = Prefer::of(headers);
    // Who may write but not read is not told what else the document holds.
    prefer.minimal |= !principal.scopes.allow(&resource.name, false);
    let method = if let Mode::Patch = mode { Method::PATCH } else { Method::PUT };
    let target = format!("{}/{id}", resource.name);
    let once = idempotency::of(headers, principal, &method, &target, &Value::Object(changes.clone()))?;
    if let Some(written) = recall(app, resource, once.as_ref())? {
        let document = written.first().ok_or_else(lost)?;
        let response = answer::document(&resource.name, document, As::Changed, prefer.minimal, &[])?;
        return Ok(idempotency::replayed(response));
    }
    let _turn = rules::turn(app, resource, false).await;
    let writer = Writer { app, principal, resource };
    let if_match = preconditions::text(headers, IF_MATCH);
    let pending = writer.change(id, if_match, changes, mode).await?.map_err(invalid)?;
    let written = commit(app, vec![pending], prefer, once).await?;
    let document = written.first().ok_or_else(lost)?;
    finish(answer::document(&resource.name, document, As::Changed, prefer.minimal, &[])?, prefer)
}

/// `DELETE /api/{resource}/{id}`.
pub(crate) async fn remove(
    State(app): State<App>,
    principal: Principal,
    Named(resource): Named,
    Id(id): Id,
    headers: HeaderMap,
) -> Answer {
    let sight = Sight::of(&principal, Action::Delete, &resource.name)?;
    let prefer = Prefer::of(&headers);
    if sight.is_clear() && find(&app, &resource, &id)?.is_none() {
        let (asked, unregistered, named) = (app.clone(), resource.clone(), id.clone());
        // The matcher is asked on a thread that may wait.
        let removal = app
            .scan(move |_| {
                removal_of_unregistered(&asked, &unregistered, &named, Transaction::new(prefer.durability))
            })
            .await?;
        if let Some(removal) = removal {
            app.commit(removal).await.map_err(told)?;
            return Ok(StatusCode::NO_CONTENT.into_response());
        }
    }
    let _turn = rules::turn(&app, &resource, false).await;
    let writer = Writer { app: &app, principal: &principal, resource: &resource };
    let pending = writer.remove(&id, preconditions::text(&headers, IF_MATCH)).await?;
    commit(&app, vec![pending], prefer, None).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn lost() -> Problem {
    Problem::new(Slug::Internal, "the write left no document")
}

fn finish(response: Response, prefer: Prefer) -> Answer {
    Ok(if prefer.minimal { answer::applied(response, "return=minimal") } else { response })
}
