//! Lists: one page of a consistent state, in a stable order.

use std::cmp::Ordering;
use std::ops::ControlFlow;
use std::sync::Arc;

use axum::extract::State;
use dateline_engine::{Document, Moment, Seq, Snapshot};
use serde_json::{Map, Value};

use crate::app::App;
use crate::auth::Principal;
use crate::auth::policy::Action;
use crate::eve::problem::{Problem, Slug};
use crate::eve::{
    Item, Links, ListMeta, ListQuery, ListWriter, Params, Sort, SortKey, cursor::CursorError, system,
};
use crate::http::Answer;
use crate::resources::candidates::{Candidate, Candidates, choose, wait};
use crate::resources::query::Query;
use crate::resources::target::Named;
use crate::resources::visibility::Sight;
use crate::resources::{Resource, answer, moment};

/// Bytes of one answer at the most; a page that would be larger ends early.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// `GET /api/{resource}`.
pub(crate) async fn list(
    State(app): State<App>,
    principal: Principal,
    Named(resource): Named,
    Query(params): Query,
) -> Answer {
    let sight = Sight::of(&principal, Action::Read, &resource.name)?;
    for later in ["filter", "aggregations"] {
        if params.get(later).is_some_and(|text| !text.is_empty()) {
            let detail = format!("'{later}' is not supported yet; use 'where'");
            return Err(Problem::new(Slug::NotSupported, detail).into());
        }
    }
    wait(&app, &params).await?;
    let asked = app.clone();
    let page = app.scan(move |_| page(&asked, &sight, &resource, &params)).await?;
    Ok(answer::json_bytes(page))
}

/// A document that belongs on some page.
struct Row {
    key: SortKey,
    extra: Option<(&'static str, Value)>,
}

struct Page<'a> {
    sight: &'a Sight,
    resource: &'a Resource,
    query: &'a ListQuery,
    snapshot: Snapshot<'a>,
    /// Read as of here rather than the snapshot's own moment.
    as_of: Option<Moment>,
}

fn page(app: &App, sight: &Sight, resource: &Arc<Resource>, params: &Params) -> Result<Vec<u8>, Problem> {
    let query = ListQuery::parse(&resource.name, params, &Sort::by_id())?;
    let secret = app.store().id().0;
    let cursor = query.cursor(&secret).map_err(|error| match error {
        CursorError::Unknown => Problem::new(Slug::InvalidCursor, "the cursor is not one of this server"),
        CursorError::OtherQuery => Problem::new(Slug::InvalidCursor, "the cursor belongs to another query"),
    });
    let cursor = cursor.map_err(|problem| problem.issue("cursor", "unknown cursor"))?;
    let snapshot = app.store().snapshot()?;
    let own = snapshot.tail().seq;
    let paged = cursor.as_ref().map(|cursor| Seq::new(cursor.seq)).filter(|seq| *seq < own);
    let as_of = match moment::of(&snapshot, params)? {
        Some(moment) => Some(moment),
        None => paged.map(|seq| snapshot.moment(seq)).transpose()?,
    };
    let seq = as_of.map_or(own, |moment| moment.seq);
    let candidates = choose(app, resource, params, &query, as_of.is_some())?;
    let page = Page { sight, resource, query: &query, snapshot, as_of };
    // Found by relevance or distance: in that order, and paged by number, since a rank has no stable place.
    let relevance = matches!(candidates, Candidates::These(_)) && params.get("sort").is_none();
    let mut rows = page.rows(candidates)?;
    if !relevance {
        rows.sort_by(|a, b| query.sort.compare(&a.key, &b.key));
    }
    let total = rows.len() as u64;
    let skip = match &cursor {
        Some(cursor) => {
            rows.partition_point(|row| query.sort.compare(&row.key, &cursor.after) != Ordering::Greater)
        }
        None => usize::try_from(query.page.skip()).unwrap_or(usize::MAX),
    };
    let shown = rows.get(skip.min(rows.len())..).unwrap_or_default();
    page.render(params, shown, total, seq, (!relevance).then_some(&secret[..]))
}

