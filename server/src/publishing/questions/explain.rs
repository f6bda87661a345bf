//! `GET /api/explain/publish`: why a subscriber gets an item or not.

use axum::extract::State;
use axum::http::StatusCode;
use dateline_publish::filter::{Question, TargetMedia};
use serde_json::Value;

use super::told;
use crate::app::App;
use crate::auth::Principal;
use crate::auth::policy::Action;
use crate::eve::problem::{Problem, Slug};
use crate::http::Answer;
use crate::publishing::items;
use crate::resources::{Query, Sight};

/// `{"subscriber", "accepted", "reason", "steps"}` for `item` and `subscriber`, by the filters as they are now.
///
/// # Errors
/// 404 when either is not there; 400 when nobody can have the item.
pub(super) async fn explain(State(app): State<App>, principal: Principal, Query(params): Query) -> Answer {
    Sight::of(&principal, Action::Read, "archive")?;
    let named = |name: &str| {
        let given = params.get(name).filter(|text| !text.is_empty()).map(str::to_owned);
        given.ok_or_else(|| Problem::query(name, "name one"))
    };
    let (item, subscriber) = (named("item")?, named("subscriber")?);
    let asked = app.clone();
    let explained = app.scan(move |store| -> Result<Value, Problem> {
        let publishing = asked.publishing();
        let found = items::find(store, publishing.collections().archive, &item)?;
        let found = found.ok_or_else(|| Problem::new(Slug::NotFound, format!("no '{item}' in 'archive'")))?;
        let question = Question {
            item: &found,
            now: items::now(store),
            media: TargetMedia::of_item(&found),
            content_api: publishing.settings().content_api,
        };
        let explained = publishing
            .audience()
            .ask(store, |percolator| percolator.catalog().explain(question, &subscriber))?
            .map_err(|fault| Problem::new(Slug::BadRequest, fault.message))?;
        let missing = || Problem::new(Slug::NotFound, format!("no '{subscriber}' in 'subscribers'"));
        Ok(explained.ok_or_else(missing)?.to_json())
    });
    told(StatusCode::OK, &explained.await?)
}
