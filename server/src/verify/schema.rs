//! Documents that are stored under an older schema, and what its upgrades could not do to them.

use std::ops::ControlFlow;

use dateline_engine::{Result, Snapshot};

use crate::verify::Part;

/// No difference: such a document is shown with what could be done, and its writer may do the rest.
pub(super) fn check(snapshot: &Snapshot<'_>) -> Result<Part> {
    let mut part = Part::new("schema");
    for collection in snapshot.catalog().iter() {
        snapshot.upgrades(collection.id, |id, unmet| {
            part.checked(1);
            for unmet in unmet {
                let name = &collection.name;
                part.note(format!(
                    "{name}/{id}: {}: {}, left by the upgrade to {}",
                    unmet.path, unmet.why, unmet.to
                ));
            }
            ControlFlow::Continue(())
        })?;
    }
    Ok(part)
}