impl Page<'_> {
    fn rows(&self, candidates: Candidates) -> Result<Vec<Row>, Problem> {
        let mut rows = Vec::new();
        match candidates {
            Candidates::All if self.is_plain() && self.as_of.is_none() => {
                self.snapshot.ids(self.resource.collection, |id| {
                    rows.push(Row { key: self.query.sort.key(&Value::Null, id), extra: None });
                    ControlFlow::Continue(())
                })?;
                Ok(rows)
            }
            Candidates::All => {
                let mut failed = None;
                let mut visit = |document: Document| match self.row(&document, None) {
                    Ok(row) => {
                        rows.extend(row);
                        ControlFlow::Continue(())
                    }
                    Err(problem) => {
                        failed = Some(problem);
                        ControlFlow::Break(())
                    }
                };
                match self.as_of {
                    Some(moment) => self.snapshot.scan_at(self.resource.collection, moment, &mut visit)?,
                    None => self.snapshot.scan(self.resource.collection, None, false, &mut visit)?,
                }
                failed.map_or(Ok(rows), Err)
            }
            Candidates::These(found) => {
                for Candidate { id, extra } in found {
                    if let Some(document) = self.document(&id)? {
                        rows.extend(self.row(&document, extra)?);
                    }
                }
                Ok(rows)
            }
            Candidates::Unordered(mut ids) => {
                ids.sort_unstable();
                ids.dedup();
                for id in ids {
                    if let Some(document) = self.document(&id)? {
                        rows.extend(self.row(&document, None)?);
                    }
                }
                Ok(rows)
            }
        }
    }

    fn document(&self, id: &str) -> Result<Option<Document>, Problem> {
        let found = match self.as_of {
            Some(moment) => self.snapshot.get_at(self.resource.collection, id, moment),
            None => self.snapshot.get(self.resource.collection, id),
        };
        match found {
            // What can never be a name is simply not there.
            Err(error) if error.kind() == dateline_engine::ErrorKind::Invalid => Ok(None),
            other => Ok(other?),
        }
    }

    /// Every document, in the order of ids: none has to be read to know whether it belongs.
    fn is_plain(&self) -> bool {
        self.query.filter.is_everything()
            && self.query.sort.fields().next().is_none()
            && self.sight.is_clear()
    }

    /// The row of a document that may be seen and passes the filter.
    fn row(&self, document: &Document, extra: Option<(&'static str, Value)>) -> Result<Option<Row>, Problem> {
        let id = document.id.as_str();
        if self.is_plain() {
            return Ok(Some(Row { key: self.query.sort.key(&Value::Null, id), extra }));
        }
        let mut body = answer::body_of(document)?;
        if !self.sight.sees(&self.resource.name, id, &body) {
            return Ok(None);
        }
        if let Some(map) = body.as_object_mut() {
            let tag = document.revision().to_string();
            system::add(map, &answer::meta(document, &tag));
        }
        if !self.query.filter.matches(&body) {
            return Ok(None);
        }
        Ok(Some(Row { key: self.query.sort.key(&body, id), extra }))
    }

    fn render(
        &self,
        params: &Params,
        rows: &[Row],
        total: u64,
        seq: Seq,
        secret: Option<&[u8]>,
    ) -> Result<Vec<u8>, Problem> {
        let take = self.query.page.take();
        let mut list = ListWriter::new(take.min(rows.len()) * 512);
        let mut last = None;
        for row in rows.iter().take(take) {
            if list.bytes() > ANSWER_BYTES_MAX {
                break;
            }
            let Some(document) = self.document(row.key.id())? else { continue };
            self.push(&mut list, &document, row)?;
            last = Some(row);
        }
        let more = rows.len() > list.len() && take > 0;
        let next = last
            .filter(|_| more)
            .zip(secret)
            .and_then(|(row, secret)| self.query.next_cursor(seq.get(), row.key.clone(), secret));
        let meta = ListMeta::new(&self.query.page, Some(total), more);
        let links = Links {
            href: &self.resource.name,
            title: &self.resource.name,
            params,
            page: &self.query.page,
            next_cursor: next.as_deref(),
        };
        let links = links.to_json(&meta);
        Ok(list.finish(&meta, next.as_deref(), &links, seq.get(), &[]))
    }

    fn push(&self, list: &mut ListWriter, document: &Document, row: &Row) -> Result<(), Problem> {
        let tag = document.revision().to_string();
        let meta = answer::meta(document, &tag);
        if self.query.projection.is_everything() {
            let item = Item::read(meta, &self.resource.name);
            let extras: Vec<(&str, Value)> = row.extra.iter().cloned().collect();
            return list
                .push(&document.body, &item.with(&extras))
                .map_err(|error| answer::damaged(document, &error.to_string()));
        }
        let mut body: Map<String, Value> = match answer::body_of(document)? {
            Value::Object(map) => map,
            _ => Map::new(),
        };
        system::add(&mut body, &meta);
        self.query.projection.apply(&mut body);
        body.extend(row.extra.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        list.push_value(&Value::Object(body));
        Ok(())
    }
}
