//! Devices: known by their documents, or only by the positions they sent.

use dateline_engine::{Condition, DocId, Transaction};

use crate::app::App;
use crate::eve::problem::Problem;
use crate::resources::Resource;

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
