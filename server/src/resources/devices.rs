//! Devices: known by their documents, or only by the positions they sent. Whose a device is decides who may know
//! where it is, so nobody takes one that was there before, and nobody asks around one that is another's.

use dateline_engine::{Condition, DocId, Transaction};
use serde_json::{Map, Value};

use crate::app::App;
use crate::auth::policy::Action;
use crate::eve::problem::{Problem, Slug};
use crate::eve::{Issue, Issues};
use crate::http::Refusal;
use crate::places::devices::may_know;
use crate::resources::rules::Draft;
use crate::resources::{Resource, Sight};

/// The removal of a device that has no document: the log must tell the matcher, so one is written and removed.
pub(crate) fn removal_of_unregistered(
    app: &App,
    resource: &Resource,
    id: &str,
    transaction: Transaction,
) -> Result<Option<Transaction>, Problem> {
    if resource.name != "devices" || app.geo().device(id)?.is_none() {
        return Ok(None);
    }
    let id = DocId::new(id)?;
    let put = transaction.put(resource.collection, id.clone(), Condition::Absent, &b"{}"[..]);
    Ok(Some(put.delete(resource.collection, id, Condition::Present)))
}

/// A list around a device needs the device to be one's own.
pub(crate) fn check_list(
    draft: &Draft<'_>,
    body: &Map<String, Value>,
    issues: &mut Issues,
) -> Result<(), Problem> {
    let Some(device) = body.get("device").and_then(Value::as_str) else { return Ok(()) };
    let sight = Sight::of(draft.principal, Action::Update, "adlists")?;
    if !may_know(draft.app, &sight, draft.principal, device)? {
        issues.add(&["device"], Issue::Text("not registered as yours; POST /api/devices first".to_owned()));
    }
    Ok(())
}

/// A device that has been there before, by a document or by positions, is registered by those who manage all.
pub(crate) async fn check_new(draft: &Draft<'_>) -> Result<(), Problem> {
    if Sight::of(draft.principal, Action::Update, "devices")?.is_clear() {
        return Ok(());
    }
    let (app, id) = (draft.app.clone(), draft.id.clone());
    let collection = draft.resource.collection;
    let known = draft.app.scan(move |store| -> Result<bool, Problem> {
        Ok(store.head(collection, id.as_str())?.is_some() || app.geo().device(id.as_str())?.is_some())
    });
    if known.await.map_err(Refusal::into_problem)? {
        let detail = format!("device '{}' is known already; ask an administrator to register it", draft.id);
        return Err(Problem::new(Slug::Conflict, detail));
    }
    Ok(())
}
