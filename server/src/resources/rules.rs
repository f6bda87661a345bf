//! What a resource demands and causes beyond its schema.

use dateline_engine::{DocId, Document, Millis, NewJob, Transaction};
use serde_json::{Map, Value};
use tokio::sync::MutexGuard;

use crate::app::App;
use crate::auth::Principal;
use crate::eve::problem::Problem;
use crate::eve::{Issue, Issues, date};
use crate::media;
use crate::places::read_condition;
use crate::publishing::{self, consumer, exchange, saving};
use crate::resources::{Resource, ads, collections, devices, users};
use crate::{ingest, internal, schedules};

/// A document about to be written.
pub(crate) struct Draft<'a> {
    pub(crate) app: &'a App,
    pub(crate) principal: &'a Principal,
    pub(crate) resource: &'a Resource,
    pub(crate) id: &'a DocId,
    pub(crate) stored: Option<&'a Map<String, Value>>,
}

/// What goes into the transaction beside the document itself.
pub(crate) enum Effect {
    Enqueue(Box<NewJob>),
    Also(Box<dyn FnOnce(Transaction) -> Transaction + Send>),
}

impl Effect {
    pub(crate) fn add_to(self, transaction: Transaction) -> Transaction {
        match self {
            Self::Enqueue(job) => transaction.enqueue(*job),
            Self::Also(add) => add(transaction),
        }
    }
}

/// Checks a valid body further, may change it, and says what the write causes.
pub(crate) async fn check(
    draft: &Draft<'_>,
    body: &mut Map<String, Value>,
    issues: &mut Issues,
) -> Result<Vec<Effect>, Problem> {
    match draft.resource.name.as_str() {
        "ads" => Ok(ads::check(draft, body, issues)),
        "adlists" => {
            report(dateline_geo::AdList::parse(&Value::Object(body.clone())), issues);
            devices::check_list(draft, body, issues)?;
            Ok(Vec::new())
        }
        "fences" => {
            report(dateline_geo::Fence::parse(&Value::Object(body.clone()), read_condition), issues);
            Ok(Vec::new())
        }
        "devices" if draft.stored.is_none() => {
            devices::check_new(draft).await?;
            Ok(Vec::new())
        }
        "collections" => Ok(collections::check(draft, body, issues)),
        schedules::SCHEDULES => {
            schedules::check(draft, body, issues)?;
            Ok(Vec::new())
        }
        "users" => users::check(draft, body, issues).await,
        name if saving::is_configuration(name) => saving::check(draft, body, issues).await,
        name if ingest::saving::is_configuration(name) => ingest::saving::check(draft, body, issues),
        internal::saving::DESTINATIONS => internal::saving::check(draft, body, issues),
        "archive" => {
            let mut effects = media::prepare_item(draft, body, issues).await?;
            effects.extend(publishing::check_item(draft, body, issues).await?);
            effects.extend(media::references_of_item(draft.app, draft.id, draft.stored, body)?);
            Ok(effects)
        }
        "publish_queue" => consumer::check(draft, body, issues),
        _ => Ok(Vec::new()),
    }
}

/// When a document ends by itself, as far as its resource leaves that to the engine. (An ad is not removed at its end.)
pub(crate) fn end(app: &App, resource: &Resource, body: &[u8], before: Option<&Document>) -> Option<Millis> {
    if resource.name == "publish_queue" {
        return before.map_or_else(|| exchange::end(app), |before| before.expires);
    }
    if !matches!(resource.name.as_str(), "adlists" | "fences") {
        return None;
    }
    let body: Map<String, Value> = serde_json::from_slice(body).ok()?;
    let end = body.get("expires").and_then(Value::as_str).and_then(date::parse_time)?;
    u64::try_from(end.as_millisecond()).ok().map(Millis::new)
}

/// Held from reading a document until the change is committed, where a document is checked against others.
pub(crate) async fn turn<'a>(app: &'a App, resource: &Resource, is_new: bool) -> Option<MutexGuard<'a, ()>> {
    match shared_turn(&resource.name)? {
        Turn::Users if is_new => None,
        Turn::Users => Some(app.auth().turn().await),
        Turn::Publishing => Some(app.publishing().turn().await),
    }
}

/// Resources whose documents are written one at a time, together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Turn {
    Publishing,
    Users,
}

/// Whose turn a write of this resource waits for.
pub(crate) fn shared_turn(resource: &str) -> Option<Turn> {
    match resource {
        "users" => Some(Turn::Users),
        internal::saving::DESTINATIONS => Some(Turn::Publishing),
        name if saving::is_configuration(name) || ingest::saving::is_configuration(name) => {
            Some(Turn::Publishing)
        }
        _ => None,
    }
}

/// What becomes of a document that is deleted.
pub(crate) enum Removal {
    /// A tombstone.
    Gone(Vec<Effect>),
    /// It stays, as this.
    Kept(Map<String, Value>),
    /// It cannot be removed.
    Refused(Problem),
}

pub(crate) async fn removal(
    app: &App,
    principal: &Principal,
    resource: &Resource,
    id: &DocId,
    stored: &Map<String, Value>,
) -> Removal {
    match resource.name.as_str() {
        name if saving::is_configuration(name) => {
            saving::removal(app, name, id, stored).await.unwrap_or_else(Removal::Refused)
        }
        name if ingest::saving::is_configuration(name) => {
            ingest::saving::removal(app, name, id).unwrap_or_else(Removal::Refused)
        }
        "ads" => Removal::Kept(ads::ended(stored, "removed")),
        "upload" => match media::references_removed(app, id) {
            Ok(effects) => Removal::Gone(effects),
            Err(error) => Removal::Refused(error.into()),
        },
        "collections" => Removal::Gone(collections::removal(app, id)),
        "users" => match users::removal(app, principal, id, stored) {
            Ok(effects) => Removal::Gone(effects),
            Err(problem) => Removal::Refused(problem),
        },
        _ => Removal::Gone(Vec::new()),
    }
}

/// Puts the findings of a parser that names dotted field paths among the issues.
pub(crate) fn report<T>(parsed: Result<T, dateline_geo::Issues>, issues: &mut Issues) {
    let Err(found) = parsed else { return };
    for (path, message) in found {
        let path: Vec<&str> = path.split('.').filter(|part| !part.is_empty()).collect();
        // The schema may have said something about the field already.
        if path.first().is_none_or(|field| issues.of(field).is_empty()) {
            issues.add(&path, Issue::Text(message));
        }
    }
}
