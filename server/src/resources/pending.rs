//! Writes that passed every check and wait for their commit.
//!
//! One request, one array and one bulk line come here alike. Every write is conditional on the version it was made
//! from, so the version number in the body is right and no change is ever lost: a writer who comes second is told 412.

use std::sync::Arc;

use bytes::Bytes;
use dateline_engine::{
    CollectionId, Condition, Conflict, DocId, Document, ErrorKind, Idempotency, Millis, Seq, Transaction,
};
use serde_json::{Map, Value};

use crate::app::App;
use crate::auth::Principal;
use crate::auth::policy::Action;
use crate::eve::problem::{Problem, Slug};
use crate::eve::{Check, Issue, Issues, Mode, Wording, etag, filter::Filter, json, patch, system, validate};
use crate::http::Refusal;
use crate::publishing;
use crate::resources::read::{find, missing};
use crate::resources::rules::{self, Draft, Effect, Removal};
use crate::resources::visibility::{Sight, stamp_owner};
use crate::resources::{Prefer, Resource, answer, idempotency, preconditions};
use crate::schedules::SCHEDULES;

/// One write on its way.
pub(crate) struct Pending {
    collection: CollectionId,
    pub(crate) id: DocId,
    condition: Condition,
    change: Change,
    effects: Vec<Effect>,
    before: Option<Document>,
}

enum Change {
    /// A body, the version of the schema it is of, and when the document ends by itself.
    Put {
        body: Bytes,
        schema: u32,
        end: Option<Millis>,
    },
    Delete,
}

impl Pending {
    /// Something more that the write causes, in the same commit.
    pub(crate) fn cause(&mut self, effect: Effect) {
        self.effects.push(effect);
    }
}

/// A write, or what is wrong with its document.
pub(crate) type Checked = Result<Pending, Issues>;

/// Who writes into which resource.
#[derive(Clone, Copy)]
pub(crate) struct Writer<'a> {
    pub(crate) app: &'a App,
    pub(crate) principal: &'a Principal,
    pub(crate) resource: &'a Arc<Resource>,
}

impl<'a> Writer<'a> {
    /// A new document under an id of its own or of the server's choice.
    ///
    /// # Errors
    /// 403 without the right to create; 400 for an id that cannot be one.
    pub(crate) async fn create(self, mut document: Map<String, Value>) -> Result<Checked, Problem> {
        let given = system::take(&mut document).id;
        let id = self.new_id(&document, given)?;
        self.create_as(id, document).await
    }

    /// A new document under this id.
    ///
    /// # Errors
    /// 403 without the right to create.
    pub(crate) async fn create_as(
        self,
        id: DocId,
        mut document: Map<String, Value>,
    ) -> Result<Checked, Problem> {
        let Self { app, principal, resource } = self;
        Sight::of(principal, Action::Create, &resource.name)?;
        system::take(&mut document);
        stamp_owner(principal, resource, &mut document);
        let draft = Draft { app, principal, resource, id: &id, stored: None };
        let prepared = prepare(&draft, document, Mode::Create).await?;
        let schema = resource.schema_version;
        Ok(prepared.map(|(body, effects)| self.put(id, Condition::Absent, body, schema, effects, None)))
    }

    /// Another version of a document; `if_match` names the one it was made from.
    ///
    /// # Errors
    /// 403, 404, 428 without `if_match`, 412 when it names another version.
    pub(crate) async fn change(
        self,
        id: &str,
        if_match: Option<&str>,
        mut changes: Map<String, Value>,
        mode: Mode,
    ) -> Result<Checked, Problem> {
        let Self { app, principal, resource } = self;
        let sight = Sight::of(principal, Action::Update, &resource.name)?;
        let (before, stored) = self.stored(id, &sight)?;
        sight.check(resource, before.id.as_str(), &stored)?;
        let condition = preconditions::for_change(if_match, &before)?;
        if before.schema_version() != resource.schema_version {
            // Another schema was declared since the request came: what it means to change was not of that one.
            return Err(etag::stale(Some(&answer::tag(&before))));
        }
        system::take(&mut changes);
        if let Mode::Replace = mode {
            stamp_owner(principal, resource, &mut changes);
        } else if !sight.is_clear() && changes.contains_key("user") {
            stamp_owner(principal, resource, &mut changes);
        }
        let draft = Draft { app, principal, resource, id: &before.id, stored: Some(&stored) };
        let prepared = prepare(&draft, changes, mode).await?;
        let id = before.id.clone();
        let schema = resource.schema_version;
        Ok(prepared.map(|(body, effects)| self.put(id, condition, body, schema, effects, Some(before))))
    }

    /// The end of a document, in the form its resource knows.
    ///
    /// # Errors
    /// As `change`; whatever the resource refuses with.
    pub(crate) async fn remove(self, id: &str, if_match: Option<&str>) -> Result<Pending, Problem> {
        let Self { app, principal, resource } = self;
        let sight = Sight::of(principal, Action::Delete, &resource.name)?;
        let (before, stored) = self.stored(id, &sight)?;
        sight.check(resource, before.id.as_str(), &stored)?;
        let condition = preconditions::for_change(if_match, &before)?;
        let id = before.id.clone();
        match rules::removal(app, principal, resource, &id, &stored).await {
            Removal::Refused(problem) => Err(problem),
            Removal::Gone(effects) => Ok(Pending {
                collection: resource.collection,
                id,
                condition,
                change: Change::Delete,
                effects,
                before: Some(before),
            }),
            Removal::Kept(mut body) => {
                let next = patch::version(&stored) + 1;
                patch::set_version(&mut body, next);
                let (body, schema) = (json::encode(&body).into(), before.schema_version());
                Ok(self.put(id, condition, body, schema, Vec::new(), Some(before)))
            }
        }
    }

