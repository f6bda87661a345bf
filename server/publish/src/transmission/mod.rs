//! Transmissions: which destinations of a recipient get an item, and the rows of the publish queue that say so.
//!
//! [`plan`] names the destinations and their formats. The caller has them written, and [`PublishTask::rows`] makes rows
//! of the outputs, [`PublishTask::failed`] one of a failure: somebody sees it and can try again.
//!
//! Superdesk loses the later destinations of a subscriber without a trace when one format fails. Here each destination
//! stands alone.

mod package;
mod plan;
mod row;

pub use package::with_members;
pub use plan::{Plan, PublishTask, Skipped, Why, plan};
pub use row::{Content, Output, name_subscribers};

#[cfg(test)]
mod tests;
