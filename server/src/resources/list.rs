//! Lists: one page of a consistent state, in a stable order.

use std::sync::Arc;

use axum::extract::State;
use dateline_engine::{Document, Seq, Snapshot};
use serde_json::{Map, Value};

use crate::app::App;
use crate::auth::Principal;
use crate::auth::policy::Action;
use crate::eve::problem::{Problem, Slug};
use crate::eve::{Item, Links, ListMeta, ListQuery, ListWriter, Params, Sort, system};
use crate::http::Answer;
use crate::resources::candidates::{Candidates, choose, wait};
use crate::resources::part::within;
use crate::resources::placed::{self, Placed};
use crate::resources::query::Query;
use crate::resources::rows::{Found, Look, Row};
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
    let mut sight = Sight::of(&principal, Action::Read, &resource.name)?;
    if resource.name == "devices" && within(&params)?.is_some() {
        // Where a device is has an owner and a privilege of its own.
        let positions = Sight::of(&principal, Action::Read, "positions")?;
        sight = if positions.is_clear() { sight } else { positions };
    }
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

struct Page<'a> {
    look: Look<'a>,
    explained: Option<Value>,
}

fn page(app: &App, sight: &Sight, resource: &Arc<Resource>, params: &Params) -> Result<Vec<u8>, Problem> {
    with_page(app, sight, resource, params, |page, found, seq, secret| {
        page.render(params, found, seq, secret)
    })
}

/// The documents of a page, for answers in another form.
pub(crate) struct Selection {
    pub(crate) documents: Vec<Document>,
    /// How many there are on all pages, if it is known.
    pub(crate) total: Option<u64>,
    /// The cursor of the next page, if there is one.
    pub(crate) next: Option<String>,
}

/// The documents that `GET /api/{resource}` would show.
pub(crate) fn select(
    app: &App,
    sight: &Sight,
    resource: &Arc<Resource>,
    params: &Params,
) -> Result<Selection, Problem> {
    with_page(app, sight, resource, params, |page, found, seq, secret| page.select(found, seq, secret))
}

/// Finds a page; `finish` gets the rows, the sequence they are of, and the secret for a cursor where there can be one.
fn with_page<T>(
    app: &App,
    sight: &Sight,
    resource: &Arc<Resource>,
    params: &Params,
    finish: impl FnOnce(&Page<'_>, &Found, Seq, Option<&[u8]>) -> Result<T, Problem>,
) -> Result<T, Problem> {
    let mut query = ListQuery::parse(&resource.name, params, &Sort::by_id())?;
    if query.page.take() == 0 && query.page.cursor.is_none() {
        // How many there are does not depend on their order.
        query.sort = Sort::by_id();
    }
    let within = within(params)?;
    if let Some(within) = within.as_ref().filter(|_| placed::orders(params)) {
        query.sort = Placed::sort(within)?;
    }
    let explains = explains(params)?;
    let secret = app.store().id().0;
    let cursor = query.cursor(&secret)?;
    let snapshot = app.store().snapshot()?;
    let own = snapshot.tail().seq;
    // Places are known of the present alone; a distance is a stable place all the same.
    let paged = cursor.as_ref().filter(|_| within.is_none()).map(|cursor| Seq::new(cursor.seq));
    let paged = paged.filter(|seq| *seq < own);
    let as_of = match moment::of(&snapshot, params)? {
        Some(moment) => Some(moment),
        None => paged.map(|seq| snapshot.moment(seq)).transpose()?,
    };
    if let Some(seq) = paged.filter(|_| params.get("as_of").is_none()) {
        check_shape(&snapshot, resource, seq)?;
    }
    let seq = as_of.map_or(own, |moment| moment.seq);
    let candidates = choose(app, resource, sight, params, &query, &snapshot, as_of)?;
    // Found by relevance: in that order, and paged by number, since a rank has no stable place.
    let ranked = matches!(candidates, Candidates::These(_)) && params.get("sort").is_none();
    let look =
        Look::new(sight, resource, &query, &snapshot, as_of, cursor.as_ref().map(|cursor| &cursor.after));
    let found = look.find(&candidates, ranked)?;
    let explained = explains.then(|| look.explain(&candidates));
    finish(&Page { look, explained }, &found, seq, (!ranked).then_some(&secret[..]))
}

/// What a cursor says of an order is of documents as they were shown then.
fn check_shape(snapshot: &Snapshot<'_>, resource: &Resource, seq: Seq) -> Result<(), Problem> {
    let upgraded_at = snapshot.catalog().by_id(resource.collection).and_then(|known| known.upgraded_at());
    if upgraded_at.is_some_and(|at| at > seq) {
        let detail = "the schema of the collection was upgraded since the first page; begin anew";
        return Err(Problem::new(Slug::Gone, detail).issue("cursor", "expired"));
    }
    Ok(())
}

fn explains(params: &Params) -> Result<bool, Problem> {
    match params.get("explain") {
        None | Some("" | "false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(Problem::query("explain", "expected true or false")),
    }
}

impl Page<'_> {
    fn render(
        &self,
        params: &Params,
        found: &Found,
        seq: Seq,
        secret: Option<&[u8]>,
    ) -> Result<Vec<u8>, Problem> {
        let Look { query, resource, .. } = &self.look;
        let (take, rows) = (query.page.take(), &found.rows);
        let mut list = ListWriter::new(take.min(rows.len()) * 512);
        let mut last = None;
        for row in rows.iter().take(take) {
            if list.bytes() > ANSWER_BYTES_MAX {
                break;
            }
            let Some(document) = self.look.document(row.key.id())? else { continue };
            self.push(&mut list, &document, row)?;
            last = Some(row);
        }
        let more = rows.len() > list.len() && take > 0;
        let next = last
            .filter(|_| more)
            .zip(secret)
            .and_then(|(row, secret)| query.next_cursor(seq.get(), row.key.clone(), secret));
        let meta = ListMeta::new(&query.page, found.total, more);
        let links = Links {
            href: &resource.name,
            title: &resource.name,
            params,
            page: &query.page,
            next_cursor: next.as_deref(),
        };
        let links = links.to_json(&meta);
        let extras: Vec<(&str, Value)> =
            self.explained.iter().map(|explained| ("_explain", explained.clone())).collect();
        Ok(list.finish(&meta, next.as_deref(), &links, seq.get(), &extras))
    }

    fn select(&self, found: &Found, seq: Seq, secret: Option<&[u8]>) -> Result<Selection, Problem> {
        let (query, mut documents, mut bytes, mut last) = (self.look.query, Vec::new(), 0, None);
        for row in found.rows.iter().take(query.page.take()) {
            if bytes > ANSWER_BYTES_MAX {
                break;
            }
            let Some(document) = self.look.document(row.key.id())? else { continue };
            bytes += document.body.len();
            documents.push(document);
            last = Some(row);
        }
        let more = last.filter(|_| found.rows.len() > documents.len());
        let next =
            more.zip(secret).and_then(|(row, secret)| query.next_cursor(seq.get(), row.key.clone(), secret));
        Ok(Selection { documents, total: found.total, next })
    }

    fn push(&self, list: &mut ListWriter, document: &Document, row: &Row) -> Result<(), Problem> {
        let tag = answer::tag(document);
        let meta = answer::meta(document, &tag);
        if self.look.query.projection.is_everything() {
            let item = Item::read(meta, &self.look.resource.name);
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
        self.look.query.projection.apply(&mut body);
        body.extend(row.extra.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        list.push_value(&Value::Object(body));
        Ok(())
    }
}
