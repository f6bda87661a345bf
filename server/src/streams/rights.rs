//! Tells connections when something about their user, role, session or key has changed.
//!
//! A reader of the log asks by itself before it gives anything out. A socket may be silent for hours: it is told.

use std::time::Duration;

use dateline_engine::{DocId, Seq};

use crate::app::App;
use crate::http::Refusal;
use crate::streams::connections::Source;

const STEP: usize = 1_024;
/// Changed documents above which everybody asks, which is cheaper than to look for whom they concern.
const CHANGED_MAX: usize = 256;
/// Pause after the log could not be read.
const PAUSE: Duration = Duration::from_secs(1);

/// Goes on until it is dropped or the store has ended.
pub(crate) async fn watch(app: App) {
    let mut tail = app.tail();
    let mut at = app.store().feed().head();
    while tail.changed().await.is_ok() {
        let head = tail.borrow_and_update().seq;
        if app.auth().sources().iter().all(|source| app.store().changed(*source) <= at) {
            at = at.max(head);
            continue;
        }
        match read(&app, at).await {
            Ok((changed, read_to)) => {
                if changed.len() > CHANGED_MAX {
                    app.connections().all_look_again();
                } else {
                    app.connections().look_again(&changed);
                }
                at = read_to;
            }
            Err(refusal) => {
                // Trimmed under us, or not readable: then everybody has to ask.
                tracing::debug!(detail = refusal.problem().detail(), "changes of rights cannot be read");
                app.connections().all_look_again();
                at = at.max(head);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// What has changed after `at`, and up to where it was looked for.
async fn read(app: &App, at: Seq) -> Result<(Vec<(Source, DocId)>, Seq), Refusal> {
    let (sources, users) = (app.auth().sources().to_vec(), *app.auth().users());
    let read = app.scan(move |store| -> Result<_, crate::eve::problem::Problem> {
        let (mut changed, mut at) = (Vec::new(), at);
        loop {
            let records = store.feed().changes(at, STEP)?;
            let Some(last) = records.last() else { return Ok((changed, at)) };
            at = last.seq;
            for record in records {
                // Lanes of the queue have numbers of their own.
                let is_source = record.op.is_document() && sources.contains(&record.collection);
                if is_source && changed.len() <= CHANGED_MAX {
                    let source = Source::of(record.collection, users.users, users.roles);
                    changed.push((source, record.id));
                }
            }
        }
    });
    read.await
}
