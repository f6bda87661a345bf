//! One action on one item: decided, committed, answered.

use axum::http::HeaderMap;
use axum::http::header::IF_MATCH;
use dateline_engine::{
    Ack, Document, Durability, Error, ErrorKind, Idempotency, LeasedJob, Seq, Store, Transaction,
};
use dateline_formats::Fields;
use dateline_publish::action::{self, Command, Context, Editor, Left, Production};
use serde_json::{Map, Value, json};

use super::enacting;
use super::shelf::Shelf;
use super::told::{Sent, refusal, refused};
use super::validating;
use crate::app::App;
use crate::auth::Principal;
use crate::eve::problem::{Problem, Slug};
use crate::http::{Answer, Refusal};
use crate::publishing::items;
use crate::resources::answer::{self, As};
use crate::resources::{Prefer, find, idempotency, missing};

/// A document that changes all the time is somebody else's.
pub(super) const TRIES: usize = 5;

/// What is asked, in a form that can be carried to the thread that decides.
pub(super) type Asked = Box<dyn Fn(&Shelf<'_>, &mut dyn FnMut(&Command<'_>)) -> Result<(), Problem> + Send>;

/// An action on its way.
pub(super) struct Action {
    pub(super) id: String,
    pub(super) privilege: &'static str,
    pub(super) sent: Sent,
    /// Whether `If-Match` must be given.
    pub(super) is_conditional: bool,
    /// Whether the lock of another keeps it away.
    pub(super) respects_lock: bool,
    pub(super) asked: Asked,
}

/// Does an action. `once` is the key under which it takes effect once; if it has, the answer is where in the log.
///
/// # Errors
/// 403 without the privilege, 404, 428 and 412 by `If-Match`; what the producer refuses with.
pub(super) async fn act(
    app: &App,
    principal: &Principal,
    headers: &HeaderMap,
    action: Action,
    once: Option<Idempotency>,
) -> Result<Option<Seq>, Refusal> {
    if !principal.holds(action.privilege) || !principal.scopes.allow("archive", true) {
        return Err(Problem::new(Slug::Forbidden, format!("this needs privilege {}", action.privilege))
            .message("Insufficient privileges for the requested operation.")
            .with("needed", action.privilege)
            .into());
    }
    if let Some(once) = &once
        && let Some(remembered) = app.store().recall(once).map_err(crate::resources::told)?
    {
        return Ok(Some(remembered.seq));
    }
    let archive = app.resources().get("archive")?;
    let document = find(app, &archive, &action.id)?.ok_or_else(|| missing(&archive, &action.id))?;
    if action.is_conditional {
        let if_match = headers.get(IF_MATCH).and_then(|value| value.to_str().ok());
        crate::resources::for_change(if_match, &document)?;
    }
    let durability = Prefer::of(headers).durability;
    let (used, principal, revision) = (app.clone(), principal.clone(), document.revision());
    app.scan(move |store| -> Result<Option<Seq>, Problem> {
        for attempt in 1..=TRIES {
            let (left, transaction) = decide(&used, store, Some(&principal), &action, durability)?;
            if action.is_conditional
                && store.get(archive.collection, &action.id)?.is_none_or(|now| now.revision() != revision)
            {
                let detail = "Client and server etags don't match";
                return Err(Problem::new(Slug::PreconditionFailed, detail));
            }
            let transaction = match once {
                Some(once) => transaction.once(once),
                None => transaction,
            };
            match store.commit(transaction) {
                Ok(receipt) => {
                    tell(&left);
                    return Ok(receipt.replayed);
                }
                Err(error) if error.kind() == ErrorKind::Conflict && attempt < TRIES => {}
                Err(error) => return Err(crate::resources::told(error)),
            }
        }
        Err(Problem::new(Slug::Conflict, "the item changes all the time"))
    })
    .await
}

/// Asks the producer, with everything it may look up.
pub(super) fn decide(
    app: &App,
    store: &Store,
    principal: Option<&Principal>,
    action: &Action,
    durability: Durability,
) -> Result<(Vec<Left>, Transaction), Problem> {
    let publishing = app.publishing();
    let collections = publishing.collections();
    let shelf = Shelf::new(store.snapshot()?, collections, collections.desks);
    let decided = decided(app, store, &shelf, principal, action, durability);
    shelf.check()?;
    decided
}

fn decided(
    app: &App,
    store: &Store,
    shelf: &Shelf<'_>,
    principal: Option<&Principal>,
    action: &Action,
    durability: Durability,
) -> Result<(Vec<Left>, Transaction), Problem> {
    let archive = app.publishing().collections().archive;
    let Some((_, original)) = shelf.document(archive, &action.id) else {
        return Err(Problem::new(Slug::NotFound, format!("no '{}' in 'archive'", action.id)));
    };
    let user = principal.map(|principal| principal.user.as_str());
    if action.respects_lock && is_locked_by_other(&original, user) {
        return Err(refusal(403, "The item was locked by another user", action.sent));
    }
    let production = produced(app, store, shelf, user, &original, action.sent, &action.asked)?;
    let enacted = enacting::enacted(app, shelf, &production)?;
    Ok((production.left, enacted.add_to(Transaction::new(durability))))
}