    fn put(
        self,
        id: DocId,
        condition: Condition,
        body: Bytes,
        schema: u32,
        effects: Vec<Effect>,
        before: Option<Document>,
    ) -> Pending {
        let collection = self.resource.collection;
        let end = rules::end(self.app, self.resource, &body, before.as_ref());
        Pending { collection, id, condition, change: Change::Put { body, schema, end }, effects, before }
    }

    fn new_id(self, document: &Map<String, Value>, given: Option<Value>) -> Result<DocId, Problem> {
        let given = match (self.resource.name.as_str(), given) {
            // These are found by their names.
            ("collections" | SCHEDULES, _) => document.get("name").filter(|name| name.is_string()).cloned(),
            ("archive", None) => return publishing::new_id(self.app, document),
            (_, given) => given,
        };
        match given {
            None => Ok(crate::ids::new_id(self.app.store().now())?),
            Some(Value::String(text)) => id_of(&text),
            Some(_) => {
                Err(Problem::new(Slug::InvalidId, "_id must be text").issue("_id", "must be of string type"))
            }
        }
    }

    /// The live version somebody may see, with its body. A key that only writes sees what it may change.
    fn stored(self, id: &str, changing: &Sight) -> Result<(Document, Map<String, Value>), Problem> {
        let Self { app, principal, resource } = self;
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
}

/// A name given by a client.
///
/// # Errors
/// 400 when it cannot be one.
pub(crate) fn id_of(text: &str) -> Result<DocId, Problem> {
    DocId::new(text)
        .map_err(|error| Problem::new(Slug::InvalidId, error.to_string()).issue("_id", error.to_string()))
}

type Prepared = Result<(Bytes, Vec<Effect>), Issues>;

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
        Check::Unique { field, value, how, parent, .. } => {
            let spec = how.index(field);
            let values: Vec<Value> = parent.iter().map(|(_, value)| value).chain([value]).cloned().collect();
            let held = app.store().lookup(collection, &spec, &values);
            // Where the index is not ready the engine still knows at the commit.
            Ok(held.map_or(true, |ids| ids.iter().all(|held| held == id)))
        }
        Check::Exists { value, relation, .. } => {
            let Ok(target) = app.resources().get(&relation.resource) else { return Ok(false) };
            if relation.field == "_id" {
                let Some(id) = value.as_str() else { return Ok(false) };
                return Ok(find(app, &target, id)?.is_some());
            }
            if let Ok(found) =
                app.store().lookup(target.collection, relation.field.as_str(), std::slice::from_ref(value))
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

/// One transaction for all; the written versions in the same order, a tombstone for each removal.
///
/// # Errors
/// 409 and 412 when a precondition fails at the commit, and whatever the engine answers.
pub(crate) async fn commit(
    app: &App,
    pending: Vec<Pending>,
    prefer: Prefer,
    once: Option<Idempotency>,
) -> Result<Vec<Document>, Problem> {
    let mut transaction = Transaction::new(prefer.durability);
    if let Some(once) = once {
        transaction = transaction.once(once);
    }
    let mut written = Vec::with_capacity(pending.len());
    let mut effects = Vec::new();
    for Pending { collection, id, condition, change, effects: caused, before } in pending {
        let (body, schema, deleted) = match change {
            Change::Put { body, schema, end } => {
                let (id, text) = (id.clone(), body.clone());
                transaction = match end {
                    Some(end) => transaction.put_until(collection, id, condition, text, end),
                    None => transaction.put(collection, id, condition, text),
                };
                transaction = transaction.of_schema(schema);
                (body, schema, false)
            }
            Change::Delete => {
                transaction = transaction.delete(collection, id.clone(), condition);
                (Bytes::new(), 0, true)
            }
        };
        effects.extend(caused);
        written.push((collection, id, body, schema, deleted, before));
    }
    // Effects come after the documents, whose sequences are the first of the receipt.
    let transaction = effects.into_iter().fold(transaction, |transaction, effect| effect.add_to(transaction));
    let receipt = app.commit(transaction).await.map_err(told)?;
    if let Some(first) = receipt.replayed {
        // Two requests under one key came at the same time, and the other was first.
        let own: Vec<CollectionId> = written.iter().map(|(collection, ..)| *collection).collect();
        return idempotency::first_answer(app, &own, first);
    }
    written.iter().for_each(|(collection, ..)| app.bell().changed(*collection));
    Ok(written
        .into_iter()
        .zip(receipt.seqs)
        .map(|((collection, id, body, schema, deleted, before), seq)| Document {
            collection,
            id,
            seq,
            prev_seq: before.as_ref().map_or(Seq::ZERO, |before| before.seq),
            epoch: receipt.epoch,
            created: before.map_or(receipt.at, |before| before.created),
            updated: receipt.at,
            expires: None,
            schema,
            upgraded: false,
            deleted,
            body,
        })
        .collect())
}

/// A precondition that failed at the commit, in the words of the dialect.
pub(crate) fn told(error: dateline_engine::Error) -> Problem {
    if error.kind() == ErrorKind::Conflict
        && let Some(Conflict::Exists(_)) = error.conflict()
    {
        let taken = Issue::NotUnique(Value::Null).to_json(Wording::Codes);
        return Problem::new(Slug::Conflict, "a document with this _id exists already").issue("_id", taken);
    }
    if error.kind() == ErrorKind::Invalid {
        let problem = Problem::new(Slug::ValidationFailed, error.to_string());
        return match error.field() {
            Some((path, why)) => problem.issue(path, why),
            None => problem,
        };
    }
    error.into()
}
