//! One search: bounds, waiting, compiling, ranking.

use std::time::{Duration, Instant};

use dateline_engine::{CollectionId, DocId, Error, Result, Seq};
use tantivy::collector::sort_key::{SortBySimilarityScore, SortByStaticFastValue};
use tantivy::collector::{Count, TopDocs};
use tantivy::query::Query;
use tantivy::schema::Value as _;
use tantivy::{DocAddress, Score, TantivyDocument};

use crate::compile::Compiler;
use crate::fault;
use crate::limits::{HITS_MAX, WINDOW_MAX};
use crate::mapping::Mapping;
use crate::query::{self, DefaultOperator};
use crate::schema::{SEQ, parse_key};
use crate::shared::{Shared, View};

/// What is searched for.
#[derive(Clone, Debug)]
pub struct SearchRequest {
    /// Name of the collection.
    pub collection: String,
    /// The query; empty for every document.
    pub q: String,
    /// What a blank between two words of it means.
    pub default_operator: DefaultOperator,
    /// Hits to pass over.
    pub offset: usize,
    /// Hits to give, at most `limits::HITS_MAX`; with the offset at most `limits::WINDOW_MAX`.
    pub limit: usize,
    /// Wait until this record of the log is visible.
    pub min_seq: Option<Seq>,
    /// How long to wait for it, and for the index to be ready.
    pub deadline: Duration,
}

/// One document found.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// Its id; the body is in the store.
    pub id: DocId,
    /// Its rank: higher is better. Comparable within one answer only.
    pub score: f32,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct SearchAnswer {
    /// Best first; of equals the one written last is first.
    pub hits: Vec<Hit>,
    /// How many documents match.
    pub total: u64,
    /// The answer is exact as of this record of the log.
    pub seq: Seq,
}

pub(crate) fn search(shared: &Shared, request: &SearchRequest) -> Result<SearchAnswer> {
    let started = Instant::now();
    check_window(request)?;
    let (collection, mapping) = shared.searched.by_name(&request.collection)?;
    let node = query::parse(&request.q, request.default_operator)?;
    let view = wait(shared, request.min_seq.unwrap_or(Seq::ZERO), started + request.deadline)?;
    let answer = run(&view, collection, &mapping, &node, request);
    shared.counters.searched(started);
    answer
}

fn check_window(request: &SearchRequest) -> Result<()> {
    if request.limit > HITS_MAX {
        return Err(Error::invalid(format!("at most {HITS_MAX} hits are given at once")));
    }
    match request.offset.checked_add(request.limit) {
        Some(end) if end <= WINDOW_MAX => Ok(()),
        _ => Err(Error::invalid(format!("offset and limit reach past {WINDOW_MAX}; narrow the query"))),
    }
}

fn wait(shared: &Shared, seq: Seq, deadline: Instant) -> Result<std::sync::Arc<View>> {
    let reached = shared.visible.wait(seq, deadline, || shared.commit_for(seq));
    match shared.view.load_full() {
        Some(view) if reached => Ok(view),
        Some(view) => Err(Error::busy(format!("search has seen {}, not yet {seq}", view.seq))),
        None => Err(Error::busy("the search index is being built; try again")),
    }
}

fn run(
    view: &View,
    collection: CollectionId,
    mapping: &Mapping,
    node: &query::Node,
    request: &SearchRequest,
) -> Result<SearchAnswer> {
    let (searcher, fields) = (&view.searcher, view.generation.fields);
    let query = Compiler { fields, collection, mapping, searcher }.compile(node)?;
    let (found, total) = rank(view, &*query, request).map_err(fault::tantivy("search"))?;
    let hits = found
        .into_iter()
        .map(|(score, address)| Ok(Hit { id: id_of(view, address)?, score }))
        .collect::<Result<_>>()?;
    let total = u64::try_from(total).unwrap_or(u64::MAX);
    Ok(SearchAnswer { hits, total, seq: view.seq })
}

/// The page of documents and the number of all.
fn rank(
    view: &View,
    query: &dyn Query,
    request: &SearchRequest,
) -> tantivy::Result<(Vec<(Score, DocAddress)>, usize)> {
    // The collector of the best refuses to collect none.
    if request.limit == 0 {
        return Ok((Vec::new(), view.searcher.search(query, &Count)?));
    }
    let newest = SortByStaticFastValue::<u64>::for_field(SEQ);
    let page = TopDocs::with_limit(request.limit).and_offset(request.offset);
    let best = page.order_by((SortBySimilarityScore, newest));
    let (found, total) = view.searcher.search(query, &(best, Count))?;
    Ok((found.into_iter().map(|((score, _), address)| (score, address)).collect(), total))
}

fn id_of(view: &View, address: DocAddress) -> Result<DocId> {
    let document: TantivyDocument = view.searcher.doc(address).map_err(fault::tantivy("read a key"))?;
    let key = document.get_first(view.generation.fields.key).and_then(|value| value.as_str());
    Ok(parse_key(key.unwrap_or_default())?.1)
}