/// What an action on an item comes to.
///
/// # Errors
/// What the producer refuses with, in the words of how it was sent.
pub(super) fn produced(
    app: &App,
    store: &Store,
    shelf: &Shelf<'_>,
    user: Option<&str>,
    original: &Fields,
    sent: Sent,
    asked: &Asked,
) -> Result<Production, Problem> {
    let publishing = app.publishing();
    let site = publishing.site(store)?;
    let editor = editor(user.unwrap_or_default(), user.and_then(|user| site.users.get(user)));
    let validators = validating::validators(store)?;
    let nothing = Fields::new();
    let context = Context {
        archive: shelf,
        rules: validating::rules(publishing.settings(), &site, &validators, &nothing),
        settings: &publishing.settings().actions,
        editor: Editor { id: &editor.0, sign_off: &editor.1, name: &editor.2 },
        now: items::now(store),
    };
    let mut decided = None;
    asked(shelf, &mut |command| decided = Some(action::produce(&context, original, command)))?;
    match decided {
        Some(Ok(production)) => Ok(production),
        Some(Err(reason)) => Err(refused(&reason, sent)),
        None => Err(Problem::new(Slug::Internal, "nothing was asked")),
    }
}

/// Id, signature and name of whoever acts.
fn editor(id: &str, profile: Option<&Value>) -> (String, String, String) {
    let text = |key: &str| profile.and_then(|own| own.get(key)?.as_str()).unwrap_or_default();
    let name = [text("display_name"), text("username")].into_iter().find(|name| !name.is_empty());
    let initials = || {
        let letter = |key: &str| text(key).chars().next();
        match (letter("first_name"), letter("last_name")) {
            (Some(first), Some(last)) => format!("{first}{last}").to_uppercase(),
            _ => text("username").chars().take(3).collect::<String>().to_uppercase(),
        }
    };
    let sign_off = if text("sign_off").is_empty() { initials() } else { text("sign_off").to_owned() };
    (id.to_owned(), sign_off, name.unwrap_or_default().to_owned())
}

pub(super) fn is_locked_by_other(item: &Map<String, Value>, user: Option<&str>) -> bool {
    let holder = item.get("lock_user").and_then(Value::as_str).filter(|holder| !holder.is_empty());
    holder.is_some_and(|holder| Some(holder) != user)
}

/// Packages that stay as they are though a member was corrected.
fn tell(left: &[Left]) {
    for own in left {
        tracing::warn!(package = own.package, reason = %own.refusal, "a package was not corrected with its member");
    }
}

/// The item as the first request under a key wrote it: the one that `is_meant`.
pub(super) fn replayed(
    app: &App,
    first: Seq,
    kind: As,
    headers: &HeaderMap,
    is_meant: impl Fn(&Document) -> bool,
) -> Answer {
    let archive = app.resources().get("archive")?;
    let written = idempotency::first_answer(app, &[archive.collection], first)?;
    let gone = || Problem::new(Slug::Gone, "the first answer is no longer kept");
    let document = written.iter().find(|own| is_meant(own)).ok_or_else(gone)?;
    let response = answer::document(&archive.name, document, kind, Prefer::of(headers).minimal, &[])?;
    Ok(idempotency::replayed(response))
}

/// The item as it is after an action.
pub(super) fn answered(app: &App, id: &str, kind: As, headers: &HeaderMap) -> Answer {
    let archive = app.resources().get("archive")?;
    let document = find(app, &archive, id)?.ok_or_else(|| missing(&archive, id))?;
    let prefer = Prefer::of(headers);
    let response = answer::document(&archive.name, &document, kind, prefer.minimal, &[])?;
    Ok(if prefer.minimal { answer::applied(response, "return=minimal") } else { response })
}

/// Whether an item is still to go out.
fn is_waiting(app: &App, item: &str) -> dateline_engine::Result<bool> {
    let found = items::find(app.store(), app.publishing().collections().archive, item)?;
    Ok(found.is_some_and(|item| item.get("state").and_then(Value::as_str) == Some("scheduled")))
}

/// A scheduled item whose time has come: what it becomes is committed with the end of the job that says so. False when the
/// schedule is void: the item is not scheduled any more, or for another time.
///
/// # Errors
/// When the store cannot be read, or somebody changed the item meanwhile.
pub(crate) fn fall_due(app: &App, job: &LeasedJob, item: &str) -> dateline_engine::Result<bool> {
    let action = Action {
        id: item.to_owned(),
        privilege: "publish",
        sent: Sent::AsRequest,
        is_conditional: false,
        respects_lock: false,
        asked: Box::new(|_: &Shelf<'_>, decide: &mut dyn FnMut(&Command<'_>)| {
            decide(&Command::FallDue);
            Ok(())
        }),
    };
    let (_, transaction) = match decide(app, app.store(), None, &action, Durability::Sync) {
        Ok(decided) => decided,
        // The clock may have been set back: then the time comes later.
        Err(problem) if is_waiting(app, item)? => return Err(Error::busy(problem.detail().to_owned())),
        Err(problem) if problem.status_code() < 500 => return Ok(false),
        Err(problem) => return Err(Error::unavailable(problem.detail().to_owned())),
    };
    let result = json!({"released": item}).to_string();
    app.store().commit(transaction.complete(Ack { lease: job.lease, result: Some(result.into()) }))?;
    Ok(true)
}
