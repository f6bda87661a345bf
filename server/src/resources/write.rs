//! Creating, changing and removing documents.
//!
//! Every write is conditional on the version it was made from, so the version number in the body is right and no
//! change is ever lost: a writer who comes second is told 412.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use dateline_engine::{
    CollectionId, Condition, Conflict, DocId, Document, ErrorKind, Idempotency, Transaction,
};
use serde_json::{Map, Value};

use crate::app::App;
use crate::auth::Principal;
use crate::auth::policy::Action;
use crate::eve::problem::{Problem, Slug};
use crate::eve::{
    Check, Issue, Issues, Item, ListWriter, Mode, Wording, filter::Filter, json, patch, system, validate,
};
use crate::http::{Answer, JsonBody, ObjectBody, Refusal};
use crate::resources::answer::{self, As};
use crate::resources::devices::removal_of_unregistered;
use crate::resources::preconditions::{self, Prefer};
use crate::resources::read::{find, missing};
use crate::resources::rules::{self, Draft, Effect, Removal};
use crate::resources::target::{Id, Named};
use crate::resources::visibility::{Sight, stamp_owner};
use crate::resources::{Resource, idempotency, users};

/// Documents in one array at the most.
const ARRAY_MAX: usize = 1_000;

/// A document that passed every check.
struct Ready {
    id: DocId,
    condition: Condition,
    body: bytes::Bytes,
    effects: Vec<Effect>,
    before: Option<Document>,
}

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
        return replayed(created(&resource, &written, prefer)?);
    }
    let (documents, is_array) = documents(body)?;
    let defines = resource.name == "collections" && documents.len() > 1;
    if defines {
        return Err(Problem::new(Slug::BadRequest, "collections are defined one at a time").into());
    }
    let (mut ready, mut found) = (Vec::with_capacity(documents.len()), Vec::new());
    for mut document in documents {
        let taken = system::take(&mut document);
        let id = new_id(&app, &resource, &document, taken.id)?;
        stamp_owner(&principal, &resource, &mut document);
        let draft = Draft { app: &app, principal: &principal, resource: &resource, id: &id, stored: None };
        match prepare(&draft, document, Mode::Create).await? {
            Ok((body, effects)) => {
                ready.push(Ready { id, condition: Condition::Absent, body, effects, before: None });
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
    let written = commit(&app, &resource, ready, prefer, once).await?;
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
        Some(remembered) => idempotency::first_answer(app, resource, remembered.seq).map(Some),
        None => Ok(None),
    }
}

fn replayed(mut response: Response) -> Answer {
    let name = HeaderName::from_static("idempotency-replayed");
    response.headers_mut().insert(name, HeaderValue::from_static("true"));
    Ok(response)
}

fn created_list(resource: &Resource, written: &[Document], prefer: Prefer) -> Answer {
    let mut list = ListWriter::new(written.len() * 512);
    for document in written {
        let tag = document.revision().to_string();
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

fn new_id(
    app: &App,
    resource: &Resource,
    document: &Map<String, Value>,
    given: Option<Value>,
) -> Result<DocId, Problem> {
    let given = match (resource.name.as_str(), given) {
        // A collection is found by its name.
        ("collections", _) => document.get("name").filter(|name| name.is_string()).cloned(),
        (_, given) => given,
    };
    match given {
        None => Ok(crate::ids::new_id(app.store().now())?),
        Some(Value::String(text)) => id_of(&text),
        Some(_) => {
            Err(Problem::new(Slug::InvalidId, "_id must be text").issue("_id", "must be of string type"))
        }
    }
}

fn id_of(text: &str) -> Result<DocId, Problem> {
    DocId::new(text)
        .map_err(|error| Problem::new(Slug::InvalidId, error.to_string()).issue("_id", error.to_string()))
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
    ObjectBody(mut document): ObjectBody,
) -> Answer {
    if !preconditions::creates(&headers)? {
        return update(&app, &principal, &resource, &id, &headers, document, Mode::Replace).await;
    }
    Sight::of(&principal, Action::Create, &resource.name)?;
    let prefer = Prefer::of(&headers);
    system::take(&mut document);
    let id = id_of(&id)?;
    if find(&app, &resource, id.as_str())?.is_some() {
        return Err(Problem::new(Slug::PreconditionFailed, format!("'{id}' exists already")).into());
    }
    stamp_owner(&principal, &resource, &mut document);
    let draft = Draft { app: &app, principal: &principal, resource: &resource, id: &id, stored: None };
    let (body, effects) = prepare(&draft, document, Mode::Create)
        .await?
        .map_err(|issues| Problem::validation(&issues, Wording::Codes))?;
    let ready = Ready { id, condition: Condition::Absent, body, effects, before: None };
    let written = commit(&app, &resource, vec![ready], prefer, None).await.map_err(exists_is_412)?;
    let document = written.first().ok_or_else(lost)?;
    finish(answer::document(&resource.name, document, As::Created, prefer.minimal, &[])?, prefer)
}

fn exists_is_412(problem: Problem) -> Problem {
    if problem.slug() == Slug::Conflict { problem.status(412) } else { problem }
}

async fn update(
    app: &App,
    principal: &Principal,
    resource: &Resource,
    id: &str,
    headers: &HeaderMap,
    mut changes: Map<String, Value>,
    mode: Mode,
) -> Answer {
    let sight = Sight::of(principal, Action::Update, &resource.name)?;
    let mut prefer = Prefer::of(headers);
    // Who may write but not read is not told what else the document holds.
    prefer.minimal |= !principal.scopes.allow(&resource.name, false);
    let method = if let Mode::Patch = mode { Method::PATCH } else { Method::PUT };
    let target = format!("{}/{id}", resource.name);
    let once = idempotency::of(headers, principal, &method, &target, &Value::Object(changes.clone()))?;
    if let Some(written) = recall(app, resource, once.as_ref())? {
        let document = written.first().ok_or_else(lost)?;
        return replayed(answer::document(&resource.name, document, As::Changed, prefer.minimal, &[])?);
    }
    let _turn = users::turn(app, resource).await;
    let (before, stored) = stored(app, principal, resource, id, &sight)?;
    sight.check(resource, before.id.as_str(), &stored)?;
    let condition = preconditions::for_change(headers, &before)?;
    system::take(&mut changes);
    if let Mode::Replace = mode {
        stamp_owner(principal, resource, &mut changes);
    } else if !sight.is_clear() && changes.contains_key("user") {
        stamp_owner(principal, resource, &mut changes);
    }
    let draft = Draft { app, principal, resource, id: &before.id, stored: Some(&stored) };
    let (body, effects) = prepare(&draft, changes, mode)
        .await?
        .map_err(|issues| Problem::validation(&issues, Wording::Codes))?;
    let ready = Ready { id: before.id.clone(), condition, body, effects, before: Some(before) };
    let written = commit(app, resource, vec![ready], prefer, once).await?;
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
    let transaction = Transaction::new(prefer.durability);
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
    let _turn = users::turn(&app, &resource).await;
    let (before, stored) = stored(&app, &principal, &resource, &id, &sight)?;
    sight.check(&resource, before.id.as_str(), &stored)?;
    let condition = preconditions::for_change(&headers, &before)?;
    let transaction = match rules::removal(&app, &principal, &resource, &before.id, &stored) {
        Removal::Refused(problem) => return Err(problem.into()),
        Removal::Gone(effects) => {
            let transaction = transaction.delete(resource.collection, before.id.clone(), condition);
            effects.into_iter().fold(transaction, |transaction, effect| effect.add_to(transaction))
        }
        Removal::Kept(mut body) => {
            let next = patch::version(&stored) + 1;
            patch::set_version(&mut body, next);
            transaction.put(resource.collection, before.id.clone(), condition, json::encode(&body))
        }
    };
    app.commit(transaction).await.map_err(told)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// The live version somebody may see, with its body. A key that only writes sees what it may change.
fn stored(
    app: &App,
    principal: &Principal,
    resource: &Resource,
    id: &str,
    changing: &Sight,
) -> Result<(Document, Map<String, Value>), Problem> {
    let document = find(app, resource, id)?.ok_or_else(|| missing(resource, id))?;
    let body = answer::body_of(&document)?;
    let sight = if principal.scopes.allow(&resource.name, false) {
        Sight::of(principal, Action::Read, &resource.name)?
    } else {
        changing.clone()
    };
    if !sight.sees(&resource.name, document.id.as_str(), &body) {
        return Err(missing(resource, id));
    }
    match body {
        Value::Object(map) => Ok((document, map)),
        _ => Err(answer::damaged(&document, "the body is not an object")),
    }
}

type Prepared = Result<(bytes::Bytes, Vec<Effect>), Issues>;

/// Merges, validates and completes one body.
async fn prepare(
    draft: &Draft<'_>,
    mut document: Map<String, Value>,
    mode: Mode,
) -> Result<Prepared, Problem> {
    let resource = draft.resource;
    let outcome = validate(&mut document, &resource.schema, mode, draft.stored, resource.strict);
    let mut issues = outcome.issues;
    for check in failed(draft, outcome.checks).await? {
        issues.add(check.path(), check.failed());
    }
    let mut body = match (mode, draft.stored) {
        (Mode::Patch, Some(stored)) => patch::merge(stored, document),
        _ => document,
    };
    let effects = rules::check(draft, &mut body, &mut issues).await?;
    if !issues.is_empty() {
        return Ok(Err(issues));
    }
    let next = draft.stored.map_or(0, patch::version) + 1;
    patch::set_version(&mut body, next);
    Ok(Ok((json::encode(&body).into(), effects)))
}

/// Asks the store what validation could not know; those checks that do not hold. May read whole collections, so
/// it runs where that holds up nobody.
async fn failed(draft: &Draft<'_>, checks: Vec<Check>) -> Result<Vec<Check>, Problem> {
    if checks.is_empty() {
        return Ok(checks);
    }
    let (app, id, collection) = (draft.app.clone(), draft.id.clone(), draft.resource.collection);
    let work = draft.app.scan(move |_| -> Result<Vec<Check>, Problem> {
        let mut failed = Vec::new();
        for check in checks {
            if !holds(&app, collection, &id, &check)? {
                failed.push(check);
            }
        }
        Ok(failed)
    });
    work.await.map_err(Refusal::into_problem)
}

fn holds(app: &App, collection: CollectionId, id: &DocId, check: &Check) -> Result<bool, Problem> {
    match check {
        // The engine holds exact uniqueness itself, at the commit; this only finds the field's name early.
        Check::Unique { field, value, .. } => {
            let held = app.store().lookup(collection, field, std::slice::from_ref(value));
            Ok(held.is_ok_and(|ids| ids.iter().all(|held| held == id)))
        }
        Check::Exists { value, relation, .. } => {
            let Ok(target) = app.resources().get(&relation.resource) else { return Ok(false) };
            if relation.field == "_id" {
                let Some(id) = value.as_str() else { return Ok(false) };
                return Ok(find(app, &target, id)?.is_some());
            }
            if let Ok(found) =
                app.store().lookup(target.collection, &relation.field, std::slice::from_ref(value))
            {
                return Ok(!found.is_empty());
            }
            let filter = serde_json::json!({relation.field.clone(): value});
            let filter = Filter::from_value(&filter)?;
            let mut found = false;
            app.store().snapshot()?.scan(target.collection, None, false, |document| {
                found = serde_json::from_slice(&document.body).is_ok_and(|body| filter.matches(&body));
                if found { std::ops::ControlFlow::Break(()) } else { std::ops::ControlFlow::Continue(()) }
            })?;
            Ok(found)
        }
    }
}

/// One transaction for all; the stored versions in the same order.
async fn commit(
    app: &App,
    resource: &Resource,
    ready: Vec<Ready>,
    prefer: Prefer,
    once: Option<Idempotency>,
) -> Result<Vec<Document>, Problem> {
    let mut transaction = Transaction::new(prefer.durability);
    if let Some(once) = once {
        transaction = transaction.once(once);
    }
    let mut written = Vec::with_capacity(ready.len());
    let mut effects = Vec::new();
    for Ready { id, condition, body, effects: caused, before } in ready {
        transaction = transaction.put(resource.collection, id.clone(), condition, body.clone());
        effects.extend(caused);
        written.push((id, body, before));
    }
    // Effects come after the documents, whose sequences are the first of the receipt.
    let transaction = effects.into_iter().fold(transaction, |transaction, effect| effect.add_to(transaction));
    let receipt = app.commit(transaction).await.map_err(told)?;
    if let Some(first) = receipt.replayed {
        // Two requests under one key came at the same time, and the other was first.
        return idempotency::first_answer(app, resource, first);
    }
    Ok(written
        .into_iter()
        .zip(receipt.seqs)
        .map(|((id, body, before), seq)| Document {
            collection: resource.collection,
            id,
            seq,
            prev_seq: before.as_ref().map_or(dateline_engine::Seq::ZERO, |before| before.seq),
            epoch: receipt.epoch,
            created: before.map_or(receipt.at, |before| before.created),
            updated: receipt.at,
            expires: None,
            schema: 0,
            deleted: false,
            body,
        })
        .collect())
}

/// A precondition that failed at the commit, in the words of the dialect.
fn told(error: dateline_engine::Error) -> Problem {
    if error.kind() == ErrorKind::Conflict
        && let Some(Conflict::Exists(_)) = error.conflict()
    {
        let taken = Issue::NotUnique(Value::Null).to_json(Wording::Codes);
        return Problem::new(Slug::Conflict, "a document with this _id exists already").issue("_id", taken);
    }
    if error.kind() == ErrorKind::Invalid {
        return Problem::new(Slug::ValidationFailed, error.to_string());
    }
    error.into()
}

fn lost() -> Problem {
    Problem::new(Slug::Internal, "the write left no document")
}

fn finish(response: Response, prefer: Prefer) -> Answer {
    Ok(if prefer.minimal { answer::applied(response, "return=minimal") } else { response })
}
