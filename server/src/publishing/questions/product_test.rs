//! `POST /api/products/test`: what each product makes of an item.

use axum::extract::State;
use axum::http::StatusCode;
use dateline_publish::filter::{Question, TargetMedia};
use serde_json::{Value, json};

use super::{article, listed, told};
use crate::app::App;
use crate::eve::problem::{Problem, Slug};
use crate::http::{Answer, ObjectBody};
use crate::publishing::items;

/// `{"article_id" | "article"}` -> `{"_items": [{"product_id", "matched", "name", "reason"}]}`.
///
/// # Errors
/// 400 when there is no such item, or nobody can have it.
pub(super) async fn test(State(app): State<App>, ObjectBody(mut asked): ObjectBody) -> Answer {
    let tested = app.clone();
    let all = app.scan(move |store| -> Result<Vec<Value>, Problem> {
        let item = article(&tested, &mut asked)?;
        let item = item.ok_or_else(|| Problem::new(Slug::BadRequest, "Article not found!"))?;
        let question = Question {
            item: &item,
            now: items::now(store),
            media: TargetMedia::of_item(&item),
            content_api: tested.publishing().settings().content_api,
        };
        let found = tested
            .publishing()
            .audience()
            .ask(store, |percolator| percolator.catalog().test_products(question))?
            .map_err(|fault| Problem::new(Slug::BadRequest, fault.message))?;
        let shown = found.into_iter().map(|tested| {
            json!({
                "product_id": tested.product, "matched": tested.matched, "name": tested.name, "reason": tested.reason,
            })
        });
        Ok(shown.collect())
    });
    told(StatusCode::OK, &listed(&app, all.await?))
}
